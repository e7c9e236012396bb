//! Together AI: chat, legacy completions, embeddings and reranking; `logprobs` is a number, a natural end is `eos`.
//!
//! Source: Together's published `OpenAPI` description.

use weir_sdk::compat::quirks::{Drop, Effort, Media, Paths, Thinking};
use weir_sdk::compat::{Provider, Quirks};

/// The adapter.
#[derive(Debug)]
pub struct Together;

impl Provider for Together {
    const QUIRKS: &'static Quirks = &Quirks {
        name: "together",
        description: "Together AI: chat, completions, embeddings, reranking and models",
        family: "together",
        url: Some("https://api.together.xyz/v1/"),
        key_variables: &["TOGETHER_API_KEY", "TOGETHERAI_API_KEY"],
        models: &["togethercomputer/*"],
        paths: Paths { completions: "completions", rerank: "rerank", ..Quirks::COMPATIBLE.paths },
        drops: &[
            Drop::unknown("store"),
            Drop::unknown("service_tier"),
            Drop::unknown("verbosity"),
            Drop::unknown("prediction"),
            Drop::unknown("modalities"),
            Drop::unknown("web_search_options"),
            Drop::unknown("prompt_cache_key"),
            Drop::unknown("safety_identifier"),
            Drop::unknown("prompt_cache_retention"),
            Drop::unknown("prompt_cache_options"),
            Drop::unknown("moderation"),
        ],
        max_stop: usize::MAX,
        logprobs_number: true,
        effort: Effort::EnabledAndEffort,
        thinking: Thinking::Reasoning,
        media: Media { video: true, ..Quirks::COMPATIBLE.media },
        tells_usage: true,
        noise: &["obfuscation", "p", "token_id"],
        ..Quirks::COMPATIBLE
    };
}

weir_sdk::export!(
    Together: about, provider_errors, provider_chat, provider_embeddings, provider_models, provider_rerank
);
