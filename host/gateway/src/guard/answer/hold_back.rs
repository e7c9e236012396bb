//! Keeps text back until the text after it has been judged, so that a pattern is found before its beginning has reached
//! the client.

use std::collections::{HashMap, VecDeque};

use crate::json_size::json_size;
use weir_types::contract::types::ChatEvent;

/// How the kinds of events end that are pieces of something only one format has. The whole of it follows them, in an
/// event whose kind begins as theirs does.
const PIECE: &str = "delta";
/// The most bytes that wait. A part that neither goes on nor stops keeps back all that follows it.
const MAX_HELD_BYTES: usize = 16 << 20;

/// Events in order, the first of which wait for more text of their part.
#[derive(Debug)]
pub(super) struct HoldBack {
    /// The number of characters that have to follow a text in its part.
    characters: usize,
    waiting: VecDeque<Waiting>,
    /// The parts of texts that wait, by candidate and part.
    parts: HashMap<(u32, u32), Part>,
    /// How the kind of the last pieces begins, until they are over.
    pieces: Option<String>,
    /// How many runs of pieces are over.
    runs: usize,
    bytes: usize,
}

/// An event that waits.
#[derive(Debug)]
struct Waiting {
    event: ChatEvent,
    /// How much of its part there was with it, if it is a text; how many runs were over before it, if it is a piece.
    end: usize,
    bytes: usize,
}

/// A part, as far as texts of it wait.
#[derive(Debug, Default)]
struct Part {
    /// Its characters since the first text that waits. An end counts as if enough followed.
    characters: usize,
    /// How many texts of it wait.
    texts: usize,
}

impl HoldBack {
    /// Keeps back this many characters of each part.
    pub(super) fn new(characters: usize) -> Self {
        let (waiting, parts) = (VecDeque::new(), HashMap::new());
        Self { characters, waiting, parts, pieces: None, runs: 0, bytes: 0 }
    }

    /// Whether texts wait at all.
    pub(super) fn holds_back(&self) -> bool {
        self.characters > 0
    }

    /// Adds events, and returns those that need not wait any longer.
    pub(super) fn push(&mut self, events: Vec<ChatEvent>) -> Vec<ChatEvent> {
        if self.characters == 0 {
            return self.all(events);
        }
        let mut out = Vec::new();
        for event in events {
            if let ChatEvent::Failure(_) = event {
                out.append(&mut self.decided());
            }
            self.follow_pieces(&event);
            if self.waiting.is_empty() && text_of(&event).is_none() && piece_of(&event).is_none() {
                out.push(event);
                continue;
            }
            self.add(event);
            while self.waiting.front().is_some_and(|first| self.may_go(first)) {
                out.extend(self.take_first());
            }
        }
        out
    }

    /// Whether more waits than may.
    pub(super) fn is_overfull(&self) -> bool {
        self.bytes > MAX_HELD_BYTES
    }

    /// Returns all events that wait, and these.
    pub(super) fn all(&mut self, events: Vec<ChatEvent>) -> Vec<ChatEvent> {
        if self.waiting.is_empty() {
            return events;
        }
        self.parts.clear();
        self.bytes = 0;
        self.waiting.drain(..).map(|waiting| waiting.event).chain(events).collect()
    }

    /// Ends the wait of events of which enough is known, since nothing follows any more, and returns them without the
    /// other texts.
    fn decided(&mut self) -> Vec<ChatEvent> {
        let waiting = std::mem::take(&mut self.waiting);
        let decided = waiting.into_iter().filter(|waiting| self.may_go(waiting)).map(|waiting| waiting.event).collect();
        self.parts.clear();
        self.bytes = 0;
        decided
    }

    /// Notes where a run of pieces is over: at any event except a note of the format's own, such as a keep-alive.
    fn follow_pieces(&mut self, event: &ChatEvent) {
        let piece = piece_of(event);
        let Some(before) = self.pieces.as_deref().filter(|before| piece != Some(before)) else {
            self.pieces = self.pieces.take().or_else(|| piece.map(str::to_owned));
            return;
        };
        let is_note = matches!(event, ChatEvent::Opaque(opaque) if !opaque.kind.starts_with(before));
        if piece.is_some() || !is_note {
            self.runs += 1;
            self.pieces = piece.map(str::to_owned);
        }
    }

    fn add(&mut self, event: ChatEvent) {
        let mut end = self.runs;
        if let Some((candidate, part, text)) = text_of(&event) {
            let part = self.parts.entry((candidate, part)).or_default();
            part.characters = part.characters.saturating_add(text.chars().count());
            part.texts += 1;
            end = part.characters;
        } else if let ChatEvent::PartStop(stop) = &event
            && let Some(part) = self.parts.get_mut(&(stop.candidate, stop.part))
        {
            part.characters = part.characters.saturating_add(self.characters);
        }
        let bytes = weight(&event);
        self.bytes = self.bytes.saturating_add(bytes);
        self.waiting.push_back(Waiting { event, end, bytes });
    }

    fn take_first(&mut self) -> Option<ChatEvent> {
        let Waiting { event, bytes, .. } = self.waiting.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some((candidate, part, _)) = text_of(&event)
            && let Some(known) = self.parts.get_mut(&(candidate, part))
        {
            known.texts -= 1;
            if known.texts == 0 {
                self.parts.remove(&(candidate, part));
            }
        }
        Some(event)
    }

    /// Whether enough text of its part follows an event, or its part has ended, or its pieces are over.
    fn may_go(&self, first: &Waiting) -> bool {
        let Some((candidate, part, _)) = text_of(&first.event) else {
            return piece_of(&first.event).is_none() || first.end < self.runs;
        };
        let there = self.parts.get(&(candidate, part)).map_or(0, |part| part.characters);
        there.saturating_sub(first.end) >= self.characters
    }
}

/// What an event takes, in bytes.
fn weight(event: &ChatEvent) -> usize {
    let content = match (text_of(event), event) {
        (Some((_, _, text)), _) => text.len(),
        (None, ChatEvent::PartStop(stop)) if stop.extensions.is_empty() => 0,
        (None, event) => json_size(event).unwrap_or_default(),
    };
    size_of::<Waiting>().saturating_add(content)
}

/// A piece of text: its candidate, its part, and itself.
fn text_of(event: &ChatEvent) -> Option<(u32, u32, &str)> {
    match event {
        ChatEvent::Delta(delta) => Some((delta.candidate, delta.part, &delta.text)),
        ChatEvent::Argument(piece) => Some((piece.candidate, piece.part, &piece.text)),
        _ => None,
    }
}

/// A piece of something that only one format has: how its kind begins.
fn piece_of(event: &ChatEvent) -> Option<&str> {
    let ChatEvent::Opaque(opaque) = event else { return None };
    opaque.kind.strip_suffix(PIECE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::{Error, ErrorKind, Opaque, PartDelta, PartStop};

    fn opaque(kind: &str) -> ChatEvent {
        ChatEvent::Opaque(Opaque { format: "f".into(), kind: kind.into(), json: "{}".into() })
    }

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
    fn pieces_that_only_one_format_has_wait_for_the_whole_and_what_follows_them_too() {
        let (piece, done, alive) = (|| opaque("code.delta"), opaque("code.done"), opaque("keepalive"));
        let mut held = HoldBack::new(4);
        assert_eq!(held.push(vec![alive.clone(), opaque("code.begun")]), [alive.clone(), opaque("code.begun")]);
        assert_eq!(held.push(vec![piece(), piece()]), []);
        assert_eq!(held.push(vec![alive.clone()]), [], "it says nothing of them");
        assert_eq!(held.push(vec![done.clone()]), [piece(), piece(), alive, done.clone()]);
        assert_eq!(held.push(vec![piece(), opaque("other.delta")]), [piece()]);
        assert_eq!(held.push(vec![stop(0)]), [opaque("other.delta"), stop(0)]);
        assert_eq!(held.push(vec![piece()]), []);
        assert_eq!(held.all(Vec::new()), [piece()], "the end");
        assert_eq!(HoldBack::new(0).push(vec![piece()]), [piece()]);
    }

    #[test]
    fn nothing_waits_where_nothing_is_to_be_held_back() {
        assert_eq!(HoldBack::new(0).push(vec![delta(0, "a")]), [delta(0, "a")]);
    }

    #[test]
    fn a_failure_lets_what_was_decided_about_go_and_no_other_text() {
        let failure = || {
            let (kind, message) = (ErrorKind::Internal, "over".to_owned());
            ChatEvent::Failure(Error { kind, message, status: None, code: None, param: None, retry_after_ms: None })
        };
        let mut held = HoldBack::new(4);
        assert_eq!(held.push(vec![delta(0, "a"), delta(1, "b"), stop(1), delta(2, "c"), delta(2, "defg")]), []);
        assert_eq!(held.push(vec![failure()]), [delta(1, "b"), stop(1), delta(2, "c"), failure()]);
        assert!(held.parts.is_empty() && held.waiting.is_empty() && held.bytes == 0);
        assert_eq!(held.push(vec![delta(0, "c"), stop(0)]), [delta(0, "c"), stop(0)]);
    }

    #[test]
    fn what_waits_is_bounded_and_each_read_takes_as_long_as_what_it_brings() {
        let mut held = HoldBack::new(4);
        assert_eq!(held.push(vec![delta(0, "a")]), []);
        let most = MAX_HELD_BYTES / size_of::<Waiting>();
        let count = (0..most).take_while(|_| held.push(vec![delta(1, "b")]).is_empty() && !held.is_overfull()).count();
        assert!((most / 2..most).contains(&count), "{count} of {most}");
        assert_eq!(held.parts.len(), 2);
    }

    #[test]
    fn parts_are_forgotten_with_their_texts() {
        let mut held = HoldBack::new(4);
        for part in 0..1_000 {
            held.push(vec![delta(part, "a"), stop(part)]);
        }
        assert!(held.parts.is_empty() && held.waiting.is_empty() && held.bytes == 0);
    }
}
