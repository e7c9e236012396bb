//! The metrics of sinks.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// The metrics of all sinks.
#[derive(Debug, Clone)]
pub(super) struct SinkMetrics {
    events: IntCounterVec,
    failed: IntCounterVec,
    queued: IntGaugeVec,
}

/// The metrics of one sink.
#[derive(Debug, Clone)]
pub(super) struct SinkFigures {
    sent: IntCounter,
    dropped: IntCounter,
    dead: IntCounter,
    failed: IntCounter,
    queued: IntGauge,
}

impl SinkMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let events = Opts::new("weir_sink_events_total", "Events for sinks, by what became of them");
        let failed = Opts::new("weir_sink_failures_total", "Attempts to send a batch that failed");
        let queued = Opts::new("weir_sink_queued", "Events that wait to be sent");
        let made = Self {
            events: IntCounterVec::new(events, &["sink", "result"])?,
            failed: IntCounterVec::new(failed, &["sink"])?,
            queued: IntGaugeVec::new(queued, &["sink"])?,
        };
        registry.register(Box::new(made.events.clone()))?;
        registry.register(Box::new(made.failed.clone()))?;
        registry.register(Box::new(made.queued.clone()))?;
        Ok(made)
    }

    /// The figures of one sink.
    pub(super) fn of(&self, sink: &str) -> SinkFigures {
        SinkFigures {
            sent: self.events.with_label_values(&[sink, "sent"]),
            dropped: self.events.with_label_values(&[sink, "dropped"]),
            dead: self.events.with_label_values(&[sink, "dead"]),
            failed: self.failed.with_label_values(&[sink]),
            queued: self.queued.with_label_values(&[sink]),
        }
    }
}

impl SinkFigures {
    /// Events arrived.
    pub(super) fn sent(&self, events: usize) {
        self.sent.inc_by(events as u64);
    }

    /// An event found no room in the queue.
    pub(super) fn dropped(&self) {
        self.dropped.inc();
    }

    /// Events were given up.
    pub(super) fn dead(&self, events: usize) {
        self.dead.inc_by(events as u64);
    }

    /// An attempt failed.
    pub(super) fn failed(&self) {
        self.failed.inc();
    }

    /// So many events wait.
    pub(super) fn queued(&self, events: usize) {
        self.queued.set(i64::try_from(events).unwrap_or(i64::MAX));
    }
}
