//! One content block at a time, out of parts of a stream that overlap.
//!
//! In the unified stream parts may overlap: a provider may think, speak and call at once. Formats whose streams are blocks
//! one behind the other have no place for that (C-05). [`Blocks`] hands on the events of the part that began first and
//! keeps those of others until it has ended, so that an encoder sees each part from its start to its stop.

#[cfg(test)]
mod tests;

use crate::types::{ChatEvent, Error, PartStop};

/// Events that may wait for a part to end.
const WAITING_LIMIT: usize = 1 << 16;

/// Puts the events of a candidate's parts in order.
#[derive(Debug, Default)]
pub struct Blocks {
    /// The part that has begun and not ended.
    open: Option<u32>,
    /// Parts that wait, in the order of their first events, with their events.
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
    /// Takes an event of a part. `write` gets the events whose turn has come: none, this one, or this one and those that
    /// waited for it.
    pub fn push(&mut self, part: u32, event: ChatEvent, write: &mut dyn FnMut(ChatEvent)) -> Result<(), Error> {
        if self.open.is_some_and(|open| open != part) {
            return self.wait(part, event);
        }
        self.pass(part, event, write);
        self.release(write);
        Ok(())
    }

    /// Ends the parts that are still open, one after the other.
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

    /// Hands on an event. A part that is open does not start again, and nothing else belongs to one that is not.
    fn pass(&mut self, part: u32, event: ChatEvent, write: &mut dyn FnMut(ChatEvent)) {
        let starts = matches!(event, ChatEvent::PartStart(_));
        if starts == self.open.is_some() {
            return;
        }
        self.open = (!matches!(event, ChatEvent::PartStop(_))).then_some(part);
        write(event);
    }

    /// Hands on the events of the parts that waited longest, up to one that has not ended.
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
