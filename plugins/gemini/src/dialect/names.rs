//! The format's names of fields that the unified model names differently, for the losses reported to clients.

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
/// The names if all functions are in the first entry.
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
const FORMATS: Rules<'_> = &[
    ("response_format.schema", "generationConfig.responseFormat[].text.schema"),
    ("response_format", "generationConfig.responseFormat"),
];

/// Most messages that are named one by one: the host takes a limited number of rules.
const MOVED: usize = 64;

/// The facts about a request that decide the names of its fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape<'s> {
    /// Whether it has system text.
    pub(super) system: bool,
    /// The number of the content that each other message began with: adjacent ones of the model are one message.
    pub(super) starts: &'s [usize],
    /// Whether its tools are in one entry.
    pub(super) one_entry: bool,
    /// Whether it has a schema: in the older member (true) or in the newer one.
    pub(super) schema: Option<bool>,
    /// Whether the answer's format is in the newest member.
    pub(super) formats: bool,
}

/// The names for a request of this shape.
pub(super) fn names(shape: Shape<'_>) -> Extension {
    let moved = moved(shape);
    let moved: Vec<(&str, &str)> = moved.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    let functions = if shape.one_entry { FUNCTIONS } else { &[] };
    let schema = match shape.schema {
        _ if shape.formats => FORMATS,
        Some(true) => OLD_SCHEMA,
        Some(false) => SCHEMA,
        None => MIME,
    };
    spelling::names(&[&moved, if shape.system { SYSTEM } else { CONTENTS }, functions, MEMBERS, schema])
}

/// The names of messages that stand behind joined contents. The parts of joined contents are counted together.
fn moved(shape: Shape<'_>) -> Vec<(String, String)> {
    let moved = shape.starts.iter().enumerate().filter(|(at, start)| at != *start).take(MOVED);
    let rules = moved.flat_map(|(at, start)| {
        let message = format!("messages[{}]", at + usize::from(shape.system));
        [
            (format!("{message}.content"), format!("contents[{start}].parts")),
            (format!("{message}.tool_calls[]"), format!("contents[{start}].parts[]")),
            (message, format!("contents[{start}]")),
        ]
    });
    rules.collect()
}
