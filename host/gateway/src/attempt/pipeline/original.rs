//! The provider's bytes of a stream that guards judge. They are sent once the guards have let through everything that
//! was read from them. As soon as a guard changes anything, the dialect's encoder takes over.

use std::collections::VecDeque;

use bytes::Bytes;
use memchr::memchr;

use super::super::covered::ModelTexts;
use super::super::withhold::Withhold;
use weir_types::contract::types::{ChatEvent, Frame, Framing};

/// The most bytes that wait for verdicts. With more, the encoder takes over.
const WAITING: usize = 1 << 20;
/// The most events that the encoder has not seen, and the most bytes of their texts.
const UNWRITTEN: (usize, usize) = (64, 16 << 10);

/// Bytes and events of one stream, in order.
#[derive(Debug)]
pub(in crate::attempt) struct Original {
    withhold: Option<Withhold>,
    /// The beginning of an incomplete frame.
    tail: Vec<u8>,
    /// The complete frames of this read.
    fresh: Vec<u8>,
    /// Complete frames, each with the number of events up to their end.
    waiting: VecDeque<(Bytes, usize)>,
    bytes: usize,
    /// Events that the guards have got and not let through yet.
    given: VecDeque<ChatEvent>,
    /// Events that the guards have let through and whose bytes wait.
    passed: VecDeque<ChatEvent>,
    /// The number of events before those.
    sent: usize,
    /// Events whose bytes were sent and which the encoder has not seen. It is called once for many of them.
    unwritten: Vec<ChatEvent>,
    /// The bytes of their texts.
    unwritten_bytes: usize,
    /// The texts that guards have seen; `None` if guards only watch, so that what they do not see is sent too.
    known: Option<ModelTexts>,
    /// Whether any text has been let through. Nothing is sent before that, since a guard that changes texts changes the
    /// first one.
    has_text: bool,
    /// Whether the provider has ended the answer, so that the rest waits for the last verdicts.
    is_ending: bool,
    is_changed: bool,
}

impl Original {
    /// The bytes of the answer to this request, from their beginning. Frames that come only because Weir asked for
    /// usage are withheld. `is_watched` means that guards only watch.
    pub(in crate::attempt) fn new(request: &[Bytes], withhold: Option<Withhold>, is_watched: bool) -> Self {
        Self {
            withhold,
            tail: Vec::new(),
            fresh: Vec::new(),
            waiting: VecDeque::new(),
            bytes: 0,
            given: VecDeque::new(),
            passed: VecDeque::new(),
            sent: 0,
            unwritten: Vec::new(),
            unwritten_bytes: 0,
            known: (!is_watched).then(|| ModelTexts::of(request)),
            has_text: false,
            is_ending: false,
            is_changed: false,
        }
    }

    /// The length of the next piece in which a frame may end.
    pub(super) fn piece(framing: Framing, rest: &[u8]) -> usize {
        let end = match framing {
            Framing::Sse | Framing::Ndjson => memchr(b'\n', rest),
            Framing::JsonArray => memchr(b'}', rest),
            Framing::EventStream => Some(0),
        };
        end.map_or(rest.len(), |at| at + 1)
    }

    /// Adds bytes. `is_between` means that a frame ends with them and none has begun.
    pub(super) fn take(&mut self, bytes: &[u8], is_between: bool) {
        let before = self.tail.len();
        match &mut self.withhold {
            Some(withhold) => self.tail.extend_from_slice(&withhold.pass(Bytes::copy_from_slice(bytes), &mut |_| ())),
            None => self.tail.extend_from_slice(bytes),
        }
        self.bytes += self.tail.len() - before;
        if is_between {
            self.fresh.append(&mut self.tail);
        }
        self.is_changed |= self.bytes > WAITING;
    }

    /// Adds the events that were read from these frames, before the guards get them.
    pub(super) fn give(&mut self, frames: &[Frame], events: &[ChatEvent]) {
        if let Some(known) = &mut self.known {
            // Log probabilities are not judged.
            self.is_changed |= events.iter().any(|event| matches!(event, ChatEvent::Logprobs(_)));
            known.add(events);
            self.is_changed |= !known.covers(frames);
        }
        self.given.extend(events.iter().cloned());
        if !self.fresh.is_empty() {
            let upto = self.sent + self.passed.len() + self.given.len();
            self.waiting.push_back((std::mem::take(&mut self.fresh).into(), upto));
        }
    }

    /// Notes that the provider has ended the answer.
    pub(super) fn ends(&mut self) {
        self.is_ending = true;
    }

    /// Adds events that the guards let through.
    pub(super) fn pass(&mut self, events: Vec<ChatEvent>) {
        for event in events {
            self.is_changed |= self.given.pop_front().as_ref() != Some(&event);
            self.has_text |= matches!(event, ChatEvent::Delta(_));
            // A stream ends at once with its failure.
            self.is_ending &= !matches!(event, ChatEvent::Failure(_));
            self.has_text |= matches!(event, ChatEvent::Failure(_));
            self.passed.push_back(event);
        }
    }

    /// Whether the provider's bytes cannot be sent any more, since a guard changed something.
    pub(super) fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// Takes the bytes that may be sent now, and the events that were read from them.
    pub(super) fn ready(&mut self) -> (Vec<u8>, Vec<ChatEvent>) {
        let (mut bytes, mut events) = (Vec::new(), Vec::new());
        if self.is_ending || !self.has_text {
            return (bytes, events);
        }
        while let Some((frames, upto)) = self.waiting.front()
            && *upto <= self.sent + self.passed.len()
        {
            bytes.extend_from_slice(frames);
            self.bytes = self.bytes.saturating_sub(frames.len());
            events.extend(self.passed.drain(..upto - self.sent));
            self.sent = *upto;
            self.waiting.pop_front();
        }
        (bytes, events)
    }

    /// Keeps events whose bytes were sent. Returns them once they are many.
    pub(super) fn keep(&mut self, events: Vec<ChatEvent>) -> Option<Vec<ChatEvent>> {
        let length = |event: &ChatEvent| match event {
            ChatEvent::Delta(delta) => delta.text.len(),
            ChatEvent::Argument(piece) => piece.text.len() + piece.json.len(),
            _ => 0,
        };
        self.unwritten_bytes += events.iter().map(length).sum::<usize>();
        self.unwritten.extend(events);
        let (most, most_bytes) = UNWRITTEN;
        (self.unwritten.len() >= most || self.unwritten_bytes >= most_bytes).then(|| self.unwritten())
    }

    /// Takes the events whose bytes were sent and which the encoder has not seen.
    pub(super) fn unwritten(&mut self) -> Vec<ChatEvent> {
        self.unwritten_bytes = 0;
        std::mem::take(&mut self.unwritten)
    }

    /// The rest of the bytes, at the end of a stream that was let through to its end.
    pub(super) fn rest(mut self) -> (Vec<u8>, Vec<ChatEvent>) {
        let mut bytes: Vec<u8> = self.waiting.drain(..).flat_map(|(frames, _)| frames).collect();
        bytes.append(&mut self.fresh);
        bytes.append(&mut self.tail);
        self.withhold.iter_mut().for_each(|withhold| bytes.extend_from_slice(&withhold.end()));
        (bytes, self.passed.into())
    }

    /// The events that were let through and whose bytes are not sent.
    pub(super) fn unsent(self) -> Vec<ChatEvent> {
        self.passed.into()
    }

    /// Whether everything was let through.
    pub(super) fn is_whole(&self) -> bool {
        self.given.is_empty() && !self.is_changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::PartDelta;

    fn delta(text: &str) -> ChatEvent {
        ChatEvent::Delta(PartDelta { candidate: 0, part: 0, text: text.into() })
    }

    fn frame(text: &str) -> Frame {
        Frame { event: None, data: serde_json::json!({ "t": text }).to_string() }
    }

    #[test]
    fn bytes_wait_for_the_events_that_they_were_read_as() {
        let mut original = Original::new(&[], None, false);
        original.take(b"one.tw", false);
        original.take(b"o.", true);
        original.take(b"th", false);
        original.give(&[frame("a b"), frame("c d")], &[delta("a b"), delta("c d")]);
        original.pass(vec![delta("a b")]);
        assert_eq!(original.ready(), (Vec::new(), Vec::new()), "its second event waits");
        original.pass(vec![delta("c d")]);
        assert_eq!(original.ready(), (b"one.two.".to_vec(), vec![delta("a b"), delta("c d")]));
        assert!(original.is_whole());
        original.ends();
        original.take(b"ree.", true);
        original.give(&[], &[]);
        assert_eq!(original.ready(), (Vec::new(), Vec::new()), "the end waits for the last verdict");
        assert_eq!(original.rest(), (b"three.".to_vec(), Vec::new()));
    }

    #[test]
    fn the_encoder_is_shown_many_events_at_once_each_of_them_once() {
        let mut original = Original::new(&[], None, false);
        let all: Vec<ChatEvent> = (0..=UNWRITTEN.0).map(|number| delta(&number.to_string())).collect();
        let mut shown: Vec<_> = all.iter().filter_map(|event| original.keep(vec![event.clone()])).collect();
        assert_eq!(shown.len(), 1);
        shown.push(original.unwritten());
        assert_eq!(shown.concat(), all);
        assert_eq!(original.keep(vec![delta("a")]), None);
        let long = delta(&"x".repeat(UNWRITTEN.1));
        assert_eq!(original.keep(vec![long.clone()]), Some(vec![delta("a"), long]));
        assert_eq!(original.unwritten(), []);
    }

    #[test]
    fn whatever_was_not_given_is_a_change() {
        for events in [vec![delta("other")], vec![delta("a"), delta("b")]] {
            let mut original = Original::new(&[], None, false);
            original.give(&[], &[delta("a")]);
            original.pass(events.clone());
            assert!(original.is_changed());
            assert_eq!(original.unsent(), events);
        }
        let mut original = Original::new(&[], None, false);
        original.give(&[frame("a text that no event has")], &[delta("a")]);
        assert!(original.is_changed());
        let mut original = Original::new(&[], None, false);
        original.take(&vec![b'x'; WAITING + 1], false);
        assert!(original.is_changed(), "no more is kept");
    }
}
