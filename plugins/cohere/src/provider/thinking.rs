//! Writes the settings for thinking: on or off, and its budget of tokens.

use weir_sdk::json::Object;
use weir_sdk::losses::Losses;
use weir_sdk::types::{ChatRequest, ReasoningMode, ReasoningRequest};

use crate::FORMAT;
use crate::generation::never_thinks;
use crate::write::own;

/// Levels of effort and their budgets.
const LEVELS: [(&str, u32); 6] =
    [("minimal", 1024), ("low", 2048), ("medium", 8192), ("high", 24576), ("xhigh", 31000), ("max", 31000)];

/// Writes `thinking`. A model that never thinks gets none, unless a client of this format asked for it.
pub(super) fn write(o: &mut Object<'_>, model: &str, request: &ChatRequest, losses: &mut Losses) {
    let Some(wanted) = &request.reasoning else { return };
    let native = wanted.extensions.iter().any(|extension| extension.format == FORMAT);
    let disabled = wanted.mode == Some(ReasoningMode::Disabled)
        || (wanted.mode.is_none() && wanted.effort.as_deref() == Some("none"));
    losses.dropped_if(wanted.summary.is_some(), "reasoning.summary", "thinking is shown as it is");
    losses.foreign("reasoning.", &wanted.extensions, FORMAT);
    if never_thinks(model) && !native {
        losses.dropped_if(!disabled, "reasoning_effort", "the model does not think");
        return;
    }
    let budget = budget(wanted, request.max_output_tokens, losses).filter(|_| !disabled);
    o.object("thinking", |o| {
        o.str("type", if disabled { "disabled" } else { "enabled" });
        o.opt_num("token_budget", budget);
        own(&wanted.extensions, FORMAT).for_each(|own| o.raw(&own.key, &own.json));
    });
}

/// The budget: the named one, else the one of the effort, which leaves room for the answer.
fn budget(wanted: &ReasoningRequest, limit: Option<u32>, losses: &mut Losses) -> Option<u32> {
    if wanted.budget_tokens.is_some() {
        return wanted.budget_tokens.map(|budget| budget.max(1));
    }
    let effort = wanted.effort.as_deref().filter(|effort| *effort != "none")?;
    let Some((_, budget)) = LEVELS.iter().find(|(level, _)| *level == effort) else {
        losses.dropped("reasoning_effort", "there is no level of this name");
        return None;
    };
    losses.approximated("reasoning_effort", "said as a budget of tokens");
    Some(limit.map_or(*budget, |limit| (*budget).min((limit / 2).max(1))))
}
