//! Databricks: serving endpoints, with Claude, Gemini, GPT and open models behind them; thinking as parts with a
//! summary.
//!
//! Source: Databricks' reference of the foundation model APIs and its page on reasoning models.

use weir_sdk::compat::quirks::{Cache, Drop, Effort, Paths, Scheme, Thinking, Variant};
use weir_sdk::compat::{Provider, Quirks, claude};

/// The adapter.
#[derive(Debug)]
pub struct Databricks;

const PATHS: Paths = Paths { completions: "completions", models: "", ..Quirks::COMPATIBLE.paths };

impl Provider for Databricks {
    const QUIRKS: &'static Quirks = &Quirks {
        name: "databricks",
        description: "Databricks: chat, completions and embeddings of serving endpoints",
        family: "databricks",
        url: Some("{env.DATABRICKS_API_BASE}/"),
        key_variables: &["DATABRICKS_TOKEN"],
        models: &["databricks-*"],
        settings: SETTINGS,
        auth: &[Scheme::Bearer, Scheme::ClientCredentials("oauth", "{origin}/oidc/v1/token", "all-apis")],
        paths: PATHS,
        variants: &[Variant {
            option: "invoke",
            query: "",
            paths: Paths {
                chat: "{model}/{option.invoke}",
                completions: "{model}/{option.invoke}",
                embeddings: "{model}/{option.invoke}",
                ..PATHS
            },
        }],
        drops: &[
            // Usage is sent without a request for it.
            Drop::unknown("stream_options"),
            Drop::unknown("store"),
            Drop::unknown("service_tier"),
            Drop::unknown("verbosity"),
            Drop::unknown("prediction"),
            Drop::unknown("modalities"),
            Drop::unknown("audio"),
            Drop::unknown("web_search_options"),
            Drop::unknown("prompt_cache_key"),
            Drop::unknown("safety_identifier"),
            Drop::unknown("prompt_cache_retention"),
            Drop::unknown("prompt_cache_options"),
            Drop::unknown("moderation"),
        ],
        stream_usage: false,
        effort: Effort::BudgetAndEffort,
        efforts: &["minimal", "low", "medium", "high"],
        thinking: Thinking::Summaries,
        issuers: &["databricks"],
        cache: Cache::Control,
        prepare: claude::prepare,
        ..Quirks::COMPATIBLE
    };
}

const SETTINGS: &str = r#"{
  "type": "object",
  "properties": {
    "invoke": {"enum": ["invocations"], "description": "Asks at `{model}/invocations` instead of `chat/completions`."}
  },
  "additionalProperties": true
}"#;

weir_sdk::export!(Databricks: about, provider_errors, provider_chat, provider_embeddings);

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
        let rendered = render(Databricks::QUIRKS, &context("databricks-claude-sonnet-4-6"), request).unwrap();
        let sent = json(&rendered.request.body);
        assert_eq!(sent["messages"][2]["role"], "user", "{sent}");
    }
}
