//! A ticket for one exchange with a target: reports its outcome exactly once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::target_health::TargetHealth;
use super::{BENCH, Benches, Subject};

/// The target or key that a failure counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The target failed; it may have asked for a pause of this length.
    Target(Option<Duration>),
    /// The target was too slow.
    Slow,
    /// The provider limits this key; it may have asked for a pause of this length.
    Limit(Option<Duration>),
    /// The key was refused.
    Key,
    /// Neither: the client was at fault, or Weir itself.
    Neither,
}

/// An admitted exchange. Dropped without an outcome, it counts as abandoned.
#[derive(Debug)]
pub struct Ticket {
    health: Arc<TargetHealth>,
    keys: Arc<Mutex<Benches>>,
    provider: Arc<str>,
    key: usize,
    settings: weir_config::Breaker,
    begun: Instant,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Answering,
    Over,
}

impl Ticket {
    pub(super) fn new(
        health: Arc<TargetHealth>,
        keys: Arc<Mutex<Benches>>,
        subject: Subject<'_>,
        begun: Instant,
    ) -> Self {
        let Subject { provider, key, settings, .. } = subject;
        Self { health, keys, provider: Arc::clone(provider), key, settings, begun, state: State::Waiting }
    }

    /// The answer has begun, which counts as success.
    pub fn answers(&mut self) {
        if self.state == State::Waiting {
            self.state = State::Answering;
            self.health.succeeded(self.begun, Instant::now(), &self.settings);
        }
    }

    /// The first piece of the answer has arrived, which sets the latency.
    pub(crate) fn first_piece(&self) {
        let now = Instant::now();
        self.health.first_piece(now.saturating_duration_since(self.begun), now);
    }

    /// The answer broke off by the target's fault. Returns whether its breaker opens.
    pub fn broke(&mut self) -> bool {
        let answering = self.state == State::Answering;
        self.state = State::Over;
        answering && self.health.broke(Instant::now(), &self.settings)
    }

    /// There was no answer. Returns whether the target's breaker opens.
    pub fn failed(self, blame: Blame) -> bool {
        self.failed_at(blame, Instant::now())
    }

    /// Records a failure that happened at this time.
    pub(crate) fn failed_at(mut self, blame: Blame, now: Instant) -> bool {
        self.state = State::Over;
        match blame {
            Blame::Target(rest) => return self.health.failed(rest, now, &self.settings),
            Blame::Slow => return self.health.timed_out(self.begun, now, &self.settings),
            Blame::Limit(rest) => _ = self.health.limited(self.key, rest, now, &self.settings),
            Blame::Key => {
                self.health.abandoned(now);
                let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
                keys.insert((Arc::clone(&self.provider), self.key), now + BENCH);
            }
            Blame::Neither => self.health.abandoned(now),
        }
        false
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.state == State::Waiting {
            self.health.abandoned(Instant::now());
        }
        self.health.leave();
    }
}
