//! The text of an answer so far, kept so that another target can continue it.

use weir_types::contract::types::{ChatEvent, Error, ErrorKind, PartKind, Usage};
use weir_types::tokens::Tokens;
use weir_wire::estimate;

/// The most bytes of text; a longer answer is not continued.
const LIMIT: usize = 256 << 10;

/// The text of one answer.
#[derive(Debug, Default)]
pub(super) struct PartialAnswer {
    text: String,
    /// The number of the open part, if it is text.
    part: Option<u32>,
    /// Whether the answer has content that another target cannot continue.
    spoiled: bool,
    /// Bytes of text from earlier targets.
    before: usize,
}

impl PartialAnswer {
    /// The text, if the answer has no other content.
    pub(super) fn text(&self) -> Option<&str> {
        (!self.spoiled).then_some(&self.text)
    }

    /// The estimated tokens of the text since the last resumption.
    pub(super) fn tokens(&self) -> u32 {
        self.text.get(self.before..).map_or(0, estimate::text_tokens)
    }

    /// Begins a new count of tokens, since another target continues.
    pub(super) fn goes_on(&mut self) {
        self.before = self.text.len();
    }

    /// Records one event that the client gets.
    pub(super) fn observe(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::PartStart(start) => match start.kind {
                PartKind::Text if start.candidate == 0 => self.part = Some(start.part),
                // Reasoning is not continued: the next target reasons from the start.
                PartKind::Reasoning if start.candidate == 0 => self.part = None,
                _ => self.spoil(),
            },
            ChatEvent::Delta(delta) if self.part == Some(delta.part) => {
                self.text.push_str(&delta.text);
                if self.text.len() > LIMIT {
                    self.spoil();
                }
            }
            ChatEvent::Signature(_) | ChatEvent::Citation(_) | ChatEvent::Logprobs(_) | ChatEvent::Finish(_) => {
                self.spoil();
            }
            _ => {}
        }
    }

    fn spoil(&mut self) {
        *self = Self { spoiled: true, ..Self::default() };
    }
}

/// Whether another target may succeed after a failure of this kind.
pub(super) fn is_curable(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Upstream | ErrorKind::Overloaded | ErrorKind::Timeout | ErrorKind::RateLimited | ErrorKind::Internal
    )
}

/// Removes a curable failure and the events after it, and returns the failure.
pub(super) fn split_failure(events: &mut Vec<ChatEvent>) -> Option<Error> {
    let at = events.iter().position(|event| matches!(event, ChatEvent::Failure(error) if is_curable(error.kind)))?;
    match events.drain(at..).next() {
        Some(ChatEvent::Failure(error)) => Some(error),
        _ => None,
    }
}

/// Input and output tokens of a broken answer beyond the reported usage. `reported` is the usage of all targets so far,
/// `spent` that of the earlier ones. Usage reported before the end of a stream may be partial or zero.
pub(super) fn unreported(reported: Option<&Usage>, spent: Option<&Usage>, guess: [u32; 2]) -> [u32; 2] {
    let of = |usage: Option<&Usage>| {
        let tokens = usage.map(Tokens::from).unwrap_or_default();
        [tokens.input(), tokens.output()].map(Option::unwrap_or_default)
    };
    let ([all_in, all_out], [spent_in, spent_out]) = (of(reported), of(spent));
    let [input, output] = guess;
    [if all_in > spent_in { 0 } else { input }, output.saturating_sub(all_out.saturating_sub(spent_out))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::{PartDelta, PartStart, ToolKind, ToolStart};

    fn start(part: u32, kind: PartKind) -> ChatEvent {
        ChatEvent::PartStart(PartStart { candidate: 0, part, kind })
    }

    fn delta(part: u32, text: &str) -> ChatEvent {
        ChatEvent::Delta(PartDelta { candidate: 0, part, text: text.into() })
    }

    fn observe(partial: &mut PartialAnswer, events: &[ChatEvent]) {
        for event in events {
            partial.observe(event);
        }
    }

    #[test]
    fn text_is_kept_and_reasoning_is_not() {
        let mut partial = PartialAnswer::default();
        let events = [start(0, PartKind::Reasoning), delta(0, "Hm."), start(1, PartKind::Text), delta(1, "Yes")];
        observe(&mut partial, &events);
        assert_eq!(partial.text(), Some("Yes"));
    }

    #[test]
    fn each_target_is_charged_for_its_own_text() {
        let mut partial = PartialAnswer::default();
        observe(&mut partial, &[start(0, PartKind::Text), delta(0, "four by four is ")]);
        assert_eq!(partial.tokens(), 4);
        partial.goes_on();
        observe(&mut partial, &[start(1, PartKind::Text), delta(1, "more")]);
        assert_eq!((partial.tokens(), partial.text()), (1, Some("four by four is more")));
    }

    #[test]
    fn reported_usage_is_not_estimated() {
        let usage = |input: u32, output: u32| Usage::of(Some(input), Some(output));
        assert_eq!(unreported(None, None, [10, 5]), [10, 5]);
        assert_eq!(unreported(Some(&usage(9, 1)), None, [10, 5]), [0, 4], "a message that begins with a count");
        assert_eq!(unreported(Some(&usage(9, 7)), None, [10, 5]), [0, 0]);
        let spent = usage(9, 7);
        assert_eq!(unreported(Some(&spent), Some(&spent), [10, 5]), [10, 5], "the second reported nothing");
        assert_eq!(unreported(Some(&usage(19, 8)), Some(&spent), [10, 5]), [0, 4]);
    }

    #[test]
    fn an_answer_with_a_tool_call_is_not_continued() {
        let mut partial = PartialAnswer::default();
        let call = ToolStart { id: "1".into(), name: "look".into(), kind: ToolKind::Function, signature: None };
        let events = [start(0, PartKind::Text), delta(0, "Yes"), start(1, PartKind::ToolCall(call)), delta(1, "{}")];
        observe(&mut partial, &events);
        assert_eq!(partial.text(), None);
        partial.observe(&start(2, PartKind::Text));
        assert_eq!(partial.text(), None);
    }
}
