//! The owners of objects: which client made which file, batch or stored answer. Bounded, in memory; ids are kept as
//! hashes.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quick_cache::sync::Cache;

use weir_types::fault::Fault;

/// The approximate memory of one id, in bytes.
const ENTRY: usize = 64;

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
    answers: Cache<u128, Arc<str>>,
    objects: Cache<u128, Arc<str>>,
    hashers: [RandomState; 2],
    any: AtomicBool,
}

impl Owners {
    /// Creates records of about this many bytes.
    pub fn new(bytes: usize) -> Self {
        let cache = || Cache::new(bytes / 2 / ENTRY);
        Self {
            answers: cache(),
            objects: cache(),
            hashers: [RandomState::new(), RandomState::new()],
            any: AtomicBool::new(false),
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
        owned.insert(self.key(id), Arc::clone(client));
        if !self.has_any() {
            self.any.store(true, Ordering::Relaxed);
        }
    }

    /// The owner of an id, if known.
    pub fn of(&self, id: &[u8]) -> Option<Arc<str>> {
        let key = self.key(id);
        self.objects.get(&key).or_else(|| self.answers.get(&key))
    }

    /// Whether an id is known to belong to another client.
    pub(crate) fn is_anothers(&self, id: &[u8], client: &str) -> bool {
        self.of(id).is_some_and(|owner| *owner != *client)
    }

    /// Whether an id is known to belong to this client.
    pub fn is_own(&self, id: &[u8], client: &str) -> bool {
        self.of(id).is_some_and(|owner| *owner == *client)
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
        assert!(owners.answers.len() <= 512);
    }
}
