//! Maps mode, effort and budget of thinking to what the target's model takes.

use weir_sdk::json::object;
use weir_sdk::losses::Losses;
use weir_sdk::types::{ChatRequest, ReasoningMode, ReasoningRequest};

use crate::generation::{Budget, Generation, Thinking};
use crate::wire::is_noted;
use crate::{FORMAT, write};

/// Key of the note on a request that only asks to see the thinking, however much of it there is.
pub(crate) const ONLY_SHOWN: &str = "includeThoughts";
/// Key of the note on a request whose settings have this format and are not checked.
pub(crate) const OWN: &str = "thinkingConfig";

/// The members to send.
#[derive(Debug, Default, PartialEq)]
struct Plan {
    budget: Option<i64>,
    level: Option<String>,
    thinks: bool,
}

/// Renders `thinkingConfig`, if there are settings.
pub(super) fn write(generation: Generation, request: &ChatRequest, losses: &mut Losses) -> Option<String> {
    let wanted = request.reasoning.as_ref()?;
    losses.foreign("reasoning.", &wanted.extensions, FORMAT);
    let shown = wanted.summary.as_deref() != Some("omitted");
    let plan = if is_noted(&wanted.extensions, OWN) {
        own(wanted)
    } else {
        match generation.thinking {
            Thinking::None => {
                let off = mode(wanted) == Some(ReasoningMode::Disabled);
                losses.dropped_if(!off, "reasoning", "the model does not think");
                return None;
            }
            Thinking::Budget(limits) => by_budget(wanted, request.max_output_tokens, limits, losses),
            Thinking::Levels(levels) => by_level(wanted, levels, losses),
        }
    };
    let mut json = String::new();
    object(&mut json, |o| {
        if shown && plan.thinks {
            o.bool("includeThoughts", true);
        }
        o.opt_num("thinkingBudget", plan.budget.map(|budget| budget as f64));
        o.opt_str("thinkingLevel", plan.level.as_deref());
        write::members(o, &wanted.extensions, "");
    });
    (json != "{}").then_some(json)
}

/// Sends settings of this format unchanged.
fn own(wanted: &ReasoningRequest) -> Plan {
    let dynamic = wanted.mode == Some(ReasoningMode::Adaptive) && !is_noted(&wanted.extensions, ONLY_SHOWN);
    let budget = wanted.budget_tokens.map(i64::from).or(dynamic.then_some(-1));
    Plan { budget, level: wanted.effort.as_deref().map(str::to_ascii_uppercase), thinks: true }
}

/// The mode, or the one that effort and budget imply.
fn mode(wanted: &ReasoningRequest) -> Option<ReasoningMode> {
    let none = wanted.effort.as_deref() == Some("none") || wanted.budget_tokens == Some(0);
    match wanted.mode {
        Some(mode) => Some(mode),
        None if none => Some(ReasoningMode::Disabled),
        None => None,
    }
}

fn by_budget(wanted: &ReasoningRequest, answer: Option<u32>, limits: Budget, losses: &mut Losses) -> Plan {
    let Budget { off, least, most } = limits;
    let thinks = |budget: Option<i64>| Plan { budget, level: None, thinks: true };
    if mode(wanted) == Some(ReasoningMode::Disabled) {
        if off > 0 {
            losses.approximated("reasoning", "the model always thinks: as little as it can");
        }
        return Plan { budget: Some(i64::from(off)), level: None, thinks: false };
    }
    if let Some(budget) = wanted.budget_tokens {
        let allowed = budget.clamp(least, most);
        if allowed != budget {
            losses.clamped("reasoning.budget_tokens", &format!("the model takes {least} to {most}"));
        }
        return thinks(Some(i64::from(allowed)));
    }
    let Some(effort) = wanted.effort.as_deref() else {
        let asked = wanted.mode == Some(ReasoningMode::Adaptive) || wanted.mode == Some(ReasoningMode::Enabled);
        return thinks(asked.then_some(-1));
    };
    let Some(budget) = table(effort) else {
        losses.dropped("reasoning.effort", "there is no effort of this name");
        return thinks(None);
    };
    // Thinking counts towards the answer's limit: it must leave room for the answer.
    let room = answer.map_or(most, |limit| (limit / 4 * 3).max(least));
    thinks(Some(i64::from(budget.clamp(least, most).min(room))))
}

/// The published table of efforts and budgets.
fn table(effort: &str) -> Option<u32> {
    Some(match effort {
        "minimal" => 1024,
        "low" => 2048,
        "medium" => 8192,
        "high" => 24_576,
        "xhigh" | "max" => 32_768,
        _ => return None,
    })
}

/// Efforts, in order.
const ORDER: [&str; 6] = ["minimal", "low", "medium", "high", "xhigh", "max"];

fn by_level(wanted: &ReasoningRequest, levels: &[&str], losses: &mut Losses) -> Plan {
    let level = |level: &str, thinks| Plan { budget: None, level: Some(level.to_ascii_uppercase()), thinks };
    if mode(wanted) == Some(ReasoningMode::Disabled) {
        losses.approximated("reasoning", "the model always thinks: as little as it can");
        return level(levels.first().copied().unwrap_or("low"), false);
    }
    let Some(effort) = wanted.effort.as_deref() else {
        // Models with levels also take budgets.
        return Plan { budget: wanted.budget_tokens.map(i64::from), level: None, thinks: true };
    };
    let rank = |name: &str| ORDER.iter().position(|known| *known == name);
    let Some(wanted_rank) = rank(effort) else {
        losses.dropped("reasoning.effort", "there is no effort of this name");
        return Plan { thinks: true, ..Plan::default() };
    };
    let nearest =
        levels.iter().find(|name| rank(name) >= Some(wanted_rank)).or(levels.last()).copied().unwrap_or("low");
    if nearest != effort {
        losses.clamped("reasoning.effort", nearest);
    }
    losses.dropped_if(wanted.budget_tokens.is_some(), "reasoning.budget_tokens", "the effort says it");
    level(nearest, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(model: &str, reasoning: ReasoningRequest, limit: Option<u32>) -> (Option<String>, usize) {
        let mut losses = Losses::default();
        let request = ChatRequest { reasoning: Some(reasoning), max_output_tokens: limit, ..ChatRequest::default() };
        let json = write(Generation::of(model), &request, &mut losses);
        (json, losses.into_losses().len())
    }

    fn effort(name: &str) -> ReasoningRequest {
        ReasoningRequest { effort: Some(name.into()), ..ReasoningRequest::default() }
    }

    #[test]
    fn efforts_become_budgets_or_levels_as_the_model_takes_them() {
        let (json, losses) = sent("gemini-2.5-flash", effort("high"), None);
        assert_eq!((json.as_deref(), losses), (Some(r#"{"includeThoughts":true,"thinkingBudget":24576}"#), 0));
        let (json, losses) = sent("gemini-3-pro-preview", effort("medium"), None);
        assert_eq!((json.as_deref(), losses), (Some(r#"{"includeThoughts":true,"thinkingLevel":"HIGH"}"#), 1));
        let (json, losses) = sent("gemini-3-flash-preview", effort("minimal"), None);
        assert_eq!((json.as_deref(), losses), (Some(r#"{"includeThoughts":true,"thinkingLevel":"MINIMAL"}"#), 0));
        assert_eq!(sent("gemini-2.0-flash", effort("low"), None), (None, 1));
    }

    #[test]
    fn a_level_that_the_model_refuses_becomes_the_nearest_one() {
        let low = r#"{"includeThoughts":true,"thinkingLevel":"LOW"}"#;
        for model in ["gemini-3.7-flash", "gemini-flash-latest", "gemini-4-argon"] {
            assert_eq!(sent(model, effort("minimal"), None), (Some(low.into()), 1), "{model}");
            assert_eq!(sent(model, effort("none"), None), (Some(r#"{"thinkingLevel":"LOW"}"#.into()), 1), "{model}");
        }
        let high = r#"{"includeThoughts":true,"thinkingLevel":"HIGH"}"#;
        assert_eq!(sent("gemini-3.1-flash-lite-image", effort("low"), None), (Some(high.into()), 1));
        assert_eq!(sent("gemini-3-pro-image-preview", effort("low"), None), (None, 1));
    }

    #[test]
    fn thinking_leaves_room_for_the_answer() {
        let (json, _) = sent("gemini-2.5-flash", effort("high"), Some(1000));
        assert_eq!(json.as_deref(), Some(r#"{"includeThoughts":true,"thinkingBudget":750}"#));
    }

    #[test]
    fn thinking_is_turned_off_where_it_can_be() {
        let off = || ReasoningRequest { mode: Some(ReasoningMode::Disabled), ..ReasoningRequest::default() };
        assert_eq!(sent("gemini-2.5-flash", off(), None), (Some(r#"{"thinkingBudget":0}"#.into()), 0));
        assert_eq!(sent("gemini-2.5-pro", off(), None), (Some(r#"{"thinkingBudget":128}"#.into()), 1));
        assert_eq!(sent("gemini-3-pro-preview", effort("none"), None), (Some(r#"{"thinkingLevel":"LOW"}"#.into()), 1));
        assert_eq!(sent("gemini-2.0-flash", off(), None), (None, 0));
        assert_eq!(sent("gemini-2.5-flash-lite", off(), None), (Some(r#"{"thinkingBudget":0}"#.into()), 0));
    }

    #[test]
    fn a_model_may_think_little_only_down_to_its_least_budget() {
        let budget = |tokens| ReasoningRequest { budget_tokens: Some(tokens), ..ReasoningRequest::default() };
        let shown = |tokens| Some(format!(r#"{{"includeThoughts":true,"thinkingBudget":{tokens}}}"#));
        assert_eq!(sent("gemini-2.5-flash-lite", budget(100), None), (shown(512), 1));
        assert_eq!(sent("gemini-2.5-flash-lite", budget(512), None), (shown(512), 0));
        assert_eq!(sent("gemini-2.5-flash-lite", effort("low"), Some(100)), (shown(512), 0));
        assert_eq!(sent("gemini-2.5-flash", budget(100), None), (shown(100), 0));
    }
}
