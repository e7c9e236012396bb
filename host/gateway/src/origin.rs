//! Who made what a client carries from one answer into its next request: opaque values, signed tool calls, objects.
//!
//! Some of what a provider says means something only where it was said. Thinking that is encrypted or signed is read back
//! by the deployment that made it and refused by its neighbour; a file or a stored answer exists in one place. Where there
//! is a choice, the host therefore looks at answers for such words and remembers which target said them, and looks at
//! requests for words that it remembers.
//!
//! Which member a word stands in doesn't matter, so no format has to be known: an opaque value is told by what it is
//! made of ([`scan`]), an object's id by the places that the manifest names. Nothing crosses from one tenant to another,
//! and the words themselves are not kept, only hashes of them under keys of this process's own.
//!
//! | file | does |
//! |---|---|
//! | `scan` | finds such words in bytes that come in pieces |
//! | `learner` | watches an answer |
//! | `carried` | looks at a request |
//! | `owners` | remembers which client made an object, where clients have to be kept apart |
//! | `made` | finds the ids of what an answer made |

mod carried;
mod learner;
mod made;
mod owners;
mod scan;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quick_cache::sync::Cache;

pub use carried::Carried;
pub use learner::{Claim, Learner, Lesson, is_object};
pub use owners::{Owners, Shelf};
pub use scan::{Scanner, WORD, Word};

/// About how many bytes one word takes.
const ENTRY: usize = 128;

/// A target, as the one that made something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Provider and model: the target's id.
    pub target: Arc<str>,
    /// The provider's name.
    pub provider: Arc<str>,
    /// Which of the provider's keys: with another one it may be another account.
    pub key: usize,
}

impl Issuer {
    /// Whether this is the account that it was made with.
    fn is_same(&self, other: &Self) -> bool {
        *self.target == *other.target && self.key == other.key
    }
}

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The beginning of an opaque value.
    Value,
    /// The id of a tool call that the host keeps a value for.
    Call,
    /// The id of an object.
    Object,
}

/// Who made which word, for a number of words; those that were not asked for lately make room.
#[derive(Debug)]
pub struct Origins {
    known: Cache<u128, Issuer>,
    /// Of two hashes, neither of which a client can foresee.
    hashers: [RandomState; 2],
    /// Whether anything of each kind was ever learnt, so that nobody looks for what cannot be found.
    any: [AtomicBool; 3],
}

impl Origins {
    /// Remembers as many words as fit into about so many bytes.
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

    /// Remembers who made a word.
    pub fn learn(&self, kind: Kind, tenant: &str, word: &[u8], issuer: &Issuer) {
        self.known.insert(self.key(kind, tenant, word), issuer.clone());
        // Written once: what is only read stays in every core's cache.
        if !self.has(kind) {
            self.seen(kind).store(true, Ordering::Relaxed);
        }
    }

    /// Who made a word.
    pub fn of(&self, kind: Kind, tenant: &str, word: &[u8]) -> Option<Issuer> {
        self.of_key(self.key(kind, tenant, word))
    }

    /// Whether this one made an opaque value, as far as that is known.
    pub fn is_from(&self, issuer: &Issuer, tenant: &str, value: &str) -> bool {
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
