//! The format's names of fields that the unified model names differently, for the losses reported to clients.

use weir_sdk::spelling::{self, Rules};
use weir_sdk::types::Extension;

/// The system text is the first message of the unified model.
const SYSTEM: Rules<'_> = &[
    ("messages[0].content[#].cache_control", "system[].cachePoint"),
    ("messages[0].content", "system"),
    ("messages[0]", "system"),
    ("messages[#].content[#].cache_control", "messages[#0-1].content[].cachePoint"),
    ("messages[#].tool_calls[]", "messages[#0-1].content[]"),
    ("messages[#]", "messages[#0-1]"),
];
const MEMBERS: Rules<'_> = &[
    ("messages[#].content[#].cache_control", "messages[#0].content[].cachePoint"),
    ("messages[#].tool_calls[]", "messages[#0].content[]"),
    ("tools[#].cache_control", "toolConfig.tools[].cachePoint"),
    ("tools[#].parameters", "toolConfig.tools[#0].toolSpec.inputSchema"),
    ("tools[#]", "toolConfig.tools[#0].toolSpec"),
    ("tool_choice", "toolConfig.toolChoice"),
    ("temperature", "inferenceConfig.temperature"),
    ("top_p", "inferenceConfig.topP"),
    ("stop", "inferenceConfig.stopSequences"),
    ("max_tokens", "inferenceConfig.maxTokens"),
    ("max_output_tokens", "inferenceConfig.maxTokens"),
    ("max_completion_tokens", "inferenceConfig.maxTokens"),
    ("top_k", "additionalModelRequestFields.top_k"),
    ("reasoning.budget_tokens", "additionalModelRequestFields.thinking.budget_tokens"),
    ("reasoning_effort", "additionalModelRequestFields.thinking"),
    ("reasoning", "additionalModelRequestFields.thinking"),
    ("response_format", "outputConfig.textFormat"),
    ("metadata", "requestMetadata"),
    ("service_tier", "serviceTier"),
];

/// The names for a request with or without system text.
pub(super) fn names(system: bool) -> Extension {
    spelling::names(&[if system { SYSTEM } else { &[] }, MEMBERS])
}
