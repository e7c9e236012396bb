//! The request log of the store.

use std::sync::Arc;

use super::bodies::BodyLog;
use super::facts::with_fact;
use super::sums::with_uses;
use super::unknown_callers::UnknownCallerLimit;
use weir_gateway::accounting::WorkName;
use weir_gateway::accounting::captured::{CaptureRoom, CapturedExchange};
use weir_gateway::accounting::request_log::{FinishedRequest, RequestLog, RequestOutcome};
use weir_store::{Fact, Recorder, WorkKey};

/// What is recorded goes to the store's writer, which never waits.
#[derive(Debug)]
pub struct StoreLog {
    recorder: Recorder,
    bodies: Arc<BodyLog>,
    unknown_callers: Arc<UnknownCallerLimit>,
}

/// The name of work in the store.
pub(crate) fn key_of(WorkName { tenant, id }: WorkName) -> WorkKey {
    WorkKey { tenant, id }
}

/// What decides how the fact of a request is recorded.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    /// Whether its caller is known.
    pub(crate) is_known: bool,
    /// Whether only the sums of use have it.
    pub(crate) is_unlogged: bool,
    /// Whether it counts at its model although no provider answered: the client left, and the model is none that it
    /// invented.
    names_model: bool,
    /// The work that it books.
    booked: Option<WorkKey>,
}

impl Recorded {
    pub(crate) fn of(finished: &FinishedRequest) -> Self {
        let (is_known, is_unlogged) = (finished.caller.is_some(), finished.is_unlogged);
        let names_model = finished.is_model_known && finished.end == RequestOutcome::Cancelled;
        Self { is_known, is_unlogged, names_model, booked: finished.booked.clone().map(key_of) }
    }
}

impl StoreLog {
    /// A log that records with these.
    pub(super) fn new(recorder: Recorder, bodies: Arc<BodyLog>, unknown_callers: Arc<UnknownCallerLimit>) -> Self {
        Self { recorder, bodies, unknown_callers }
    }

    /// Records the fact of a request.
    pub(crate) fn record_fact<T: AsRef<str>>(&self, fact: &Fact<T>, of: Recorded) {
        if !of.is_known && !self.unknown_callers.admit(fact.id.time_ms()) {
            return;
        }
        with_uses(fact, of.names_model, |uses| match of.booked {
            Some(work) => self.recorder.book_work(uses, work),
            None => self.recorder.book(uses),
        });
        if !of.is_unlogged {
            // What is dropped is counted by the recorder.
            let _is_taken = self.recorder.record(fact);
        }
    }
}

impl RequestLog for StoreLog {
    fn record(&self, finished: FinishedRequest) {
        let of = Recorded::of(&finished);
        with_fact(&finished, |fact| self.record_fact(fact, of));
    }

    fn room(&self) -> Option<Arc<CaptureRoom>> {
        Some(Arc::clone(self.bodies.room()))
    }

    fn keep(&self, captured: CapturedExchange) {
        self.bodies.keep(captured);
    }
}
