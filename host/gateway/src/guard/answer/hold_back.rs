//! Text that is kept back until what follows it has been judged, so that a pattern is found before its beginning has
//! reached the client.

use std::collections::VecDeque;

use weir_types::contract::types::ChatEvent;

/// Events in order, the first of which wait for more text of their part.
#[derive(Debug)]
pub(super) struct HoldBack {
    /// The number of characters that have to follow a text in its part.
    characters: usize,
    waiting: VecDeque<ChatEvent>,
}

impl HoldBack {
    /// Keeps back this many characters of each part.
    pub(super) fn new(characters: usize) -> Self {
        Self { characters, waiting: VecDeque::new() }
    }

    /// Adds events, and returns those that need not wait any longer.
    pub(super) fn push(&mut self, events: Vec<ChatEvent>) -> Vec<ChatEvent> {
        if self.characters == 0 {
            return self.all(events);
        }
        self.waiting.extend(events);
        let mut out = Vec::new();
        while self.waiting.front().is_some_and(|first| self.may_go(first)) {
            out.extend(self.waiting.pop_front());
        }
        out
    }

    /// Returns all events that wait, and these.
    pub(super) fn all(&mut self, events: Vec<ChatEvent>) -> Vec<ChatEvent> {
        if self.waiting.is_empty() {
            return events;
        }
        self.waiting.drain(..).chain(events).collect()
    }

    /// Whether enough text of its part follows an event, or its part has ended.
    fn may_go(&self, first: &ChatEvent) -> bool {
        let Some((candidate, part, _)) = text_of(first) else { return true };
        let mut following = 0;
        for event in self.waiting.iter().skip(1) {
            match text_of(event) {
                Some((c, p, text)) if (c, p) == (candidate, part) => following += text.chars().count(),
                Some(_) => {}
                None => match event {
                    ChatEvent::PartStop(stop) if (stop.candidate, stop.part) == (candidate, part) => return true,
                    ChatEvent::Failure(_) => return true,
                    _ => {}
                },
            }
            if following >= self.characters {
                return true;
            }
        }
        false
    }
}

/// A piece of text: its candidate, its part, and itself.
fn text_of(event: &ChatEvent) -> Option<(u32, u32, &str)> {
    match event {
        ChatEvent::Delta(delta) => Some((delta.candidate, delta.part, &delta.text)),
        ChatEvent::Argument(piece) => Some((piece.candidate, piece.part, &piece.text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::{PartDelta, PartStop};

    fn delta(part: u32, text: &str) -> ChatEvent {
        ChatEvent::Delta(PartDelta { candidate: 0, part, text: text.into() })
    }

    fn stop(part: u32) -> ChatEvent {
        ChatEvent::PartStop(PartStop { candidate: 0, part, extensions: Vec::new() })
    }

    #[test]
    fn a_text_waits_for_what_follows_in_its_part_and_order_is_kept() {
        let mut held = HoldBack::new(4);
        assert_eq!(held.push(vec![delta(0, "ab")]), []);
        assert_eq!(held.push(vec![delta(1, "other part"), delta(0, "cde")]), []);
        assert_eq!(held.push(vec![delta(0, "é")]), [delta(0, "ab")], "four characters follow");
        assert_eq!(held.push(vec![stop(1)]), [delta(1, "other part")]);
        assert_eq!(held.push(vec![stop(0)]), [delta(0, "cde"), delta(0, "é"), stop(1), stop(0)]);
        assert_eq!(held.push(vec![delta(2, "x")]), []);
        assert_eq!(held.all(vec![stop(2)]), [delta(2, "x"), stop(2)]);
    }

    #[test]
    fn nothing_waits_where_nothing_is_to_be_held_back() {
        assert_eq!(HoldBack::new(0).push(vec![delta(0, "a")]), [delta(0, "a")]);
    }
}
