//! Live sessions: JSON messages over a WebSocket. The first one, `setup`, names the model.
//!
//! Source: `BidiGenerateContent` of the service's API description. A turn of the model ends with `turnComplete`, also
//! one that was interrupted; the usage comes with it.

use weir_sdk::manifest::{
    Acceptance, BodyKind, ErrorFormat, Face, Feature, Format, FrameTest, Merge, ModelPlace, ModelPointer, Operation,
    PointerEquals, SessionTap, Tap, Transport, features, strings,
};

use super::{faces, format, usage};

const FORMAT: &str = "gemini.live";
const PATH: &str = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";

pub(super) fn faces() -> impl Iterator<Item = Face> {
    faces::VERSIONS.into_iter().map(|version| face(PATH.replace("v1beta", version)))
}

fn face(path: String) -> Face {
    let model = ModelPointer { pointer: "/setup/model".into(), prefix: "models/".into() };
    Face {
        prefixes: strings([faces::PREFIX]),
        credentials: faces::credentials(),
        model: vec![ModelPlace::Message(model)],
        body: BodyKind::Session,
        object_ids: objects_of_messages(),
        features: features_of_messages(),
        ..Face::get(FORMAT, Operation::Realtime, path)
    }
}

/// Where the messages name files, stores of files, and the session that is to go on, whose handle the provider gives in
/// messages of its own.
fn objects_of_messages() -> Vec<String> {
    let resumed = ["sessionResumption", "session_resumption"].map(|member| format!("/setup/{member}/handle"));
    let resumable = "{setup}/sessionResumptionUpdate/newHandle".to_owned();

    let turns = ["/clientContent/turns", "/client_content/turns"];
    let contents = turns.into_iter().chain(["/setup/systemInstruction", "/setup/system_instruction"]);
    let files = contents.flat_map(faces::files).chain(faces::searches("/setup/tools"));
    files.chain(resumed).chain([resumable]).collect()
}

/// Where the messages have sound and images. The data of a turn's parts may be a text as well.
fn features_of_messages() -> Vec<Feature> {
    let places = |of_medium: &[&str]| {
        let all = ["realtimeInput", "realtime_input"].into_iter();
        all.flat_map(|input| of_medium.iter().map(move |medium| FrameTest::present(format!("/{input}/{medium}/data"))))
            .collect::<Vec<_>>()
    };
    features([("audio", places(&["audio", "mediaChunks/*", "media_chunks/*"])), ("vision", places(&["video"]))])
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
            // The counts grow while a turn lasts.
            usage: usage::places("response", Merge::Max),
            content: ["/serverContent/modelTurn/parts/*/text", "/serverContent/outputTranscription/text"]
                .map(FrameTest::present)
                .to_vec(),
            end: vec![is_true("/serverContent/turnComplete")],
            ..Tap::default()
        },
        cancel: None,
        configuration: None,
    };
    // There is no message for an error: the reason stands in the close frame.
    let errors = ErrorFormat { stream_failure: None, ..format::errors() };
    Format { id: FORMAT.into(), errors: Some(errors), tap: None, session: Some(session) }
}
