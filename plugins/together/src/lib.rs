//! Together AI: chat, legacy completions, embeddings and reranking; `logprobs` is a number, a natural end is `eos`.
//!
//! Source: Together's published `OpenAPI` description.

use weir_sdk::compat::quirks::{Drop, Effort, Media, Paths, Thinking};
use weir_sdk::compat::relayed::Relayed;
use weir_sdk::compat::{Provider, Quirks};

/// The adapter.
#[derive(Debug)]
pub struct Together;

impl Provider for Together {
    const QUIRKS: &'static Quirks = &Quirks {
        name: "together",
        description: "Together AI: chat, completions, embeddings, reranking, images, audio and models",
        family: "together",
        url: Some("https://api.together.xyz/v1/"),
        key_variables: &["TOGETHER_API_KEY", "TOGETHERAI_API_KEY"],
        models: &["togethercomputer/*"],
        paths: Paths { completions: "completions", rerank: "rerank", relayed: RELAYED, ..Quirks::COMPATIBLE.paths },
        // With `response_format` `verbose_json`; no other answer tells it.
        audio_seconds: "/duration",
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
        text_lists: false,
        logprobs_number: true,
        effort: Effort::EnabledAndEffort,
        thinking: Thinking::Reasoning,
        media: Media { audio: true, video: true, ..Quirks::COMPATIBLE.media },
        tells_usage: true,
        noise: &["obfuscation", "p", "token_id"],
        ..Quirks::COMPATIBLE
    };
}

const RELAYED: &[(Relayed, &str)] = &[
    (Relayed::Images, "images/generations"),
    (Relayed::Speech, "audio/speech"),
    (Relayed::Transcriptions, "audio/transcriptions"),
    (Relayed::Translations, "audio/translations"),
];

weir_sdk::export!(
    Together: about, provider_errors, provider_chat, provider_embeddings, provider_models, provider_rerank
);

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::adapter::ProviderChat;
    use weir_sdk::compat::request::render;
    use weir_sdk::testing::{context, fields, json};
    use weir_sdk::types::{
        ChatRequest, Context, MediaKind, MediaPart, MediaSource, Message, Part, ResultPart, Role, TextPart, ToolResult,
    };

    #[test]
    fn audio_is_sent_as_its_bytes() {
        let mut audio = MediaPart::new(MediaKind::Audio, MediaSource::Base64("AAAA".into()));
        audio.mime = Some("audio/wav".into());
        let messages = vec![Message::new(Role::User, vec![Part::Media(audio)])];
        let request = ChatRequest { messages, ..ChatRequest::default() };
        let Ok(rendered) = <Together as ProviderChat>::render_request(&Context::default(), request) else {
            panic!("audio is refused")
        };
        let body = rendered.request.body.as_text().unwrap_or_default();
        assert!(body.contains(r#""input_audio":{"data":"AAAA","format":"wav"}"#), "{body}");
    }

    #[test]
    fn only_messages_of_users_are_lists() {
        let two = || vec![Part::text("a"), Part::text("b")];
        let content = vec![ResultPart::Text(TextPart::new("a")), ResultPart::Text(TextPart::new("b"))];
        let result = Part::ToolResult(ToolResult { content, ..ToolResult::new("c1") });
        let messages = vec![
            Message::new(Role::System, two()),
            Message::new(Role::User, two()),
            Message::new(Role::Assistant, two()),
            Message::new(Role::Tool, vec![result]),
        ];
        let request = ChatRequest { messages, ..ChatRequest::default() };
        let rendered = render(Together::QUIRKS, &context("m"), request).unwrap();
        let sent = json(&rendered.request.body);
        let contents: Vec<_> = sent["messages"].as_array().unwrap().iter().map(|message| &message["content"]).collect();
        assert_eq!(contents[..2], ["a", "b"]);
        assert_eq!(contents[2].as_array().map(Vec::len), Some(2), "{sent}");
        assert_eq!(contents[3..], ["a\nb", "a\nb"]);
        assert_eq!(fields(&rendered.losses), ["messages[2].content", "messages[3].content[0].content"]);
    }
}
