//! The kept answers of all callers.

pub mod flight;

use std::cell::Cell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use quick_cache::sync::{Cache as Store, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, UnitWeighter, Weighter};

use crate::entry::TOO_LARGE;
use crate::{Control, Entry, Key};
use flight::{FlightRole, Flights};

/// About how many entries there are, for the initial size of tables.
const USUAL_ENTRIES: usize = 4096;
/// For how many bytes of entries one origin is remembered, which takes about a twentieth of them.
const BYTES_AN_ORIGIN: usize = 2048;

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<Key, Arc<Entry>> for ByBytes {
    fn weight(&self, _: &Key, entry: &Arc<Entry>) -> u64 {
        entry.weight() as u64
    }
}

/// Kept answers, within a bound of bytes. Least used ones go first.
#[derive(Debug)]
pub struct Cache {
    store: Store<Key, Arc<Entry>, ByBytes, DefaultHashBuilder, DefaultLifecycle<Key, Arc<Entry>>>,
    /// The origins of entries, by their keys: an entry may be gone while its forms for other formats are still there.
    origins: Store<Key, Key, UnitWeighter, DefaultHashBuilder, DefaultLifecycle<Key, Key>>,
    purges: Mutex<Purges>,
    pub(crate) flights: Flights,
}

/// What was removed by request so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Purges {
    /// How often everything was: a part of each key.
    generation: u64,
    /// How often anything was. An answer that was asked for before is not kept after.
    count: u64,
}

/// A point in the order of removals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(u64);

impl Cache {
    /// An empty cache for so many bytes.
    pub fn new(bytes: usize) -> Self {
        let (store, origins) = (store(bytes as u64, ByBytes), store(origins_for(bytes), UnitWeighter));
        Self { store, origins, purges: Mutex::default(), flights: Flights::default() }
    }

    /// Changes the bound; entries beyond it go as others come.
    pub fn resize(&self, bytes: usize) {
        if self.store.capacity() != bytes as u64 {
            self.store.set_capacity(bytes as u64);
            self.origins.set_capacity(origins_for(bytes));
        }
    }

    /// The number of removals of everything so far.
    pub fn generation(&self) -> u64 {
        self.purges().generation
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.store.is_empty()
    }

    /// The most bytes of all entries.
    pub fn capacity(&self) -> u64 {
        self.store.capacity()
    }

    /// The bytes of all entries.
    pub fn weight(&self) -> u64 {
        self.store.weight()
    }

    /// The kept answer to a request, if it may be used.
    pub fn get(&self, key: &Key, control: &Control, now: Instant) -> Option<Arc<Entry>> {
        if control.no_cache {
            return None;
        }
        let entry = self.store.get(key)?;
        if !entry.is_fresh(now) {
            self.store.remove(key);
            return None;
        }
        control.takes(entry.age(now)).then_some(entry)
    }

    /// Begins a request for an answer that is to be kept, or waits for that of another.
    pub fn enter(self: &Arc<Self>, key: Key) -> FlightRole {
        Flights::enter(self, key)
    }

    /// Removes an entry, with the same answer for clients of other formats. Returns whether there was one.
    pub fn remove(&self, key: &Key) -> bool {
        self.purges().count += 1;
        let origin = self.origin_of(key);
        let removed = Cell::new(false);
        self.store.retain(|other, entry| {
            let stays = other != key && *other != origin && entry.origin != Some(origin);
            removed.set(removed.get() || !stays);
            stays
        });
        removed.get()
    }

    /// The key of the same answer for clients of other formats, also if the entry with this key is gone; the key itself
    /// if there is no such.
    pub fn origin_of(&self, key: &Key) -> Key {
        self.origins.get(key).unwrap_or(*key)
    }

    /// Removes the entries of a model. Returns how many there were.
    pub fn remove_model(&self, model: &str) -> usize {
        self.purges().count += 1;
        let removed = Cell::new(0);
        self.store.retain(|_, entry| {
            let stays = *entry.model != *model;
            removed.set(removed.get() + usize::from(!stays));
            stays
        });
        removed.get()
    }

    /// Removes everything. Returns the new generation.
    pub fn clear(&self) -> u64 {
        self.clear_if(|_| true)
    }

    /// Empties the cache if its generation is not this one, the generation of the server that nodes share. Returns
    /// whether it was another one.
    pub fn adopt(&self, generation: u64) -> bool {
        let mut purges = self.purges();
        let is_another = purges.generation != generation;
        if is_another {
            purges.count += 1;
            purges.generation = generation;
            self.store.clear();
            self.origins.clear();
        }
        is_another
    }

    /// Forgets what is kept, in the same generation: another node removed some of it.
    pub fn forget(&self) {
        let mut purges = self.purges();
        purges.count += 1;
        self.store.clear();
    }

    /// Removes everything that was kept up to a generation: nothing, if all was removed since. Returns the generation
    /// now.
    pub fn clear_up_to(&self, generation: u64) -> u64 {
        self.clear_if(|now| now <= generation)
    }

    fn clear_if(&self, is_meant: impl FnOnce(u64) -> bool) -> u64 {
        let mut purges = self.purges();
        if is_meant(purges.generation) {
            purges.count += 1;
            purges.generation += 1;
            self.store.clear();
            self.origins.clear();
        }
        purges.generation
    }

    /// The present moment in the order of removals.
    pub fn moment(&self) -> Moment {
        Moment(self.purges().count)
    }

    /// Keeps an answer that was asked for at this moment, unless something was removed since, or it is too large.
    pub fn put(&self, key: Key, entry: &Arc<Entry>, asked: Moment) {
        if entry.body.len() >= TOO_LARGE || entry.weight() as u64 > self.store.capacity() {
            return;
        }
        // Held until the entry stands, so that no removal comes between.
        let purges = self.purges();
        if purges.count == asked.0 {
            self.store.insert(key, Arc::clone(entry));
            if let Some(origin) = entry.origin {
                self.origins.insert(key, origin);
            }
        }
    }

    fn purges(&self) -> MutexGuard<'_, Purges> {
        self.purges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An empty store with a bound. It has one shard, so that an entry may take its whole room.
fn store<T: Clone, W: Weighter<Key, T> + Clone>(
    capacity: u64,
    weighter: W,
) -> Store<Key, T, W, DefaultHashBuilder, DefaultLifecycle<Key, T>> {
    let mut options = OptionsBuilder::new();
    let options = options.shards(1).estimated_items_capacity(USUAL_ENTRIES).weight_capacity(capacity).build();
    let (hasher, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
    match options {
        Ok(options) => Store::with_options(options, weighter, hasher, lifecycle),
        Err(_) => Store::with(USUAL_ENTRIES, capacity, weighter, hasher, lifecycle),
    }
}

fn origins_for(bytes: usize) -> u64 {
    (bytes / BYTES_AN_ORIGIN) as u64
}

#[cfg(test)]
mod tests;
