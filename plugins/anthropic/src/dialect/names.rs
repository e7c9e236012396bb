//! The format's names of fields that the unified model names differently, for the losses reported to clients.

use weir_sdk::spelling::{self, Rules};
use weir_sdk::types::Extension;

/// The system text is the first message of the unified model.
const SYSTEM: Rules<'_> = &[
    ("messages[0].content", "system"),
    ("messages[0]", "system"),
    ("messages[#].tool_calls[]", "messages[#0-1].content[]"),
    ("messages[#]", "messages[#0-1]"),
];
const MEMBERS: Rules<'_> = &[
    ("messages[#].tool_calls[]", "messages[#0].content[]"),
    ("tools[#].parameters", "tools[#0].input_schema"),
    ("stop", "stop_sequences"),
    ("user", "metadata.user_id"),
    ("max_output_tokens", "max_tokens"),
    ("max_completion_tokens", "max_tokens"),
    ("parallel_tool_calls", "tool_choice.disable_parallel_tool_use"),
    ("response_format", "output_config.format"),
    ("reasoning.budget_tokens", "thinking.budget_tokens"),
    ("reasoning.summary", "thinking.display"),
];
/// The names if the client named an effort, and if it did not.
const EFFORT: Rules<'_> = &[
    ("reasoning.effort", "output_config.effort"),
    ("reasoning_effort", "output_config.effort"),
    ("reasoning", "thinking"),
];
const THINKING: Rules<'_> =
    &[("reasoning.effort", "thinking"), ("reasoning_effort", "thinking"), ("reasoning", "thinking")];

/// The names for a request with or without system text, and with or without an effort.
pub(super) fn names(system: bool, effort: bool) -> Extension {
    let (system, effort) = (if system { SYSTEM } else { &[] }, if effort { EFFORT } else { THINKING });
    spelling::names(&[system, MEMBERS, effort])
}
