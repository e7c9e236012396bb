//! Metrics of attempts: failures by the side at fault, retries, fallbacks, hedges, breakers.

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

use super::{add, counters};

/// The metrics of attempts.
#[derive(Debug)]
pub struct Tries {
    failures: IntCounterVec,
    retries: IntCounterVec,
    fallbacks: IntCounterVec,
    skipped: IntCounterVec,
    hedges: IntCounterVec,
    resumed: IntCounterVec,
    trips: IntCounterVec,
    checks: IntCounterVec,
    breaker: IntGaugeVec,
    cooldown: IntGaugeVec,
}

impl Tries {
    pub(super) fn new(r: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            failures: counters(
                r,
                "weir_attempt_failures_total",
                "Failed attempts, by the side at fault",
                &["provider", "reason", "side"],
            )?,
            retries: counters(
                r,
                "weir_retries_total",
                "Attempts repeated at the same target, by what failed before",
                &["provider", "reason"],
            )?,
            fallbacks: counters(
                r,
                "weir_fallbacks_total",
                "Requests that went on to another target",
                &["from", "to", "reason"],
            )?,
            skipped: counters(
                r,
                "weir_targets_skipped_total",
                "Targets that a request was not sent to, by the reason",
                &["provider", "reason"],
            )?,
            hedges: counters(
                r,
                "weir_hedges_total",
                "Requests for which a second target was asked, by the one that answered",
                &["from", "to", "answered"],
            )?,
            resumed: counters(
                r,
                "weir_resumed_streams_total",
                "Streams that broke and were continued by another target",
                &["from", "to"],
            )?,
            trips: counters(r, "weir_breaker_trips_total", "Times that a breaker opened", &["provider", "model"])?,
            checks: counters(
                r,
                "weir_health_checks_total",
                "Checks of providers, by what they came to",
                &["provider", "result"],
            )?,
            breaker: gauges(
                r,
                "weir_breaker_state",
                "0 while everything passes, 1 half open, 2 open",
                &["provider", "model"],
            )?,
            cooldown: gauges(
                r,
                "weir_cooldown_seconds",
                "How long a target still rests; 0 while it may be used",
                &["provider", "model"],
            )?,
        })
    }

    /// Counts a failed attempt.
    pub fn failed(&self, provider: &str, reason: &str, side: &str) {
        self.failures.with_label_values(&[provider, reason, side]).inc();
    }

    /// Counts a retry at the same target.
    pub fn repeated(&self, provider: &str, reason: &str) {
        self.retries.with_label_values(&[provider, reason]).inc();
    }

    /// Counts a request that falls back to another target.
    pub(crate) fn fell_back(&self, from: &str, to: &str, reason: &str) {
        self.fallbacks.with_label_values(&[from, to, reason]).inc();
    }

    /// Counts a target that a request skipped, with the reason.
    pub fn skipped(&self, provider: &str, reason: &str) {
        self.skipped.with_label_values(&[provider, reason]).inc();
    }

    /// Counts a hedged request, with the target that answered.
    pub fn hedged(&self, from: &str, to: &str, answered: &str) {
        self.hedges.with_label_values(&[from, to, answered]).inc();
    }

    /// Counts a broken stream that another target continues.
    pub fn resumed(&self, from: &str, to: &str) {
        self.resumed.with_label_values(&[from, to]).inc();
    }

    /// Counts a breaker that opened.
    pub(crate) fn tripped(&self, provider: &str, model: &str) {
        self.trips.with_label_values(&[provider, model]).inc();
    }

    /// Counts a health check.
    pub fn checked(&self, provider: &str, result: &str) {
        self.checks.with_label_values(&[provider, result]).inc();
    }

    /// Sets a target's gauges: its breaker's position and the seconds for which it still rests.
    pub(crate) fn set_gauges(&self, provider: &str, model: &str, breaker: i64, rests: u64) {
        self.breaker.with_label_values(&[provider, model]).set(breaker);
        self.cooldown.with_label_values(&[provider, model]).set(i64::try_from(rests).unwrap_or(i64::MAX));
    }

    /// Resets the gauges, since targets may have been removed.
    pub fn forget(&self) {
        self.breaker.reset();
        self.cooldown.reset();
    }
}

fn gauges(r: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
    add(r, IntGaugeVec::new(Opts::new(name, help), labels)?)
}
