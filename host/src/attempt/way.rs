//! The targets that are left for a request, looked at anew before each step: one that rested when the plan was made may
//! be well by now, and the other way round.

use std::time::{Duration, Instant};

use crate::config::Retry;
use crate::health::breaker::Position;
use crate::health::{Health, Rest, Standing};
use crate::route::{Plan, Stop};

/// What is left of a plan.
#[derive(Debug)]
pub(super) struct Way<'a> {
    left: Vec<&'a Stop>,
    health: &'a Health,
    /// How long recoveries are waited for, once that has begun.
    patience: Option<Instant>,
}

impl<'a> Way<'a> {
    /// The whole of a plan.
    pub(super) fn new(plan: &'a Plan, health: &'a Health) -> Self {
        Self { left: plan.stops.iter().chain(&plan.resting).collect(), health, patience: None }
    }

    /// Takes the first that may be used now.
    pub(super) fn take(&mut self) -> Option<&'a Stop> {
        let place = self.left.iter().position(|stop| self.is_usable(stop))?;
        Some(self.left.remove(place))
    }

    /// The first besides this one that may be used now.
    pub(super) fn next_besides(&self, one: &Stop) -> Option<&'a Stop> {
        self.left.iter().copied().find(|stop| !std::ptr::eq(*stop, one) && self.is_usable(stop))
    }

    /// Leaves one out.
    pub(super) fn remove(&mut self, one: &Stop) {
        self.left.retain(|stop| !std::ptr::eq(*stop, one));
    }

    /// Puts one back that turned out to rest, so that its recovery counts.
    pub(super) fn put_back(&mut self, stop: &'a Stop) {
        if !self.is_usable(stop) {
            self.left.push(stop);
        }
    }

    /// Waits until one that rests may be used: at most for the longest wait before a repetition, and not at all where
    /// that is known to be too short. Says how long it waited; none where there is nothing to wait for.
    pub(super) async fn recovery(&mut self, retry: Retry, deadline: Option<Instant>) -> Option<Duration> {
        let begun = Instant::now();
        let patience = *self.patience.get_or_insert(begun + retry.max_delay);
        let patience = deadline.map_or(patience, |deadline| deadline.min(patience));
        loop {
            let now = Instant::now();
            if self.left.iter().any(|stop| self.is_usable(stop)) {
                return Some(now.saturating_duration_since(begun));
            }
            let soonest = self.left.iter().map(|stop| self.recovers(stop, now, retry.delay)).min()?;
            if soonest > patience {
                return None;
            }
            tokio::time::sleep_until(soonest.into()).await;
        }
    }

    /// When to look after one that rests.
    fn recovers(&self, stop: &Stop, now: Instant, pause: Duration) -> Instant {
        let Standing::Resting(until, _) = stop.standing(self.health, now) else { return now };
        // Somebody finds out at this moment whether it is well; that may be known long before its time is up.
        let is_probed = self.health.of(&stop.target.id).position(now) == Position::HalfOpen;
        if is_probed { until.min(now + pause.max(Duration::from_millis(1))) } else { until }
    }

    fn is_usable(&self, stop: &Stop) -> bool {
        matches!(stop.standing(self.health, Instant::now()), Standing::Well | Standing::Resting(_, Rest::Refused))
    }
}
