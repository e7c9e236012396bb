//! The slots of callers that watch: a number for all addresses, and a smaller one for each, so that no caller takes
//! all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most watchers of all addresses together.
const MAX_WATCHERS: usize = 256;
/// The most watchers of one address.
const MAX_OF_ADDRESS: usize = 32;

/// The callers that watch now, counted by address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watchers(Arc<Mutex<HashMap<Arc<str>, usize>>>);

/// A caller's slot, free again when this is dropped.
#[derive(Debug)]
pub(crate) struct WatcherSlot {
    watchers: Watchers,
    address: Arc<str>,
}

impl Watchers {
    /// Takes a slot for a caller at this address; `None` if all are taken, or all that one address may have.
    pub(crate) fn take(&self, address: &Arc<str>) -> Option<WatcherSlot> {
        let mut all = self.all();
        if all.values().sum::<usize>() >= MAX_WATCHERS || all.get(address).is_some_and(|taken| *taken >= MAX_OF_ADDRESS)
        {
            return None;
        }
        *all.entry(Arc::clone(address)).or_default() += 1;
        Some(WatcherSlot { watchers: self.clone(), address: Arc::clone(address) })
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Arc<str>, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WatcherSlot {
    fn drop(&mut self) {
        let mut all = self.watchers.all();
        let Some(taken) = all.get_mut(&self.address) else { return };
        *taken -= 1;
        if *taken == 0 {
            all.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_no_place_of_others_and_a_place_that_is_left_is_free() {
        let watchers = Watchers::default();
        let [one, other]: [Arc<str>; 2] = ["192.0.2.1", "192.0.2.2"].map(Arc::from);
        let mut places: Vec<_> = std::iter::from_fn(|| watchers.take(&one)).collect();
        assert_eq!(places.len(), MAX_OF_ADDRESS);
        assert!(watchers.take(&other).is_some());
        places.pop();
        assert!(watchers.take(&one).is_some());
        drop(places);
        assert!(watchers.all().is_empty());
    }

    #[test]
    fn all_addresses_together_have_so_many_places() {
        let watchers = Watchers::default();
        let of = |at: usize| Arc::from(format!("192.0.2.{at}"));
        let places: Vec<_> = (0..2 * MAX_WATCHERS).filter_map(|at| watchers.take(&of(at))).collect();
        assert_eq!(places.len(), MAX_WATCHERS);
    }
}
