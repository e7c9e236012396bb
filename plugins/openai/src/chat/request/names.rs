//! The format's names of fields that the unified model names differently, for the losses reported to clients.

use weir_sdk::spelling::{self, Rules};
use weir_sdk::types::Extension;

/// The content of a tool's message is that of its result.
const RESULTS: Rules<'_> = &[("messages[#].content[#].content[#]", "messages[#0].content[#2]")];
const EFFORT: Rules<'_> = &[("reasoning.effort", "reasoning_effort"), ("reasoning.budget_tokens", "reasoning_effort")];
/// The limit under its older name, and under the newer one.
const OLDER: Rules<'_> = &[("max_output_tokens", "max_tokens"), ("max_completion_tokens", "max_tokens")];
const NEWER: Rules<'_> = &[("max_output_tokens", "max_completion_tokens"), ("max_tokens", "max_completion_tokens")];
const SAFETY: Rules<'_> = &[("user", "safety_identifier")];

/// The facts about a request that decide the names of its fields; most are the unified model's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) results: bool,
    pub(super) effort: bool,
    /// Whether the limit has its older name (true) or the newer one.
    pub(super) limit: Option<bool>,
    pub(super) safety: bool,
}

/// The names for a request of this shape, if they differ.
pub(super) fn names(shape: Shape) -> Option<Extension> {
    let limit = match shape.limit {
        None => &[][..],
        Some(true) => OLDER,
        Some(false) => NEWER,
    };
    let when = |is: bool, rules: Rules<'static>| if is { rules } else { &[] };
    let rules = [when(shape.results, RESULTS), when(shape.effort, EFFORT), limit, when(shape.safety, SAFETY)];
    rules.iter().any(|rules| !rules.is_empty()).then(|| spelling::names(&rules))
}
