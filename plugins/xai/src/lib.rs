//! xAI: Grok's chat completions and Responses; thinking in `reasoning_content`, its tokens beside the completion's.
//!
//! Source: xAI's API reference and its guide to reasoning.

use weir_sdk::compat::quirks::{Effort, Paths, Thinking};
use weir_sdk::compat::responses::ANYBODY;
use weir_sdk::compat::{Provider, Quirks};
use weir_sdk::losses::Losses;
use weir_sdk::types::{ChatRequest, Context, Error};

/// The adapter.
#[derive(Debug)]
pub struct Xai;

impl Provider for Xai {
    const QUIRKS: &'static Quirks = &Quirks {
        name: "xai",
        description: "xAI: chat completions, Responses and models",
        family: "xai",
        url: Some("https://api.x.ai/v1/"),
        key_variables: &["XAI_API_KEY"],
        models: &["grok-*"],
        paths: Paths { completions: "completions", embeddings: "", responses: "responses", ..Quirks::COMPATIBLE.paths },
        max_tokens: "max_completion_tokens",
        reasoning_apart: true,
        developer_role: true,
        tool_types: &["live_search"],
        effort: Effort::Effort,
        efforts: &["none", "low", "medium", "high"],
        thinking: Thinking::Content,
        issuers: &["xai", ANYBODY],
        sources: &["citations"],
        prepare,
        ..Quirks::COMPATIBLE
    };
}

/// Models that think refuse penalties and stop sequences.
#[expect(clippy::unnecessary_wraps, reason = "a quirk may refuse a request; this one never does")]
fn prepare(ctx: &Context, request: &mut ChatRequest, losses: &mut Losses) -> Result<(), Error> {
    let thinks = ["grok-4", "grok-3-mini", "grok-code"].iter().any(|model| ctx.model.starts_with(model));
    if thinks && !ctx.model.contains("non-reasoning") {
        let why = "models that think refuse it";
        let sampling = &mut request.sampling;
        losses.dropped_if(sampling.frequency_penalty.take().is_some(), "frequency_penalty", why);
        losses.dropped_if(sampling.presence_penalty.take().is_some(), "presence_penalty", why);
        losses.dropped_if(!std::mem::take(&mut sampling.stop).is_empty(), "stop", why);
    }
    Ok(())
}

weir_sdk::export!(Xai: about, provider_errors, provider_chat, provider_models);
