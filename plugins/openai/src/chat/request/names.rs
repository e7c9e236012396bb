//! How the format spells what the unified model names otherwise, for the losses that a client reads of.

use weir_sdk::spelling::{self, Rules};
use weir_sdk::types::Extension;

/// The content of a tool's message is that of its result.
const RESULTS: Rules<'_> = &[("messages[#].content[#].content[#]", "messages[#0].content[#2]")];
const EFFORT: Rules<'_> = &[("reasoning.effort", "reasoning_effort"), ("reasoning.budget_tokens", "reasoning_effort")];
/// The limit by the older name, and by the newer one.
const OLDER: Rules<'_> = &[("max_output_tokens", "max_tokens"), ("max_completion_tokens", "max_tokens")];
const NEWER: Rules<'_> = &[("max_output_tokens", "max_completion_tokens"), ("max_tokens", "max_completion_tokens")];
const SAFETY: Rules<'_> = &[("user", "safety_identifier")];

/// What tells how a request spells its fields; most spell them as the unified model does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) results: bool,
    pub(super) effort: bool,
    /// The older name of the limit (true) or the newer one.
    pub(super) limit: Option<bool>,
    pub(super) safety: bool,
}

/// The names of a request of this shape, where they differ.
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
