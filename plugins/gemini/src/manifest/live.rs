//! Live sessions: JSON messages over a WebSocket. The first one, `setup`, names the model.
//!
//! Source: `BidiGenerateContent` of the service's API description. A turn of the model ends with `turnComplete`, also one that
//! was interrupted; the usage comes with it.

use weir_sdk::manifest::{
    Acceptance, BodyKind, Bucket, ErrorFormat, Face, Format, FrameTest, Merge, ModelPlace, ModelPointer, Operation,
    PointerEquals, SessionTap, Tap, Transport, UsagePlace, strings,
};

use super::{faces, format};

const FORMAT: &str = "gemini.live";
const PATH: &str = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
/// The versions of the service by which clients ask for a session; its messages are the same.
const VERSIONS: [&str; 3] = ["v1beta", "v1", "v1alpha"];

pub(super) fn faces() -> impl Iterator<Item = Face> {
    VERSIONS.into_iter().map(|version| face(PATH.replace("v1beta", version)))
}

fn face(path: String) -> Face {
    let model = ModelPointer { pointer: "/setup/model".into(), prefix: "models/".into() };
    Face {
        prefixes: strings([faces::PREFIX]),
        credentials: faces::credentials(),
        model: vec![ModelPlace::Message(model)],
        body: BodyKind::Session,
        ..Face::get(FORMAT, Operation::Realtime, path)
    }
}

pub(super) fn accepts() -> Acceptance {
    Acceptance {
        request_headers: strings(["x-goog-api-client"]),
        transport: Some(Transport::Session),
        ..Acceptance::new(FORMAT, Operation::Realtime, "GET", PATH)
    }
}

pub(super) fn format() -> Format {
    let is_true = |pointer: &str| FrameTest::Equals(PointerEquals { pointer: pointer.into(), json: "true".into() });
    let session = SessionTap {
        requests: ["/clientContent/turnComplete", "/client_content/turn_complete", "/client_content/turnComplete"]
            .map(is_true)
            .to_vec(),
        begins: vec![FrameTest::present("/serverContent/modelTurn"), FrameTest::present("/toolCall")],
        responses: Tap {
            usage: usage(),
            content: ["/serverContent/modelTurn/parts/*/text", "/serverContent/outputTranscription/text"]
                .map(FrameTest::present)
                .to_vec(),
            end: vec![is_true("/serverContent/turnComplete")],
            ..Tap::default()
        },
        cancel: None,
    };
    // There is no message for an error: the reason stands in the close frame.
    let errors = ErrorFormat { stream_failure: None, ..format::errors() };
    Format { id: FORMAT.into(), errors: Some(errors), tap: None, session: Some(session) }
}

/// The counts of a turn, which grow while it lasts.
fn usage() -> Vec<UsagePlace> {
    let place = |bucket: Bucket, member: &str, includes: Vec<Bucket>| UsagePlace {
        bucket,
        pointers: vec![format!("/usageMetadata/{member}")],
        merge: Merge::Max,
        includes,
        beside: None,
    };
    let modality = |bucket, details: &str, name: &str| {
        place(bucket, &format!("{details}/*/tokenCount"), Vec::new()).beside("modality", name)
    };
    vec![
        place(Bucket::Input, "promptTokenCount", vec![Bucket::CacheRead, Bucket::InputAudio, Bucket::InputImage]),
        modality(Bucket::InputAudio, "promptTokensDetails", "AUDIO"),
        modality(Bucket::InputImage, "promptTokensDetails", "IMAGE"),
        modality(Bucket::InputImage, "promptTokensDetails", "VIDEO"),
        place(Bucket::Input, "toolUsePromptTokenCount", Vec::new()),
        place(Bucket::CacheRead, "cachedContentTokenCount", Vec::new()),
        place(Bucket::Output, "responseTokenCount", vec![Bucket::OutputAudio]),
        modality(Bucket::OutputAudio, "responseTokensDetails", "AUDIO"),
        place(Bucket::Reasoning, "thoughtsTokenCount", Vec::new()),
    ]
}
