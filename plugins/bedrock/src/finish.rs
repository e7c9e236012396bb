//! Finish reasons: `stopReason` to the unified reasons and back.

use weir_sdk::finish::Seen;
use weir_sdk::types::{Finish, FinishReason};

/// The reason of an answer in which a call or another structure could not be read.
const MALFORMED: &str = "malformed_model_output";

/// Parses a stop reason. `calls` tells whether the answer has a call for the client: a call outranks a natural end
/// (C-11), and without one `tool_use` can only mean a tool that the service runs itself.
pub(crate) fn read(raw: &str, calls: bool) -> Finish {
    let reason = match raw {
        "end_turn" | "tool_use" if calls => FinishReason::ToolCalls,
        _ => of_word(raw),
    };
    Finish::new(reason, raw)
}

fn of_word(raw: &str) -> FinishReason {
    match raw {
        "end_turn" | "tool_use" => FinishReason::Complete,
        "max_tokens" => FinishReason::Length,
        "stop_sequence" => FinishReason::StopSequence,
        "guardrail_intervened" | "content_filtered" => FinishReason::ContentFilter,
        "malformed_tool_use" | MALFORMED => FinishReason::MalformedToolCall,
        "model_context_window_exceeded" => FinishReason::ContextLength,
        _ => FinishReason::Other,
    }
}

/// The format's word, and whether it is only an approximation.
pub(crate) fn word(finish: Option<&Finish>, seen: Seen) -> (&str, bool) {
    let Some(finish) = finish else { return (if seen.call { "tool_use" } else { "end_turn" }, !seen.call) };
    match finish.reason {
        FinishReason::Length => ("max_tokens", false),
        FinishReason::ContextLength => ("model_context_window_exceeded", false),
        FinishReason::ContentFilter if finish.raw.as_deref() == Some("guardrail_intervened") => {
            ("guardrail_intervened", false)
        }
        FinishReason::ContentFilter | FinishReason::Refusal => ("content_filtered", false),
        FinishReason::MalformedToolCall if finish.raw.as_deref() == Some(MALFORMED) => (MALFORMED, false),
        FinishReason::MalformedToolCall => ("malformed_tool_use", false),
        FinishReason::Failed => (MALFORMED, true),
        reason if seen.ends_with_call(reason) => ("tool_use", false),
        reason if seen.ends_with_refusal(reason) => ("content_filtered", false),
        FinishReason::StopSequence => ("stop_sequence", false),
        FinishReason::Complete => ("end_turn", false),
        FinishReason::ToolCalls | FinishReason::Paused | FinishReason::Other => ("end_turn", true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Seen = Seen { call: true, refusal: false };

    #[test]
    fn c84_a_refusal_in_words_is_filtered_content() {
        let refused = Seen { call: false, refusal: true };
        assert_eq!(word(Some(&read("end_turn", false)), refused), ("content_filtered", false));
    }

    #[test]
    fn c11_a_call_outranks_a_natural_end_and_no_cut() {
        for raw in ["end_turn", "tool_use"] {
            assert_eq!(read(raw, true).reason, FinishReason::ToolCalls);
        }
        let finish = |reason| Finish { reason, raw: None, stop_sequence: None };
        for reason in [FinishReason::Complete, FinishReason::StopSequence, FinishReason::Other] {
            assert_eq!(word(Some(&finish(reason)), CALL), ("tool_use", false));
        }
        assert_eq!(word(Some(&finish(FinishReason::Length)), CALL).0, "max_tokens");
        assert_eq!(word(None, CALL), ("tool_use", false));
    }

    #[test]
    fn every_word_of_the_format_comes_back() {
        for raw in [
            "end_turn",
            "tool_use",
            "max_tokens",
            "stop_sequence",
            "guardrail_intervened",
            "content_filtered",
            "malformed_model_output",
            "malformed_tool_use",
            "model_context_window_exceeded",
        ] {
            let call = raw == "tool_use";
            assert_eq!(word(Some(&read(raw, call)), Seen { call, refusal: false }), (raw, false));
        }
    }

    #[test]
    fn structures_that_cannot_be_read_are_no_limit() {
        for raw in ["malformed_tool_use", MALFORMED] {
            assert_eq!(read(raw, false).reason, FinishReason::MalformedToolCall);
        }
        assert_eq!(word(Some(&Finish::new(FinishReason::Failed, "error")), Seen::default()), (MALFORMED, true));
    }

    #[test]
    fn c79_a_tool_of_the_services_own_ends_like_text() {
        assert_eq!(read("tool_use", false).reason, FinishReason::Complete);
    }

    #[test]
    fn c15_words_of_no_format_are_a_natural_end_and_reported() {
        assert_eq!(word(Some(&read("novel", false)), Seen::default()), ("end_turn", true));
    }
}
