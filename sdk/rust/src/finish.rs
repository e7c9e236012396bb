//! What decides how an answer ends, for dialects that write a finish.

use crate::types::FinishReason;

/// The content of an answer that bears on its finish.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// A call for the client to carry out.
    pub call: bool,
    /// The model's refusal, as text.
    pub refusal: bool,
}

impl Seen {
    /// Whether the answer ends with its call, whatever its reason says.
    ///
    /// A call outranks every natural end (an agent that misses it stops without notice), but not a cut: a call that the
    /// limit cut short must not be carried out (C-11).
    pub fn ends_with_call(self, reason: FinishReason) -> bool {
        self.call
            && matches!(
                reason,
                FinishReason::Complete
                    | FinishReason::StopSequence
                    | FinishReason::ToolCalls
                    | FinishReason::Paused
                    | FinishReason::Other
            )
    }

    /// Whether the answer ends with a refusal in words, which its reason does not tell (C-84).
    pub fn ends_with_refusal(self, reason: FinishReason) -> bool {
        self.refusal && matches!(reason, FinishReason::Complete | FinishReason::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c11_a_call_outranks_a_natural_end_and_no_cut() {
        let called = Seen { call: true, refusal: true };
        for reason in [FinishReason::Complete, FinishReason::StopSequence, FinishReason::Paused, FinishReason::Other] {
            assert!(called.ends_with_call(reason) && !Seen::default().ends_with_call(reason), "{reason:?}");
        }
        for reason in [FinishReason::Length, FinishReason::ContextLength, FinishReason::Refusal, FinishReason::Failed] {
            assert!(!called.ends_with_call(reason), "{reason:?}");
        }
    }

    #[test]
    fn c84_words_of_refusal_count_where_the_reason_is_silent() {
        let refused = Seen { call: false, refusal: true };
        assert!(refused.ends_with_refusal(FinishReason::Complete));
        assert!(!refused.ends_with_refusal(FinishReason::Length));
        assert!(!Seen::default().ends_with_refusal(FinishReason::Complete));
    }
}
