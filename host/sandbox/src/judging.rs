//! The functions of guards as methods of a [`Lease`].

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::ResourceAny;

use super::adapter::{Adapter, Lease};
use super::fault::PluginFault;
use super::guard::{Annotation, Asked, EventAnswer, Facts, Outcome, RequestAnswer, ScreenWords};
use super::limits::Isolation;
use super::weigh::Weigh;
use weir_types::contract::types::{ChatEvent, Setting};

impl Lease {
    /// Sets the deadline of every call, in place of the adapter's own.
    #[must_use]
    pub fn within(mut self, deadline: Duration) -> Self {
        self.call = deadline;
        self
    }

    /// Sets the size of the request that its exchange is about, which tells failures at different requests apart where
    /// a call gets nothing of them.
    #[must_use]
    pub fn about(mut self, size: usize) -> Self {
        self.about = size;
        self
    }

    /// Guard: what it looks for with these options; `None` if it has to judge everything.
    pub fn screen_words(&mut self, options: &[Setting]) -> Result<Option<ScreenWords>, PluginFault> {
        self.run("screen.words", 0, |instance| instance.with_guest(|guest| guest.screen_words(options)))
    }

    /// Guard: judges a request.
    pub fn on_request(&mut self, facts: &Facts, asked: &Asked) -> Result<RequestAnswer, PluginFault> {
        self.run("guard.on-request", asked.weigh(), |instance| {
            instance.with_guest(|guest| guest.on_request(facts, asked))
        })
    }

    /// Guard: takes note of the end of an exchange.
    pub fn on_end(&mut self, facts: &Facts, outcome: &Outcome) -> Result<Vec<Annotation>, PluginFault> {
        self.run("guard.on-end", 0, |instance| instance.with_guest(|guest| guest.on_end(facts, outcome)))
    }

    /// Guard: begins to judge an answer.
    pub fn judge_answer(mut self, facts: &Facts) -> Result<AnswerJudge, PluginFault> {
        let resource = self.run("guard.answer.new", 0, |instance| instance.with_guest(|guest| guest.answer(facts)))?;
        Ok(AnswerJudge { lease: self, resource })
    }
}

/// Judges one answer: a lease, and the answer in its instance.
#[derive(Debug)]
pub struct AnswerJudge {
    lease: Lease,
    resource: ResourceAny,
}

impl AnswerJudge {
    /// The guard.
    pub fn adapter(&self) -> &Arc<Adapter> {
        self.lease.adapter()
    }

    /// Passes on the events of one read, in order.
    pub fn push(&mut self, events: &[ChatEvent]) -> Result<EventAnswer, PluginFault> {
        let resource = self.resource;
        self.lease.run("guard.answer.push", events.weigh(), |instance| {
            instance.with_guest(|guest| guest.answer_push(resource, events))
        })
    }

    /// Signals that all events have been pushed.
    pub fn finish(&mut self) -> Result<EventAnswer, PluginFault> {
        let resource = self.resource;
        self.lease.run("guard.answer.finish", 0, |instance| instance.with_guest(|guest| guest.answer_finish(resource)))
    }

    /// Ends the judgement and releases the instance as [`Lease::release`] does.
    pub fn release(mut self) {
        if self.lease.isolation() == Isolation::Fresh {
            return self.lease.release();
        }
        let resource = self.resource;
        if self.lease.run("guard.answer.drop", 0, |instance| instance.end(resource)).is_ok() {
            self.lease.release();
        }
    }
}
