//! The candidates left for a request. Their health is checked before each step, since it may change while the plan is
//! carried out.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::health::breaker::Position;
use crate::health::{Health, TargetStatus};
use crate::route::{Candidate, Plan};
use weir_config::Retry;

/// A candidate that may still be tried.
#[derive(Debug, Clone, Copy)]
struct RemainingCandidate<'a> {
    candidate: &'a Candidate,
    /// Since when the candidate is known to fail, if it was given up.
    failed: Option<Instant>,
}

/// The candidates left of a plan.
#[derive(Debug)]
pub(super) struct Candidates<'a> {
    left: SmallVec<[RemainingCandidate<'a>; 2]>,
    health: &'a Health,
    /// Whether the first candidate has not been taken yet, which the plan has just found usable.
    is_untouched: bool,
    /// Whether the plan had more than one candidate.
    has_several: bool,
    /// Failures so far, and how many of them were timeouts.
    failures: usize,
    slow: usize,
    /// Until when to wait for a recovery, set by the first wait.
    wait_until: Option<Instant>,
}

impl<'a> Candidates<'a> {
    /// All candidates of a plan.
    pub(super) fn new(plan: &'a Plan, health: &'a Health) -> Self {
        let candidates = plan.candidates.iter().chain(&plan.resting);
        let left: SmallVec<_> = candidates.map(|candidate| RemainingCandidate { candidate, failed: None }).collect();
        let (is_untouched, has_several) = (!plan.candidates.is_empty(), left.len() > 1);
        Self { left, health, is_untouched, has_several, failures: 0, slow: 0, wait_until: None }
    }

    /// Takes the first usable candidate, and returns whether it was given up before. The very first is not looked at
    /// again: its attempt asks for its health in any case.
    pub(super) fn take(&mut self) -> Option<(&'a Candidate, bool)> {
        let place = if std::mem::take(&mut self.is_untouched) {
            0
        } else {
            self.left.iter().position(|left| self.is_usable(*left))?
        };
        let left = self.left.remove(place);
        Some((left.candidate, left.failed.is_some()))
    }

    /// The first usable candidate other than this one.
    pub(super) fn next_besides(&self, one: &Candidate) -> Option<&'a Candidate> {
        self.left
            .iter()
            .find(|left| !std::ptr::eq(left.candidate, one) && self.is_usable(**left))
            .map(|left| left.candidate)
    }

    /// Removes a candidate.
    pub(super) fn remove(&mut self, one: &Candidate) {
        self.left.retain(|left| !std::ptr::eq(left.candidate, one));
    }

    /// Puts back a candidate that turned out to rest, so that its recovery is waited for.
    pub(super) fn put_back(&mut self, candidate: &'a Candidate) {
        let left = RemainingCandidate { candidate, failed: None };
        if !self.is_usable(left) {
            self.left.push(left);
        }
    }

    /// Puts back a candidate that was given up, with the time since when it fails: it may have recovered by the time
    /// the others have failed.
    pub(super) fn give_up(&mut self, candidate: &'a Candidate, since: Instant) {
        self.left.push(RemainingCandidate { candidate, failed: Some(since) });
    }

    /// Records a failure, and whether it was a timeout.
    pub(super) fn record_failure(&mut self, is_slow: bool) {
        self.failures += 1;
        self.slow += usize::from(is_slow);
    }

    /// Whether a half-open target may get a second probe because the first is slow. Called when no other candidate is
    /// left.
    pub(super) fn reopen_slow_probe(&self) -> bool {
        let now = Instant::now();
        let untried = self.left.iter().filter(|left| left.failed.is_none());
        let mut doubtful = untried.filter_map(|left| Some((self.health.known(&left.candidate.health)?, left)));
        doubtful.any(|(health, left)| health.reopen_slow_probe(now, &left.candidate.target.subject().settings))
    }

    /// Waits until a resting candidate is usable: at most as long as the longest retry delay, and not at all if that
    /// is known to be too short. Returns the time waited, or `None` if none can recover in time.
    pub(super) async fn recovery(&mut self, retry: Retry, deadline: Option<Instant>) -> Option<Duration> {
        let begun = Instant::now();
        let wait_until = *self.wait_until.get_or_insert(begun + retry.max_delay);
        let wait_until = deadline.map_or(wait_until, |deadline| deadline.min(wait_until));
        loop {
            let now = Instant::now();
            if self.left.iter().any(|left| self.is_usable(*left)) || self.reopen_slow_probe() {
                return Some(now.saturating_duration_since(begun));
            }
            let resting = self.left.iter().filter(|left| left.failed.is_none());
            let soonest = resting.map(|left| self.recovers(left.candidate, now, retry.delay)).min()?;
            if soonest > wait_until {
                return None;
            }
            tokio::time::sleep_until(soonest.into()).await;
        }
    }

    /// When to check again whether a resting candidate is usable.
    fn recovers(&self, candidate: &Candidate, now: Instant, pause: Duration) -> Instant {
        let TargetStatus::Resting(until, _) = candidate.status(self.health, now) else { return now };
        // Another request is probing the target, and may find it well long before its rest ends.
        let position = self.health.known(&candidate.health).map(|health| health.position(now));
        let is_probed = position == Some(Position::HalfOpen);
        if is_probed { until.min(now + pause.max(Duration::from_millis(1))) } else { until }
    }

    /// Whether a candidate is not known to rest and, if it was given up, that was longer ago than the longest retry
    /// delay.
    fn is_usable(&self, RemainingCandidate { candidate, failed }: RemainingCandidate<'_>) -> bool {
        let now = Instant::now();
        let is_due =
            |since: Instant| since + candidate.target.retry.max_delay <= now && !self.is_vain(candidate, since);
        failed.is_none_or(is_due) && candidate.status(self.health, now).may_be_tried()
    }

    /// If every target failed by timeout, the request itself may be the reason. Then a candidate is only tried again
    /// if there are several and it has answered other requests since.
    fn is_vain(&self, candidate: &Candidate, since: Instant) -> bool {
        let health = || self.health.known(&candidate.health);
        let has_answered = || self.has_several && health().is_some_and(|health| health.has_answered_since(since));
        self.slow == self.failures && !has_answered()
    }
}
