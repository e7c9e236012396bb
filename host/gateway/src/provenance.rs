//! Provenance: which target issued the opaque values, signed tool calls and objects that a client sends with its next
//! request.
//!
//! Some values of a provider are valid only at their origin. Encrypted or signed reasoning is accepted by the
//! deployment that made it and refused by another; a file or a stored answer exists in one place. If a route has a
//! choice of targets, the host therefore scans answers for such words and records which target issued them, and looks
//! the words of requests up.
//!
//! The position of a word in the JSON is irrelevant, so no format has to be known: an opaque value is recognised by
//! its characters ([`weir_wire::opaque`]), an object's id by the places that the manifest names. Tenants are kept
//! apart, and only hashes of the words are kept, with keys of this process.
//!
//! | file | does |
//! |---|---|
//! | `recorder` | records the words of an answer |
//! | `carried` | looks up the words of a request |
//! | `owners` | records which client made an object, for clients that must be kept apart |
//! | `request_file` | what the requests in a file name on which work may be begun |
//! | `kept_file` | what a store keeps of that |
//! | `made` | finds the ids of the objects that an answer made |
//! | `made_places` | finds them at the places of answers that a manifest names |
//! | `making` | records the objects at these places as their client's, of an answer and of a session's messages |
//! | `sent_words` | keeps the words of a body that may be ids |
//! | `short_strings` | finds the strings of a request that may name objects |
//! | `others_objects` | looks for other clients' objects in a request |
//! | `work_ids` | finds ids at the places that a manifest names |
//! | `words` | finds the words of texts that may be ids |

mod carried;
mod kept_file;
mod made;
mod made_places;
mod making;
mod others_objects;
mod owner_store;
mod owners;
mod recorder;
mod request_file;
mod sent_words;
mod short_strings;
mod words;
mod work_ids;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quick_cache::sync::Cache;

pub use carried::Carried;
pub use kept_file::{FileSearch, FileStore, FileTerms, KeptFile};
pub(crate) use made::LONGEST_ID;
pub use made_places::MadePlaces;
pub(crate) use making::{MadeInSession, Making};
pub(crate) use others_objects::{OthersSearch, anothers, anothers_in_field, anothers_in_text};
pub use owner_store::{KeptOwner, OwnerStore};
pub(crate) use owners::not_here;
pub use owners::{ObjectKind, Owners};
pub(crate) use recorder::may_be_owned;
pub use recorder::{Claim, ProvenanceRecorder, RecordScope, is_object};
pub(crate) use request_file::{Asks, FileMistake, NamedModel, ReadRequests, RequestFile};
pub(crate) use sent_words::SentWords;
pub(crate) use weir_wire::opaque::{Scanner, WORD, Word};
pub(crate) use words::Words;
pub use work_ids::WorkIdPlaces;
pub(crate) use work_ids::last_segment;

/// The approximate memory of one word, in bytes.
const ENTRY: usize = 128;

/// The issuer of a value or object: a target with one of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// The target's id: provider and model.
    pub target: Arc<str>,
    /// The provider's name.
    pub provider: Arc<str>,
    /// The number of the provider's key; another key may belong to another account.
    pub key: usize,
}

impl Issuer {
    /// Whether both are the same target with the same key.
    fn is_same(&self, other: &Self) -> bool {
        *self.target == *other.target && self.key == other.key
    }
}

/// The kind of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The beginning of an opaque value.
    Value,
    /// The id of a tool call for which the host keeps a value.
    Call,
    /// The id of an object.
    Object,
}

/// The issuers of words, in a bounded cache that evicts the least recently used ones.
#[derive(Debug)]
pub struct Provenance {
    known: Cache<u128, Issuer>,
    /// Keyed hashers, so that clients cannot forge collisions.
    hashers: [RandomState; 2],
    /// Whether any word of each kind was ever recorded, so that scans without a chance are skipped.
    any: [AtomicBool; 3],
}

impl Provenance {
    /// Creates a cache of about this many bytes.
    pub fn new(bytes: usize) -> Self {
        Self {
            known: Cache::new(bytes / ENTRY),
            hashers: [RandomState::new(), RandomState::new()],
            any: Default::default(),
        }
    }

    /// Whether any word of this kind may be known.
    pub fn has(&self, kind: Kind) -> bool {
        self.seen(kind).load(Ordering::Relaxed)
    }

    /// Records the issuer of a word.
    pub fn learn(&self, kind: Kind, tenant: &str, word: &[u8], issuer: &Issuer) {
        self.known.insert(self.key(kind, tenant, word), issuer.clone());
        // Written only once, so that the flag stays in every core's cache.
        if !self.has(kind) {
            self.seen(kind).store(true, Ordering::Relaxed);
        }
    }

    /// The issuer of a word, if known.
    pub fn of(&self, kind: Kind, tenant: &str, word: &[u8]) -> Option<Issuer> {
        self.of_key(self.key(kind, tenant, word))
    }

    /// Whether an opaque value is known to come from this issuer.
    pub(crate) fn is_from(&self, issuer: &Issuer, tenant: &str, value: &str) -> bool {
        let beginning = value.as_bytes().get(..WORD);
        let known = beginning.and_then(|word| self.of(Kind::Value, tenant, word));
        known.is_some_and(|known| known.is_same(issuer))
    }

    fn of_key(&self, key: u128) -> Option<Issuer> {
        self.known.get(&key)
    }

    fn key(&self, kind: Kind, tenant: &str, word: &[u8]) -> u128 {
        let [high, low] = self.hashers.each_ref().map(|hasher| hasher.hash_one((kind, tenant, word)));
        u128::from(high) << 64 | u128::from(low)
    }

    fn seen(&self, kind: Kind) -> &AtomicBool {
        let [value, call, object] = &self.any;
        match kind {
            Kind::Value => value,
            Kind::Call => call,
            Kind::Object => object,
        }
    }
}

#[cfg(test)]
mod tests;
