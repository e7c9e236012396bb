//! Finish reasons, in the words of OpenAI's format and of nearly compatible servers.

use crate::compat::quirks::Quirks;
use crate::types::{Finish, FinishReason};

/// Parses a finish reason; `None` for an empty one. Tool calls outrank a natural end (C-11, C-12).
pub fn read(quirks: &Quirks, raw: Option<&str>, called: bool) -> Option<Finish> {
    let raw = raw.filter(|raw| !raw.is_empty())?;
    let reason = (quirks.finish)(raw).unwrap_or_else(|| reason(raw));
    Some(Finish::new(outranked(reason, called), raw))
}

/// Corrects a natural end to tool calls if the answer has calls.
pub(crate) fn outranked(reason: FinishReason, called: bool) -> FinishReason {
    let natural = matches!(reason, FinishReason::Complete | FinishReason::StopSequence | FinishReason::Other);
    if called && natural { FinishReason::ToolCalls } else { reason }
}

/// Corrects a natural end to the limit's if a call breaks off within its arguments: it must not be carried out,
/// whatever the word says (C-11). Routers say `tool_calls` where the limit has cut the call.
pub(crate) fn cut(reason: FinishReason, breaks_off: bool) -> FinishReason {
    let natural = matches!(
        reason,
        FinishReason::Complete | FinishReason::StopSequence | FinishReason::ToolCalls | FinishReason::Other
    );
    if breaks_off && natural { FinishReason::Length } else { reason }
}

/// Picks one of two finishes of one answer: the later real reason, except that a natural end does not replace tool
/// calls.
pub(crate) fn later(known: Option<Finish>, later: Finish) -> Finish {
    let Some(known) = known else { return later };
    let keeps = match later.reason {
        FinishReason::Other => known.reason != FinishReason::Other,
        FinishReason::Complete | FinishReason::StopSequence => known.reason == FinishReason::ToolCalls,
        _ => false,
    };
    if keeps { known } else { later }
}

/// The reason of a word. A word may have its detail behind a colon: `function_call_filter: MALFORMED_FUNCTION_CALL`.
fn reason(raw: &str) -> FinishReason {
    let (head, detail) = raw.split_once(": ").unwrap_or((raw, ""));
    match word(head) {
        FinishReason::Other => word(detail),
        known => known,
    }
}

fn word(raw: &str) -> FinishReason {
    match raw {
        "stop" | "end_turn" | "eos" | "eos_token" | "completed" | "STOP" => FinishReason::Complete,
        "stop_sequence" => FinishReason::StopSequence,
        "length" | "max_tokens" | "max_output_tokens" | "MAX_TOKENS" => FinishReason::Length,
        "model_length" | "model_context_window_exceeded" => FinishReason::ContextLength,
        "tool_calls" | "tool_call" | "tool_use" | "function_call" => FinishReason::ToolCalls,
        "content_filter" | "safety" | "SAFETY" | "content_filtered" | "sensitive" | "RECITATION" | "BLOCKLIST"
        | "PROHIBITED_CONTENT" | "SPII" => FinishReason::ContentFilter,
        "refusal" => FinishReason::Refusal,
        "malformed_function_call" | "MALFORMED_FUNCTION_CALL" => FinishReason::MalformedToolCall,
        "error" | "abort" | "cancelled" | "insufficient_system_resource" | "network_error" => FinishReason::Failed,
        _ => FinishReason::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c12_tool_calls_outrank_a_natural_end() {
        let reason = |raw, called| read(&Quirks::COMPATIBLE, Some(raw), called).unwrap().reason;
        assert_eq!(reason("completed", true), FinishReason::ToolCalls);
        assert_eq!(reason("stop", false), FinishReason::Complete);
        assert_eq!(reason("length", true), FinishReason::Length);
        assert_eq!(read(&Quirks::COMPATIBLE, Some(""), true), None);
    }

    #[test]
    fn c19_a_word_for_an_answer_that_was_cut_off_is_not_one_for_a_complete_answer() {
        for (raw, expected) in [
            ("model_context_window_exceeded", FinishReason::ContextLength),
            ("sensitive", FinishReason::ContentFilter),
            ("RECITATION", FinishReason::ContentFilter),
            ("BLOCKLIST", FinishReason::ContentFilter),
            ("PROHIBITED_CONTENT", FinishReason::ContentFilter),
            ("SPII", FinishReason::ContentFilter),
            ("network_error", FinishReason::Failed),
        ] {
            let reason = |called| read(&Quirks::COMPATIBLE, Some(raw), called).unwrap().reason;
            assert_eq!([reason(false), reason(true)], [expected; 2], "{raw}");
        }
    }

    #[test]
    fn a_word_may_have_a_detail() {
        let reason = |raw| read(&Quirks::COMPATIBLE, Some(raw), false).unwrap().reason;
        assert_eq!(reason("function_call_filter: MALFORMED_FUNCTION_CALL"), FinishReason::MalformedToolCall);
        assert_eq!(reason("content_filter: PROHIBITED_CONTENT"), FinishReason::ContentFilter);
        assert_eq!(reason("whatever: it is"), FinishReason::Other);
    }
}
