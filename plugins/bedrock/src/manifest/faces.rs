//! The endpoints for clients: the operations of a model, at the paths of the service itself.
//!
//! A client that signs its requests for the service has no credential in any of the places below. Weir does not check
//! such a signature, so it identifies no client.

use weir_sdk::manifest::{
    AnswerFraming, CredentialPlace, Face, Feature, FrameTest, ModelPlace, Operation, StreamFlag, features, strings,
};
use weir_sdk::types::Framing;

use super::INVOKE as OPERATION;
use crate::{FORMAT, INVOKE};

/// Prefix of the base urls that clients of this format are configured with.
const PREFIX: &str = "/bedrock";

/// Where the vendors' own formats limit the output: Claude and most others, Claude's completions, Nova, Titan, Llama.
const OUTPUT_LIMITS: [&str; 7] = [
    "/max_tokens",
    "/max_completion_tokens",
    "/max_tokens_to_sample",
    "/inferenceConfig/maxTokens",
    "/inferenceConfig/max_new_tokens",
    "/textGenerationConfig/maxTokenCount",
    "/max_gen_len",
];

pub(super) fn all() -> Vec<Face> {
    let chat = |path: &str, streams| Face {
        output_limit: strings(["/inferenceConfig/maxTokens"]),
        service_tier: strings(["/serviceTier/type"]),
        features: features_of_messages(),
        ..post(FORMAT, Operation::Chat, path, streams)
    };
    let invoke = |path: &str, streams| Face {
        output_limit: strings(OUTPUT_LIMITS),
        ..post(INVOKE, Operation::Other(OPERATION.into()), path, streams)
    };
    vec![
        chat("converse", false),
        chat("converse-stream", true),
        Face { features: features_of_messages(), ..post(FORMAT, Operation::CountTokens, "count-tokens", false) },
        invoke("invoke", false),
        invoke("invoke-with-response-stream", true),
    ]
}

fn post(format: &str, operation: Operation, path: &str, streams: bool) -> Face {
    let path = format!("/model/{{model}}/{path}");
    Face {
        prefixes: strings([PREFIX]),
        credentials: vec![CredentialPlace::bearer(), CredentialPlace::header("x-api-key")],
        // A request in a vendor's format may name its model too; the service reads the path.
        model: vec![ModelPlace::Path, ModelPlace::pointer("/model")],
        stream: StreamFlag::Constant(streams),
        framings: if streams { AnswerFraming::always(Framing::EventStream) } else { Vec::new() },
        ..Face::post(format, operation, path)
    }
}

fn features_of_messages() -> Vec<Feature> {
    let block = |name: &str| {
        let places = ["/messages/*/content/*/", "/messages/*/content/*/toolResult/content/*/"];
        places.map(|place| FrameTest::present(format!("{place}{name}"))).to_vec()
    };
    let thinking = ["thinking", "reasoning_config", "reasoningConfig", "reasoning_effort"];
    let additional = |name: &str| FrameTest::present(format!("/additionalModelRequestFields/{name}"));
    features([
        ("tools", vec![FrameTest::present("/toolConfig/tools")]),
        ("vision", block("image")),
        ("audio", block("audio")),
        ("documents", block("document")),
        ("schema", vec![FrameTest::present("/outputConfig/textFormat")]),
        ("reasoning", thinking.map(additional).to_vec()),
    ])
}
