//! Unfinished bodies that are registered for eviction, and the choice among them when room is short.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::BufferLimit;

/// A client that has sent nothing for this long stalls.
const STALLED: Duration = Duration::from_secs(1);
/// The value of `waits_since` while the body does not wait for its client.
const FLOWS: u64 = u64::MAX;

static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Registered unfinished bodies, by id.
#[derive(Debug, Default)]
pub(super) struct Readers(Mutex<HashMap<u64, Arc<State>>>);

#[derive(Debug)]
struct State {
    owner: u64,
    bytes: AtomicUsize,
    /// Since when the body waits for its client, in milliseconds since [`BEGUN`]; [`FLOWS`] if it does not wait.
    waits_since: AtomicU64,
    evicted: Notify,
}

/// The registration of an unfinished body; dropping it removes the body.
#[derive(Debug)]
pub(super) struct Entry {
    limit: Arc<BufferLimit>,
    id: u64,
    state: Arc<State>,
}

impl Entry {
    /// Waits until the body is evicted.
    pub(super) async fn evicted(&self) {
        self.state.evicted.notified().await;
    }

    /// Sets how many bytes the body holds now.
    pub(super) fn holds(&self, bytes: usize) {
        self.state.bytes.store(bytes, Relaxed);
    }

    /// Marks the body as waiting for its client until the guard is dropped.
    pub(super) fn stalls(&self) -> Stalls<'_> {
        self.state.waits_since.store(now(), Relaxed);
        Stalls(&self.state)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.limit.readers.lock().remove(&self.id);
    }
}

/// A wait for the client; it ends when this is dropped.
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
    /// Registers a body.
    pub(super) fn enter(limit: &Arc<BufferLimit>, owner: u64, id: u64, bytes: usize) -> Entry {
        let waits_since = AtomicU64::new(FLOWS);
        let state = Arc::new(State { owner, bytes: AtomicUsize::new(bytes), waits_since, evicted: Notify::new() });
        limit.readers.lock().insert(id, Arc::clone(&state));
        Entry { limit: Arc::clone(limit), id, state }
    }

    /// Evicts at most one unfinished body in favour of a request of this owner.
    pub(super) fn evict_for(&self, owner: u64, id: u64) {
        let mut readers = self.lock();
        let now = now();
        let all = readers.iter().map(|(id, state)| UnfinishedBody {
            id: *id,
            owner: state.owner,
            bytes: state.bytes.load(Relaxed),
            waited: Duration::from_millis(match state.waits_since.load(Relaxed) {
                FLOWS => 0,
                since => now.saturating_sub(since),
            }),
        });
        let all: Vec<UnfinishedBody> = all.collect();
        if let Some(victim) = victim(&all, owner, id).and_then(|id| readers.remove(&id)) {
            victim.evicted.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<State>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state of an unfinished body at one moment.
#[derive(Debug, Clone, Copy)]
struct UnfinishedBody {
    id: u64,
    owner: u64,
    bytes: usize,
    /// How long it has waited for its client.
    waited: Duration,
}

/// Chooses the body to evict: the one that has stalled longest, or else the youngest body of the owner that holds the
/// most. If the taker is itself that owner, only a body younger than its own request is evicted, so that its oldest
/// body always completes.
fn victim(all: &[UnfinishedBody], taker: u64, id: u64) -> Option<u64> {
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

    fn known(id: u64, owner: u64, bytes: usize, waited: u64) -> UnfinishedBody {
        UnfinishedBody { id, owner, bytes, waited: Duration::from_millis(waited) }
    }

    #[test]
    fn the_body_that_has_stalled_longest_is_evicted_first() {
        let all = [known(1, 1, 100, 1500), known(2, 1, 10, 3000), known(3, 2, 500, 999)];
        assert_eq!(victim(&all, 9, 9), Some(2));
        assert_eq!(victim(&all, 1, 2), Some(1), "never the one that asks");
    }

    #[test]
    fn without_stalls_the_youngest_body_of_the_largest_owner_is_evicted() {
        let all = [known(1, 1, 100, 0), known(2, 1, 100, 0), known(3, 2, 50, 0)];
        assert_eq!(victim(&all, 2, 3), Some(2));
        assert_eq!(victim(&all, 9, 9), Some(2), "also for who holds nothing");
        assert_eq!(victim(&all, 1, 2), None, "an excess costs no other client");
        assert_eq!(victim(&all, 1, 1), Some(2), "the oldest comes to its end");
        assert_eq!(victim(&[], 1, 1), None);
    }
}
