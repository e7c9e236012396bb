//! The endpoints for clients. Their base url is usually a host and a port, so the paths are at the root; some clients
//! put `/ollama` in front.

use weir_sdk::manifest::{
    AnswerFraming, Face, Feature, FrameTest, ModelPlace, Operation, StreamFlag, features, strings,
};
use weir_sdk::types::Framing;

use crate::{CHAT, EMBED, EMBEDDINGS, GENERATE, MODELS};

/// Prefix of the base urls that clients of this format are configured with.
const PREFIX: &str = "/ollama";

pub(super) fn all() -> Vec<Face> {
    vec![
        answers(CHAT, "/api/chat"),
        answers(GENERATE, "/api/generate"),
        post(EMBED, Operation::Embeddings, "/api/embed"),
        post(EMBEDDINGS, Operation::Embeddings, "/api/embeddings"),
        get("/api/tags"),
        get("/api/version"),
        get("/api/ps"),
        get("/"),
        head("/api/tags"),
        head("/api/version"),
        head("/api/ps"),
        head("/"),
        // Old clients use `name`.
        Face {
            model: ["/name", "/model"].map(ModelPlace::pointer).into(),
            ..post(MODELS, Operation::Models, "/api/show")
        },
    ]
}

fn answers(format: &str, path: &str) -> Face {
    Face {
        stream: StreamFlag::member(true),
        output_limit: strings(["/options/num_predict"]),
        features: features_of_messages(),
        framings: AnswerFraming::always(Framing::Ndjson),
        ..post(format, Operation::Chat, path)
    }
}

fn post(format: &str, operation: Operation, path: &str) -> Face {
    Face { prefixes: strings([PREFIX]), ..Face::post(format, operation, path) }
}

fn get(path: &str) -> Face {
    Face { prefixes: strings([PREFIX]), ..Face::get(MODELS, Operation::Models, path) }
}

/// A face for `HEAD` requests, with which clients check that the server is up.
fn head(path: &str) -> Face {
    Face { method: "HEAD".into(), ..get(path) }
}

fn features_of_messages() -> Vec<Feature> {
    features([
        ("tools", vec![FrameTest::present("/tools")]),
        ("vision", ["/messages/*/images", "/images"].map(FrameTest::present).to_vec()),
        ("schema", vec![FrameTest::present("/format")]),
        ("reasoning", vec![FrameTest::present("/think")]),
    ])
}
