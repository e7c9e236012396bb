//! One exchange with a target, from its admission to what came of it, said exactly once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::vitals::Vitals;
use super::{BENCH, Benches, Subject};

/// Who a failure is put down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The target failed; it asked to be left alone for so long.
    Target(Option<Duration>),
    /// The target let wait for too long.
    Slow,
    /// The provider asks for fewer requests by this key, for so long.
    Limit(Option<Duration>),
    /// The key was refused.
    Key,
    /// The client, or nobody.
    Nobody,
}

/// An exchange that was let in. Dropped without a word it counts for nothing.
#[derive(Debug)]
pub struct Ticket {
    vitals: Arc<Vitals>,
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
    pub(super) fn new(vitals: Arc<Vitals>, keys: Arc<Mutex<Benches>>, subject: Subject<'_>, begun: Instant) -> Self {
        let Subject { provider, key, settings, .. } = subject;
        Self { vitals, keys, provider: Arc::clone(provider), key, settings, begun, state: State::Waiting }
    }

    /// The target's vital signs.
    pub fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    /// An answer begins.
    pub fn answers(&mut self) {
        if self.state == State::Waiting {
            self.state = State::Answering;
            self.vitals.succeeded(self.begun, Instant::now(), &self.settings);
        }
    }

    /// The first piece of the answer is there.
    pub fn first_piece(&self) {
        let now = Instant::now();
        self.vitals.first_piece(now.saturating_duration_since(self.begun), now);
    }

    /// The answer broke off by the target's fault; whether its breaker opens for that.
    pub fn broke(&mut self) -> bool {
        let answering = self.state == State::Answering;
        self.state = State::Over;
        answering && self.vitals.broke(Instant::now(), &self.settings)
    }

    /// There is no answer, by this one's fault; whether the target's breaker opens for that.
    pub fn failed(mut self, blame: Blame) -> bool {
        let now = Instant::now();
        self.state = State::Over;
        match blame {
            Blame::Target(rest) => return self.vitals.failed(rest, now, &self.settings),
            Blame::Slow => return self.vitals.timed_out(self.begun, now, &self.settings),
            Blame::Limit(rest) => _ = self.vitals.limited(self.key, rest, now, &self.settings),
            Blame::Key => {
                self.vitals.abandoned(now);
                let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
                keys.insert((Arc::clone(&self.provider), self.key), now + BENCH);
            }
            Blame::Nobody => self.vitals.abandoned(now),
        }
        false
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.state == State::Waiting {
            self.vitals.abandoned(Instant::now());
        }
        self.vitals.leave();
    }
}
