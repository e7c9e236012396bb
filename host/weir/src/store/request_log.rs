//! The request log of the store.

use std::sync::Arc;

use super::bodies::BodyLog;
use super::facts::with_fact;
use super::sums::with_uses;
use super::unknown_callers::UnknownCallerLimit;
use weir_gateway::accounting::captured::{CaptureRoom, CapturedExchange};
use weir_gateway::accounting::request_log::{FinishedRequest, RequestLog};
use weir_store::{Fact, Recorder};

/// What is recorded goes to the store's writer, which never waits.
#[derive(Debug)]
pub struct StoreLog {
    recorder: Recorder,
    bodies: Arc<BodyLog>,
    unknown_callers: Arc<UnknownCallerLimit>,
}

impl StoreLog {
    /// A log that records with these.
    pub(super) fn new(recorder: Recorder, bodies: Arc<BodyLog>, unknown_callers: Arc<UnknownCallerLimit>) -> Self {
        Self { recorder, bodies, unknown_callers }
    }

    /// Records the fact of a request, whose caller is known or not.
    pub(crate) fn record_fact<T: AsRef<str>>(&self, fact: &Fact<T>, is_known: bool, is_unlogged: bool) {
        if !is_known && !self.unknown_callers.admit(fact.id.time_ms()) {
            return;
        }
        with_uses(fact, |uses| self.recorder.book(uses));
        if !is_unlogged {
            // What is dropped is counted by the recorder.
            let _is_taken = self.recorder.record(fact);
        }
    }
}

impl RequestLog for StoreLog {
    fn record(&self, finished: FinishedRequest) {
        let (is_known, is_unlogged) = (finished.caller.is_some(), finished.is_unlogged);
        with_fact(&finished, |fact| self.record_fact(fact, is_known, is_unlogged));
    }

    fn room(&self) -> Option<Arc<CaptureRoom>> {
        Some(Arc::clone(self.bodies.room()))
    }

    fn keep(&self, captured: CapturedExchange) {
        self.bodies.keep(captured);
    }
}
