//! `think`: a flag, or a level.

use weir_sdk::json::{RawValue, text};
use weir_sdk::losses::Losses;
use weir_sdk::types::{ReasoningMode, ReasoningRequest};

/// Key of the note on a level that came in this format and is not checked.
const OWN: &str = "think";
/// The models that take levels. Most servers refuse them for all others.
const LEVELED: &str = "gpt-oss";
/// The levels of the format.
const LEVELS: [&str; 4] = ["low", "medium", "high", "max"];

/// Parses the setting for thinking.
pub(crate) fn read(raw: &RawValue) -> Option<ReasoningRequest> {
    let mode = |mode| ReasoningRequest { mode: Some(mode), ..ReasoningRequest::default() };
    match raw.get() {
        "true" => return Some(mode(ReasoningMode::Enabled)),
        "false" => return Some(mode(ReasoningMode::Disabled)),
        _ => {}
    }
    let level = text(raw).filter(|level| !level.is_empty())?.into_string();
    Some(match level.as_str() {
        "true" => mode(ReasoningMode::Enabled),
        "false" | "none" => mode(ReasoningMode::Disabled),
        _ => {
            let extensions = vec![crate::own(crate::CHAT, OWN, "null")];
            ReasoningRequest { effort: Some(level), extensions, ..mode(ReasoningMode::Enabled) }
        }
    })
}

/// The value of `think`; `None` leaves it to the model. A model that cannot think refuses the member, so it is sent
/// only if the client was explicit.
pub(crate) fn write(model: &str, reasoning: Option<&ReasoningRequest>, losses: &mut Losses) -> Option<&'static str> {
    let reasoning = reasoning?;
    losses.foreign("reasoning.", &reasoning.extensions, crate::CHAT);
    let shown = matches!(reasoning.summary.as_deref(), None | Some("auto"));
    losses.dropped_if(!shown, "reasoning.summary", "thinking is shown as the model puts it");
    let disabled = reasoning.mode == Some(ReasoningMode::Disabled);
    if disabled || reasoning.effort.as_deref() == Some("none") || reasoning.budget_tokens == Some(0) {
        return Some("false");
    }
    losses.dropped_if(reasoning.budget_tokens.is_some(), "reasoning.budget_tokens", "thinking has no budget here");
    if let Some(effort) = reasoning.effort.as_deref() {
        if model.contains(LEVELED) || crate::is_noted(&reasoning.extensions, OWN) {
            return Some(level(effort, losses));
        }
        losses.approximated("reasoning_effort", "this model's thinking is only on or off");
        return Some("true");
    }
    let wanted = reasoning.mode == Some(ReasoningMode::Enabled)
        || reasoning.mode.is_none() && reasoning.budget_tokens.is_some_and(|tokens| tokens > 0);
    wanted.then_some("true")
}

/// The nearest level, as JSON.
fn level(effort: &str, losses: &mut Losses) -> &'static str {
    let json = match effort {
        "low" | "minimal" => "\"low\"",
        "medium" => "\"medium\"",
        "max" => "\"max\"",
        _ => "\"high\"",
    };
    if !LEVELS.contains(&effort) {
        losses.clamped("reasoning_effort", "moved to the nearest level known here");
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::json::parse;

    #[test]
    fn every_value_of_the_format_comes_back() {
        for value in ["true", "false", "\"low\"", "\"medium\"", "\"high\"", "\"max\""] {
            let mut losses = Losses::default();
            assert_eq!(write("m", read(parse(value).unwrap()).as_ref(), &mut losses), Some(value));
            assert!(losses.into_losses().is_empty());
        }
        assert_eq!(read(parse("\"\"").unwrap()), None);
    }

    #[test]
    fn other_formats_words_become_the_nearest_and_are_reported() {
        let effort = |word: &str| ReasoningRequest { effort: Some(word.into()), ..ReasoningRequest::default() };
        let mut losses = Losses::default();
        let mut write = |wanted: &ReasoningRequest| write("hf.co/x/gpt-oss:20b", Some(wanted), &mut losses);
        assert_eq!(write(&effort("none")), Some("false"));
        assert_eq!(write(&effort("minimal")), Some("\"low\""));
        assert_eq!(write(&effort("xhigh")), Some("\"high\""));
        let budget = ReasoningRequest { budget_tokens: Some(2048), ..ReasoningRequest::default() };
        assert_eq!(write(&budget), Some("true"));
        let fields: Vec<String> = losses.into_losses().into_iter().map(|loss| loss.field).collect();
        assert_eq!(fields, ["reasoning_effort", "reasoning_effort", "reasoning.budget_tokens"]);
    }

    #[test]
    fn a_level_turns_thinking_on_for_models_without_levels() {
        let effort = |word: &str| ReasoningRequest { effort: Some(word.into()), ..ReasoningRequest::default() };
        let mut losses = Losses::default();
        assert_eq!(write("qwen3:4b", Some(&effort("high")), &mut losses), Some("true"));
        assert_eq!(write("qwen3:4b", Some(&effort("none")), &mut losses), Some("false"));
        let fields: Vec<String> = losses.into_losses().into_iter().map(|loss| loss.field).collect();
        assert_eq!(fields, ["reasoning_effort"]);
    }

    #[test]
    fn what_the_model_may_decide_is_left_to_it() {
        let adaptive = ReasoningRequest { mode: Some(ReasoningMode::Adaptive), ..ReasoningRequest::default() };
        assert_eq!(write("m", Some(&adaptive), &mut Losses::default()), None);
        assert_eq!(write("m", None, &mut Losses::default()), None);
    }
}
