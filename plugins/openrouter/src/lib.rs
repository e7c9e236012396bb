//! OpenRouter: many providers behind one address; `reasoning` and `reasoning_details`, routing fields, comments in
//! streams, errors in the middle of them.
//!
//! Source: OpenRouter's API reference and its pages on reasoning tokens, errors and usage accounting.

use weir_sdk::compat::quirks::{Cache, Effort, Media, Paths, Thinking};
use weir_sdk::compat::{Provider, Quirks, claude};

/// The adapter.
#[derive(Debug)]
pub struct OpenRouter;

impl Provider for OpenRouter {
    const QUIRKS: &'static Quirks = &Quirks {
        name: "openrouter",
        description: "OpenRouter: chat completions, Responses, embeddings, reranking and models",
        family: "openrouter",
        url: Some("https://openrouter.ai/api/v1/"),
        key_variables: &["OPENROUTER_API_KEY"],
        models: &["openrouter/*"],
        settings: SETTINGS,
        paths: Paths {
            completions: "completions",
            responses: "responses",
            rerank: "rerank",
            ..Quirks::COMPATIBLE.paths
        },
        option_headers: &[("http-referer", "referer"), ("x-title", "title")],
        max_tokens: "max_completion_tokens",
        max_stop: usize::MAX,
        developer_role: true,
        tool_types: &["*"],
        effort: Effort::Object,
        efforts: &["none", "minimal", "low", "medium", "high", "xhigh", "max"],
        thinking: Thinking::Details,
        // It routes by model, so the provider behind it may be of any family.
        issuers: &["*"],
        cache: Cache::Control,
        media: Media {
            audio: true,
            files: true,
            file_urls: true,
            video: true,
            in_tools: true,
            ..Quirks::COMPATIBLE.media
        },
        tells_usage: true,
        prepare: claude::prepare,
        ..Quirks::COMPATIBLE
    };
}

const SETTINGS: &str = r#"{
  "type": "object",
  "properties": {
    "referer": {"type": "string", "description": "The address of the application, sent as the header http-referer."},
    "title": {"type": "string", "description": "The name of the application, sent as the header x-title."}
  },
  "additionalProperties": false
}"#;

weir_sdk::export!(
    OpenRouter: about, provider_errors, provider_chat, provider_embeddings, provider_models, provider_rerank
);

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::compat::request::render;
    use weir_sdk::testing::{context, json};
    use weir_sdk::types::{ChatRequest, Message, Part, Role};

    #[test]
    fn the_user_speaks_last_to_newer_models_of_claudes() {
        let said = |role, text: &str| Message::new(role, vec![Part::text(text)]);
        let messages = vec![said(Role::User, "a"), said(Role::Assistant, "b")];
        let request = ChatRequest { messages, ..ChatRequest::default() };
        let rendered = render(OpenRouter::QUIRKS, &context("anthropic/claude-sonnet-4.6"), request).unwrap();
        let sent = json(&rendered.request.body);
        assert_eq!(sent["messages"][2]["role"], "user", "{sent}");
    }
}
