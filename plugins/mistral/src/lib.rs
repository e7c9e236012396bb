//! Mistral: `max_tokens`, `random_seed`, `any` for a tool that must be called, ids of nine characters, content in
//! chunks.
//!
//! Source: Mistral's published `OpenAPI` description; it allows no members that it does not name.

use weir_sdk::compat::names::IdRule;
use weir_sdk::compat::quirks::{Clamp, Drop, Effort, Media, Paths, Rename, Thinking};
use weir_sdk::compat::relayed::Relayed;
use weir_sdk::compat::{Provider, Quirks};
use weir_sdk::manifest::Bucket;

/// The adapter.
#[derive(Debug)]
pub struct Mistral;

impl Provider for Mistral {
    const QUIRKS: &'static Quirks = &Quirks {
        name: "mistral",
        description: "Mistral: chat, embeddings, audio and models",
        family: "mistral",
        url: Some("https://api.mistral.ai/v1/"),
        key_variables: &["MISTRAL_API_KEY"],
        models: &["mistral-*", "ministral-*", "magistral-*", "codestral-*", "devstral-*", "pixtral-*", "voxtral-*"],
        paths: Paths { relayed: RELAYED, ..Quirks::COMPATIBLE.paths },
        audio_seconds: "/usage/prompt_audio_seconds",
        seed: "random_seed",
        negative_seeds: false,
        drops: &[
            // Usage is sent without a request for it.
            Drop::unknown("stream_options"),
            Drop::unknown("user"),
            Drop::unknown("safety_identifier"),
            Drop::unknown("logit_bias"),
            Drop::unknown("logprobs"),
            Drop::unknown("top_logprobs"),
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
        message_members: Some(&["prefix", "index", "document_name", "closed"]),
        prefix: true,
        stream_usage: false,
        apart: &[Bucket::InputAudio],
        needs_parameters: true,
        choice_alone: true,
        tool_required: "any",
        tool_ids: IdRule { max: 9, also: Some(""), exact: true },
        effort: Effort::Effort,
        efforts: &["none", "high"],
        thinking: Thinking::Parts,
        media: Media { audio: true, bare_audio: true, document_urls: true, in_tools: true, ..Quirks::COMPATIBLE.media },
        ..Quirks::COMPATIBLE
    };
}

const RELAYED: &[(Relayed, &str)] =
    &[(Relayed::Speech, "audio/speech"), (Relayed::Transcriptions, "audio/transcriptions")];

weir_sdk::export!(Mistral: about, provider_errors, provider_chat, provider_embeddings, provider_models);

#[cfg(test)]
mod tests;
