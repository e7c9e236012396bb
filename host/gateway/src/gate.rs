//! How many may be at it at the same time, and who waits for their turn: one gate for all exchanges, one for each model
//! and provider that has a limit.
//!
//! A gate that is open costs a lock and a count. Where it is full, requests wait in a bounded queue: by priority, and
//! within one by turns of their clients, so that nobody's burst keeps others out. Whoever finds the queue full takes the
//! place of the newest of a lower priority, else that of the newest of the client who has most in it, as long as that one
//! keeps as many as the newcomer gets; or is turned away at once. Whoever waits too long is turned away then.

mod adaptive;

use std::collections::VecDeque;
use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::adaptive::Adaptive;
use weir_config::Priority;

/// What a gate allows now. A reload may change it at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// At the same time.
    pub places: usize,
    /// Waiting at the same time.
    pub queue: usize,
    /// How long one waits.
    pub wait: Duration,
}

/// Why somebody is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// The queue is full.
    Full,
    /// It was not their turn in time.
    Late,
}

/// A gate.
#[derive(Debug, Default)]
pub struct Gate(Mutex<State>);

#[derive(Default)]
struct State {
    inside: usize,
    places: usize,
    waiting: usize,
    lanes: [Lane; 3],
    adaptive: Adaptive,
}

/// Those of one priority: their clients, whose turn it is first, each with its requests in the order in which they came.
#[derive(Default)]
struct Lane(VecDeque<(Arc<str>, VecDeque<oneshot::Sender<Pass>>)>);

/// A place inside, until it is dropped.
#[must_use]
pub struct Pass(Option<Arc<Gate>>);

impl Gate {
    /// Enters, perhaps after a wait.
    pub async fn enter(
        self: &Arc<Self>,
        allowance: Allowance,
        client: &Arc<str>,
        priority: Priority,
    ) -> Result<Pass, Turned> {
        let turn = {
            let mut state = self.lock();
            state.places = allowance.places;
            if state.inside < allowance.places && state.waiting == 0 {
                state.inside += 1;
                return Ok(Pass(Some(Arc::clone(self))));
            }
            state.line_up(allowance.queue, client, priority).ok_or(Turned::Full)?
        };
        // Places may have become more since those in front of us lined up.
        self.admit();
        match tokio::time::timeout(allowance.wait, turn).await {
            Ok(Ok(pass)) => Ok(pass),
            // The sender is gone: somebody else took the place in the queue.
            Ok(Err(_)) => Err(Turned::Full),
            Err(_) => {
                self.lock().sweep();
                Err(Turned::Late)
            }
        }
    }

    /// Whether a newcomer would be let in or could wait, as it stands.
    pub fn has_room(&self, allowance: Allowance, client: &Arc<str>, priority: Priority) -> bool {
        let mut state = self.lock();
        if state.waiting >= allowance.queue {
            state.sweep();
        }
        let is_open = state.inside < allowance.places && state.waiting == 0;
        is_open || state.waiting < allowance.queue || state.is_displaceable(client, priority)
    }

    /// Enters if that needs no wait.
    pub fn try_enter(self: &Arc<Self>, places: usize) -> Option<Pass> {
        let mut state = self.lock();
        state.places = places;
        (state.inside < places && state.waiting == 0).then(|| {
            state.inside += 1;
            Pass(Some(Arc::clone(self)))
        })
    }

    /// The places there are where [`Gate::went_well`] and [`Gate::overloaded`] decide, of so many at the most.
    pub fn adapted(&self, most: usize) -> usize {
        self.lock().adaptive.places(most)
    }

    /// Somebody inside was served.
    pub fn went_well(&self, most: usize) {
        let mut state = self.lock();
        let inside = state.inside;
        state.adaptive.went_well(inside, most);
    }

    /// Somebody inside who began then met an overload.
    pub fn overloaded(&self, begun: Instant, most: usize) {
        self.lock().adaptive.overloaded(begun, Instant::now(), most);
    }

    /// How many are inside.
    pub fn inside(&self) -> usize {
        self.lock().inside
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.lock().waiting
    }

    fn leave(self: &Arc<Self>) {
        self.lock().inside -= 1;
        self.admit();
    }

    /// Lets in whose turn it is, as far as there are places.
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
            // Outside of the lock: a pass that nobody takes any more comes back through `leave`.
            if let Err(mut pass) = next.send(Pass(Some(Arc::clone(self)))) {
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
    fn line_up(&mut self, longest: usize, client: &Arc<str>, priority: Priority) -> Option<oneshot::Receiver<Pass>> {
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

    /// Whether somebody waits whose place a newcomer would get.
    fn is_displaceable(&self, client: &Arc<str>, priority: Priority) -> bool {
        let own = self.lanes[priority as usize].0.iter().find(|(name, _)| name == client);
        let own = own.map_or(0, |(_, turns)| turns.len());
        let most = self.lanes[priority as usize].0.iter().map(|(_, turns)| turns.len()).max();
        most.is_some_and(|most| most > own + 1)
            || self.lanes.iter().skip(priority as usize + 1).any(|lane| !lane.0.is_empty())
    }

    /// Turns away the newest of the lowest priority below this one.
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

    /// Turns away the newest of the client who has most waiting at this priority, where that is more than the newcomer has
    /// with this request: a queue belongs to nobody because they filled it.
    fn displace_most(&mut self, client: &Arc<str>, priority: Priority) -> bool {
        let lane = &mut self.lanes[priority as usize].0;
        let own = lane.iter().find(|(name, _)| name == client).map_or(0, |(_, turns)| turns.len());
        let most = lane.iter_mut().map(|(_, turns)| turns).max_by_key(|turns| turns.len());
        let Some(most) = most.filter(|turns| turns.len() > own + 1) else { return false };
        self.waiting -= usize::from(most.pop_back().is_some());
        true
    }

    /// Whose turn it is: the first client of the highest priority, who then goes to the end of the line.
    fn next(&mut self) -> Option<oneshot::Sender<Pass>> {
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

    /// Forgets those who have left.
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

impl Debug for Pass {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Pass")
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(gate) = self.0.take() {
            gate.leave();
        }
    }
}

#[cfg(test)]
mod tests;
