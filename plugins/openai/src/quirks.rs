//! OpenAI itself, as one of the OpenAI-compatible providers.

use weir_sdk::compat::names::IdRule;
use weir_sdk::compat::quirks::{Cache, Drop, Effort, Media, Paths, Quirks, Thinking};
use weir_sdk::compat::responses::ANYBODY;
use weir_sdk::compat::{claude, gpt};

/// The quirks of the official API.
pub(crate) const QUIRKS: Quirks = Quirks {
    name: "openai",
    description: "OpenAI: chat completions, embeddings and models, as clients and as the provider send them",
    url: Some("https://api.openai.com/v1/"),
    key_variables: &["OPENAI_API_KEY"],
    models: &[
        "gpt-*",
        "chatgpt-*",
        "o1",
        "o1-*",
        "o3",
        "o3-*",
        "o4-*",
        "ft:gpt-*",
        "computer-use-*",
        "codex-*",
        "text-embedding-*",
        "dall-e-*",
        "whisper-*",
        "tts-*",
        "omni-moderation-*",
        "babbage-002",
        "davinci-002",
    ],
    settings: SETTINGS,
    paths: Paths { completions: "completions", responses: "responses", rerank: "rerank", ..Quirks::COMPATIBLE.paths },
    option_headers: &[("openai-organization", "organization"), ("openai-project", "project")],
    // Reasoning models refuse `max_tokens`; every model takes the newer name (C-48).
    max_tokens: "max_completion_tokens",
    drops: &[
        Drop { member: "top_k", reason: "OpenAI has no such parameter" },
        Drop { member: "min_p", reason: "OpenAI has no such parameter" },
        Drop { member: "repetition_penalty", reason: "OpenAI has no such parameter" },
    ],
    developer_role: true,
    allowed_tools: true,
    tool_types: &["custom"],
    // Of `safety_identifier` by its description; the servers hold `user` to it as well.
    max_user: 64,
    tool_ids: IdRule { max: 40, also: None, exact: false },
    effort: Effort::Effort,
    efforts: gpt::EFFORTS,
    thinking: Thinking::None,
    issuers: &["openai", ANYBODY],
    cache: Cache::None,
    media: Media { audio: true, files: true, ..Quirks::COMPATIBLE.media },
    // Servers with other makers' models are asked by their url.
    prepare: |ctx, request, losses| {
        claude::prepare(ctx, request, losses)?;
        gpt::prepare(ctx, request, losses)
    },
    ..Quirks::COMPATIBLE
};

const SETTINGS: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "organization": {"type": "string", "description": "Sent as the header openai-organization."},
    "project": {"type": "string", "description": "Sent as the header openai-project."}
  },
  "additionalProperties": false
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::compat::request::render;
    use weir_sdk::testing::{context, json};
    use weir_sdk::types::{ChatRequest, Message, Part, Role};

    #[test]
    fn the_user_speaks_last_to_newer_models_of_claudes_behind_other_servers() {
        let sent = |model| {
            let said = |role, text: &str| Message::new(role, vec![Part::text(text)]);
            let messages = vec![said(Role::User, "a"), said(Role::Assistant, "b")];
            let request = ChatRequest { messages, ..ChatRequest::default() };
            json(&render(&QUIRKS, &context(model), request).unwrap().request.body)["messages"].as_array().unwrap().len()
        };
        assert_eq!([sent("anthropic/claude-sonnet-4.6"), sent("gpt-5.6")], [3, 2]);
    }
}
