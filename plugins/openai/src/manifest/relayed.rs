//! Operations that are relayed and never translated: images, audio, moderations, files, batches, stored answers.
//!
//! Source: the paths of OpenAI's API description. A request goes to a provider that takes it unchanged; one without a
//! model goes to the provider that the client names, or to the only one.

use weir_sdk::compat::manifest::{acceptance, option_headers};
use weir_sdk::compat::relayed::{self, FORMAT, Relayed};
use weir_sdk::manifest::{
    Acceptance, AnswerFraming, BodyKind, Face, Format, FrameTest, ModelPlace, Operation, StreamFlag, Tap, features,
};
use weir_sdk::types::Framing;

use super::{errors, face, history, objects_of_responses};
use crate::quirks::QUIRKS;

/// The place of the model's name.
#[derive(Clone, Copy)]
enum Takes {
    /// JSON with a `model`, which may be absent.
    Json,
    /// JSON with a `model`; the member `stream` requests a stream.
    Stream,
    /// A form with a `model`; the field `stream` requests a stream.
    Form,
    /// A request for an answer: JSON with a `model` and perhaps the ids of objects.
    Answer,
    /// JSON with a file's id and without a model.
    Batch,
    /// Any other body, without a model.
    Object,
}

/// Operation, method, path after `/v1/`, kind of body. The operation's name is a label of metrics.
const ENDPOINTS: [(&str, &str, &str, Takes); 21] = [
    ("images", "POST", "images/generations", Takes::Stream),
    ("image-edits", "POST", "images/edits", Takes::Form),
    ("image-variations", "POST", "images/variations", Takes::Form),
    ("speech", "POST", "audio/speech", Takes::Json),
    ("transcriptions", "POST", "audio/transcriptions", Takes::Form),
    ("translations", "POST", "audio/translations", Takes::Form),
    ("moderations", "POST", "moderations", Takes::Json),
    ("files-create", "POST", "files", Takes::Object),
    ("files-list", "GET", "files", Takes::Object),
    ("files-get", "GET", "files/{id}", Takes::Object),
    ("files-delete", "DELETE", "files/{id}", Takes::Object),
    ("files-content", "GET", "files/{id}/content", Takes::Object),
    ("batches-create", "POST", "batches", Takes::Batch),
    ("batches-list", "GET", "batches", Takes::Object),
    ("batches-get", "GET", "batches/{id}", Takes::Object),
    ("batches-cancel", "POST", "batches/{id}/cancel", Takes::Object),
    ("responses-compact", "POST", "responses/compact", Takes::Answer),
    ("responses-get", "GET", "responses/{id}", Takes::Object),
    ("responses-delete", "DELETE", "responses/{id}", Takes::Object),
    ("responses-cancel", "POST", "responses/{id}/cancel", Takes::Object),
    ("responses-items", "GET", "responses/{id}/input_items", Takes::Object),
];

/// The states of a batch whose requests are not all answered, or not all counted.
const BATCH_UNDER_WAY: [&str; 4] = ["validating", "in_progress", "finalizing", "cancelling"];

pub(super) fn faces() -> impl Iterator<Item = Face> {
    ENDPOINTS.iter().map(|&(name, method, path, takes)| {
        let plain = face(FORMAT, operation(name), method, &format!("/v1/{path}"));
        let plain = Face { end_user: Vec::new(), object_ids: object_ids(path), ..plain };
        let streams = |plain: Face| Face {
            stream: StreamFlag::member(false),
            framings: AnswerFraming::always(Framing::Sse),
            ..plain
        };
        match takes {
            Takes::Json => plain,
            Takes::Stream => streams(plain),
            Takes::Form => {
                Face { model: vec![ModelPlace::Field("model".to_owned())], body: BodyKind::Multipart, ..streams(plain) }
            }
            Takes::Answer => {
                let features = features([("history", history())]);
                let service_tier = vec!["/service_tier".to_owned()];
                Face { object_ids: objects_of_responses(), features, service_tier, ..plain }
            }
            Takes::Batch => Face { model: Vec::new(), object_ids: vec!["/input_file_id".to_owned()], ..plain },
            Takes::Object if method == "POST" => Face { model: Vec::new(), body: BodyKind::Raw, ..plain },
            Takes::Object => Face { model: Vec::new(), body: BodyKind::Empty, ..plain },
        }
    })
}

fn operation(name: &str) -> Operation {
    Relayed::named(name).map_or_else(|| Operation::Other(name.to_owned()), Relayed::operation)
}

fn object_ids(path: &str) -> Vec<String> {
    if path.contains("{id}") { vec!["{id}".to_owned()] } else { Vec::new() }
}

pub(super) fn accepts() -> impl Iterator<Item = Acceptance> {
    ENDPOINTS.iter().map(|&(name, method, path, _)| Acceptance {
        query_forwarded: vec!["*".to_owned()],
        set_headers: option_headers(&QUIRKS),
        ..acceptance(FORMAT, operation(name), method, path)
    })
}

pub(super) fn format() -> Format {
    let tap = Tap {
        finish: vec!["/status".to_owned()],
        batch: vec![FrameTest::equals("/object", "batch")],
        under_way: BATCH_UNDER_WAY.map(|state| FrameTest::equals("/status", state)).into(),
        ..relayed::tap("/usage/seconds")
    };
    Format { id: FORMAT.to_owned(), errors: Some(errors()), tap: Some(tap), session: None }
}
