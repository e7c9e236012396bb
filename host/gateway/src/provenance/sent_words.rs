//! The words of a request that may be ids: an answer that repeats one has not made the object of that name. A client
//! that chooses the name of an object could claim any word by it, such as the name of a model, also where the service
//! changes case and hyphens.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use super::is_object;

/// The most words that are kept of a body.
const KEPT: usize = 4_096;

/// The least length of a word without what services change.
const SHORT: usize = 10;

/// The words of one request, as hashes.
#[derive(Debug, Default)]
pub(crate) struct SentWords {
    words: Mutex<HashSet<u64>>,
    hasher: RandomState,
}

impl SentWords {
    /// Adds a word, if it may be an id.
    pub(crate) fn add(&self, word: &[u8]) {
        let folded = folded(word);
        let has = |is: fn(&u8) -> bool| folded.iter().any(is);
        let may_be_short = folded.len() >= SHORT && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
        if !is_object(word) && !may_be_short {
            return;
        }
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        if words.len() < KEPT {
            words.insert(self.hasher.hash_one(&folded));
        }
    }

    /// Whether a word is one of them, or may be: not all are kept of a body with very many.
    pub(super) fn may_have(&self, word: &[u8]) -> bool {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        words.len() >= KEPT || words.contains(&self.hasher.hash_one(folded(word)))
    }
}

/// A word without what services change when they make a name of it: case, hyphens, underscores and spaces.
fn folded(word: &[u8]) -> Vec<u8> {
    word.iter().filter(|byte| !matches!(byte, b'-' | b'_' | b' ')).map(u8::to_ascii_lowercase).collect()
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
        for changed in ["Object-0123456789", "object0123456789", "OBJECT_0123456789", "ob-ject-0123-456789"] {
            assert!(may_have(changed), "{changed}");
        }
        (0..KEPT).for_each(|number| sent.add(format!("object-0123456789-{number}").as_bytes()));
        assert!(may_have("object-9876543210"));
    }
}
