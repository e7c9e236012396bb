//! Finish reasons of answers.

use weir_sdk::types::{Error, ErrorKind, Finish, FinishReason};

/// Parses a reason. A tool call determines the reason (C-11), unless the answer was cut or failed: a call that was cut
/// cannot be carried out. The last ones are those of the older API.
pub(crate) fn read(raw: &str, calls: bool) -> Finish {
    let reason = match raw.to_ascii_uppercase().as_str() {
        "COMPLETE" => FinishReason::Complete,
        "STOP_SEQUENCE" => FinishReason::StopSequence,
        "MAX_TOKENS" => FinishReason::Length,
        "TOOL_CALL" => FinishReason::ToolCalls,
        "ERROR" | "TIMEOUT" | "USER_CANCEL" => FinishReason::Failed,
        "ERROR_TOXIC" => FinishReason::ContentFilter,
        "ERROR_LIMIT" => FinishReason::ContextLength,
        _ => FinishReason::Other,
    };
    Finish::new(if calls && is_outranked(reason) { FinishReason::ToolCalls } else { reason }, raw)
}

/// Whether a tool call is more significant than this reason.
fn is_outranked(reason: FinishReason) -> bool {
    use FinishReason::{Complete, Other, Paused, StopSequence};
    matches!(reason, Complete | StopSequence | Paused | Other)
}

/// The error of a reason that means a failure: such an answer never looks complete (C-91).
pub(crate) fn failure(raw: &str, message: Option<String>) -> Option<Error> {
    let kind = match raw.to_ascii_uppercase().as_str() {
        "ERROR" => ErrorKind::Upstream,
        "TIMEOUT" => ErrorKind::Timeout,
        _ => return None,
    };
    Some(Error::new(kind, message.unwrap_or_else(|| "the provider broke off".to_owned())).with_code(raw))
}

/// The format's word for a reason, and whether it is only an approximation. A tool call outranks a natural end.
pub(crate) fn word(reason: FinishReason, calls: bool) -> (&'static str, bool) {
    if calls && is_outranked(reason) {
        return ("TOOL_CALL", false);
    }
    match reason {
        FinishReason::Complete => ("COMPLETE", false),
        FinishReason::StopSequence => ("STOP_SEQUENCE", false),
        FinishReason::Length => ("MAX_TOKENS", false),
        FinishReason::ContextLength => ("MAX_TOKENS", true),
        FinishReason::ToolCalls => ("TOOL_CALL", false),
        FinishReason::Failed => ("ERROR", false),
        // A refusal may have no words at all: as a natural end, it would be an empty answer without a reason.
        FinishReason::ContentFilter | FinishReason::Refusal => ("ERROR", true),
        FinishReason::Paused | FinishReason::MalformedToolCall | FinishReason::Other => ("COMPLETE", true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c15_every_reason_becomes_a_word_of_the_format() {
        for (word_, reason) in [
            ("COMPLETE", FinishReason::Complete),
            ("STOP_SEQUENCE", FinishReason::StopSequence),
            ("MAX_TOKENS", FinishReason::Length),
            ("TOOL_CALL", FinishReason::ToolCalls),
            ("ERROR", FinishReason::Failed),
        ] {
            assert_eq!(read(word_, false).reason, reason);
            assert_eq!(word(reason, false), (word_, false));
        }
        assert_eq!(read("SOMETHING_NEW", false).reason, FinishReason::Other);
        assert_eq!(word(FinishReason::Other, false), ("COMPLETE", true));
    }

    #[test]
    fn c11_a_call_outranks_the_reason() {
        assert_eq!(read("COMPLETE", true).reason, FinishReason::ToolCalls);
        assert_eq!(word(FinishReason::Complete, true), ("TOOL_CALL", false));
        assert_eq!(word(FinishReason::Length, true), ("MAX_TOKENS", false), "a call that was cut is none");
        assert_eq!(read("MAX_TOKENS", true).reason, FinishReason::Length);
    }

    #[test]
    fn c84_a_refusal_is_no_natural_end() {
        assert_eq!(word(FinishReason::Refusal, false), ("ERROR", true));
        assert_eq!(word(FinishReason::ContentFilter, false), ("ERROR", true));
    }

    #[test]
    fn c91_reasons_of_failure_are_errors() {
        assert_eq!(failure("ERROR", None).map(|error| error.kind), Some(ErrorKind::Upstream));
        assert_eq!(failure("TIMEOUT", None).map(|error| error.kind), Some(ErrorKind::Timeout));
        assert!(failure("MAX_TOKENS", None).is_none());
    }
}
