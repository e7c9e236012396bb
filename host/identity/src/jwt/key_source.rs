//! When an issuer's keys are used, fetched again, waited for or given up: a pure state machine with the time as an
//! argument.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Algorithm, KeySet};

/// The most key ids that are remembered as unknown.
const MAX_UNKNOWN: usize = 64;

/// Times of the state machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long a set is used without asking for a newer one.
    pub fresh: Duration,
    /// How long a set is used while newer ones cannot be fetched.
    pub keep: Duration,
    /// The shortest time between two fetches for the sake of unknown key ids, which any client can invent.
    pub unknown_interval: Duration,
    /// How long a key id that a fetch did not find starts no further fetch.
    pub unknown_for: Duration,
    /// The wait after a failure. It doubles with each further one.
    pub first_retry: Duration,
    /// The longest wait after failures.
    pub last_retry: Duration,
    /// After this time, a fetch counts as failed.
    pub fetch_timeout: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            fresh: seconds(600),
            keep: seconds(24 * 3_600),
            unknown_interval: seconds(60),
            unknown_for: seconds(300),
            first_retry: seconds(1),
            last_retry: seconds(60),
            fetch_timeout: seconds(30),
        }
    }
}

/// What to do for a token.
#[derive(Debug, Clone)]
pub enum Need {
    /// Verify with these keys.
    Use(Arc<KeySet>),
    /// Fetch the keys, report the result under the ticket, and ask again.
    Fetch(Ticket),
    /// Wait for the fetch that is under way, and ask again.
    Wait,
    /// Refuse the token: the newest set has no such key.
    UnknownKey,
    /// The keys cannot be fetched at present.
    Unavailable,
}

/// The right and duty to fetch once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

/// The state of one issuer's keys.
#[derive(Debug)]
pub struct KeySource {
    timing: Timing,
    set: Option<CachedKeys>,
    flight: Option<Flight>,
    tickets: u64,
    failures: u32,
    next_try: Timestamp,
    /// When an unknown key id may start a fetch again. Only a fetch that succeeded moves it: any other has shown
    /// nothing.
    next_unknown: Timestamp,
    unknown: VecDeque<(String, Timestamp)>,
    generation: u64,
}

#[derive(Debug)]
struct CachedKeys {
    keys: Arc<KeySet>,
    since: Timestamp,
}

#[derive(Debug)]
struct Flight {
    ticket: Ticket,
    since: Timestamp,
    /// The unknown key id for whose sake it was started.
    wanted: Option<String>,
}

impl KeySource {
    /// Nothing has been fetched yet.
    pub fn new(timing: Timing) -> Self {
        Self {
            timing,
            set: None,
            flight: None,
            tickets: 0,
            failures: 0,
            next_try: Timestamp::MIN,
            next_unknown: Timestamp::MIN,
            unknown: VecDeque::new(),
            generation: 0,
        }
    }

    /// What to do for a token with this key id and algorithm.
    pub fn need(&mut self, key_id: Option<&str>, algorithm: Algorithm, now: Timestamp) -> Need {
        self.give_up_late_flight(now);
        let held = self.set.as_ref().filter(|held| now < after(held.since, self.timing.keep));
        let Some(held) = held else {
            return match (&self.flight, now >= self.next_try) {
                (Some(_), _) => Need::Wait,
                (None, true) => Need::Fetch(self.start(None, now)),
                (None, false) => Need::Unavailable,
            };
        };
        if held.keys.has(key_id, algorithm) {
            return Need::Use(Arc::clone(&held.keys));
        }
        self.need_unknown(key_id.unwrap_or_default(), now)
    }

    /// What to do for a token whose key the set does not have.
    fn need_unknown(&mut self, key_id: &str, now: Timestamp) -> Need {
        self.unknown.retain(|(_, until)| now < *until);
        if self.unknown.iter().any(|(known, _)| known == key_id) {
            return Need::UnknownKey;
        }
        if self.flight.is_some() {
            return Need::Wait;
        }
        if self.failures > 0 && now < self.next_try {
            return Need::Unavailable;
        }
        // A fetch that failed answered nothing: the waits after failures bound how often it is tried again.
        if now < self.next_unknown && self.failures == 0 {
            return Need::UnknownKey;
        }
        Need::Fetch(self.start(Some(key_id.to_owned()), now))
    }

    /// A ticket for a fetch beside a request, if the set is no longer fresh. It is asked for after a token was
    /// verified, so that refused tokens cannot use up tickets.
    pub fn refresh(&mut self, now: Timestamp) -> Option<Ticket> {
        self.give_up_late_flight(now);
        let is_old = self.set.as_ref().is_some_and(|held| now >= after(held.since, self.timing.fresh));
        (is_old && self.flight.is_none() && now >= self.next_try).then(|| self.start(None, now))
    }

    /// Reports that a fetch succeeded. The result of a fetch that was given up is dropped.
    pub fn succeeded(&mut self, ticket: Ticket, keys: KeySet, now: Timestamp) {
        let Some(flight) = self.flight.take_if(|flight| flight.ticket == ticket) else { return };
        if flight.wanted.is_some() {
            self.next_unknown = after(now, self.timing.unknown_interval);
        }
        if let Some(id) = flight.wanted.filter(|id| !Algorithm::ALL.iter().any(|it| keys.has(Some(id), *it))) {
            if self.unknown.len() == MAX_UNKNOWN {
                self.unknown.pop_front();
            }
            self.unknown.push_back((id, after(now, self.timing.unknown_for)));
        }
        self.unknown.retain(|(id, _)| !Algorithm::ALL.iter().any(|it| keys.has(Some(id), *it)));
        self.set = Some(CachedKeys { keys: Arc::new(keys), since: now });
        self.failures = 0;
        self.next_try = Timestamp::MIN;
        self.generation += 1;
    }

    /// Reports that a fetch failed, or ended without a result.
    pub fn failed(&mut self, ticket: Ticket, now: Timestamp) {
        if self.flight.take_if(|flight| flight.ticket == ticket).is_some() {
            self.count_failure(now);
        }
    }

    /// A number that grows with each set. What an older set has verified is verified again.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether a fetch is under way.
    pub fn is_under_way(&self) -> bool {
        self.flight.is_some()
    }

    /// Whether the set, if there is one, is within its time.
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.set.as_ref().is_some_and(|held| now < after(held.since, self.timing.keep))
    }

    fn start(&mut self, wanted: Option<String>, now: Timestamp) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.flight = Some(Flight { ticket, since: now, wanted });
        ticket
    }

    fn give_up_late_flight(&mut self, now: Timestamp) {
        let fetch_timeout = self.timing.fetch_timeout;
        if self.flight.take_if(|flight| now >= after(flight.since, fetch_timeout)).is_some() {
            self.count_failure(now);
        }
    }

    fn count_failure(&mut self, now: Timestamp) {
        let factor = 2u32.saturating_pow(self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let wait = self.timing.first_retry.saturating_mul(factor).min(self.timing.last_retry);
        self.next_try = after(now, wait);
    }
}

fn after(time: Timestamp, wait: Duration) -> Timestamp {
    time.checked_add(wait).unwrap_or(Timestamp::MAX)
}
