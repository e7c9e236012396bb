//! Finish reasons: `done_reason` to the unified reasons and back.

use weir_sdk::losses::Losses;
use weir_sdk::types::{Finish, FinishReason};

/// Parses a reason; old servers send none. A call outranks the word, which is `stop` with calls too (C-12), but not a
/// cut: a call that the limit cut short must not be carried out.
pub(crate) fn read(word: Option<&str>, calls: bool) -> Finish {
    let reason = match word {
        Some("length") => FinishReason::Length,
        _ if calls => FinishReason::ToolCalls,
        // `load` and `unload` are the reasons for requests that only load or unload the model.
        None | Some("" | "stop" | "load" | "unload") => FinishReason::Complete,
        Some(_) => FinishReason::Other,
    };
    Finish { reason, raw: word.filter(|word| !word.is_empty()).map(str::to_owned), stop_sequence: None }
}

/// The format's word (C-15): there is one for an end and one for a cut. An approximation is reported.
pub(crate) fn write(finish: Option<&Finish>, losses: &mut Losses) -> &'static str {
    let Some(finish) = finish else { return "stop" };
    losses.dropped_if(finish.stop_sequence.is_some(), "stop_sequence", "there is no place for it");
    match finish.reason {
        FinishReason::Length | FinishReason::ContextLength => return "length",
        // Neither word is right; this one at least does not look complete.
        FinishReason::Failed => {
            losses.approximated("finish_reason", finish.raw.as_deref().unwrap_or("no reason given"));
            return "length";
        }
        FinishReason::Complete | FinishReason::StopSequence | FinishReason::ToolCalls => {}
        FinishReason::Other if matches!(finish.raw.as_deref(), None | Some("load" | "unload")) => {}
        _ => losses.approximated("finish_reason", finish.raw.as_deref().unwrap_or("no reason given")),
    }
    match finish.raw.as_deref() {
        Some("load") => "load",
        Some("unload") => "unload",
        _ => "stop",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c12_calls_outrank_the_word_stop_but_no_cut() {
        assert_eq!(read(Some("stop"), true).reason, FinishReason::ToolCalls);
        assert_eq!(read(None, true).reason, FinishReason::ToolCalls);
        assert_eq!(read(Some("length"), true).reason, FinishReason::Length);
    }

    #[test]
    fn c15_words_come_from_a_closed_list_and_approximations_are_reported() {
        let mut losses = Losses::default();
        let mut word = |reason, raw: &str| write(Some(&Finish::new(reason, raw)), &mut losses);
        assert_eq!(word(FinishReason::Complete, "end_turn"), "stop");
        assert_eq!(word(FinishReason::ToolCalls, "tool_calls"), "stop");
        assert_eq!(word(FinishReason::ContextLength, "model_context_window_exceeded"), "length");
        assert_eq!(word(FinishReason::ContentFilter, "SAFETY"), "stop");
        assert_eq!(word(FinishReason::Failed, "network_error"), "length");
        assert_eq!(losses.into_losses().len(), 2);
    }

    #[test]
    fn c13_every_word_of_the_format_comes_back() {
        for word in ["stop", "length", "load", "unload"] {
            assert_eq!(write(Some(&read(Some(word), false)), &mut Losses::default()), word);
        }
    }
}
