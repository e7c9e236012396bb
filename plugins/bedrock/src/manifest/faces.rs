//! What clients may speak: the operations of a model, at the paths of the service itself.
//!
//! A client that signs its requests as the service demands has no credential in any of the places below: nobody checks
//! such a signature here, and so it names nobody.

use weir_sdk::manifest::{
    AnswerFraming, BodyKind, CredentialPlace, Face, Feature, FrameTest, ModelPlace, Operation, StreamFlag,
};
use weir_sdk::types::{Framing, Header};

use super::{INVOKE as OPERATION, strings};
use crate::{FORMAT, INVOKE};

/// Base urls that clients of this format are pointed at.
const PREFIX: &str = "/bedrock";

pub(super) fn all() -> Vec<Face> {
    let chat = |path: &str, streams| Face {
        output_limit: strings(["/inferenceConfig/maxTokens"]),
        features: features(),
        ..post(FORMAT, Operation::Chat, path, streams)
    };
    let invoke = |path: &str, streams| post(INVOKE, Operation::Other(OPERATION.into()), path, streams);
    vec![
        chat("converse", false),
        chat("converse-stream", true),
        Face { features: features(), ..post(FORMAT, Operation::CountTokens, "count-tokens", false) },
        invoke("invoke", false),
        invoke("invoke-with-response-stream", true),
    ]
}

fn post(format: &str, operation: Operation, path: &str, streams: bool) -> Face {
    let framings = vec![AnswerFraming { framing: Framing::EventStream, when: None }];
    Face {
        format: format.into(),
        operation,
        method: "POST".into(),
        path: format!("/model/{{model}}/{path}"),
        prefixes: strings([PREFIX]),
        when: None,
        credentials: vec![
            CredentialPlace::Header(Header::new("authorization", "Bearer ")),
            CredentialPlace::Header(Header::new("x-api-key", "")),
        ],
        model: vec![ModelPlace::Path],
        stream: StreamFlag::Constant(streams),
        body: BodyKind::Json,
        output_limit: Vec::new(),
        end_user: Vec::new(),
        object_ids: Vec::new(),
        features: Vec::new(),
        request_headers: Vec::new(),
        framings: if streams { framings } else { Vec::new() },
    }
}

fn features() -> Vec<Feature> {
    let block = |name: &str| {
        let places = ["/messages/*/content/*/", "/messages/*/content/*/toolResult/content/*/"];
        places.map(|place| FrameTest::Present(format!("{place}{name}"))).to_vec()
    };
    let present = |pointer: &str| vec![FrameTest::Present(pointer.into())];
    [
        ("tools", present("/toolConfig/tools")),
        ("vision", block("image")),
        ("audio", block("audio")),
        ("documents", block("document")),
        ("schema", present("/outputConfig/textFormat")),
        (
            "reasoning",
            ["thinking", "reasoning_config", "reasoningConfig", "reasoning_effort"]
                .map(|name| FrameTest::Present(format!("/additionalModelRequestFields/{name}")))
                .to_vec(),
        ),
    ]
    .into_iter()
    .map(|(name, tests)| Feature { name: name.into(), tests })
    .collect()
}
