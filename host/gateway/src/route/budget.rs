//! How many repetitions a route may still make, so that they cannot multiply an outage: a bucket of tokens into which
//! each request puts a share and from which each repetition takes one. Pure: the time is an argument.

use std::time::Instant;

/// Repetitions that are saved up at the most, and that are there in the beginning.
const FULL: f64 = 20.0;
/// Repetitions a second that are free whatever the share is, so that a quiet route can repeat too.
const FREE: f64 = 1.0;

/// The budget of one route.
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
    /// A request came.
    pub(super) fn deposit(&mut self, share: f64) {
        self.tokens = (self.tokens + share).min(FULL);
    }

    /// Takes a repetition out, if there is one.
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
            // Each request would repeat twice.
            repetitions += u32::from(budget.take(now)) + u32::from(budget.take(now));
        }
        assert!((2000..=2020).contains(&repetitions), "{repetitions}");
    }

    #[test]
    fn a_quiet_route_can_repeat_too() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        while budget.take(now) {}
        assert!(!budget.take(now));
        assert!(budget.take(now + Duration::from_secs(1)));
    }
}
