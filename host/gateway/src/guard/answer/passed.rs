//! The client's side of an answer so far, as far as ending the answer needs it.

use std::collections::BTreeSet;

use weir_types::contract::types::{CandidateFinish, ChatEvent, Finish, FinishReason, PartStop, ResponseStart};

/// What the client has got of an answer so far.
#[derive(Debug, Default)]
pub(super) struct ClientSideState {
    /// The answer's head, until it has passed.
    start: Option<ChatEvent>,
    has_started: bool,
    /// Parts that have begun and not stopped, as candidate and part.
    open: Vec<(u32, u32)>,
    candidates: BTreeSet<u32>,
}

impl ClientSideState {
    /// Keeps the answer's head, which even a refused answer has, without members of one format: they may be what is
    /// refused.
    pub(super) fn remember_start(&mut self, events: &[ChatEvent]) {
        if !self.has_started && self.start.is_none() {
            self.start = events.iter().find_map(|event| match event {
                ChatEvent::Start(start) => {
                    Some(ChatEvent::Start(ResponseStart { extensions: Vec::new(), ..start.clone() }))
                }
                _ => None,
            });
        }
    }

    /// Takes note of events that go on to the client.
    pub(super) fn note(&mut self, events: &[ChatEvent]) {
        for event in events {
            match event {
                ChatEvent::Start(_) => (self.has_started, self.start) = (true, None),
                ChatEvent::PartStart(start) => {
                    self.open.push((start.candidate, start.part));
                    self.candidates.insert(start.candidate);
                }
                ChatEvent::PartStop(stop) => self.open.retain(|open| *open != (stop.candidate, stop.part)),
                _ => {}
            }
        }
    }

    /// The events that stop the parts which are open.
    pub(super) fn close_parts(&mut self) -> Vec<ChatEvent> {
        let stop = |(candidate, part)| ChatEvent::PartStop(PartStop { candidate, part, extensions: Vec::new() });
        self.open.drain(..).map(stop).collect()
    }

    /// The events that end a refused answer.
    pub(super) fn refuse(&mut self) -> Vec<ChatEvent> {
        let mut events: Vec<ChatEvent> = self.start.take().into_iter().collect();
        events.extend(self.close_parts());
        if self.candidates.is_empty() {
            self.candidates.insert(0);
        }
        let candidates = std::mem::take(&mut self.candidates).into_iter();
        events.extend(candidates.map(|candidate| ChatEvent::Finish(CandidateFinish { candidate, finish: filtered() })));
        events
    }
}

/// The finish of an answer that a guard refused.
pub(super) fn filtered() -> Finish {
    Finish { reason: FinishReason::ContentFilter, raw: None, stop_sequence: None }
}
