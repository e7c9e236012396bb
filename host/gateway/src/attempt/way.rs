//! The targets that are left for a request, looked at anew before each step: one that rested when the plan was made may
//! be well by now, and the other way round.

use std::time::{Duration, Instant};

use crate::health::breaker::Position;
use crate::health::{Health, Rest, Standing};
use crate::route::{Plan, Stop};
use weir_config::Retry;

/// A target that may still be tried.
#[derive(Debug, Clone, Copy)]
struct Left<'a> {
    stop: &'a Stop,
    /// Since when it is known to fail, if it was given up.
    failed: Option<Instant>,
}

/// What is left of a plan.
#[derive(Debug)]
pub(super) struct Way<'a> {
    left: Vec<Left<'a>>,
    health: &'a Health,
    /// Whether it began with more than one.
    has_several: bool,
    /// Failures so far, and those of them that were too slow.
    failures: usize,
    slow: usize,
    /// How long recoveries are waited for, once that has begun.
    patience: Option<Instant>,
}

impl<'a> Way<'a> {
    /// The whole of a plan.
    pub(super) fn new(plan: &'a Plan, health: &'a Health) -> Self {
        let stops = plan.stops.iter().chain(&plan.resting);
        let left: Vec<_> = stops.map(|stop| Left { stop, failed: None }).collect();
        let has_several = left.len() > 1;
        Self { left, health, has_several, failures: 0, slow: 0, patience: None }
    }

    /// Takes the first that may be used now, and whether it was given up before.
    pub(super) fn take(&mut self) -> Option<(&'a Stop, bool)> {
        let place = self.left.iter().position(|left| self.is_usable(*left))?;
        let left = self.left.remove(place);
        Some((left.stop, left.failed.is_some()))
    }

    /// The first besides this one that may be used now.
    pub(super) fn next_besides(&self, one: &Stop) -> Option<&'a Stop> {
        self.left.iter().find(|left| !std::ptr::eq(left.stop, one) && self.is_usable(**left)).map(|left| left.stop)
    }

    /// Leaves one out.
    pub(super) fn remove(&mut self, one: &Stop) {
        self.left.retain(|left| !std::ptr::eq(left.stop, one));
    }

    /// Puts one back that turned out to rest, so that its recovery counts.
    pub(super) fn put_back(&mut self, stop: &'a Stop) {
        let left = Left { stop, failed: None };
        if !self.is_usable(left) {
            self.left.push(left);
        }
    }

    /// Puts one back that was given up, with what is known since then: should the others take long to fail, it may be
    /// well by now.
    pub(super) fn give_up(&mut self, stop: &'a Stop, since: Instant) {
        self.left.push(Left { stop, failed: Some(since) });
    }

    /// A target failed; whether it was too slow.
    pub(super) fn heard(&mut self, is_slow: bool) {
        self.failures += 1;
        self.slow += usize::from(is_slow);
    }

    /// Lets somebody be asked who is being tried out by another request, and has let that one wait for long: whether there
    /// is such a one. Nobody else is left then.
    pub(super) fn doubt(&self) -> bool {
        let now = Instant::now();
        let untried = self.left.iter().filter(|left| left.failed.is_none());
        let mut doubtful = untried.filter_map(|left| Some((self.health.known(&left.stop.health)?, left)));
        doubtful.any(|(vitals, left)| vitals.doubt(now, &left.stop.target.subject().settings))
    }

    /// Waits until one that rests may be used: at most for the longest wait before a repetition, and not at all where
    /// that is known to be too short. Says how long it waited; none where there is nothing to wait for.
    pub(super) async fn recovery(&mut self, retry: Retry, deadline: Option<Instant>) -> Option<Duration> {
        let begun = Instant::now();
        let patience = *self.patience.get_or_insert(begun + retry.max_delay);
        let patience = deadline.map_or(patience, |deadline| deadline.min(patience));
        loop {
            let now = Instant::now();
            if self.left.iter().any(|left| self.is_usable(*left)) || self.doubt() {
                return Some(now.saturating_duration_since(begun));
            }
            let resting = self.left.iter().filter(|left| left.failed.is_none());
            let soonest = resting.map(|left| self.recovers(left.stop, now, retry.delay)).min()?;
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
        let position = self.health.known(&stop.health).map(|vitals| vitals.position(now));
        let is_probed = position == Some(Position::HalfOpen);
        if is_probed { until.min(now + pause.max(Duration::from_millis(1))) } else { until }
    }

    /// Whether one is not known to rest, and, if it failed, whether that was longer ago than repetitions wait.
    fn is_usable(&self, Left { stop, failed }: Left<'_>) -> bool {
        let now = Instant::now();
        let is_due = |since: Instant| since + stop.target.retry.max_delay <= now && !self.is_vain(stop, since);
        failed.is_none_or(is_due)
            && matches!(
                stop.standing(self.health, now),
                Standing::Well | Standing::Resting(_, Rest::Untold | Rest::Refused)
            )
    }

    /// Where all that were asked were too slow, it may be the request that takes long: unless there are several, and this
    /// one has answered others since it was asked.
    fn is_vain(&self, stop: &Stop, since: Instant) -> bool {
        let vitals = || self.health.known(&stop.health);
        let has_answered = || self.has_several && vitals().is_some_and(|vitals| vitals.has_answered_since(since));
        self.slow == self.failures && !has_answered()
    }
}
