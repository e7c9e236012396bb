//! Metrics of guards.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts};

use crate::observe::metrics::Metrics;

/// Verdicts, failures and time of guards, by guard.
#[derive(Debug, Clone)]
pub struct GuardMetrics {
    verdicts: IntCounterVec,
    answers: IntCounterVec,
    time: HistogramVec,
}

impl GuardMetrics {
    /// Creates and registers the metrics.
    pub fn new(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        let verdicts = Opts::new("weir_guard_verdicts_total", "Verdicts of guards");
        let answers = Opts::new("weir_guard_answer_verdicts_total", "Verdicts of guards about answers");
        let time = HistogramOpts::new("weir_guard_duration_seconds", "The time of one judgement");
        let made = Self {
            verdicts: IntCounterVec::new(verdicts, &["guard", "mode", "verdict"])?,
            answers: IntCounterVec::new(answers, &["guard", "mode", "verdict"])?,
            time: HistogramVec::new(time.buckets(metrics.bounds().own.to_vec()), &["guard"])?,
        };
        metrics.registry().register(Box::new(made.verdicts.clone()))?;
        metrics.registry().register(Box::new(made.answers.clone()))?;
        metrics.registry().register(Box::new(made.time.clone()))?;
        Ok(made)
    }

    /// Counts the judgement of one answer.
    pub(super) fn judged_answer(&self, guard: &str, enforces: bool, verdict: &str) {
        self.answers.with_label_values(&[guard, mode(enforces), verdict]).inc();
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
