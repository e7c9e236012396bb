//! What clients may speak. Their base url is a host and a port as a rule, so the paths stand at the root; some clients
//! put `/ollama` in front.

use weir_sdk::manifest::{
    AnswerFraming, BodyKind, CredentialPlace, Face, Feature, FrameTest, ModelPlace, ModelPointer, Operation,
    StreamFlag, StreamPointer,
};
use weir_sdk::types::{Framing, Header};

use super::strings;
use crate::{CHAT, EMBED, EMBEDDINGS, GENERATE, MODELS};

/// Base urls that clients of this format are pointed at.
const PREFIX: &str = "/ollama";

pub(super) fn all() -> Vec<Face> {
    vec![
        answers(CHAT, "/api/chat"),
        answers(GENERATE, "/api/generate"),
        post(EMBED, Operation::Embeddings, "/api/embed"),
        post(EMBEDDINGS, Operation::Embeddings, "/api/embeddings"),
        get("/api/tags"),
        get("/api/version"),
        get("/"),
        head("/api/tags"),
        head("/api/version"),
        head("/"),
        // Old clients say `name`.
        Face { model: vec![pointer("/name"), pointer("/model")], ..post(MODELS, Operation::Models, "/api/show") },
    ]
}

fn pointer(pointer: &str) -> ModelPlace {
    ModelPlace::Pointer(ModelPointer { pointer: pointer.into(), prefix: String::new() })
}

fn answers(format: &str, path: &str) -> Face {
    Face {
        stream: StreamFlag::Pointer(StreamPointer { pointer: "/stream".into(), fallback: true }),
        output_limit: strings(["/options/num_predict"]),
        features: features(),
        framings: vec![AnswerFraming { framing: Framing::Ndjson, when: None }],
        ..post(format, Operation::Chat, path)
    }
}

fn post(format: &str, operation: Operation, path: &str) -> Face {
    Face {
        format: format.into(),
        operation,
        method: "POST".into(),
        path: path.into(),
        prefixes: strings([PREFIX]),
        when: None,
        credentials: vec![CredentialPlace::Header(Header::new("authorization", "Bearer "))],
        model: vec![pointer("/model")],
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

fn get(path: &str) -> Face {
    Face { method: "GET".into(), model: Vec::new(), body: BodyKind::Empty, ..post(MODELS, Operation::Models, path) }
}

/// Clients look whether the server is there before they ask for anything.
fn head(path: &str) -> Face {
    Face { method: "HEAD".into(), ..get(path) }
}

fn features() -> Vec<Feature> {
    let feature = |name: &str, pointers: &[&str]| Feature {
        name: name.into(),
        tests: pointers.iter().map(|pointer| FrameTest::Present((*pointer).into())).collect(),
    };
    vec![
        feature("tools", &["/tools"]),
        feature("vision", &["/messages/*/images", "/images"]),
        feature("schema", &["/format"]),
        feature("reasoning", &["/think"]),
    ]
}
