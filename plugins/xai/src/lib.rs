//! xAI: Grok's chat completions and Responses; thinking in `reasoning_content`, its tokens beside the completion's.
//!
//! Source: xAI's API reference and its guide to reasoning.

use weir_sdk::compat::quirks::{Effort, Paths, Thinking};
use weir_sdk::compat::responses::ANYBODY;
use weir_sdk::compat::{Provider, Quirks};
use weir_sdk::losses::Losses;
use weir_sdk::manifest::Bucket;
use weir_sdk::types::{ChatRequest, Context, Error, ReasoningMode, ReasoningRequest};

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
        apart: &[Bucket::Reasoning],
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

/// The models whose thinking has levels; all others refuse `reasoning_effort`, even if they think.
const LEVELED: [&str; 5] = ["grok-3-mini", "grok-4.3", "grok-4.5", "grok-4.6", "grok-4.20-multi-agent"];

/// Models that think refuse penalties and stop sequences, and most models a level of effort.
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
    if !LEVELED.iter().any(|model| ctx.model.starts_with(model)) {
        lose_effort(request, losses);
    }
    Ok(())
}

/// Takes away all that would be written as a level of effort.
fn lose_effort(request: &mut ChatRequest, losses: &mut Losses) {
    let Some(reasoning) = &mut request.reasoning else { return };
    let off = reasoning.mode.take_if(|mode| *mode == ReasoningMode::Disabled).is_some();
    let budget = reasoning.budget_tokens.take().is_some();
    let lost = reasoning.effort.take().is_some() || budget || off;
    losses.dropped_if(lost, "reasoning_effort", "this model's thinking has no levels");
    // An empty object would be sent otherwise.
    request.reasoning.take_if(|reasoning| *reasoning == ReasoningRequest::default());
}

weir_sdk::export!(Xai: about, provider_errors, provider_chat, provider_models);

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::compat::{request, responses};
    use weir_sdk::testing::{context, fields, json};
    use weir_sdk::types::RenderedRequest;

    type Render = fn(&Quirks, &Context, ChatRequest) -> Result<RenderedRequest, Error>;
    const BOTH: [Render; 2] = [request::render, responses::request::render];

    fn losses(render: Render, model: &str, reasoning: &ReasoningRequest) -> (bool, Vec<String>) {
        let request = ChatRequest { reasoning: Some(reasoning.clone()), ..ChatRequest::default() };
        let rendered = render(Xai::QUIRKS, &context(model), request).unwrap();
        let body = json(&rendered.request.body);
        (body.get("reasoning_effort").or(body.get("reasoning")).is_some(), fields(&rendered.losses))
    }

    #[test]
    fn only_some_models_take_a_level_of_effort() {
        let low = ReasoningRequest { effort: Some("low".into()), ..ReasoningRequest::default() };
        for render in BOTH {
            for model in ["grok-3-mini-fast", "grok-4.3", "grok-4.5", "grok-4.20-multi-agent-0309"] {
                assert_eq!(losses(render, model, &low), (true, Vec::new()), "{model}");
            }
            for model in ["grok-3", "grok-4-0709", "grok-4-1-fast-reasoning", "grok-4.20-0309-reasoning"] {
                assert_eq!(losses(render, model, &low), (false, vec!["reasoning_effort".to_owned()]), "{model}");
            }
        }
    }

    #[test]
    fn a_budget_and_the_end_of_thinking_are_levels_too() {
        let off = ReasoningRequest { mode: Some(ReasoningMode::Disabled), ..ReasoningRequest::default() };
        let budget = ReasoningRequest { budget_tokens: Some(2048), ..ReasoningRequest::default() };
        for render in BOTH {
            for wanted in [&off, &budget] {
                assert_eq!(losses(render, "grok-4-0709", wanted), (false, vec!["reasoning_effort".to_owned()]));
            }
        }
    }
}
