//! Finish reasons: `stop_reason` to the unified reasons and back.

use weir_sdk::finish::Seen;
use weir_sdk::json::{Rest, Str};
use weir_sdk::types::{Finish, FinishReason};

/// The reason of an answer that pauses behind a summary of the history, if the client wants it so.
const COMPACTION: &str = "compaction";

/// The member that says more of the end of an answer.
pub(crate) const DETAILS: &str = "stop_details";

/// Why the model declined, in words: other formats have them as the text of a refusal.
pub(crate) fn explanation(details: &str) -> Option<String> {
    let mut details = Rest::parse(details).ok()?;
    details.str("explanation").map(Str::into_string).filter(|words| !words.trim().is_empty())
}

/// Parses a stop reason. `calls` tells whether the answer has a call for the client: without one, `tool_use` can only
/// mean a tool that the provider runs itself.
pub(crate) fn read(raw: &str, stop_sequence: Option<String>, calls: bool) -> Finish {
    let reason = match raw {
        "max_tokens" => FinishReason::Length,
        "stop_sequence" => FinishReason::StopSequence,
        "tool_use" if calls => FinishReason::ToolCalls,
        "end_turn" | "tool_use" => FinishReason::Complete,
        "pause_turn" | COMPACTION => FinishReason::Paused,
        "refusal" => FinishReason::Refusal,
        "model_context_window_exceeded" => FinishReason::ContextLength,
        _ => FinishReason::Other,
    };
    Finish { reason, raw: Some(raw.to_owned()), stop_sequence }
}

/// The format's word, and whether it is only an approximation. `raw` is the provider's word.
pub(crate) fn word(reason: FinishReason, raw: Option<&str>, seen: Seen) -> (&'static str, bool) {
    match reason {
        FinishReason::Length => ("max_tokens", false),
        FinishReason::ContextLength => ("model_context_window_exceeded", false),
        FinishReason::ContentFilter | FinishReason::Refusal => ("refusal", false),
        reason if seen.ends_with_call(reason) => ("tool_use", false),
        FinishReason::Paused if raw == Some(COMPACTION) => (COMPACTION, false),
        FinishReason::Paused => ("pause_turn", false),
        reason if seen.ends_with_refusal(reason) => ("refusal", false),
        FinishReason::StopSequence => ("stop_sequence", false),
        FinishReason::Complete => ("end_turn", false),
        // Neither word is right; this one at least does not look complete.
        FinishReason::Failed => ("max_tokens", true),
        FinishReason::ToolCalls | FinishReason::MalformedToolCall | FinishReason::Other => ("end_turn", true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c11_a_call_outranks_a_natural_end_and_no_cut() {
        let seen = Seen { call: true, refusal: false };
        for reason in [FinishReason::Complete, FinishReason::StopSequence, FinishReason::Other] {
            assert_eq!(word(reason, None, seen), ("tool_use", false));
        }
        assert_eq!(word(FinishReason::Length, None, seen).0, "max_tokens");
    }

    #[test]
    fn an_answer_that_broke_off_does_not_look_complete() {
        let called = Seen { call: true, refusal: false };
        for seen in [Seen::default(), called] {
            assert_eq!(word(FinishReason::Failed, Some("insufficient_system_resource"), seen), ("max_tokens", true));
        }
    }

    #[test]
    fn c84_only_words_explain_a_refusal() {
        assert_eq!(explanation(r#"{"type":"refusal","explanation":"No."}"#).as_deref(), Some("No."));
        for none in [r#"{"type":"refusal","category":"bio","explanation":null}"#, r#"{"explanation":" "}"#, "null"] {
            assert_eq!(explanation(none), None);
        }
    }

    #[test]
    fn every_word_of_the_format_comes_back() {
        let words = [
            "end_turn",
            "max_tokens",
            "stop_sequence",
            "tool_use",
            "pause_turn",
            "compaction",
            "refusal",
            "model_context_window_exceeded",
        ];
        for raw in words {
            let seen = Seen { call: raw == "tool_use", refusal: false };
            let finish = read(raw, None, seen.call);
            assert_eq!(word(finish.reason, finish.raw.as_deref(), seen), (raw, false));
        }
    }

    #[test]
    fn c79_a_tool_of_the_providers_own_ends_like_text() {
        assert_eq!(read("tool_use", None, false).reason, FinishReason::Complete);
    }

    #[test]
    fn c84_a_refusal_in_words_is_a_refusal() {
        assert_eq!(word(FinishReason::Complete, None, Seen { call: false, refusal: true }).0, "refusal");
    }
}
