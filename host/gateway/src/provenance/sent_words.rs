//! The words of a request's body that may be ids: an answer that repeats one has not made the object of that name.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use super::is_object;

/// The most words that are kept of a body.
const KEPT: usize = 4_096;

/// The words of one body, as hashes.
#[derive(Debug, Default)]
pub(crate) struct SentWords {
    words: Mutex<HashSet<u64>>,
    hasher: RandomState,
}

impl SentWords {
    /// Adds a word, if it may be an id.
    pub(crate) fn add(&self, word: &[u8]) {
        if !is_object(word) {
            return;
        }
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        if words.len() < KEPT {
            words.insert(self.hasher.hash_one(word));
        }
    }

    /// Whether a word is one of them, or may be: not all are kept of a body with very many.
    pub(super) fn may_have(&self, word: &[u8]) -> bool {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        words.len() >= KEPT || words.contains(&self.hasher.hash_one(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_may_be_ids_are_known_and_of_too_many_each_may_be_one() {
        let sent = SentWords::default();
        for word in ["object-0123456789", "short-1"] {
            sent.add(word.as_bytes());
        }
        let may_have = |word: &str| sent.may_have(word.as_bytes());
        assert!(may_have("object-0123456789") && !may_have("short-1") && !may_have("object-9876543210"));
        (0..KEPT).for_each(|number| sent.add(format!("object-0123456789-{number}").as_bytes()));
        assert!(may_have("object-9876543210"));
    }
}
