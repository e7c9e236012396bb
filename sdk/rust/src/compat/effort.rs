//! Levels of effort: how much a model shall think, in the words that its provider knows.

use crate::compat::quirks::{Effort, Quirks};
use crate::losses::Losses;
use crate::types::{ReasoningMode, ReasoningRequest};

/// Levels of effort in ascending order, and the budget up to which each is used.
const LEVELS: [(&str, u32); 7] = [
    ("none", 0),
    ("minimal", 512),
    ("low", 2048),
    ("medium", 8192),
    ("high", 32768),
    ("xhigh", 65536),
    ("max", u32::MAX),
];

/// The word for the provider's own level, where there is one: `reasoning_effort` of Groq's reference.
const DEFAULT: &str = "default";

/// All levels, in ascending order.
pub fn names() -> impl Iterator<Item = &'static str> {
    LEVELS.iter().map(|(name, _)| *name)
}

/// The provider's level for a request: the nearest to the one that it names or, if it is to be `derived`, to the one
/// that its budget or the end of thinking stands for. `None` if it asks for none, or for one that has no place.
pub fn level<'a>(
    quirks: &Quirks,
    reasoning: &'a ReasoningRequest,
    derived: bool,
    losses: &mut Losses,
) -> Option<&'a str> {
    let wanted = match (&reasoning.effort, reasoning.budget_tokens, reasoning.mode) {
        (Some(effort), _, _) => effort.as_str(),
        _ if !derived => return None,
        (None, _, Some(ReasoningMode::Disabled)) => "none",
        (None, Some(budget), _) => {
            losses.approximated("reasoning.budget_tokens", "said as a level of effort");
            LEVELS.iter().find(|(_, most)| budget <= *most).map_or("high", |(level, _)| level)
        }
        (None, None, _) => return None,
    };
    // Without a level, every provider takes its own.
    if wanted == DEFAULT && !quirks.efforts.contains(&DEFAULT) {
        return None;
    }
    // What turns thinking off by a switch is no level of Chat, and may be one of Responses.
    let off = wanted == "none" && quirks.effort != Effort::Effort;
    let level = if off { Some(wanted) } else { nearest(quirks.efforts, wanted) };
    if level.is_none() {
        losses.dropped("reasoning_effort", "thinking cannot be turned off here");
    } else if level != Some(wanted) {
        losses.clamped("reasoning_effort", "moved to the nearest level known here");
    }
    level
}

/// The nearest level that the provider knows. An unknown level is kept, and "none" never becomes another.
fn nearest<'a>(known: &[&'static str], wanted: &'a str) -> Option<&'a str> {
    let rank = |level: &str| LEVELS.iter().position(|(name, _)| *name == level);
    let Some(at) = rank(wanted).filter(|_| !known.contains(&wanted)) else { return Some(wanted) };
    if at == 0 {
        return None;
    }
    let distance = |level: &&&'static str| rank(level).map_or(usize::MAX, |other| other.abs_diff(at));
    known.iter().filter(|level| **level != "none").min_by_key(distance).copied()
}
