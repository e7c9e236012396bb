//! The owners of objects: which client made which file, batch or stored answer. Bounded, in memory; ids are kept as
//! hashes.
//!
//! Where there is no room, the client that has the most entries gives up its oldest one: what one client makes, however much, must
//! not make the objects of another reachable.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use weir_types::fault::Fault;

/// The approximate memory of one id, in bytes: in the map, which is at times half empty, and in its client's order.
const ENTRY: usize = 96;

/// The part of the record that an id belongs to. Answers are numerous and short-lived, and must not evict objects
/// that live for days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// An answer that its provider stores.
    Answer,
    /// A file, a batch, or another object of its own.
    Object,
}

/// The clients that made objects.
#[derive(Debug)]
pub struct Owners {
    /// The most ids of each kind.
    most: usize,
    answers: RwLock<Record>,
    objects: RwLock<Record>,
    hashers: [RandomState; 2],
    any: AtomicBool,
    /// Whether the log says that objects have lost their owners.
    is_told: AtomicBool,
}

/// The owners of one kind of objects.
#[derive(Debug, Default)]
struct Record {
    owners: HashMap<u128, Arc<str>>,
    /// The ids of each client, the oldest first.
    by_age: HashMap<Arc<str>, VecDeque<u128>>,
    /// The clients by how many ids they have.
    by_count: BTreeSet<(usize, Arc<str>)>,
}

impl Record {
    /// Keeps an id among at most so many. Returns whether another one had to go.
    fn keep(&mut self, id: u128, client: &Arc<str>, most: usize) -> bool {
        if most == 0 {
            return true;
        }
        let is_full = self.owners.len() >= most;
        if is_full {
            self.make_room(client);
        }
        self.owners.insert(id, Arc::clone(client));
        let ids = self.by_age.entry(Arc::clone(client)).or_default();
        ids.push_back(id);
        let count = ids.len();
        self.by_count.remove(&(count - 1, Arc::clone(client)));
        self.by_count.insert((count, Arc::clone(client)));
        is_full
    }

    /// Drops the oldest id of the client that has the most: of this one, if none has more.
    fn make_room(&mut self, client: &Arc<str>) {
        let Some((most, first)) = self.by_count.last().cloned() else { return };
        let own = self.by_age.get(client).map_or(0, VecDeque::len);
        let giver = if own >= most { Arc::clone(client) } else { first };
        let Some(ids) = self.by_age.get_mut(&giver) else { return };
        if let Some(oldest) = ids.pop_front() {
            self.owners.remove(&oldest);
        }
        let left = ids.len();
        self.by_count.remove(&(left + 1, Arc::clone(&giver)));
        if left == 0 {
            self.by_age.remove(&giver);
        } else {
            self.by_count.insert((left, giver));
        }
    }
}

impl Owners {
    /// Creates records of about this many bytes.
    pub fn new(bytes: usize) -> Self {
        Self {
            most: bytes / 2 / ENTRY,
            answers: RwLock::default(),
            objects: RwLock::default(),
            hashers: [RandomState::new(), RandomState::new()],
            any: AtomicBool::new(false),
            is_told: AtomicBool::new(false),
        }
    }

    /// Whether any owner is recorded.
    pub(crate) fn has_any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Records the owner of an id. A recorded owner stays.
    pub fn keep(&self, kind: ObjectKind, id: &[u8], client: &Arc<str>) {
        if self.of(id).is_some() {
            return;
        }
        let owned = match kind {
            ObjectKind::Answer => &self.answers,
            ObjectKind::Object => &self.objects,
        };
        let key = self.key(id);
        let mut record = owned.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have kept it since.
        let has_lost = !record.owners.contains_key(&key) && record.keep(key, client, self.most);
        drop(record);
        if has_lost && kind == ObjectKind::Object && !self.is_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                most = self.most,
                "the record of who made which object is full: the oldest ones no longer have an owner"
            );
        }
        if !self.has_any() {
            self.any.store(true, Ordering::Relaxed);
        }
    }

    /// The owner of an id, if known.
    pub fn of(&self, id: &[u8]) -> Option<Arc<str>> {
        self.with_owner(id, Arc::clone)
    }

    /// Whether an id is known to belong to another client.
    pub(crate) fn is_anothers(&self, id: &[u8], client: &str) -> bool {
        self.with_owner(id, |owner| **owner != *client).unwrap_or_default()
    }

    /// Whether an id is known to belong to this client.
    pub fn is_own(&self, id: &[u8], client: &str) -> bool {
        self.with_owner(id, |owner| **owner == *client).unwrap_or_default()
    }

    fn with_owner<T>(&self, id: &[u8], tell: impl Fn(&Arc<str>) -> T) -> Option<T> {
        let key = self.key(id);
        let of =
            |record: &RwLock<Record>| record.read().unwrap_or_else(PoisonError::into_inner).owners.get(&key).map(&tell);
        of(&self.objects).or_else(|| of(&self.answers))
    }

    fn key(&self, id: &[u8]) -> u128 {
        let [high, low] = self.hashers.each_ref().map(|hasher| hasher.hash_one(id));
        u128::from(high) << 64 | u128::from(low)
    }
}

/// The answer for an unknown object and for another client's, so that the two cannot be distinguished.
pub(crate) fn not_here(id: &str) -> Fault {
    let shown: String = id.chars().filter(|c| !c.is_control()).take(128).collect();
    Fault::not_found(format!("there is no `{shown}` here, or it is not this client's")).with_code("not_found")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_with_the_client_that_made_it() {
        let (owners, one, two) = (Owners::new(1 << 16), Arc::from("one"), Arc::from("two"));
        assert!(!owners.has_any());
        owners.keep(ObjectKind::Object, b"file-1", &one);
        owners.keep(ObjectKind::Answer, b"file-1", &two);
        assert!(owners.has_any() && owners.is_own(b"file-1", "one") && owners.is_anothers(b"file-1", "two"));
        assert!(!owners.is_own(b"file-2", "one") && !owners.is_anothers(b"file-2", "one"));
    }

    #[test]
    fn answers_evict_no_files_and_both_are_bounded() {
        let (owners, client) = (Owners::new(1 << 16), Arc::from("one"));
        owners.keep(ObjectKind::Object, b"file-1", &client);
        for n in 0..10_000 {
            owners.keep(ObjectKind::Answer, format!("resp-{n}").as_bytes(), &client);
        }
        assert!(owners.is_own(b"file-1", "one"));
        assert!(owners.answers.read().unwrap().owners.len() <= 512);
    }

    #[test]
    fn the_client_with_the_most_gives_up_its_oldest_and_others_keep_what_they_have() {
        let (owners, many, few) = (Owners::new(1 << 16), Arc::from("many"), Arc::from("few"));
        let most = owners.most;
        let keep = |name: &str, client: &Arc<str>| owners.keep(ObjectKind::Object, name.as_bytes(), client);
        // Old entries that were asked for often are no better than a fresh one.
        (0..most).for_each(|n| keep(&format!("old-{n}"), &many));
        (0..10).for_each(|_| assert!(owners.is_own(b"old-1", "many")));
        keep("file-1", &few);
        (0..10 * most).for_each(|n| keep(&format!("new-{n}"), &many));
        assert!(owners.is_own(b"file-1", "few") && !owners.is_own(b"old-1", "many"));
        assert!(owners.is_own(format!("new-{}", 10 * most - 1).as_bytes(), "many"));
        // Where none has more than it, a client gives up its own.
        let clients: Vec<Arc<str>> = (0..most).map(|n| Arc::from(format!("client-{n}"))).collect();
        for client in &clients {
            keep(&format!("of-{client}"), client);
        }
        keep("more-of-3", &clients[3]);
        assert!(owners.is_own(b"file-1", "few") || owners.is_own(b"more-of-3", "client-3"));
        let record = owners.objects.read().unwrap();
        assert_eq!(record.owners.len(), most);
        assert_eq!(record.by_age.values().map(VecDeque::len).sum::<usize>(), most);
        assert_eq!(record.by_count.len(), record.by_age.len());
    }

    #[test]
    fn nothing_is_kept_without_room() {
        let (owners, client) = (Owners::new(0), Arc::from("one"));
        owners.keep(ObjectKind::Object, b"file-1", &client);
        assert!(!owners.is_own(b"file-1", "one"));
    }
}
