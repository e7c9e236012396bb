//! Realtime sessions: JSON messages over a WebSocket.
//!
//! Source: the events of OpenAI's Realtime API. Each response ends with `response.done`, which has its usage.
//! Transcripts of the input are billed beside the responses, in the same measure; their usage is added to that of the
//! response that is open, or stands alone.

use weir_sdk::compat::manifest::{acceptance, option_headers, place};
use weir_sdk::manifest::{
    Acceptance, BodyKind, Bucket, CredentialPlace, ErrorFormat, Face, FixedQuery, Format, FrameTemplate, FrameTest,
    Merge, ModelPlace, ModelPointer, Operation, SessionConfiguration, SessionTap, Tap, Transport, UnitPlace,
    UsagePlace, features, strings,
};
use weir_sdk::types::Unit;

use super::{errors, face};
use crate::quirks::QUIRKS;

const FORMAT: &str = "openai.realtime";

/// Where messages name the model that writes down what is said: as the API has it, and as its preview did.
const TRANSCRIBERS: [&str; 2] =
    ["/session/audio/input/transcription/model", "/session/input_audio_transcription/model"];

/// The event for an error. Clients look for its id.
const ERROR_EVENT: &str = r#"{"type":"error","event_id":{{request_id}},"error":{"type":{{kind}},"code":{{code}},"message":{{message}},"param":{{param}},"event_id":null}}"#;

pub(super) fn face_of_sessions() -> Face {
    let plain = face(FORMAT, Operation::Realtime, "GET", "/v1/realtime");
    let offered = CredentialPlace::Subprotocol("openai-insecure-api-key.".to_owned());
    let credentials = plain.credentials.iter().cloned().chain([offered]).collect();
    // Where the messages have sound: all else counts as text.
    let audio = ["/audio", "/item/content/*/audio", "/response/input/*/content/*/audio"];
    // The service takes another model than the session's at none of these places; others that speak the format may.
    let own = ["/session/model", "/response/model"];
    let own = own.map(|at| ModelPlace::Message(ModelPointer { pointer: at.to_owned(), prefix: String::new() }));
    Face {
        credentials,
        model: [ModelPlace::Query("model".to_owned())].into_iter().chain(own).collect(),
        body: BodyKind::Session,
        object_ids: strings(["/session/prompt/id", "/response/prompt/id"]),
        features: features([
            ("audio", audio.map(FrameTest::present).to_vec()),
            ("models", TRANSCRIBERS.map(FrameTest::present).to_vec()),
        ]),
        ..plain
    }
}

/// The endpoint for ephemeral keys, which the gateway answers with its own.
pub(super) fn face_of_secrets() -> Face {
    let operation = Operation::Other("realtime-secrets".to_owned());
    Face {
        model: vec![ModelPlace::pointer("/session/model")],
        end_user: Vec::new(),
        ..face(FORMAT, operation, "POST", "/v1/realtime/client_secrets")
    }
}

pub(super) fn accepts() -> Acceptance {
    Acceptance {
        query: vec![FixedQuery { name: "model".to_owned(), value: "{model}".to_owned(), stream: None }],
        request_headers: strings(["openai-beta", "openai-safety-identifier", "x-client-request-id"]),
        set_headers: option_headers(&QUIRKS),
        transport: Some(Transport::Session),
        ..acceptance(FORMAT, Operation::Realtime, "GET", "realtime")
    }
}

pub(super) fn format() -> Format {
    let kind = |kind: &str| FrameTest::equals("/type", kind);
    let session = SessionTap {
        requests: vec![kind("response.create")],
        begins: vec![kind("response.created")],
        responses: Tap {
            usage: usage(),
            finish: strings(["/response/status"]),
            end: vec![kind("response.done")],
            failure: vec![kind("error"), FrameTest::equals("/response/status", "failed")],
            // Of the models that write down what is said, some bill the seconds.
            units: vec![UnitPlace::number(Unit::Second, "/usage/seconds")],
            ..Tap::default()
        },
        cancel: Some(r#"{"type":"response.cancel"}"#.to_owned()),
        configuration: Some(SessionConfiguration {
            message: r#"{"type":"session.update","session":{{session}}}"#.to_owned(),
            confirmed: vec![kind("session.updated")],
        }),
    };
    let frame = FrameTemplate { event: None, data: ERROR_EVENT.to_owned() };
    let errors = ErrorFormat { stream_failure: Some(frame), ..errors() };
    Format { id: FORMAT.to_owned(), errors: Some(errors), tap: None, session: Some(session) }
}

/// Of the cached input, only text counts as read from a cache: cached audio is part of the audio, so that what is
/// uncertain is dearer.
fn usage() -> Vec<UsagePlace> {
    let place = |bucket, member: &str, includes: &[Bucket]| UsagePlace {
        pointers: vec![format!("/response/usage/{member}"), format!("/usage/{member}")],
        merge: Merge::Sum,
        ..place(bucket, "", includes)
    };
    vec![
        place(Bucket::Input, "input_tokens", &[Bucket::InputAudio, Bucket::InputImage, Bucket::CacheRead]),
        place(Bucket::InputAudio, "input_token_details/audio_tokens", &[]),
        place(Bucket::InputImage, "input_token_details/image_tokens", &[]),
        place(Bucket::CacheRead, "input_token_details/cached_tokens_details/text_tokens", &[]),
        place(Bucket::Output, "output_tokens", &[Bucket::OutputAudio]),
        place(Bucket::OutputAudio, "output_token_details/audio_tokens", &[]),
    ]
}
