//! Metrics of guards.

use std::sync::Arc;
use std::time::Duration;

use prometheus::{IntCounterVec, Opts};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::observe::metrics::Metrics;
use crate::observe::metrics::histogram::HistogramVec;

/// The most exchanges at the same time of whose end guards are notified.
const ENDS: usize = 256;

/// Verdicts, failures and time of guards, by guard.
#[derive(Debug, Clone)]
pub struct GuardMetrics {
    verdicts: IntCounterVec,
    answers: IntCounterVec,
    ends: IntCounterVec,
    time: HistogramVec,
    place_for_ends: Arc<Semaphore>,
}

impl GuardMetrics {
    /// Creates and registers the metrics.
    pub fn new(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        let verdicts = Opts::new("weir_guard_verdicts_total", "Verdicts of guards");
        let answers = Opts::new("weir_guard_answer_verdicts_total", "Verdicts of guards about answers");
        let ends = Opts::new("weir_guard_ends_total", "Exchanges of whose end guards are notified");
        let time = "The time of one judgement";
        let made = Self {
            verdicts: IntCounterVec::new(verdicts, &["guard", "mode", "verdict"])?,
            answers: IntCounterVec::new(answers, &["guard", "mode", "verdict"])?,
            ends: IntCounterVec::new(ends, &["guard", "result"])?,
            place_for_ends: Arc::new(Semaphore::new(ENDS)),
            time: metrics.histogram("weir_guard_duration_seconds", time, &["guard"], metrics.bounds().own)?,
        };
        metrics.registry().register(Box::new(made.verdicts.clone()))?;
        metrics.registry().register(Box::new(made.answers.clone()))?;
        metrics.registry().register(Box::new(made.ends.clone()))?;
        Ok(made)
    }

    /// Counts the judgement of one answer.
    pub(super) fn judged_answer(&self, guard: &str, enforces: bool, verdict: &str) {
        self.answers.with_label_values(&[guard, mode(enforces), verdict]).inc();
    }

    /// Counts the notification of a guard of the end of an exchange: `notified`, `failed` or `skipped`.
    pub(super) fn count_end(&self, guard: &str, result: &str) {
        self.ends.with_label_values(&[guard, result]).inc();
    }

    /// A place for notifying guards of an end; `None` if too many are being notified.
    pub(super) fn place_for_end(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.place_for_ends).try_acquire_owned().ok()
    }

    /// Counts the judgement of one request.
    pub(super) fn judged(&self, guard: &str, enforces: bool, verdict: &str, took: Duration) {
        self.verdicts.with_label_values(&[guard, mode(enforces), verdict]).inc();
        self.time.with_label_values(&[guard]).observe(took.as_secs_f64());
    }
}

fn mode(enforces: bool) -> &'static str {
    if enforces { "enforce" } else { "monitor" }
}
