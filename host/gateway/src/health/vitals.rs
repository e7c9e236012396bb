//! What is known of one target: its breaker, the cool-downs of its keys, how fast it answers, how busy it is. Pure but
//! for the lock around it: the time is an argument.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::breaker::{Breaker, Position};
use super::latency::Latency;

/// Why something is not to be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// The provider asked for fewer requests, until then.
    Limited,
    /// It asked for fewer and did not say for how long: another is asked first, where there is one.
    Untold,
    /// It fails too often, or said that it is overloaded.
    Failing,
    /// The key was refused.
    Refused,
}

/// Whether a target may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Well,
    /// Not before this moment.
    Resting(Instant, Rest),
}

impl Standing {
    /// The one from which something can be had sooner.
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

    /// The one that keeps from being used for longer; what may be used all the same counts less than what may not.
    #[must_use]
    pub fn later(self, other: Self) -> Self {
        let weight = |standing: Self| match standing {
            Self::Well => (0, None),
            Self::Resting(until, Rest::Untold) => (1, Some(until)),
            Self::Resting(until, _) => (2, Some(until)),
        };
        if weight(other) > weight(self) { other } else { self }
    }
}

/// The vital signs of one target, shared by all requests.
#[derive(Debug, Default)]
pub struct Vitals {
    inner: Mutex<Inner>,
    in_flight: AtomicUsize,
}

#[derive(Debug, Default)]
struct Inner {
    breaker: Breaker,
    /// The target as a whole rests until then, because it said so.
    overloaded: Option<Instant>,
    /// By the key's number.
    limited: Vec<Option<Limit>>,
    latency: Latency,
}

/// Until when a key rests, and whether its provider said so.
#[derive(Debug, Clone, Copy)]
struct Limit {
    until: Instant,
    is_told: bool,
}

impl Vitals {
    /// How the target stands for one key.
    pub fn standing(&self, key: usize, now: Instant, settings: &weir_config::Breaker) -> Standing {
        self.lock().standing(key, now, settings)
    }

    /// Lets an exchange in if one may pass.
    pub fn admit(&self, key: usize, now: Instant, settings: &weir_config::Breaker) -> Result<(), Standing> {
        let mut inner = self.lock();
        let standing = inner.standing(key, now, settings);
        let is_open = matches!(standing, Standing::Well | Standing::Resting(_, Rest::Untold));
        if !is_open || !inner.breaker.admit(now, settings) {
            return Err(standing);
        }
        drop(inner);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// An exchange that was let in is over.
    pub fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Exchanges that are under way.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// An answer began to an exchange that was let in at `asked`.
    pub fn succeeded(&self, asked: Instant, now: Instant, settings: &weir_config::Breaker) {
        self.lock().breaker.succeeded(asked, now, settings);
    }

    /// An exchange that was let in at `asked` heard nothing for too long; whether the breaker opens for that.
    pub fn timed_out(&self, asked: Instant, now: Instant, settings: &weir_config::Breaker) -> bool {
        self.lock().breaker.timed_out(asked, now, settings)
    }

    /// An exchange failed by the target's fault; whether the breaker opens for that. `rest` is how long it asked to be
    /// left alone.
    pub fn failed(&self, rest: Option<Duration>, now: Instant, settings: &weir_config::Breaker) -> bool {
        let mut inner = self.lock();
        if let Some(rest) = rest {
            let until = now + rest.min(settings.max_cooldown);
            inner.overloaded = inner.overloaded.max(Some(until));
        }
        inner.breaker.failed(now, settings)
    }

    /// An answer that had begun broke off; whether the breaker opens for that.
    pub fn broke(&self, now: Instant, settings: &weir_config::Breaker) -> bool {
        self.lock().breaker.broke(now, settings)
    }

    /// Nothing came of an exchange.
    pub fn abandoned(&self, now: Instant) {
        self.lock().breaker.abandoned(now);
    }

    /// A check says that it fails; whether that is news.
    pub fn found_failing(&self, rest: Duration, now: Instant) -> bool {
        self.lock().breaker.found_failing(now, now + rest)
    }

    /// A check says that it is well.
    pub fn found_well(&self, now: Instant) {
        self.lock().breaker.found_well(now);
    }

    /// The provider asks for fewer requests by this key, for so long or for an unknown time. Of two such words the one
    /// that reaches further counts.
    pub fn limited(
        &self,
        key: usize,
        rest: Option<Duration>,
        now: Instant,
        settings: &weir_config::Breaker,
    ) -> Duration {
        let is_told = rest.is_some();
        let rest = rest.unwrap_or(settings.cooldown).min(settings.max_cooldown);
        let mut inner = self.lock();
        inner.breaker.abandoned(now);
        if inner.limited.len() <= key {
            inner.limited.resize(key + 1, None);
        }
        if let Some(limit) = inner.limited.get_mut(key) {
            let new = Limit { until: now + rest, is_told };
            *limit = limit.filter(|known| known.until > new.until).or(Some(new));
        }
        rest
    }

    /// The first piece of an answer came so long after its request.
    pub fn first_piece(&self, took: Duration, now: Instant) {
        self.lock().latency.observe(took, now);
    }

    /// How long first pieces take of late.
    pub fn latency(&self, now: Instant) -> Option<Duration> {
        self.lock().latency.of(now)
    }

    /// Whether it has answered somebody who was let in after this.
    pub fn has_answered_since(&self, asked: Instant) -> bool {
        self.lock().breaker.has_answered_since(asked)
    }

    /// Lets another probe pass, if one has said nothing for long; whether that is so.
    pub fn doubt(&self, now: Instant, settings: &weir_config::Breaker) -> bool {
        self.lock().breaker.doubt(now, settings)
    }

    /// Whether something is the matter with it: it rests, or, where that counts too, it failed last.
    pub fn is_troubled(&self, now: Instant, may_have_failed: bool) -> bool {
        let inner = self.lock();
        let rests = inner.limited.iter().flatten().map(|limit| limit.until).chain(inner.overloaded);
        rests.into_iter().any(|until| until > now)
            || inner.breaker.position(now) != Position::Closed
            || (!may_have_failed && inner.breaker.has_failed_last())
    }

    /// How its breaker stands.
    pub fn position(&self, now: Instant) -> Position {
        self.lock().breaker.position(now)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn standing(&self, key: usize, now: Instant, settings: &weir_config::Breaker) -> Standing {
        let limit = self.limited.get(key).copied().flatten();
        let limited = limit.map(|limit| (limit.until, if limit.is_told { Rest::Limited } else { Rest::Untold }));
        let failing = [self.overloaded, self.breaker.closed_until(now, settings)];
        let failing = failing.into_iter().flatten().map(|until| (until, Rest::Failing));
        let all = limited.into_iter().chain(failing).filter(|(until, _)| *until > now);
        all.fold(Standing::Well, |known, (until, why)| known.later(Standing::Resting(until, why)))
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
        let (vitals, now) = (Vitals::default(), Instant::now());
        vitals.limited(0, Some(Duration::from_secs(20)), now, &SETTINGS);
        vitals.limited(0, Some(Duration::from_secs(2)), now, &SETTINGS);
        let until = now + Duration::from_secs(20);
        assert_eq!(vitals.standing(0, now, &SETTINGS), Standing::Resting(until, Rest::Limited));
        assert_eq!(vitals.standing(1, now, &SETTINGS), Standing::Well, "another key has limits of its own");
        assert_eq!(vitals.standing(0, until, &SETTINGS), Standing::Well);
    }

    #[test]
    fn a_limit_whose_end_nobody_told_keeps_no_request_out() {
        let (vitals, now) = (Vitals::default(), Instant::now());
        vitals.limited(0, None, now, &SETTINGS);
        let until = now + SETTINGS.cooldown;
        assert_eq!(vitals.standing(0, now, &SETTINGS), Standing::Resting(until, Rest::Untold));
        assert!(vitals.admit(0, now, &SETTINGS).is_ok());
        // What it said itself counts, and so does a breaker, however short.
        vitals.limited(0, Some(Duration::from_secs(20)), now, &SETTINGS);
        assert!(vitals.admit(0, now, &SETTINGS).is_err());
        vitals.limited(1, None, now, &SETTINGS);
        vitals.failed(Some(Duration::from_millis(1)), now, &SETTINGS);
        assert!(vitals.admit(1, now, &SETTINGS).is_err());
    }

    #[test]
    fn c63_a_rest_is_capped_and_one_that_nobody_tells_is_short() {
        let (vitals, now) = (Vitals::default(), Instant::now());
        assert_eq!(vitals.limited(0, Some(Duration::from_hours(9)), now, &SETTINGS), SETTINGS.max_cooldown);
        assert_eq!(vitals.limited(0, None, now, &SETTINGS), SETTINGS.cooldown);
    }

    #[test]
    fn an_overload_that_says_for_how_long_rests_the_whole_target() {
        let (vitals, now) = (Vitals::default(), Instant::now());
        assert!(!vitals.failed(Some(Duration::from_secs(3)), now, &SETTINGS));
        for key in 0..2 {
            let until = now + Duration::from_secs(3);
            assert_eq!(vitals.standing(key, now, &SETTINGS), Standing::Resting(until, Rest::Failing));
        }
    }
}
