//! Passes a stream through its guards. What they let through is sent in the provider's own bytes, or as the dialect's
//! encoder writes it.

use super::super::outflow::Outflow;
use super::{Original, Pipeline};
use weir_types::contract::types::{ChatEvent, Frame};
use weir_types::fault::Fault;

impl Pipeline {
    /// Has guards judge the events that were read from these frames, and sends those that they let through.
    pub(super) fn encode(
        &mut self,
        frames: &[Frame],
        mut events: Vec<ChatEvent>,
        out: &mut Outflow,
    ) -> Result<(), Fault> {
        for event in &mut events {
            self.count(event);
        }
        if let Some(original) = &mut self.original {
            original.give(frames, &events);
        }
        if events.is_empty() {
            return Ok(());
        }
        let Some(guards) = &mut self.guards else { return self.send(events, out) };
        let events = guards.push(events)?;
        self.go_on(events, out)
    }

    /// Has guards judge what they held back, at the end of the stream, and sends what they let through.
    pub(super) fn judge_end(&mut self, out: &mut Outflow) -> Result<(), Fault> {
        let Some(guards) = &mut self.guards else { return Ok(()) };
        let events = guards.finish()?;
        self.go_on(events, out)
    }

    /// Sends those of the provider's bytes that the guards have let through completely.
    pub(super) fn send_original(&mut self, out: &mut Outflow) -> Result<(), Fault> {
        let Some(original) = &mut self.original else { return Ok(()) };
        if original.is_changed() {
            return self.leave_original(out);
        }
        let (bytes, events) = original.ready();
        out.bytes.extend(bytes);
        self.keep_up(events)
    }

    /// Ends the stream with the rest of the provider's bytes. Returns whether all of them could be sent.
    pub(super) fn ends_unchanged(&mut self, out: &mut Outflow) -> Result<bool, Fault> {
        if !self.original.as_ref().is_some_and(Original::is_whole) {
            self.leave_original(out)?;
            return Ok(false);
        }
        let Some(original) = self.original.take() else { return Ok(false) };
        self.is_unchanged = true;
        let (bytes, events) = original.rest();
        out.bytes.extend(bytes);
        self.keep_up(events)?;
        Ok(true)
    }

    /// Switches from the provider's bytes to the encoder, beginning with what was let through and not sent yet.
    pub(super) fn leave_original(&mut self, out: &mut Outflow) -> Result<(), Fault> {
        let Some(mut original) = self.original.take() else { return Ok(()) };
        self.write(original.unwritten(), &mut Outflow::default())?;
        self.send(original.unsent(), out)
    }

    /// Observes events that were sent in the provider's bytes. The encoder is shown them too, many at once, as long as
    /// it may have to write the rest.
    fn keep_up(&mut self, mut events: Vec<ChatEvent>) -> Result<(), Fault> {
        self.observe(&mut events);
        let Some(original) = &mut self.original else { return Ok(()) };
        match original.keep(events) {
            Some(many) => self.write(many, &mut Outflow::default()),
            None => Ok(()),
        }
    }

    fn go_on(&mut self, events: Vec<ChatEvent>, out: &mut Outflow) -> Result<(), Fault> {
        let is_refused = self.guards.as_ref().is_some_and(|guards| guards.is_refused());
        match &mut self.original {
            Some(original) => {
                original.pass(events);
                if is_refused || original.is_changed() {
                    self.leave_original(out)?;
                }
            }
            None => self.send(events, out)?,
        }
        if is_refused && !self.is_refused {
            self.is_refused = true;
            self.close(out)?;
        }
        Ok(())
    }
}
