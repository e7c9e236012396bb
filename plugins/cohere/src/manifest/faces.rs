//! What clients may speak.

use weir_sdk::compat::rerank::FORMAT as SHARED_RERANK;
use weir_sdk::manifest::{
    AnswerFraming, BodyKind, Condition, CredentialPlace, Face, Feature, FrameTest, ModelPlace, ModelPointer, Operation,
    PointerEquals, StreamFlag, StreamPointer,
};
use weir_sdk::types::{Framing, Header};

use super::{relayed, strings};
use crate::{FORMAT, embeddings, rerank};

/// Base urls that clients of these formats are pointed at.
const PREFIX: &str = "/cohere";
/// A header of the official clients.
const CLIENT: &str = "x-fern-sdk-name";

pub(super) fn all() -> Vec<Face> {
    let mut faces = vec![
        chat(),
        post(embeddings::FORMAT, Operation::Embeddings, "/v2/embed"),
        post(embeddings::OLD, Operation::Embeddings, "/v1/embed"),
        post(rerank::FORMAT, Operation::Rerank, "/v2/rerank"),
        post(SHARED_RERANK, Operation::Rerank, "/v1/rerank"),
        post(SHARED_RERANK, Operation::Rerank, "/rerank"),
    ];
    for path in ["/v1/models", "/v1/models/{model...}"] {
        faces.push(models(path, Some(Condition::HeaderPresent(CLIENT.into()))));
        // Below the prefix no other format can be meant.
        faces.push(models(&format!("{PREFIX}{path}"), None));
    }
    faces.extend(relayed::faces());
    faces
}

fn chat() -> Face {
    Face {
        stream: StreamFlag::Pointer(StreamPointer { pointer: "/stream".into(), fallback: false }),
        output_limit: strings(["/max_tokens"]),
        features: features(),
        framings: vec![AnswerFraming { framing: Framing::Sse, when: None }],
        ..post(FORMAT, Operation::Chat, "/v2/chat")
    }
}

pub(super) fn post(format: &str, operation: Operation, path: &str) -> Face {
    Face {
        format: format.into(),
        operation,
        method: "POST".into(),
        path: path.into(),
        prefixes: strings([PREFIX]),
        when: None,
        credentials: vec![CredentialPlace::Header(Header::new("authorization", "Bearer "))],
        model: vec![ModelPlace::Pointer(ModelPointer { pointer: "/model".into(), prefix: String::new() })],
        stream: StreamFlag::Constant(false),
        body: BodyKind::Json,
        output_limit: Vec::new(),
        end_user: Vec::new(),
        object_ids: Vec::new(),
        features: Vec::new(),
        request_headers: Vec::new(),
        framings: Vec::new(),
    }
}

fn models(path: &str, when: Option<Condition>) -> Face {
    let model = if path.contains("{model") { vec![ModelPlace::Path] } else { Vec::new() };
    Face {
        method: "GET".into(),
        prefixes: Vec::new(),
        when,
        model,
        body: BodyKind::Empty,
        ..post(FORMAT, Operation::Models, path)
    }
}

fn features() -> Vec<Feature> {
    let present = |pointer: &str| FrameTest::Present(pointer.into());
    let equals = |pointer: &str, text: &str| {
        FrameTest::Equals(PointerEquals { pointer: pointer.into(), json: format!("\"{text}\"") })
    };
    [
        ("tools", vec![present("/tools")]),
        ("vision", vec![equals("/messages/*/content/*/type", "image_url")]),
        ("documents", vec![present("/documents")]),
        ("schema", vec![present("/response_format/json_schema"), present("/response_format/schema")]),
        ("reasoning", vec![equals("/thinking/type", "enabled")]),
    ]
    .into_iter()
    .map(|(name, tests)| Feature { name: name.into(), tests })
    .collect()
}
