//! The endpoints for clients.

use weir_sdk::manifest::{
    AnswerFraming, Condition, CredentialPlace, Face, Feature, FrameTest, Operation, StreamFlag, features, strings,
};
use weir_sdk::types::Framing;

use crate::FORMAT;

/// Prefix of the base urls that clients of this format are configured with.
pub(super) const PREFIX: &str = "/anthropic";

pub(super) fn all() -> Vec<Face> {
    let mut faces = vec![messages(), count_tokens()];
    for path in ["/v1/models", "/v1/models/{model...}"] {
        faces.push(models(path, Some(Condition::HeaderPresent("anthropic-version".into()))));
        // Below the prefix no other format is possible.
        faces.push(models(&format!("{PREFIX}{path}"), None));
    }
    faces
}

fn messages() -> Face {
    Face {
        stream: StreamFlag::member(false),
        output_limit: strings(["/max_tokens"]),
        service_tier: strings(["/speed", "/service_tier"]),
        framings: AnswerFraming::always(Framing::Sse),
        ..post("/v1/messages", Operation::Chat)
    }
}

fn count_tokens() -> Face {
    post("/v1/messages/count_tokens", Operation::CountTokens)
}

/// Where a request names objects. The last two places are in the parts of a tool's result, and of a document.
pub(super) const OBJECTS: [&str; 7] = [
    "/container",
    "/container/id",
    "/container/skills/*/skill_id",
    "/messages/*/content/*/source/file_id",
    "/messages/*/content/*/file_id",
    "/messages/*/content/*/content/*/source/file_id",
    "/messages/*/content/*/source/content/*/source/file_id",
];

/// Where answers have the id of the container that a tool ran in: whole, and at the beginning and the end of a stream.
const CONTAINERS: [&str; 3] = ["{tools}/container/id", "{tools}/message/container/id", "{tools}/delta/container/id"];

/// Skills of these are Claude's own (`pptx`), and no client's.
pub(super) fn public(requests: &str) -> Vec<FrameTest> {
    vec![FrameTest::equals(format!("{requests}/container/skills/*/type"), "anthropic")]
}

fn post(path: &str, operation: Operation) -> Face {
    Face {
        prefixes: strings([PREFIX]),
        credentials: credentials(),
        end_user: strings(["/metadata/user_id"]),
        object_ids: [strings(OBJECTS), strings(CONTAINERS)].concat(),
        features: features_of_messages(),
        request_headers: request_headers(),
        ..Face::post(FORMAT, operation, path)
    }
}

fn models(path: &str, when: Option<Condition>) -> Face {
    Face {
        when,
        credentials: credentials(),
        request_headers: request_headers(),
        ..Face::get(FORMAT, Operation::Models, path)
    }
}

pub(super) fn request_headers() -> Vec<String> {
    strings(["anthropic-version", "anthropic-beta"])
}

pub(super) fn credentials() -> Vec<CredentialPlace> {
    vec![CredentialPlace::header("x-api-key"), CredentialPlace::bearer()]
}

fn features_of_messages() -> Vec<Feature> {
    let block = |name: &str| {
        ["/messages/*/content/*/type", "/messages/*/content/*/content/*/type"]
            .map(|pointer| FrameTest::equals(pointer, name))
            .to_vec()
    };
    let thinking = ["enabled", "adaptive", "between_tools"];
    features([
        ("tools", vec![FrameTest::present("/tools")]),
        ("vision", block("image")),
        ("documents", block("document")),
        ("schema", ["/output_config/format", "/output_format"].map(FrameTest::present).to_vec()),
        ("reasoning", thinking.map(|mode| FrameTest::equals("/thinking/type", mode)).to_vec()),
        ("public", public("")),
    ])
}
