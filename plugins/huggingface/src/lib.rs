//! Hugging Face: the router in front of many providers, and single servers of Text Generation Inference.
//!
//! Source: the published `OpenAPI` description of Text Generation Inference and the router's documentation.

use weir_sdk::compat::quirks::{Media, Paths};
use weir_sdk::compat::{Provider, Quirks};

/// The adapter.
#[derive(Debug)]
pub struct HuggingFace;

impl Provider for HuggingFace {
    const QUIRKS: &'static Quirks = &Quirks {
        name: "huggingface",
        description: "Hugging Face: the router and Text Generation Inference",
        family: "huggingface",
        url: Some("https://router.huggingface.co/v1/"),
        key_variables: &["HF_TOKEN", "HUGGINGFACE_API_KEY", "HUGGING_FACE_HUB_TOKEN"],
        settings: SETTINGS,
        option_headers: &[("x-hf-bill-to", "bill_to")],
        paths: Paths { completions: "completions", ..Quirks::COMPATIBLE.paths },
        negative_seeds: false,
        efforts: &["none", "minimal", "low", "medium", "high", "xhigh"],
        media: Media { video: true, ..Quirks::COMPATIBLE.media },
        ..Quirks::COMPATIBLE
    };
}

const SETTINGS: &str = r#"{
  "type": "object",
  "properties": {
    "bill_to": {"type": "string", "description": "The organisation that pays, sent as the header x-hf-bill-to; by default the token's owner does."}
  },
  "additionalProperties": false
}"#;

weir_sdk::export!(HuggingFace: about, provider_errors, provider_chat, provider_embeddings, provider_models);
