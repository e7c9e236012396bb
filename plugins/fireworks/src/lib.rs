//! Fireworks AI: chat, legacy completions, embeddings and reranking; thinking in `reasoning_content`.
//!
//! Source: Fireworks' API reference and its guide to reasoning.

use weir_sdk::compat::quirks::{Drop, Paths};
use weir_sdk::compat::{Provider, Quirks};

/// The adapter.
#[derive(Debug)]
pub struct Fireworks;

impl Provider for Fireworks {
    const QUIRKS: &'static Quirks = &Quirks {
        name: "fireworks",
        description: "Fireworks AI: chat, completions, embeddings, reranking and models",
        family: "fireworks",
        url: Some("https://api.fireworks.ai/inference/v1/"),
        key_variables: &["FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"],
        models: &["accounts/*"],
        paths: Paths { completions: "completions", rerank: "rerank", ..Quirks::COMPATIBLE.paths },
        max_tokens: "max_completion_tokens",
        drops: &[
            Drop::unknown("store"),
            Drop::unknown("verbosity"),
            Drop::unknown("modalities"),
            Drop::unknown("audio"),
            Drop::unknown("web_search_options"),
            Drop::unknown("safety_identifier"),
            Drop::unknown("prompt_cache_retention"),
            Drop::unknown("prompt_cache_options"),
            Drop::unknown("moderation"),
        ],
        efforts: &["none", "low", "medium", "high", "xhigh", "max"],
        ..Quirks::COMPATIBLE
    };
}

weir_sdk::export!(
    Fireworks: about, provider_errors, provider_chat, provider_embeddings, provider_models, provider_rerank
);
