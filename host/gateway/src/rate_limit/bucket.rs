//! A token bucket: bounded, filling evenly.

use std::time::{Duration, Instant};

/// A bucket's size and fill rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    limit: u64,
    /// Per second; 0 if taken amounts must be returned explicitly.
    fill: f64,
}

/// The wait reported for a bucket that does not fill by itself.
const UNKNOWN_WAIT: Duration = Duration::from_secs(1);

impl Rate {
    /// A bucket of this size that fills in a minute; all of it may be taken at once.
    pub(crate) fn a_minute(limit: u64) -> Self {
        Self { limit, fill: limit as f64 / 60.0 }
    }

    /// A bucket of this size that does not fill by itself.
    pub(crate) fn at_once(limit: u64) -> Self {
        Self { limit, fill: 0.0 }
    }

    /// The bucket's size.
    pub fn limit(self) -> u64 {
        self.limit
    }

    /// Whether the taken amount is returned later, as places are.
    pub(super) fn is_returned(self) -> bool {
        self.fill <= 0.0
    }

    /// One node's part of a limit that so many nodes share, at least one.
    pub(super) fn part(self, nodes: u32) -> Self {
        let nodes = u64::from(nodes.max(1));
        let limit = (self.limit / nodes).max(1).min(self.limit);
        Self { limit, fill: self.fill / nodes as f64 }
    }

    /// Time until so much has come back.
    pub(super) fn time_for(self, amount: f64) -> Duration {
        if amount <= 0.0 {
            return Duration::ZERO;
        }
        if self.fill <= 0.0 {
            return UNKNOWN_WAIT;
        }
        Duration::try_from_secs_f64(amount / self.fill).unwrap_or(Duration::MAX)
    }
}

/// The level of a bucket at a point in time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    level: f64,
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn full(rate: Rate, now: Instant) -> Self {
        Self { level: rate.limit as f64, at: now }
    }

    /// Takes over a changed rate. An amount taken from a bucket that does not refill by itself stays taken, whatever
    /// the bucket's size is now.
    pub(super) fn change(&mut self, from: Rate, to: Rate) {
        if from.is_returned() && to.is_returned() {
            self.level += to.limit as f64 - from.limit as f64;
        }
    }

    /// Fills the bucket up to this time. A changed rate applies to the whole time since the last fill.
    pub(super) fn fill(&mut self, rate: Rate, now: Instant) {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = (self.level + since * rate.fill).min(rate.limit as f64);
        self.at = self.at.max(now);
    }

    /// Time until the bucket holds this amount.
    pub(super) fn wait_for(&self, amount: f64, rate: Rate) -> Duration {
        rate.time_for(amount - self.level)
    }

    /// Takes an amount, even if the level becomes negative; returns it if the amount is negative.
    pub(super) fn take(&mut self, amount: f64, rate: Rate) {
        self.level = (self.level - amount).min(rate.limit as f64);
    }

    /// The current level.
    pub(super) fn level(&self) -> f64 {
        self.level
    }

    /// Time until the bucket is full.
    pub(super) fn full_in(&self, rate: Rate) -> Duration {
        rate.time_for(rate.limit as f64 - self.level)
    }

    /// The time of the last fill.
    pub(super) fn at(&self) -> Instant {
        self.at
    }
}
