//! The format's names of fields that the unified model names differently, for the losses reported to clients.

use weir_sdk::spelling::{self, Rules};
use weir_sdk::types::Extension;

const MEMBERS: Rules<'_> = &[
    ("messages[#].content[#].content[#]", "messages[#0].content[#2]"),
    ("tools[#].parameters", "tools[#0].function.parameters"),
    ("stop", "stop_sequences"),
    ("top_p", "p"),
    ("top_k", "k"),
    ("max_output_tokens", "max_tokens"),
    ("max_completion_tokens", "max_tokens"),
    ("reasoning.budget_tokens", "thinking.token_budget"),
    ("reasoning_effort", "thinking"),
    ("reasoning", "thinking"),
];

/// The names of every request.
pub(super) fn names() -> Extension {
    spelling::names(&[MEMBERS])
}
