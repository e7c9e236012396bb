//! How the format spells what the unified model names otherwise, for the losses that a client reads of.

use weir_sdk::spelling::{self, Rules};
use weir_sdk::types::Extension;

/// The system text is the first message of the unified model.
const SYSTEM: Rules<'_> = &[
    ("messages[0].content", "systemInstruction.parts"),
    ("messages[0]", "systemInstruction"),
    ("messages[#].content", "contents[#0-1].parts"),
    ("messages[#].tool_calls[]", "contents[#0-1].parts[]"),
    ("messages[#]", "contents[#0-1]"),
];
const CONTENTS: Rules<'_> = &[
    ("messages[#].content", "contents[#0].parts"),
    ("messages[#].tool_calls[]", "contents[#0].parts[]"),
    ("messages", "contents"),
];
/// Where all functions stand in the first entry.
const FUNCTIONS: Rules<'_> = &[("tools", "tools[0].functionDeclarations")];
const MEMBERS: Rules<'_> = &[
    ("temperature", "generationConfig.temperature"),
    ("top_p", "generationConfig.topP"),
    ("top_k", "generationConfig.topK"),
    ("seed", "generationConfig.seed"),
    ("stop", "generationConfig.stopSequences"),
    ("frequency_penalty", "generationConfig.frequencyPenalty"),
    ("presence_penalty", "generationConfig.presencePenalty"),
    ("n", "generationConfig.candidateCount"),
    ("logprobs", "generationConfig.responseLogprobs"),
    ("top_logprobs", "generationConfig.logprobs"),
    ("max_tokens", "generationConfig.maxOutputTokens"),
    ("max_output_tokens", "generationConfig.maxOutputTokens"),
    ("max_completion_tokens", "generationConfig.maxOutputTokens"),
    ("reasoning.budget_tokens", "generationConfig.thinkingConfig.thinkingBudget"),
    ("reasoning.effort", "generationConfig.thinkingConfig.thinkingLevel"),
    ("reasoning.summary", "generationConfig.thinkingConfig.includeThoughts"),
    ("reasoning_effort", "generationConfig.thinkingConfig"),
    ("reasoning", "generationConfig.thinkingConfig"),
    ("tool_choice", "toolConfig.functionCallingConfig"),
    ("service_tier", "serviceTier"),
];
const OLD_SCHEMA: Rules<'_> = &[("response_format", "generationConfig.responseSchema")];
const SCHEMA: Rules<'_> = &[("response_format", "generationConfig.responseJsonSchema")];
const MIME: Rules<'_> = &[("response_format", "generationConfig.responseMimeType")];

/// What tells how a request spells its fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// It has system text.
    pub(super) system: bool,
    /// Its tools stand in one entry.
    pub(super) one_entry: bool,
    /// It has a schema, in the older member (true) or the newer one.
    pub(super) schema: Option<bool>,
}

/// The names of a request of this shape.
pub(super) fn names(shape: Shape) -> Extension {
    let functions = if shape.one_entry { FUNCTIONS } else { &[] };
    let schema = match shape.schema {
        Some(true) => OLD_SCHEMA,
        Some(false) => SCHEMA,
        None => MIME,
    };
    spelling::names(&[if shape.system { SYSTEM } else { CONTENTS }, functions, MEMBERS, schema])
}
