//! Concurrency limits with queues: one limiter for all exchanges, and one for each model and provider with a limit.
//!
//! With a free place, entering costs a lock and a count. Otherwise requests wait in a bounded queue: by priority and,
//! within a priority, by turns of their clients, so that one client's burst does not block others. A request that
//! finds the queue full displaces the newest one of a lower priority, or else the newest one of the client with the
//! most waiting requests, provided that client keeps at least as many as the newcomer has. Otherwise it is rejected
//! at once. A request that waits too long is rejected then.

mod adaptive;

use std::collections::VecDeque;
use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::adaptive::Adaptive;
use weir_config::Priority;

/// The configured limits at this moment; a reload may change them at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// The most requests served at the same time.
    pub places: usize,
    /// The most requests waiting at the same time.
    pub queue: usize,
    /// How long a request waits.
    pub wait: Duration,
}

/// Why a request was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// The queue is full, or the request was displaced from it.
    Full,
    /// No place became free in time.
    Late,
}

/// Bounds how many requests are served at once.
#[derive(Debug, Default)]
pub struct ConcurrencyLimiter(Mutex<State>);

#[derive(Default)]
struct State {
    inside: usize,
    places: usize,
    waiting: usize,
    lanes: [Turns; 3],
    adaptive: Adaptive,
}

/// The waiting requests of one priority: clients in the order of their turns, each with its requests in the order of
/// arrival.
#[derive(Default)]
struct Turns(VecDeque<(Arc<str>, VecDeque<oneshot::Sender<Permit>>)>);

/// A place in the limiter, returned when this is dropped.
#[must_use]
pub struct Permit(Option<Arc<ConcurrencyLimiter>>);

impl ConcurrencyLimiter {
    /// Takes a place, waiting for it if necessary.
    pub async fn enter(
        self: &Arc<Self>,
        allowance: Allowance,
        client: &Arc<str>,
        priority: Priority,
    ) -> Result<Permit, Rejection> {
        let turn = {
            let mut state = self.lock();
            state.places = allowance.places;
            if state.inside < allowance.places && state.waiting == 0 {
                state.inside += 1;
                return Ok(Permit(Some(Arc::clone(self))));
            }
            state.line_up(allowance.queue, client, priority).ok_or(Rejection::Full)?
        };
        // Places may have been added since the requests in front began to wait.
        self.admit();
        match tokio::time::timeout(allowance.wait, turn).await {
            Ok(Ok(pass)) => Ok(pass),
            // The sender was dropped: another request displaced this one.
            Ok(Err(_)) => Err(Rejection::Full),
            Err(_) => {
                self.lock().sweep();
                Err(Rejection::Late)
            }
        }
    }

    /// Whether a request would get a place or could wait, at this moment.
    pub fn has_room(&self, allowance: Allowance, client: &Arc<str>, priority: Priority) -> bool {
        let mut state = self.lock();
        if state.waiting >= allowance.queue {
            state.sweep();
        }
        let is_open = state.inside < allowance.places && state.waiting == 0;
        is_open || state.waiting < allowance.queue || state.is_displaceable(client, priority)
    }

    /// Takes a place if one is free and no request waits.
    pub(crate) fn try_enter(self: &Arc<Self>, places: usize) -> Option<Permit> {
        let mut state = self.lock();
        state.places = places;
        (state.inside < places && state.waiting == 0).then(|| {
            state.inside += 1;
            Permit(Some(Arc::clone(self)))
        })
    }

    /// The current places of an adaptive limit, at most `most`.
    pub fn adapted(&self, most: usize) -> usize {
        self.lock().adaptive.places(most)
    }

    /// Reports that a provider served a request.
    pub(crate) fn went_well(&self, most: usize) {
        let mut state = self.lock();
        let inside = state.inside;
        state.adaptive.went_well(inside, most);
    }

    /// Reports that a request begun at this time found its provider overloaded.
    pub fn overloaded(&self, begun: Instant, most: usize) {
        self.lock().adaptive.overloaded(begun, Instant::now(), most);
    }

    /// Requests that have a place.
    pub fn inside(&self) -> usize {
        self.lock().inside
    }

    /// Requests that wait.
    pub fn waiting(&self) -> usize {
        self.lock().waiting
    }

    fn leave(self: &Arc<Self>) {
        self.lock().inside -= 1;
        self.admit();
    }

    /// Gives free places to the waiting requests whose turn it is.
    fn admit(self: &Arc<Self>) {
        loop {
            let next = {
                let mut state = self.lock();
                if state.inside >= state.places {
                    return;
                }
                let Some(next) = state.next() else { return };
                state.inside += 1;
                next
            };
            // Sent without the lock: dropping a pass whose receiver is gone would call `leave`.
            if let Err(mut pass) = next.send(Permit(Some(Arc::clone(self)))) {
                pass.0 = None;
                self.lock().inside -= 1;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn line_up(&mut self, longest: usize, client: &Arc<str>, priority: Priority) -> Option<oneshot::Receiver<Permit>> {
        if self.waiting >= longest {
            self.sweep();
        }
        if self.waiting >= longest && !self.displace(priority) && !self.displace_most(client, priority) {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        let lane = &mut self.lanes[priority as usize].0;
        match lane.iter_mut().find(|(name, _)| name == client) {
            Some((_, turns)) => turns.push_back(sender),
            None => lane.push_back((Arc::clone(client), VecDeque::from([sender]))),
        }
        self.waiting += 1;
        Some(receiver)
    }

    /// Whether a newcomer could displace a waiting request.
    fn is_displaceable(&self, client: &Arc<str>, priority: Priority) -> bool {
        let own = self.lanes[priority as usize].0.iter().find(|(name, _)| name == client);
        let own = own.map_or(0, |(_, turns)| turns.len());
        let most = self.lanes[priority as usize].0.iter().map(|(_, turns)| turns.len()).max();
        most.is_some_and(|most| most > own + 1)
            || self.lanes.iter().skip(priority as usize + 1).any(|lane| !lane.0.is_empty())
    }

    /// Displaces the newest request of the lowest priority below this one.
    fn displace(&mut self, priority: Priority) -> bool {
        for lane in self.lanes.iter_mut().skip(priority as usize + 1).rev() {
            let longest = lane.0.iter_mut().max_by_key(|(_, turns)| turns.len());
            if longest.and_then(|(_, turns)| turns.pop_back()).is_some() {
                lane.0.retain(|(_, turns)| !turns.is_empty());
                self.waiting -= 1;
                return true;
            }
        }
        false
    }

    /// Displaces the newest request of the client with the most waiting requests of this priority, if it has more
    /// than the newcomer's client would have: filling a queue must not reserve it.
    fn displace_most(&mut self, client: &Arc<str>, priority: Priority) -> bool {
        let lane = &mut self.lanes[priority as usize].0;
        let own = lane.iter().find(|(name, _)| name == client).map_or(0, |(_, turns)| turns.len());
        let most = lane.iter_mut().map(|(_, turns)| turns).max_by_key(|turns| turns.len());
        let Some(most) = most.filter(|turns| turns.len() > own + 1) else { return false };
        self.waiting -= usize::from(most.pop_back().is_some());
        true
    }

    /// Takes the next request: the first client's of the highest priority. That client goes to the end of the line.
    fn next(&mut self) -> Option<oneshot::Sender<Permit>> {
        for lane in &mut self.lanes {
            while let Some((client, mut turns)) = lane.0.pop_front() {
                let Some(turn) = turns.pop_front() else { continue };
                self.waiting -= 1;
                if !turns.is_empty() {
                    lane.0.push_back((client, turns));
                }
                return Some(turn);
            }
        }
        None
    }

    /// Removes requests whose clients have left.
    fn sweep(&mut self) {
        for lane in &mut self.lanes {
            for (_, turns) in &mut lane.0 {
                turns.retain(|turn| !turn.is_closed());
            }
            lane.0.retain(|(_, turns)| !turns.is_empty());
        }
        self.waiting = self.lanes.iter().flat_map(|lane| &lane.0).map(|(_, turns)| turns.len()).sum();
    }
}

impl Debug for State {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("inside", &self.inside).field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl Debug for Permit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Pass")
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(limiter) = self.0.take() {
            limiter.leave();
        }
    }
}

#[cfg(test)]
mod tests;
