//! Groq: OpenAI's chat completions without a few members, thinking in `reasoning`, and usage in `x_groq`.
//!
//! Source: Groq's API reference and its page on compatibility with OpenAI.

use weir_sdk::compat::quirks::{Clamp, Drop, Effort, Paths, Thinking};
use weir_sdk::compat::{Provider, Quirks};

/// The adapter.
#[derive(Debug)]
pub struct Groq;

impl Provider for Groq {
    const QUIRKS: &'static Quirks = &Quirks {
        name: "groq",
        description: "Groq: chat completions and models",
        family: "groq",
        url: Some("https://api.groq.com/openai/v1/"),
        key_variables: &["GROQ_API_KEY"],
        models: &["groq/compound*", "llama-3.1-8b-instant", "llama-3.3-70b-versatile"],
        paths: Paths { embeddings: "", ..Quirks::COMPATIBLE.paths },
        max_tokens: "max_completion_tokens",
        drops: &[
            Drop::unknown("logit_bias"),
            Drop::unknown("logprobs"),
            Drop::unknown("top_logprobs"),
            Drop::unknown("top_k"),
            Drop::unknown("min_p"),
            Drop::unknown("repetition_penalty"),
            Drop::unknown("prediction"),
            Drop::unknown("modalities"),
            Drop::unknown("audio"),
            Drop::unknown("web_search_options"),
            Drop::unknown("verbosity"),
            Drop::unknown("safety_identifier"),
            Drop::unknown("prompt_cache_key"),
            Drop::unknown("prompt_cache_retention"),
            Drop::unknown("prompt_cache_options"),
            Drop::unknown("moderation"),
        ],
        clamps: &[Clamp { member: "n", min: 1.0, max: 1.0 }],
        developer_role: true,
        speaker_names: false,
        usage_in: "x_groq",
        effort: Effort::Effort,
        efforts: &["none", "default", "low", "medium", "high"],
        thinking: Thinking::Reasoning,
        tool_types: &["browser_search", "code_interpreter", "mcp"],
        ..Quirks::COMPATIBLE
    };
}

weir_sdk::export!(Groq: about, provider_errors, provider_chat, provider_models);
