//! The unfinished bodies that are known, and which of them is given up when room is short.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::Budget;

/// A client that has sent nothing for so long stalls.
const STALLED: Duration = Duration::from_secs(1);
/// In place of a moment: the body does not wait for its client.
const FLOWS: u64 = u64::MAX;

static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Unfinished bodies, by their ids.
#[derive(Debug, Default)]
pub(super) struct Readers(Mutex<HashMap<u64, Arc<State>>>);

#[derive(Debug)]
struct State {
    owner: u64,
    bytes: AtomicUsize,
    /// Since when it waits for its client, in milliseconds; [`FLOWS`] if it does not.
    waits_since: AtomicU64,
    evicted: Notify,
}

/// An unfinished body, known to others until this is dropped.
#[derive(Debug)]
pub(super) struct Entry {
    budget: Arc<Budget>,
    id: u64,
    state: Arc<State>,
}

impl Entry {
    /// Waits until it is given up.
    pub(super) async fn evicted(&self) {
        self.state.evicted.notified().await;
    }

    /// So much of it is held now.
    pub(super) fn holds(&self, bytes: usize) {
        self.state.bytes.store(bytes, Relaxed);
    }

    /// It waits for its client until this is dropped.
    pub(super) fn stalls(&self) -> Stalls<'_> {
        self.state.waits_since.store(now(), Relaxed);
        Stalls(&self.state)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.budget.readers.lock().remove(&self.id);
    }
}

/// A wait for a client.
pub(super) struct Stalls<'a>(&'a State);

impl Drop for Stalls<'_> {
    fn drop(&mut self) {
        self.0.waits_since.store(FLOWS, Relaxed);
    }
}

fn now() -> u64 {
    u64::try_from(BEGUN.elapsed().as_millis()).unwrap_or(FLOWS - 1)
}

impl Readers {
    /// Makes a body known.
    pub(super) fn enter(budget: &Arc<Budget>, owner: u64, id: u64, bytes: usize) -> Entry {
        let waits_since = AtomicU64::new(FLOWS);
        let state = Arc::new(State { owner, bytes: AtomicUsize::new(bytes), waits_since, evicted: Notify::new() });
        budget.readers.lock().insert(id, Arc::clone(&state));
        Entry { budget: Arc::clone(budget), id, state }
    }

    /// Gives up one unfinished body for a request of this owner, if one is to be.
    pub(super) fn evict_for(&self, owner: u64, id: u64) {
        let mut readers = self.lock();
        let now = now();
        let all = readers.iter().map(|(id, state)| Known {
            id: *id,
            owner: state.owner,
            bytes: state.bytes.load(Relaxed),
            waited: Duration::from_millis(match state.waits_since.load(Relaxed) {
                FLOWS => 0,
                since => now.saturating_sub(since),
            }),
        });
        let all: Vec<Known> = all.collect();
        if let Some(victim) = victim(&all, owner, id).and_then(|id| readers.remove(&id)) {
            victim.evicted.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<State>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of an unfinished body.
#[derive(Debug, Clone, Copy)]
struct Known {
    id: u64,
    owner: u64,
    bytes: usize,
    /// How long it has waited for its client.
    waited: Duration,
}

/// Which body is given up: the one that has stalled for longest; else, of the owner that holds the most, the youngest,
/// unless it is the taker's own and older, so that the oldest always comes to its end.
fn victim(all: &[Known], taker: u64, id: u64) -> Option<u64> {
    let others = || all.iter().filter(|known| known.id != id && known.bytes > 0);
    let stalled = others().filter(|known| known.waited >= STALLED).max_by_key(|known| known.waited);
    if let Some(stalled) = stalled {
        return Some(stalled.id);
    }
    let mut sums: HashMap<u64, usize> = HashMap::new();
    for known in all {
        *sums.entry(known.owner).or_default() += known.bytes;
    }
    let own = sums.get(&taker).copied().unwrap_or_default();
    let (most, sum) = sums.into_iter().max_by_key(|(owner, sum)| (*sum, *owner == taker))?;
    let youngest = others().filter(|known| known.owner == most).max_by_key(|known| known.id)?;
    let may = if most == taker { youngest.id > id } else { sum > own };
    may.then_some(youngest.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(id: u64, owner: u64, bytes: usize, waited: u64) -> Known {
        Known { id, owner, bytes, waited: Duration::from_millis(waited) }
    }

    #[test]
    fn a_body_that_stalls_goes_first_and_the_longest_one_before_others() {
        let all = [known(1, 1, 100, 1500), known(2, 1, 10, 3000), known(3, 2, 500, 999)];
        assert_eq!(victim(&all, 9, 9), Some(2));
        assert_eq!(victim(&all, 1, 2), Some(1), "never the one that asks");
    }

    #[test]
    fn of_bodies_that_flow_the_youngest_of_the_largest_owner_goes() {
        let all = [known(1, 1, 100, 0), known(2, 1, 100, 0), known(3, 2, 50, 0)];
        assert_eq!(victim(&all, 2, 3), Some(2));
        assert_eq!(victim(&all, 9, 9), Some(2), "also for who holds nothing");
        assert_eq!(victim(&all, 1, 2), None, "nobody's own excess costs others");
        assert_eq!(victim(&all, 1, 1), Some(2), "the oldest comes to its end");
        assert_eq!(victim(&[], 1, 1), None);
    }
}
