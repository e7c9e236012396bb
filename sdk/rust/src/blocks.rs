//! Turns overlapping parts of a stream into one content block at a time.
//!
//! In the unified stream parts may overlap: a provider may emit thinking, text and calls at once. Formats with
//! sequential blocks cannot express that (C-05). [`Blocks`] passes on the events of the part that began first and
//! buffers those of other parts until it has ended, so that an encoder sees each part from its start to its stop.
//!
//! A [`BlockEncoder`](encoder::BlockEncoder) renders the whole stream of such a format, whose frames it takes from two
//! traits: [`BlockFrames`](writer::BlockFrames) and [`AnswerFrames`](encoder::AnswerFrames).

pub mod encoder;
#[cfg(test)]
mod tests;
pub mod writer;

use crate::types::{ChatEvent, Error, PartStop};

/// Most events that are buffered for a part to end.
const WAITING_LIMIT: usize = 1 << 16;

/// Puts the events of a candidate's parts in sequence.
#[derive(Debug, Default)]
pub struct Blocks {
    /// The part that has started and not ended.
    open: Option<u32>,
    /// Buffered parts with their events, in the order of their first events.
    waiting: Vec<(u32, Vec<ChatEvent>)>,
    n_waiting: usize,
}

/// The candidate and the part that an event belongs to. An event of the whole answer has neither.
pub fn part_of(event: &ChatEvent) -> Option<(u32, u32)> {
    match event {
        ChatEvent::PartStart(event) => Some((event.candidate, event.part)),
        ChatEvent::Delta(event) => Some((event.candidate, event.part)),
        ChatEvent::Signature(event) => Some((event.candidate, event.part)),
        ChatEvent::Citation(event) => Some((event.candidate, event.part)),
        ChatEvent::PartStop(event) => Some((event.candidate, event.part)),
        _ => None,
    }
}

impl Blocks {
    /// Takes an event of a part. `write` gets the events that may go out now: none, this one, or this one and the
    /// events that it held back.
    pub fn push(&mut self, part: u32, event: ChatEvent, write: &mut dyn FnMut(ChatEvent)) -> Result<(), Error> {
        if self.open.is_some_and(|open| open != part) {
            return self.wait(part, event);
        }
        self.pass(part, event, write);
        self.release(write);
        Ok(())
    }

    /// Ends the open parts, one after the other.
    pub fn finish(&mut self, write: &mut dyn FnMut(ChatEvent)) {
        while let Some(part) = self.open {
            let stop = PartStop { candidate: 0, part, extensions: Vec::new() };
            self.pass(part, ChatEvent::PartStop(stop), write);
            self.release(write);
        }
    }

    fn wait(&mut self, part: u32, event: ChatEvent) -> Result<(), Error> {
        self.n_waiting += 1;
        if self.n_waiting > WAITING_LIMIT {
            return Err(Error::unreadable("too many events wait for a part that does not end"));
        }
        match self.waiting.iter_mut().find(|(known, _)| *known == part) {
            Some((_, events)) => events.push(event),
            None => self.waiting.push((part, vec![event])),
        }
        Ok(())
    }

    /// Passes an event on. A start for an open part is dropped, and so is any other event for a part that is not open.
    fn pass(&mut self, part: u32, event: ChatEvent, write: &mut dyn FnMut(ChatEvent)) {
        let starts = matches!(event, ChatEvent::PartStart(_));
        if starts == self.open.is_some() {
            return;
        }
        self.open = (!matches!(event, ChatEvent::PartStop(_))).then_some(part);
        write(event);
    }

    /// Passes on the buffered parts, oldest first, up to one that has not ended.
    fn release(&mut self, write: &mut dyn FnMut(ChatEvent)) {
        while self.open.is_none() && !self.waiting.is_empty() {
            let (part, events) = self.waiting.remove(0);
            self.n_waiting -= events.len();
            for event in events {
                self.pass(part, event, write);
            }
        }
    }
}
