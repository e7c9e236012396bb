//! The metrics of the store's writer, read from it at each scrape.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts};

use super::bodies::BodyLog;
use super::drops::{Dropped, dropped};
use super::unknown_callers::UnknownCallerLimit;
use weir_store::{Condition, Health, Recorder};

/// The metrics of the request log and of the sums of use.
#[derive(Debug)]
pub struct StoreMetrics {
    recorder: Recorder,
    bodies: Arc<BodyLog>,
    unknown_callers: Arc<UnknownCallerLimit>,
    descriptions: Vec<Desc>,
}

/// The metrics with the figures of one moment.
struct Families {
    queued: IntGauge,
    bytes: IntGauge,
    state: IntGauge,
    written: IntCounterVec,
    dropped: IntCounterVec,
    pending: IntGauge,
    lost: IntCounter,
}

impl StoreMetrics {
    /// The metrics of this recorder's writer and of the contents that go to it.
    ///
    /// # Errors
    ///
    /// Never in practice: the names are fixed.
    pub(super) fn new(
        recorder: Recorder,
        bodies: Arc<BodyLog>,
        unknown_callers: Arc<UnknownCallerLimit>,
    ) -> Result<Self, prometheus::Error> {
        let families = Families::new()?;
        let descriptions = families.all().iter().flat_map(|family| family.desc()).cloned().collect();
        Ok(Self { recorder, bodies, unknown_callers, descriptions })
    }
}

impl Families {
    fn new() -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        Ok(Self {
            queued: IntGauge::new("weir_request_log_queued", "Facts and bodies of requests that wait to be written")?,
            bytes: IntGauge::new("weir_request_log_queued_bytes", "Bytes of facts and bodies that wait to be written")?,
            state: IntGauge::new(
                "weir_request_log_state",
                "How the request log is written: 0 well, 1 slowly, 2 not at all",
            )?,
            written: counters("weir_request_log_written_total", "Facts and bodies that were written", &["what"])?,
            dropped: counters(
                "weir_request_log_dropped_total",
                "Facts and bodies, and whole exchanges before they had bodies, that were lost",
                &["what", "reason"],
            )?,
            pending: IntGauge::new("weir_request_log_sums_pending", "Sums of use that wait to be written")?,
            lost: IntCounter::new("weir_request_log_sums_lost_total", "Bookings of use that were lost")?,
        })
    }

    fn all(&self) -> [&dyn Collector; 7] {
        let Self { queued, bytes, state, written, dropped, pending, lost } = self;
        [queued, bytes, state, written, dropped, pending, lost]
    }

    fn fill(&self, health: &Health, lost: &[Dropped]) {
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.queued.set(gauge(health.queued_rows));
        self.bytes.set(gauge(health.queued_bytes));
        self.state.set(match health.log {
            Condition::Working => 0,
            Condition::Slow { .. } => 1,
            Condition::Failing { .. } => 2,
        });
        self.written.with_label_values(&["fact"]).inc_by(health.written_facts);
        self.written.with_label_values(&["body"]).inc_by(health.written_bodies);
        for Dropped { what, reason, count } in lost {
            self.dropped.with_label_values(&[what, reason]).inc_by(*count);
        }
        self.pending.set(gauge(health.money_pending));
        self.lost.inc_by(health.money_lost);
    }
}

impl Collector for StoreMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Ok(families) = Families::new() else { return Vec::new() };
        let health = self.recorder.health();
        families.fill(&health, &dropped(&health, &self.bodies, &self.unknown_callers));
        families.all().into_iter().flat_map(Collector::collect).collect()
    }
}
