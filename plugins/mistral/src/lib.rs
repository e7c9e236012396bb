//! Mistral: `max_tokens`, `random_seed`, `any` for a tool that must be called, ids of nine characters, content in
//! chunks.
//!
//! Source: Mistral's published `OpenAPI` description; it allows no members that it does not name.

use weir_sdk::compat::names::IdRule;
use weir_sdk::compat::quirks::{Clamp, Drop, Effort, Media, Rename, Thinking};
use weir_sdk::compat::{Provider, Quirks};
use weir_sdk::manifest::Bucket;

/// The adapter.
#[derive(Debug)]
pub struct Mistral;

impl Provider for Mistral {
    const QUIRKS: &'static Quirks = &Quirks {
        name: "mistral",
        description: "Mistral: chat, embeddings and models",
        family: "mistral",
        url: Some("https://api.mistral.ai/v1/"),
        key_variables: &["MISTRAL_API_KEY"],
        models: &["mistral-*", "ministral-*", "magistral-*", "codestral-*", "devstral-*", "pixtral-*", "voxtral-*"],
        seed: "random_seed",
        drops: &[
            // Usage is sent without a request for it.
            Drop::unknown("stream_options"),
            Drop::unknown("user"),
            Drop::unknown("safety_identifier"),
            Drop::unknown("logit_bias"),
            Drop::unknown("top_k"),
            Drop::unknown("min_p"),
            Drop::unknown("repetition_penalty"),
            Drop::unknown("store"),
            Drop::unknown("service_tier"),
            Drop::unknown("verbosity"),
            Drop::unknown("modalities"),
            Drop::unknown("audio"),
            Drop::unknown("web_search_options"),
            Drop::unknown("prompt_cache_retention"),
            Drop::unknown("prompt_cache_options"),
            Drop::unknown("moderation"),
        ],
        renames: &[Rename { from: "dimensions", to: "output_dimension" }],
        clamps: &[Clamp { member: "temperature", min: 0.0, max: 1.5 }],
        max_stop: usize::MAX,
        speaker_names: false,
        prefix: true,
        stream_usage: false,
        apart: &[Bucket::InputAudio],
        needs_parameters: true,
        tool_required: "any",
        tool_ids: IdRule { max: 9, also: Some(""), exact: true },
        effort: Effort::Effort,
        efforts: &["none", "high"],
        thinking: Thinking::Parts,
        media: Media { audio: true, bare_audio: true, document_urls: true, in_tools: true, ..Quirks::COMPATIBLE.media },
        ..Quirks::COMPATIBLE
    };
}

weir_sdk::export!(Mistral: about, provider_errors, provider_chat, provider_embeddings, provider_models);

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::compat::manifest;
    use weir_sdk::compat::request::render;
    use weir_sdk::testing::{context, json};
    use weir_sdk::types::{ChatRequest, FunctionTool, Tool};

    fn parameters(of: Option<&str>) -> String {
        let tool = FunctionTool { parameters: of.map(str::to_owned), ..FunctionTool::new("f") };
        let request = ChatRequest { tools: vec![Tool::Function(tool)], ..ChatRequest::default() };
        let rendered = render(Mistral::QUIRKS, &context("mistral-small-latest"), request).unwrap();
        assert!(rendered.losses.is_empty());
        json(&rendered.request.body)["tools"][0]["function"]["parameters"].to_string()
    }

    #[test]
    fn a_function_without_a_schema_has_that_of_no_arguments() {
        assert_eq!(parameters(None), r#"{"properties":{},"type":"object"}"#);
        assert_eq!(parameters(Some(r#"{"type":"object"}"#)), r#"{"type":"object"}"#);
    }

    #[test]
    fn tokens_of_audio_are_counted_beside_the_prompt() {
        let tap = manifest::describe(Mistral::QUIRKS).formats.into_iter().find_map(|format| format.tap).unwrap();
        let input = tap.usage.iter().find(|place| place.bucket == Bucket::Input).unwrap();
        assert_eq!(input.includes, [Bucket::CacheRead, Bucket::CacheWrite, Bucket::InputImage]);
    }
}
