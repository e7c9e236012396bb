//! What clients may speak.

use weir_sdk::manifest::{
    AnswerFraming, BodyKind, Condition, CredentialPlace, Face, Feature, FrameTest, ModelPlace, ModelPointer, Operation,
    PointerEquals, StreamFlag, StreamPointer,
};
use weir_sdk::types::{Framing, Header};

use super::strings;
use crate::FORMAT;

/// Base urls that clients of this format are pointed at.
const PREFIX: &str = "/anthropic";

pub(super) fn all() -> Vec<Face> {
    let mut faces = vec![messages(), count_tokens()];
    for path in ["/v1/models", "/v1/models/{model...}"] {
        faces.push(models(path, Some(Condition::HeaderPresent("anthropic-version".into()))));
        // Below the prefix no other format can be meant.
        faces.push(models(&format!("{PREFIX}{path}"), None));
    }
    faces
}

fn messages() -> Face {
    Face {
        stream: StreamFlag::Pointer(StreamPointer { pointer: "/stream".into(), fallback: false }),
        output_limit: strings(["/max_tokens"]),
        framings: vec![AnswerFraming { framing: Framing::Sse, when: None }],
        ..post("/v1/messages", Operation::Chat)
    }
}

fn count_tokens() -> Face {
    post("/v1/messages/count_tokens", Operation::CountTokens)
}

fn post(path: &str, operation: Operation) -> Face {
    Face {
        format: FORMAT.into(),
        operation,
        method: "POST".into(),
        path: path.into(),
        prefixes: strings([PREFIX]),
        when: None,
        credentials: credentials(),
        model: vec![ModelPlace::Pointer(ModelPointer { pointer: "/model".into(), prefix: String::new() })],
        stream: StreamFlag::Constant(false),
        body: BodyKind::Json,
        output_limit: Vec::new(),
        end_user: strings(["/metadata/user_id"]),
        object_ids: strings([
            "/container",
            "/container/id",
            "/messages/*/content/*/source/file_id",
            "/messages/*/content/*/file_id",
        ]),
        features: features(),
        request_headers: strings(["anthropic-version", "anthropic-beta"]),
        framings: Vec::new(),
    }
}

fn models(path: &str, when: Option<Condition>) -> Face {
    let model = if path.contains("{model") { vec![ModelPlace::Path] } else { Vec::new() };
    Face {
        operation: Operation::Models,
        method: "GET".into(),
        prefixes: Vec::new(),
        when,
        model,
        body: BodyKind::Empty,
        end_user: Vec::new(),
        object_ids: Vec::new(),
        features: Vec::new(),
        ..post(path, Operation::Models)
    }
}

fn credentials() -> Vec<CredentialPlace> {
    vec![
        CredentialPlace::Header(Header::new("x-api-key", "")),
        CredentialPlace::Header(Header::new("authorization", "Bearer ")),
    ]
}

fn features() -> Vec<Feature> {
    let block = |name: &str| {
        ["/messages/*/content/*/type", "/messages/*/content/*/content/*/type"]
            .map(|pointer| equals(pointer, name))
            .into_iter()
            .collect::<Vec<_>>()
    };
    let present = |pointer: &str| FrameTest::Present(pointer.into());
    [
        ("tools", vec![present("/tools")]),
        ("vision", block("image")),
        ("documents", block("document")),
        ("schema", vec![present("/output_config/format"), present("/output_format")]),
        ("reasoning", ["enabled", "adaptive", "between_tools"].map(|mode| equals("/thinking/type", mode)).into()),
    ]
    .into_iter()
    .map(|(name, tests)| Feature { name: name.into(), tests })
    .collect()
}

fn equals(pointer: &str, text: &str) -> FrameTest {
    FrameTest::Equals(PointerEquals { pointer: pointer.into(), json: format!("\"{text}\"") })
}
