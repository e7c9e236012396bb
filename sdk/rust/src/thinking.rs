//! What a request asks of a model's thinking, for formats with a budget or a level of effort.

use crate::losses::Losses;
use crate::types::{ReasoningMode, ReasoningRequest};

/// Key of the note on an effort that the client's format does not take as a request for thinking. It stays an effort
/// for models whose format has such a place too; for others, it is all that is known of the wish.
pub const EFFORT_ONLY: &str = "effort";

/// The least budget that services accept.
const MIN_BUDGET: u32 = 1024;

/// The request's mode, or the one that effort and budget imply; `None` if it asks for nothing.
pub fn mode(wanted: &ReasoningRequest) -> Option<ReasoningMode> {
    let none = wanted.effort.as_deref() == Some("none") || wanted.budget_tokens == Some(0);
    match wanted.mode {
        Some(mode) => Some(mode),
        None if none => Some(ReasoningMode::Disabled),
        None if wanted.budget_tokens.is_some() || wanted.effort.is_some() => Some(ReasoningMode::Enabled),
        None => None,
    }
}

/// Whether the request names an effort, and asks for no thinking by it.
pub fn is_effort_only(wanted: &ReasoningRequest) -> bool {
    let noted = wanted.extensions.iter().any(|note| note.key == EFFORT_ONLY && note.json == "null");
    noted && wanted.mode.is_none() && wanted.budget_tokens.is_none()
}

/// The budget of tokens that the request names or its effort stands for, by the published table.
pub fn budget(wanted: &ReasoningRequest) -> u32 {
    let of_effort = || match wanted.effort.as_deref() {
        Some("minimal") => 1024,
        Some("low") => 2048,
        Some("high") => 24_576,
        Some("xhigh" | "max") => 32_768,
        _ => 8192,
    };
    wanted.budget_tokens.unwrap_or_else(of_effort).max(MIN_BUDGET)
}

/// The same budget below the answer's limit of tokens, to which thinking counts; `None` if the limit leaves no room for
/// it. A named budget may come close to the limit; one derived from an effort leaves room for an answer.
pub fn budget_within(wanted: &ReasoningRequest, limit: u32, losses: &mut Losses) -> Option<u32> {
    let named = wanted.budget_tokens;
    let room = if named.is_some() { limit.saturating_sub(1) } else { limit / 4 * 3 };
    let bounded = budget(wanted).min(room.max(MIN_BUDGET));
    if bounded >= limit {
        losses.dropped("reasoning", "the answer's limit leaves no room for thinking");
        return None;
    }
    if named.is_some_and(|named| named != bounded) {
        losses.clamped("reasoning.budget_tokens", "it lies between 1024 and the answer's limit");
    }
    Some(bounded)
}

/// The effort that a budget of tokens stands for.
pub fn effort(budget: u32) -> &'static str {
    match budget {
        0..=2048 => "low",
        2049..=8192 => "medium",
        8193..=24_576 => "high",
        _ => "xhigh",
    }
}

/// How thinking is shown, in formats that have one word for all kinds of summary.
pub fn display(summary: &str) -> &str {
    if matches!(summary, "auto" | "concise" | "detailed") { "summarized" } else { summary }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Extension;

    fn wanted(effort: Option<&str>, budget_tokens: Option<u32>) -> ReasoningRequest {
        ReasoningRequest { effort: effort.map(str::to_owned), budget_tokens, ..ReasoningRequest::default() }
    }

    #[test]
    fn effort_and_budget_imply_a_mode() {
        for (effort, budget, implied) in [
            (None, None, None),
            (Some("none"), None, Some(ReasoningMode::Disabled)),
            (None, Some(0), Some(ReasoningMode::Disabled)),
            (Some("low"), None, Some(ReasoningMode::Enabled)),
            (None, Some(2000), Some(ReasoningMode::Enabled)),
        ] {
            assert_eq!(mode(&wanted(effort, budget)), implied, "{effort:?} {budget:?}");
        }
        let named = ReasoningRequest { mode: Some(ReasoningMode::Adaptive), ..wanted(Some("none"), None) };
        assert_eq!(mode(&named), Some(ReasoningMode::Adaptive));
    }

    #[test]
    fn an_effort_is_only_one_where_nothing_asks_for_thinking() {
        let note = Extension { format: "any".into(), key: EFFORT_ONLY.into(), json: "null".into() };
        let noted = |wish: ReasoningRequest| ReasoningRequest { extensions: vec![note.clone()], ..wish };
        assert!(is_effort_only(&noted(wanted(Some("low"), None))));
        assert!(!is_effort_only(&wanted(Some("low"), None)));
        assert!(!is_effort_only(&noted(wanted(Some("low"), Some(2000)))));
        let adaptive = ReasoningRequest { mode: Some(ReasoningMode::Adaptive), ..wanted(Some("low"), None) };
        assert!(!is_effort_only(&noted(adaptive)));
    }

    #[test]
    fn each_effort_comes_back_from_its_budget() {
        for level in ["low", "medium", "high", "xhigh"] {
            assert_eq!(effort(budget(&wanted(Some(level), None))), level);
        }
    }

    #[test]
    fn a_budget_stays_below_the_answers_limit() {
        for (effort, named, limit, bounded, lost) in [
            (None, Some(5000), 8000, Some(5000), 0),
            (None, Some(5000), 4000, Some(3999), 1),
            (None, Some(10), 4000, Some(1024), 1),
            (None, Some(5000), 1024, None, 1),
            (Some("high"), None, 8000, Some(6000), 0),
            (Some("low"), None, 8000, Some(2048), 0),
            (Some("low"), None, 1000, None, 1),
        ] {
            let mut losses = Losses::default();
            assert_eq!(budget_within(&wanted(effort, named), limit, &mut losses), bounded, "{effort:?} {named:?}");
            assert_eq!(losses.into_losses().len(), lost, "{effort:?} {named:?}");
        }
    }

    #[test]
    fn kinds_of_summary_are_one_word() {
        assert_eq!((display("concise"), display("omitted")), ("summarized", "omitted"));
    }
}
