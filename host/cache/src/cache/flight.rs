//! One request for all equal ones that arrive while it is under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{Cache, Moment};
use crate::{Entry, Key};

/// The requests under way, by key.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<Key, Flight>>);

/// The state of the requests with one key. It is there as long as any of them, also once another has its place.
pub(super) type Flight = Arc<watch::Sender<State>>;

#[derive(Debug, Clone)]
pub(super) enum State {
    /// One of the equal requests has been under way since this moment.
    Led(Moment),
    /// The one that was sent has left; the next that looks takes its place.
    Left,
    /// There is an answer, or there will be none that others may have.
    Over(Option<Arc<Entry>>),
}

/// The role of a request.
#[derive(Debug)]
pub enum FlightRole {
    /// It is sent.
    Lead(Leader),
    /// It waits for another.
    Follow(Follower),
}

/// The end of a wait.
#[derive(Debug)]
pub enum FlightResult {
    /// The other's answer.
    Answer(Arc<Entry>),
    /// The other left: this one is sent.
    Lead(Leader),
    /// The other's answer is for itself alone: this one is sent, and keeps nothing.
    Alone,
}

/// The request that is sent. Dropped without an answer, another takes its place.
#[derive(Debug)]
pub struct Leader {
    cache: Arc<Cache>,
    key: Key,
    flight: Flight,
    asked: Moment,
    is_over: bool,
}

/// A request that waits.
#[derive(Debug)]
pub struct Follower {
    cache: Arc<Cache>,
    key: Key,
    flight: Flight,
    /// `None` once it has left.
    state: Option<watch::Receiver<State>>,
}

impl Flights {
    pub(crate) fn enter(cache: &Arc<Cache>, key: Key) -> FlightRole {
        let mut flights = cache.flights.lock();
        let now = cache.moment();
        if let Some(flight) = flights.get(&key) {
            if flight.send_if_modified(|state| take_place(state, now)) {
                return FlightRole::Lead(Leader::new(cache, key, flight, now));
            }
            // The answer to a request before a removal is none for a request after it.
            if matches!(*flight.borrow(), State::Led(asked) if asked == now) {
                let (flight, state) = (Arc::clone(flight), Some(flight.subscribe()));
                return FlightRole::Follow(Follower { cache: Arc::clone(cache), key, flight, state });
            }
        }
        let flight = Arc::new(watch::channel(State::Led(now)).0);
        flights.insert(key, Arc::clone(&flight));
        FlightRole::Lead(Leader::new(cache, key, &flight, now))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<Key, Flight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the place of a leader that has left.
fn take_place(state: &mut State, now: Moment) -> bool {
    let is_free = matches!(state, State::Left);
    if is_free {
        *state = State::Led(now);
    }
    is_free
}

/// Removes a flight, unless another has its place.
fn remove(flights: &mut HashMap<Key, Flight>, key: &Key, flight: &Flight) {
    if flights.get(key).is_some_and(|there| Arc::ptr_eq(there, flight)) {
        flights.remove(key);
    }
}

impl Leader {
    fn new(cache: &Arc<Cache>, key: Key, flight: &Flight, asked: Moment) -> Self {
        Self { cache: Arc::clone(cache), key, flight: Arc::clone(flight), asked, is_over: false }
    }

    /// The key of the request.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Keeps the answer, and gives it to all who wait. `origin` is the same answer for clients of other formats, under
    /// the key that the entry names as its origin.
    pub fn fill(mut self, entry: Arc<Entry>, origin: Option<&Arc<Entry>>) {
        self.cache.put(self.key, &entry, self.asked);
        if let Some((key, origin)) = entry.origin.zip(origin) {
            self.cache.put(key, origin, self.asked);
        }
        self.end(Some(entry));
    }

    /// The answer is for this request alone: all who wait are sent by themselves.
    pub fn give_up(mut self) {
        self.end(None);
    }

    fn end(&mut self, answer: Option<Arc<Entry>>) {
        self.is_over = true;
        remove(&mut self.cache.flights.lock(), &self.key, &self.flight);
        self.flight.send_replace(State::Over(answer));
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut flights = self.cache.flights.lock();
        // Followers come and go while they hold the lock.
        if self.flight.receiver_count() == 0 {
            remove(&mut flights, &self.key, &self.flight);
        } else {
            self.flight.send_replace(State::Left);
        }
    }
}

impl Follower {
    /// Waits for the end of the other request.
    pub async fn landed(mut self) -> FlightResult {
        while let Some(receiver) = &mut self.state {
            let state = receiver.borrow_and_update().clone();
            match state {
                State::Over(Some(entry)) => return FlightResult::Answer(entry),
                State::Over(None) => return FlightResult::Alone,
                State::Left => {
                    if let Some(leader) = self.lead() {
                        return FlightResult::Lead(leader);
                    }
                }
                State::Led(_) => _ = receiver.changed().await,
            }
        }
        FlightResult::Alone
    }

    /// Takes the place of a leader that has left.
    fn lead(&self) -> Option<Leader> {
        let Self { cache, key, flight, .. } = self;
        let _flights = cache.flights.lock();
        let now = cache.moment();
        let is_mine = flight.send_if_modified(|state| take_place(state, now));
        is_mine.then(|| Leader::new(cache, *key, flight, now))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut flights = self.cache.flights.lock();
        // It leaves under the lock, so that of several which leave at the same time, one is the last.
        self.state = None;
        if self.flight.receiver_count() == 0 && matches!(*self.flight.borrow(), State::Left) {
            remove(&mut flights, &self.key, &self.flight);
        }
    }
}
