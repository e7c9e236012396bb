//! Which finish reason an answer has in the end.

use weir_types::contract::types::FinishReason;

/// Whether a later finish replaces an earlier one. The last known reason counts, except that a natural end does not
/// replace tool calls.
pub(super) fn outranks(later: FinishReason, earlier: FinishReason) -> bool {
    match later {
        FinishReason::Other => earlier == FinishReason::Other,
        later => earlier != FinishReason::ToolCalls || with_calls(later) != FinishReason::ToolCalls,
    }
}

/// The finish reason of an answer with tool calls. They outrank the upstream's reason unless the answer was cut off
/// or blocked, since calls that were cut off cannot be carried out.
pub(super) fn with_calls(reason: FinishReason) -> FinishReason {
    match reason {
        FinishReason::Complete | FinishReason::StopSequence | FinishReason::Other | FinishReason::Paused => {
            FinishReason::ToolCalls
        }
        other => other,
    }
}
