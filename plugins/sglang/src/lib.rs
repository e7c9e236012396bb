//! SGLang over its own gRPC service, `sglang.runtime.v1.SglangService`.
//!
//! Of the service's methods these take and give text, not tokens: their messages hold the JSON of OpenAI's format as
//! bytes. The base of compatible providers reads and writes that JSON; `envelope` puts it into the messages. The host
//! makes the calls.
//!
//! Source: `proto/sglang/runtime/v1/sglang.proto`, `rust/sglang-grpc` and `grpc_bridge.py` in SGLang's repository
//! (Apache-2.0).

mod decoder;
mod envelope;
mod manifest;
mod models;
mod provider;

#[cfg(test)]
mod tests;

use weir_sdk::compat::quirks::{Media, Paths};
use weir_sdk::compat::{Provider, Quirks};

/// The adapter.
#[derive(Debug)]
pub struct Sglang;

/// What the JSON in the messages is: SGLang's own HTTP server takes and gives the same.
#[derive(Debug)]
struct Json;

impl Provider for Json {
    const QUIRKS: &'static Quirks = &Quirks {
        name: "sglang",
        description: "SGLang over its own gRPC service",
        family: "sglang",
        paths: Paths {
            chat: "sglang.runtime.v1.SglangService/ChatComplete",
            embeddings: "sglang.runtime.v1.SglangService/OpenAIEmbed",
            rerank: "sglang.runtime.v1.SglangService/Rerank",
            models: "sglang.runtime.v1.SglangService/ListModels",
            ..Paths::NONE
        },
        efforts: &["none", "low", "medium", "high"],
        media: Media { audio: true, video: true, ..Quirks::COMPATIBLE.media },
        ..Quirks::COMPATIBLE
    };
}

weir_sdk::export!(Sglang: about, provider_errors, provider_chat, provider_embeddings, provider_models, provider_rerank);
