//! The health record of one target: its breaker, the cool-downs of its keys, its latency, its load. Pure except for a
//! lock: the time is an argument.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::breaker::{Breaker, Position};
use super::latency::Latency;

/// Why a target or key rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// The provider limited the key and named the end of the pause.
    Limited,
    /// The provider limited the key without naming an end: other targets are tried first.
    Unstated,
    /// The target failed too often, or reported an overload.
    Failing,
    /// The provider refused the key.
    Refused,
}

/// Whether a target may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetStatus {
    /// The target may be used.
    Well,
    /// The target rests until this time.
    Resting(Instant, Rest),
}

impl TargetStatus {
    /// Whether the target may be used at least as a last resort.
    pub(crate) fn may_be_tried(self) -> bool {
        matches!(self, Self::Well | Self::Resting(_, Rest::Unstated | Rest::Refused))
    }

    /// The better of two: usable, or with the earlier end.
    #[must_use]
    pub fn sooner(self, other: Self) -> Self {
        match (self, other) {
            (Self::Well, _) | (_, Self::Well) => Self::Well,
            (Self::Resting(a, _), Self::Resting(b, _)) => {
                if b < a {
                    other
                } else {
                    self
                }
            }
        }
    }

    /// The worse of two: with the later end, but any rest that forbids use is worse than [`Rest::Unstated`].
    #[must_use]
    pub fn later(self, other: Self) -> Self {
        let weight = |status: Self| match status {
            Self::Well => (0, None),
            Self::Resting(until, Rest::Unstated) => (1, Some(until)),
            Self::Resting(until, _) => (2, Some(until)),
        };
        if weight(other) > weight(self) { other } else { self }
    }
}

/// The health record of one target, shared by all requests.
#[derive(Debug, Default)]
pub struct TargetHealth {
    inner: Mutex<Inner>,
    in_flight: AtomicUsize,
}

#[derive(Debug, Default)]
struct Inner {
    breaker: Breaker,
    /// The end of the pause that the target asked for as a whole.
    overloaded: Option<Instant>,
    /// The cool-downs, by the key's number.
    limited: Vec<Option<Limit>>,
    latency: Latency,
}

/// The end of a key's cool-down, and whether the provider named it.
#[derive(Debug, Clone, Copy)]
struct Limit {
    until: Instant,
    is_stated: bool,
}

impl TargetHealth {
    /// The target's status for one key.
    pub fn status(&self, key: usize, now: Instant, settings: &weir_config::Breaker) -> TargetStatus {
        self.lock().status(key, now, settings)
    }

    /// Admits an exchange if the breaker and the limits allow it.
    pub fn admit(&self, key: usize, now: Instant, settings: &weir_config::Breaker) -> Result<(), TargetStatus> {
        let mut inner = self.lock();
        let status = inner.status(key, now, settings);
        let is_open = matches!(status, TargetStatus::Well | TargetStatus::Resting(_, Rest::Unstated));
        if !is_open || !inner.breaker.admit(now, settings) {
            return Err(status);
        }
        drop(inner);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// An admitted exchange has ended.
    pub fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// The number of exchanges in progress.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// The answer to an exchange admitted at `asked` has begun.
    pub fn succeeded(&self, asked: Instant, now: Instant, settings: &weir_config::Breaker) {
        self.lock().breaker.succeeded(asked, now, settings);
    }

    /// An exchange admitted at `asked` timed out. Returns whether the breaker opens.
    pub fn timed_out(&self, asked: Instant, now: Instant, settings: &weir_config::Breaker) -> bool {
        self.lock().breaker.timed_out(asked, now, settings)
    }

    /// An exchange failed by the target's fault; `rest` is the pause that the target asked for. Returns whether the
    /// breaker opens.
    pub fn failed(&self, rest: Option<Duration>, now: Instant, settings: &weir_config::Breaker) -> bool {
        let mut inner = self.lock();
        if let Some(rest) = rest {
            let until = now + rest.min(settings.max_cooldown);
            inner.overloaded = inner.overloaded.max(Some(until));
        }
        inner.breaker.failed(now, settings)
    }

    /// An answer that had begun broke off. Returns whether the breaker opens.
    pub fn broke(&self, now: Instant, settings: &weir_config::Breaker) -> bool {
        self.lock().breaker.broke(now, settings)
    }

    /// An exchange ended without an outcome.
    pub(crate) fn abandoned(&self, now: Instant) {
        self.lock().breaker.abandoned(now);
    }

    /// A check found the target failing. Returns whether the breaker opens.
    pub(crate) fn found_failing(&self, rest: Duration, now: Instant) -> bool {
        self.lock().breaker.found_failing(now, now + rest)
    }

    /// A check found the target well.
    pub(crate) fn found_well(&self, now: Instant) {
        self.lock().breaker.found_well(now);
    }

    /// The provider limits this key, for this long or without naming an end. The later end of two limits counts.
    /// Returns the length of the pause.
    pub fn limited(
        &self,
        key: usize,
        rest: Option<Duration>,
        now: Instant,
        settings: &weir_config::Breaker,
    ) -> Duration {
        let is_stated = rest.is_some();
        let rest = rest.unwrap_or(settings.cooldown).min(settings.max_cooldown);
        let mut inner = self.lock();
        inner.breaker.abandoned(now);
        if inner.limited.len() <= key {
            inner.limited.resize(key + 1, None);
        }
        if let Some(limit) = inner.limited.get_mut(key) {
            let new = Limit { until: now + rest, is_stated };
            *limit = limit.filter(|known| known.until > new.until).or(Some(new));
        }
        rest
    }

    /// Forgets the cool-downs of keys: others have taken their numbers.
    pub(crate) fn forget_limits(&self) {
        self.lock().limited.clear();
    }

    /// Adds a latency to the first piece of an answer.
    pub(crate) fn first_piece(&self, took: Duration, now: Instant) {
        self.lock().latency.observe(took, now);
    }

    /// The recent latency to the first piece.
    pub fn latency(&self, now: Instant) -> Option<Duration> {
        self.lock().latency.of(now)
    }

    /// Whether an exchange admitted after this time was answered.
    pub(crate) fn has_answered_since(&self, asked: Instant) -> bool {
        self.lock().breaker.has_answered_since(asked)
    }

    /// Lets another probe pass if the running one is slow. Returns whether that is so.
    pub(crate) fn reopen_slow_probe(&self, now: Instant, settings: &weir_config::Breaker) -> bool {
        self.lock().breaker.reopen_slow_probe(now, settings)
    }

    /// Whether the record must be kept: the target rests, its breaker is not closed or, unless `may_have_failed`, its
    /// last exchange failed.
    pub(crate) fn is_troubled(&self, now: Instant, may_have_failed: bool) -> bool {
        let inner = self.lock();
        let rests = inner.limited.iter().flatten().map(|limit| limit.until).chain(inner.overloaded);
        rests.into_iter().any(|until| until > now)
            || inner.breaker.position(now) != Position::Closed
            || (!may_have_failed && inner.breaker.has_failed_last())
    }

    /// The breaker's position.
    pub fn position(&self, now: Instant) -> Position {
        self.lock().breaker.position(now)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn status(&self, key: usize, now: Instant, settings: &weir_config::Breaker) -> TargetStatus {
        let limit = self.limited.get(key).copied().flatten();
        let limited = limit.map(|limit| (limit.until, if limit.is_stated { Rest::Limited } else { Rest::Unstated }));
        let failing = [self.overloaded, self.breaker.open_until(now, settings)];
        let failing = failing.into_iter().flatten().map(|until| (until, Rest::Failing));
        let all = limited.into_iter().chain(failing).filter(|(until, _)| *until > now);
        all.fold(TargetStatus::Well, |known, (until, why)| known.later(TargetStatus::Resting(until, why)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: weir_config::Breaker = weir_config::Breaker {
        failure_rate: 0.5,
        window: Duration::from_secs(10),
        open: Duration::from_secs(5),
        min_attempts: 10,
        cooldown: Duration::from_secs(1),
        max_cooldown: Duration::from_mins(5),
    };

    #[test]
    fn c64_a_limit_cools_at_once_and_the_later_moment_counts() {
        let (health, now) = (TargetHealth::default(), Instant::now());
        health.limited(0, Some(Duration::from_secs(20)), now, &SETTINGS);
        health.limited(0, Some(Duration::from_secs(2)), now, &SETTINGS);
        let until = now + Duration::from_secs(20);
        assert_eq!(health.status(0, now, &SETTINGS), TargetStatus::Resting(until, Rest::Limited));
        assert_eq!(health.status(1, now, &SETTINGS), TargetStatus::Well, "another key has limits of its own");
        assert_eq!(health.status(0, until, &SETTINGS), TargetStatus::Well);
    }

    #[test]
    fn a_limit_without_a_known_end_still_admits_requests() {
        let (health, now) = (TargetHealth::default(), Instant::now());
        health.limited(0, None, now, &SETTINGS);
        let until = now + SETTINGS.cooldown;
        assert_eq!(health.status(0, now, &SETTINGS), TargetStatus::Resting(until, Rest::Unstated));
        assert!(health.admit(0, now, &SETTINGS).is_ok());
        // A pause that the provider named forbids use, and so does an open breaker or an overload.
        health.limited(0, Some(Duration::from_secs(20)), now, &SETTINGS);
        assert!(health.admit(0, now, &SETTINGS).is_err());
        health.limited(1, None, now, &SETTINGS);
        health.failed(Some(Duration::from_millis(1)), now, &SETTINGS);
        assert!(health.admit(1, now, &SETTINGS).is_err());
    }

    #[test]
    fn c63_a_cool_down_is_capped_and_one_without_a_known_end_is_short() {
        let (health, now) = (TargetHealth::default(), Instant::now());
        assert_eq!(health.limited(0, Some(Duration::from_hours(9)), now, &SETTINGS), SETTINGS.max_cooldown);
        assert_eq!(health.limited(0, None, now, &SETTINGS), SETTINGS.cooldown);
    }

    #[test]
    fn an_overload_with_a_known_end_rests_the_whole_target() {
        let (health, now) = (TargetHealth::default(), Instant::now());
        assert!(!health.failed(Some(Duration::from_secs(3)), now, &SETTINGS));
        for key in 0..2 {
            let until = now + Duration::from_secs(3);
            assert_eq!(health.status(key, now, &SETTINGS), TargetStatus::Resting(until, Rest::Failing));
        }
    }
}
