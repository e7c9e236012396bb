//! Perplexity: answers from the web, with `citations` and `search_results`; no tools, and no version in the url.
//! Embeddings come as signed bytes or bits in base64, never as floats.
//!
//! Source: Perplexity's API reference.

use weir_sdk::compat::quirks::{Drop, Media, Paths, Thinking, Vectors};
use weir_sdk::compat::{Provider, Quirks};
use weir_sdk::manifest::Bucket;
use weir_sdk::turns::alternating::alternating;

/// The adapter.
#[derive(Debug)]
pub struct Perplexity;

impl Provider for Perplexity {
    const QUIRKS: &'static Quirks = &Quirks {
        name: "perplexity",
        description: "Perplexity: chat completions, embeddings and models",
        family: "perplexity",
        url: Some("https://api.perplexity.ai/"),
        key_variables: &["PERPLEXITY_API_KEY", "PERPLEXITYAI_API_KEY", "PPLX_API_KEY"],
        models: &["sonar", "sonar-*", "pplx-embed-*"],
        paths: Paths { embeddings: "v1/embeddings", models: "v1/models", ..Quirks::COMPATIBLE.paths },
        drops: &[
            Drop::unknown("n"),
            Drop::unknown("seed"),
            Drop::unknown("logit_bias"),
            Drop::unknown("logprobs"),
            Drop::unknown("top_logprobs"),
            Drop::unknown("tool_choice"),
            Drop::unknown("parallel_tool_calls"),
            Drop::unknown("service_tier"),
            Drop::unknown("store"),
            Drop::unknown("verbosity"),
            Drop::unknown("prediction"),
            Drop::unknown("modalities"),
            Drop::unknown("prompt_cache_key"),
            Drop::unknown("safety_identifier"),
            Drop::unknown("prompt_cache_retention"),
            Drop::unknown("prompt_cache_options"),
            Drop::unknown("moderation"),
        ],
        vectors: Vectors::Bytes,
        tools: false,
        efforts: &["minimal", "low", "medium", "high"],
        thinking: Thinking::None,
        media: Media { files: true, file_urls: true, ..Quirks::COMPATIBLE.media },
        tells_usage: true,
        // Of deep research, whose thinking has a price of its own.
        apart: &[Bucket::Reasoning],
        priced_by: "search_context_size",
        sources: &["search_results", "citations"],
        // "After the (optional) system message(s), user and assistant roles should be alternating."
        prepare: |_, request, losses| {
            request.messages = alternating(std::mem::take(&mut request.messages), losses);
            Ok(())
        },
        ..Quirks::COMPATIBLE
    };
}

weir_sdk::export!(Perplexity: about, provider_errors, provider_chat, provider_embeddings, provider_models);

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::compat::request::render;
    use weir_sdk::testing::{context, json};
    use weir_sdk::types::{ChatRequest, Message, Part, Role};

    #[test]
    fn the_user_and_the_model_take_turns() {
        let said = |role, text: &str| Message::new(role, vec![Part::text(text)]);
        let messages =
            vec![said(Role::User, "a"), said(Role::System, "s"), said(Role::User, "b"), said(Role::Assistant, "c")];
        let request = ChatRequest { messages, ..ChatRequest::default() };
        let rendered = render(Perplexity::QUIRKS, &context("sonar"), request).unwrap();
        let sent = json(&rendered.request.body);
        let roles: Vec<_> = sent["messages"].as_array().unwrap().iter().map(|message| &message["role"]).collect();
        assert_eq!(roles, ["system", "user", "assistant", "user"], "{sent}");
        assert_eq!(sent["messages"][1]["content"][1]["text"], "b", "{sent}");
    }
}
