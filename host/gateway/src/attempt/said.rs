//! What an answer has said so far, for somebody else who goes on with it: words only.

use weir_types::contract::types::{ChatEvent, Error, ErrorKind, PartKind, Usage};
use weir_types::tokens::Tokens;
use weir_wire::estimate;

/// Bytes of an answer from which on nobody is asked to go on with it.
const LIMIT: usize = 256 << 10;

/// What one answer has said.
#[derive(Debug, Default)]
pub(super) struct Said {
    text: String,
    /// The number of the part that is being spoken, where that is text.
    part: Option<u32>,
    /// Something was said that nobody else can go on with.
    spoiled: bool,
    /// Bytes of the words that others said before.
    before: usize,
}

impl Said {
    /// The words, if there was nothing else.
    pub(super) fn text(&self) -> Option<&str> {
        (!self.spoiled).then_some(&self.text)
    }

    /// The tokens of the words since somebody else went on, roughly.
    pub(super) fn tokens(&self) -> u32 {
        self.text.get(self.before..).map_or(0, estimate::text_tokens)
    }

    /// Somebody else goes on.
    pub(super) fn goes_on(&mut self) {
        self.before = self.text.len();
    }

    /// Hears one event, as the client does.
    pub(super) fn hear(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::PartStart(start) => match start.kind {
                PartKind::Text if start.candidate == 0 => self.part = Some(start.part),
                // Thinking is done anew.
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

/// Whether another target may do better than one that failed so.
pub(super) fn is_curable(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Upstream | ErrorKind::Overloaded | ErrorKind::Timeout | ErrorKind::RateLimited | ErrorKind::Internal
    )
}

/// Takes a failure that may be cured, and what follows it, out of events.
pub(super) fn split_failure(events: &mut Vec<ChatEvent>) -> Option<Error> {
    let at = events.iter().position(|event| matches!(event, ChatEvent::Failure(error) if is_curable(error.kind)))?;
    match events.drain(at..).next() {
        Some(ChatEvent::Failure(error)) => Some(error),
        _ => None,
    }
}

/// Tokens of a broken answer, input and output, that nobody told: `told` are the counts of all answers so far, `spent`
/// those of the ones before. What is said of an answer's output before its end may be anything from nothing on.
pub(super) fn untold(told: Option<&Usage>, spent: Option<&Usage>, guess: [u32; 2]) -> [u32; 2] {
    let of = |usage: Option<&Usage>| {
        let tokens = usage.map(Tokens::from).unwrap_or_default();
        [tokens.input(), tokens.output()].map(Option::unwrap_or_default)
    };
    let ([all_in, all_out], [spent_in, spent_out]) = (of(told), of(spent));
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

    fn hear(said: &mut Said, events: &[ChatEvent]) {
        for event in events {
            said.hear(event);
        }
    }

    #[test]
    fn words_are_kept_and_thinking_is_not() {
        let mut said = Said::default();
        let events = [start(0, PartKind::Reasoning), delta(0, "Hm."), start(1, PartKind::Text), delta(1, "Yes")];
        hear(&mut said, &events);
        assert_eq!(said.text(), Some("Yes"));
    }

    #[test]
    fn each_is_charged_for_its_own_words() {
        let mut said = Said::default();
        hear(&mut said, &[start(0, PartKind::Text), delta(0, "four by four is ")]);
        assert_eq!(said.tokens(), 4);
        said.goes_on();
        hear(&mut said, &[start(1, PartKind::Text), delta(1, "more")]);
        assert_eq!((said.tokens(), said.text()), (1, Some("four by four is more")));
    }

    #[test]
    fn what_was_told_is_not_estimated() {
        let usage = |input: u32, output: u32| Usage::of(Some(input), Some(output));
        assert_eq!(untold(None, None, [10, 5]), [10, 5]);
        assert_eq!(untold(Some(&usage(9, 1)), None, [10, 5]), [0, 4], "a message that begins with a count");
        assert_eq!(untold(Some(&usage(9, 7)), None, [10, 5]), [0, 0]);
        let spent = usage(9, 7);
        assert_eq!(untold(Some(&spent), Some(&spent), [10, 5]), [10, 5], "the second told nothing");
        assert_eq!(untold(Some(&usage(19, 8)), Some(&spent), [10, 5]), [0, 4]);
    }

    #[test]
    fn nobody_goes_on_after_a_call() {
        let mut said = Said::default();
        let call = ToolStart { id: "1".into(), name: "look".into(), kind: ToolKind::Function, signature: None };
        let events = [start(0, PartKind::Text), delta(0, "Yes"), start(1, PartKind::ToolCall(call)), delta(1, "{}")];
        hear(&mut said, &events);
        assert_eq!(said.text(), None);
        said.hear(&start(2, PartKind::Text));
        assert_eq!(said.text(), None);
    }
}
