//! A bucket: so much at most, filling evenly.

use std::time::{Duration, Instant};

/// How large a bucket is and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    limit: u64,
    /// In a second; nothing where what was taken has to be given back.
    fill: f64,
}

/// What a bucket that does not fill by itself tells those who wait for it.
const UNKNOWN_WAIT: Duration = Duration::from_secs(1);

impl Rate {
    /// So much a minute, all of it at once if need be.
    pub fn a_minute(limit: u64) -> Self {
        Self { limit, fill: limit as f64 / 60.0 }
    }

    /// So much at the same time.
    pub fn at_once(limit: u64) -> Self {
        Self { limit, fill: 0.0 }
    }

    /// The most that it holds.
    pub fn limit(self) -> u64 {
        self.limit
    }

    fn time_for(self, amount: f64) -> Duration {
        if amount <= 0.0 {
            return Duration::ZERO;
        }
        if self.fill <= 0.0 {
            return UNKNOWN_WAIT;
        }
        Duration::try_from_secs_f64(amount / self.fill).unwrap_or(Duration::MAX)
    }
}

/// What a bucket holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    level: f64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub(super) fn full(rate: Rate, now: Instant) -> Self {
        Self { level: rate.limit as f64, at: now }
    }

    /// Lets it fill until now. A rate that has changed counts from now on.
    pub(super) fn fill(&mut self, rate: Rate, now: Instant) {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = (self.level + since * rate.fill).min(rate.limit as f64);
        self.at = self.at.max(now);
    }

    /// How long until it holds so much.
    pub(super) fn wait_for(&self, amount: f64, rate: Rate) -> Duration {
        rate.time_for(amount - self.level)
    }

    /// Takes out, below nothing if need be, or puts back where it is negative.
    pub(super) fn take(&mut self, amount: f64, rate: Rate) {
        self.level = (self.level - amount).min(rate.limit as f64);
    }

    /// What it holds.
    pub(super) fn level(&self) -> f64 {
        self.level
    }

    /// Until it is full.
    pub(super) fn full_in(&self, rate: Rate) -> Duration {
        rate.time_for(rate.limit as f64 - self.level)
    }

    /// When it was last filled.
    pub(super) fn at(&self) -> Instant {
        self.at
    }
}
