//! Metrics of admission: rate limits, queue, concurrency limits.

use std::time::Duration;

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts};

use crate::observe::metrics::Metrics;
use crate::observe::metrics::histogram::Histogram;
use crate::rate_limit::Exhausted;

/// The reason of a rejection: the queue is full.
pub(super) const FULL: &str = "full";
/// The reason of a rejection: the request waited too long.
pub(super) const LATE: &str = "late";
/// The reason of a rejection: the provider's limit is used up.
pub(super) const PROVIDER: &str = "provider";

/// The metrics of admission.
#[derive(Debug, Clone)]
pub struct AdmitMetrics {
    depth: IntGauge,
    wait: Histogram,
    limited: IntCounterVec,
    shed: IntCounterVec,
    places: IntGaugeVec,
}

impl AdmitMetrics {
    /// Creates and registers the metrics.
    pub fn new(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        let limited = Opts::new("weir_rate_limited_total", "Requests refused because a limit was used up");
        let shed = Opts::new("weir_shed_total", "Requests refused because too many were under way");
        let places = Opts::new("weir_concurrency_limit", "Attempts that a provider may be sent at the same time");
        let waited = "How long requests waited for their turn";
        let wait = metrics.histogram("weir_queue_wait_seconds", waited, &[], metrics.bounds().queue)?;
        let made = Self {
            depth: IntGauge::new("weir_queue_depth", "Requests that wait for their turn")?,
            wait: wait.with_label_values::<&str>(&[]),
            limited: IntCounterVec::new(limited, &["scope", "resource"])?,
            shed: IntCounterVec::new(shed, &["reason"])?,
            places: IntGaugeVec::new(places, &["provider"])?,
        };
        // The counters begin with 0, so that the first rejection shows as an increase.
        for reason in [FULL, LATE, PROVIDER] {
            made.shed.with_label_values(&[reason]).inc_by(0);
        }
        metrics.registry().register(Box::new(made.depth.clone()))?;
        metrics.registry().register(Box::new(made.limited.clone()))?;
        metrics.registry().register(Box::new(made.shed.clone()))?;
        metrics.registry().register(Box::new(made.places.clone()))?;
        Ok(made)
    }

    /// Counts a request refused by a rate limit.
    pub(super) fn exhausted(&self, exhausted: &Exhausted) {
        let key = &exhausted.key;
        self.limited.with_label_values(&[key.scope.as_str(), key.resource.as_str()]).inc();
    }

    /// Counts a request turned away by a concurrency limit.
    pub(super) fn shed(&self, reason: &str) {
        self.shed.with_label_values(&[reason]).inc();
    }

    /// Sets the current concurrency limit of a provider.
    pub(super) fn places(&self, provider: &str, places: usize) {
        self.places.with_label_values(&[provider]).set(i64::try_from(places).unwrap_or(i64::MAX));
    }

    /// Resets the concurrency limits of all providers.
    pub(super) fn forget(&self) {
        self.places.reset();
    }

    /// Counts a waiting request until the guard is dropped.
    pub(super) fn waits(&self) -> Waits {
        self.depth.inc();
        Waits(self.depth.clone())
    }

    /// Records the time that a request waited.
    pub(super) fn waited(&self, wait: Duration) {
        self.wait.observe(wait.as_secs_f64());
    }
}

/// One waiting request, counted until it is dropped.
#[derive(Debug)]
pub(super) struct Waits(IntGauge);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.dec();
    }
}
