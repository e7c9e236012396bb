//! One request for all equal ones that arrive while it is under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{Cache, Moment};
use crate::{Entry, Key};

/// The requests under way, by key.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<Key, watch::Sender<State>>>);

/// The state of the requests with one key.
#[derive(Debug, Clone)]
enum State {
    /// One of them is sent.
    Led,
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
    asked: Moment,
    is_over: bool,
}

/// A request that waits.
#[derive(Debug)]
pub struct Follower {
    cache: Arc<Cache>,
    key: Key,
    state: watch::Receiver<State>,
}

impl Flights {
    pub(crate) fn enter(cache: &Arc<Cache>, key: Key) -> FlightRole {
        let mut flights = cache.flights.lock();
        if let Some(flight) = flights.get(&key) {
            if !flight.send_if_modified(take_place) {
                let state = flight.subscribe();
                return FlightRole::Follow(Follower { cache: Arc::clone(cache), key, state });
            }
        } else {
            flights.insert(key, watch::channel(State::Led).0);
        }
        drop(flights);
        FlightRole::Lead(Leader::new(cache, key))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, watch::Sender<State>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the place of a leader that has left.
fn take_place(state: &mut State) -> bool {
    let is_free = matches!(state, State::Left);
    if is_free {
        *state = State::Led;
    }
    is_free
}

impl Leader {
    fn new(cache: &Arc<Cache>, key: Key) -> Self {
        Self { cache: Arc::clone(cache), key, asked: cache.moment(), is_over: false }
    }

    /// The key of the request.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Keeps the answer, and gives it to all who wait. `origin` is the same answer for clients of other formats, under the
    /// key that the entry names as its origin.
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
        if let Some(flight) = self.cache.flights.lock().remove(&self.key) {
            flight.send_replace(State::Over(answer));
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut flights = self.cache.flights.lock();
        // Followers subscribe while they hold the lock.
        if flights.get(&self.key).is_some_and(|flight| flight.receiver_count() == 0) {
            flights.remove(&self.key);
        } else if let Some(flight) = flights.get(&self.key) {
            flight.send_replace(State::Left);
        }
    }
}

impl Follower {
    /// Waits for the end of the other request.
    pub async fn landed(mut self) -> FlightResult {
        loop {
            let state = self.state.borrow_and_update().clone();
            match state {
                State::Over(Some(entry)) => return FlightResult::Answer(entry),
                State::Over(None) => return FlightResult::Alone,
                State::Left => {
                    let is_mine = self
                        .cache
                        .flights
                        .lock()
                        .get(&self.key)
                        .is_some_and(|flight| flight.send_if_modified(take_place));
                    if is_mine {
                        return FlightResult::Lead(Leader::new(&self.cache, self.key));
                    }
                }
                State::Led => {}
            }
            if self.state.changed().await.is_err() {
                return FlightResult::Alone;
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut flights = self.cache.flights.lock();
        let is_last =
            |flight: &watch::Sender<State>| flight.receiver_count() <= 1 && matches!(*flight.borrow(), State::Left);
        if flights.get(&self.key).is_some_and(is_last) {
            flights.remove(&self.key);
        }
    }
}
