//! Finish reasons: `finishReason` to the unified reasons and back.

use weir_sdk::json::{RawValue, parse};
use weir_sdk::types::{Finish, FinishReason};

use crate::wire::{Feedback, Word};

/// The reasons in the order of their numbers, for clients that request enums as numbers.
const REASONS: [&str; 18] = [
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "IMAGE_SAFETY",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_OTHER",
    "NO_IMAGE",
    "IMAGE_RECITATION",
];
const BLOCKS: [&str; 6] =
    ["BLOCK_REASON_UNSPECIFIED", "SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY"];

/// Parses a finish reason. `calls` tells whether the answer has a call for the client, for which the format has no
/// reason but `STOP`.
pub(crate) fn read(word: &Word<'_>, calls: bool) -> Finish {
    let raw = word.name(&REASONS);
    let reason = match raw {
        "STOP" if calls => FinishReason::ToolCalls,
        "STOP" => FinishReason::Complete,
        // The cloud's word for an answer that is to be continued by another request (its discovery document).
        "MAX_TOKENS" | "CONTINUATION" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "ESCALATION"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => FinishReason::ContentFilter,
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "MALFORMED_RESPONSE" => FinishReason::MalformedToolCall,
        // `STOP` is this format's only word for a natural end: these answers must not look complete (C-19).
        "OTHER" | "IMAGE_OTHER" | "TOO_MANY_TOOL_CALLS" => FinishReason::Failed,
        _ => FinishReason::Other,
    };
    Finish::new(reason, raw)
}

/// The finish of an answer to a refused prompt, if the prompt was refused. The service may explain a refusal without
/// naming its reason.
pub(crate) fn blocked(feedback: &RawValue) -> Option<Finish> {
    let feedback = parse::<Feedback<'_>>(feedback.get()).ok()?;
    let is_explained = feedback.message.is_some_and(|message| !message.is_empty());
    let reason = feedback.reason.as_ref().map(|word| word.name(&BLOCKS));
    let reason = reason.or_else(|| is_explained.then_some(BLOCKS[0]))?;
    Some(Finish::new(FinishReason::ContentFilter, reason))
}

/// The format's word, and whether it is only an approximation. An original word of this format is kept.
pub(crate) fn word(finish: &Finish, refusal: bool) -> (&str, bool) {
    let raw = finish.raw.as_deref().unwrap_or_default();
    if is_word(raw) && read_name(raw) == read_back(finish.reason) {
        return (raw, false);
    }
    match finish.reason {
        FinishReason::Complete | FinishReason::Other if refusal => ("SAFETY", false),
        FinishReason::Complete | FinishReason::StopSequence | FinishReason::ToolCalls => ("STOP", false),
        FinishReason::Length => ("MAX_TOKENS", false),
        FinishReason::ContextLength => ("MAX_TOKENS", true),
        FinishReason::ContentFilter | FinishReason::Refusal => ("SAFETY", false),
        FinishReason::MalformedToolCall => ("MALFORMED_FUNCTION_CALL", false),
        FinishReason::Paused => ("STOP", true),
        FinishReason::Failed | FinishReason::Other => ("OTHER", true),
    }
}

fn is_word(raw: &str) -> bool {
    let newer = ["MODEL_ARMOR", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE", "CONTINUATION", "ESCALATION"];
    REASONS.contains(&raw) || newer.contains(&raw)
}

fn read_name(raw: &str) -> FinishReason {
    read(&Word::Name(weir_sdk::json::Str(raw.into())), false).reason
}

/// The unified reason without regard to calls.
fn read_back(reason: FinishReason) -> FinishReason {
    if reason == FinishReason::ToolCalls { FinishReason::Complete } else { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(raw: &str, calls: bool) -> Finish {
        read(&Word::Name(weir_sdk::json::Str(raw.into())), calls)
    }

    #[test]
    fn c12_a_call_turns_stop_into_tool_calls() {
        assert_eq!(named("STOP", true).reason, FinishReason::ToolCalls);
        assert_eq!(named("STOP", false).reason, FinishReason::Complete);
        assert_eq!(named("MAX_TOKENS", true).reason, FinishReason::Length);
    }

    #[test]
    fn every_word_of_the_format_comes_back() {
        for raw in REASONS.into_iter().chain(["MODEL_ARMOR", "MISSING_THOUGHT_SIGNATURE", "CONTINUATION"]) {
            assert_eq!(word(&named(raw, false), false), (raw, false));
        }
        assert_eq!(word(&named("STOP", true), false), ("STOP", false));
        assert_eq!(read(&Word::Number(1), false).raw.as_deref(), Some("STOP"));
    }

    #[test]
    fn c84_filters_and_refusals_end_with_safety() {
        for raw in ["SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "ESCALATION"] {
            assert_eq!(named(raw, false).reason, FinishReason::ContentFilter);
        }
        assert_eq!(word(&Finish::new(FinishReason::ContentFilter, "content_filter"), false).0, "SAFETY");
        assert_eq!(word(&Finish::new(FinishReason::Complete, "stop"), true).0, "SAFETY");
    }

    #[test]
    fn c15_foreign_words_never_leak() {
        for (reason, name) in [(FinishReason::Length, "MAX_TOKENS"), (FinishReason::Other, "OTHER")] {
            assert_eq!(word(&Finish::new(reason, "eos"), false).0, name);
        }
        assert_eq!(named("SOMETHING_NEW", false).reason, FinishReason::Other);
    }

    #[test]
    fn c19_what_did_not_end_naturally_never_looks_complete() {
        for raw in ["OTHER", "IMAGE_OTHER", "TOO_MANY_TOOL_CALLS"] {
            assert_eq!(named(raw, false).reason, FinishReason::Failed);
        }
    }

    #[test]
    fn an_answer_to_be_continued_has_stopped_for_its_length() {
        assert_eq!(named("CONTINUATION", false).reason, FinishReason::Length);
    }
}
