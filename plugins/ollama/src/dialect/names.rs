//! The format's names of fields that the unified model names differently, for the losses reported to clients.

use weir_sdk::spelling::{self, Rules};
use weir_sdk::types::Extension;

/// The members of both endpoints.
const MEMBERS: Rules<'_> = &[
    ("temperature", "options.temperature"),
    ("top_p", "options.top_p"),
    ("top_k", "options.top_k"),
    ("seed", "options.seed"),
    ("stop", "options.stop"),
    ("frequency_penalty", "options.frequency_penalty"),
    ("presence_penalty", "options.presence_penalty"),
    ("min_p", "options.min_p"),
    ("repetition_penalty", "options.repeat_penalty"),
    ("max_tokens", "options.num_predict"),
    ("max_output_tokens", "options.num_predict"),
    ("max_completion_tokens", "options.num_predict"),
    ("reasoning.effort", "think"),
    ("reasoning.budget_tokens", "think"),
    ("reasoning_effort", "think"),
    ("reasoning", "think"),
    ("response_format", "format"),
];
/// A message's content is a single text here.
const CHAT: Rules<'_> = &[
    ("messages[#].content[#].content[#]", "messages[#0].content"),
    ("messages[#].content[#]", "messages[#0].content"),
    ("tools[#].parameters", "tools[#0].function.parameters"),
];
/// A prompt after a system text.
const SYSTEM: Rules<'_> = &[("messages[0].content[#]", "system"), ("messages[0]", "system")];
const PROMPT: Rules<'_> = &[("messages[#].content[#]", "prompt"), ("messages[#]", "prompt")];

/// The names of a request for `/api/chat`.
pub(super) fn of_chat() -> Extension {
    spelling::names(&[CHAT, MEMBERS])
}

/// The names of a request for `/api/generate`, with or without a system text.
pub(super) fn of_prompt(system: bool) -> Extension {
    spelling::names(&[if system { SYSTEM } else { &[] }, PROMPT, MEMBERS])
}
