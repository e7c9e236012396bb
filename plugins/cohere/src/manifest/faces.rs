//! The endpoints for clients.

use weir_sdk::compat::rerank::FORMAT as SHARED_RERANK;
use weir_sdk::manifest::{
    AnswerFraming, Condition, Face, Feature, FrameTest, Operation, StreamFlag, features, strings,
};
use weir_sdk::types::Framing;

use super::relayed;
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
        // Below the prefix no other format is possible.
        faces.push(models(&format!("{PREFIX}{path}"), None));
    }
    faces.extend(relayed::faces());
    faces
}

fn chat() -> Face {
    Face {
        stream: StreamFlag::member(false),
        output_limit: strings(["/max_tokens"]),
        features: features_of_messages(),
        framings: AnswerFraming::always(Framing::Sse),
        ..post(FORMAT, Operation::Chat, "/v2/chat")
    }
}

pub(super) fn post(format: &str, operation: Operation, path: &str) -> Face {
    Face { prefixes: strings([PREFIX]), ..Face::post(format, operation, path) }
}

fn models(path: &str, when: Option<Condition>) -> Face {
    Face { when, ..Face::get(FORMAT, Operation::Models, path) }
}

fn features_of_messages() -> Vec<Feature> {
    features([
        ("tools", vec![FrameTest::present("/tools")]),
        ("vision", vec![FrameTest::equals("/messages/*/content/*/type", "image_url")]),
        ("documents", vec![FrameTest::present("/documents")]),
        ("schema", ["/response_format/json_schema", "/response_format/schema"].map(FrameTest::present).to_vec()),
        ("reasoning", vec![FrameTest::equals("/thinking/type", "enabled")]),
    ])
}
