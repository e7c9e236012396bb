//! The retry budget of a route, so that retries cannot multiply an outage: a token bucket to which each request adds
//! a share, and from which each retry takes one. Pure: the time is an argument.

use std::time::Instant;

/// The most retries in the bucket, and their number at the start.
const FULL: f64 = 20.0;
/// Retries added per second whatever the share is, so that a route with few requests can retry, too.
const FREE: f64 = 1.0;

/// The retry budget of one route.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    tokens: f64,
    at: Option<Instant>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { tokens: FULL, at: None }
    }
}

impl Budget {
    /// Adds a request's share.
    pub(super) fn deposit(&mut self, share: f64) {
        self.tokens = (self.tokens + share).min(FULL);
    }

    /// Takes a retry. Returns whether one was left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let passed = self.at.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        self.at = Some(now);
        self.tokens = (self.tokens + passed * FREE).min(FULL);
        let has = self.tokens >= 1.0;
        if has {
            self.tokens -= 1.0;
        }
        has
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn c66_an_outage_is_not_multiplied() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        let mut repetitions = 0;
        for _ in 0..10_000 {
            budget.deposit(0.2);
            // Each request wants two retries.
            repetitions += u32::from(budget.take(now)) + u32::from(budget.take(now));
        }
        assert!((2000..=2020).contains(&repetitions), "{repetitions}");
    }

    #[test]
    fn a_route_with_few_requests_can_retry_too() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        while budget.take(now) {}
        assert!(!budget.take(now));
        assert!(budget.take(now + Duration::from_secs(1)));
    }
}
