//! `DeepSeek`: thinking in `reasoning_content`, controlled by `thinking`; JSON without schemas; cache hits and misses.
//!
//! Source: `DeepSeek`'s API reference, its guides to thinking mode and to JSON output.

use weir_sdk::compat::quirks::{Effort, Media, Paths, Thinking};
use weir_sdk::compat::responses::ANYBODY;
use weir_sdk::compat::{Provider, Quirks};

/// The adapter.
#[derive(Debug)]
pub struct DeepSeek;

impl Provider for DeepSeek {
    const QUIRKS: &'static Quirks = &Quirks {
        name: "deepseek",
        description: "DeepSeek: chat completions, Responses and models",
        family: "deepseek",
        url: Some("https://api.deepseek.com/"),
        key_variables: &["DEEPSEEK_API_KEY"],
        models: &["deepseek-*"],
        paths: Paths {
            completions: "beta/completions",
            embeddings: "",
            responses: "responses",
            ..Quirks::COMPATIBLE.paths
        },
        max_stop: 16,
        json_schema: false,
        effort: Effort::ThinkingAndEffort,
        // The service itself maps these to its own levels (low, high, max).
        efforts: &["minimal", "low", "medium", "high", "xhigh", "max"],
        thinking: Thinking::Content,
        issuers: &["deepseek", ANYBODY],
        media: Media { images: false, urls: false, ..Quirks::COMPATIBLE.media },
        tells_usage: true,
        ..Quirks::COMPATIBLE
    };
}

weir_sdk::export!(DeepSeek: about, provider_errors, provider_chat, provider_models);
