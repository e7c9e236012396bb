//! Takes the gateway's records of requests: for the request log, if there is one, and for the sinks.

use std::sync::Arc;

use super::Sinks;
use crate::store::facts::with_fact;
use crate::store::unknown_callers::UnknownCallerLimit;
use crate::store::{Recorded, StoreLog};
use weir_gateway::accounting::captured::{CaptureRoom, CapturedExchange};
use weir_gateway::accounting::request_log::{FinishedRequest, RequestLog};

/// The request log and the sinks.
#[derive(Debug)]
pub(crate) struct EventLog {
    store: Option<Arc<StoreLog>>,
    sinks: Arc<Sinks>,
    unknown_callers: UnknownCallerLimit,
}

impl EventLog {
    /// A log in front of these.
    pub(crate) fn new(store: Option<Arc<StoreLog>>, sinks: Arc<Sinks>) -> Self {
        Self { store, sinks, unknown_callers: UnknownCallerLimit::default() }
    }
}

impl RequestLog for EventLog {
    fn record(&self, finished: FinishedRequest) {
        let of = Recorded::of(&finished);
        let (is_known, is_unlogged) = (of.is_known, of.is_unlogged);
        with_fact(&finished, |fact| {
            // A flood of requests without a key is bounded here as in the request log.
            if !is_unlogged && (is_known || self.unknown_callers.admit(fact.id.time_ms())) {
                self.sinks.offer(fact);
            }
            if let Some(store) = &self.store {
                store.record_fact(fact, of);
            }
        });
    }

    fn room(&self) -> Option<Arc<CaptureRoom>> {
        self.store.as_ref()?.room()
    }

    fn keep(&self, captured: CapturedExchange) {
        if let Some(store) = &self.store {
            store.keep(captured);
        }
    }
}
