//! The number of input tokens that a stored answer adds to a later request which names it: everything that was read and
//! written for the answer. Bounded, in memory; ids are kept as hashes.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};

use quick_cache::sync::Cache;

/// The most answers and conversations that are known.
const KEPT: usize = 32_768;

/// What an id identifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// A stored answer, with everything that was read and written for it.
    Answer,
    /// What the request for an answer continued: an earlier answer, or a conversation that each of its answers extends.
    WentOn,
}

/// The tokens of stored answers, by tenant and id.
#[derive(Debug)]
pub(crate) struct EarlierInput {
    known: Cache<u128, u32>,
    /// Keyed hashers, so that clients cannot forge collisions.
    hashers: [RandomState; 2],
    has_any: AtomicBool,
}

impl Default for EarlierInput {
    fn default() -> Self {
        Self {
            known: Cache::new(KEPT),
            hashers: [RandomState::new(), RandomState::new()],
            has_any: AtomicBool::new(false),
        }
    }
}

impl EarlierInput {
    /// Notes that a tenant's answer with this id has so many tokens, together with everything that its request
    /// continued (`ids`).
    pub(super) fn learn(&self, tenant: &str, id: &str, went_on: &[String], tokens: u64) {
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        self.known.insert(self.key(Kind::Answer, tenant, id), tokens);
        for id in went_on {
            self.known.insert(self.key(Kind::WentOn, tenant, id), tokens);
        }
        // Written only once, so that the flag stays in every core's cache.
        if !self.has_any.load(Ordering::Relaxed) {
            self.has_any.store(true, Ordering::Relaxed);
        }
    }

    /// The tokens of stored content that these ids add to a tenant's request, as far as they are known.
    pub(crate) fn of<'a>(&self, tenant: &str, ids: impl Iterator<Item = &'a str>) -> u32 {
        if !self.has_any.load(Ordering::Relaxed) {
            return 0;
        }
        let known = |kind, id| self.known.get(&self.key(kind, tenant, id));
        // A conversation may be longer than the answer itself.
        ids.filter_map(|id| known(Kind::Answer, id).or_else(|| known(Kind::WentOn, id))).max().unwrap_or_default()
    }

    fn key(&self, kind: Kind, tenant: &str, id: &str) -> u128 {
        let [high, low] = self.hashers.each_ref().map(|hasher| hasher.hash_one((kind, tenant, id)));
        u128::from(high) << 64 | u128::from(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_its_own_tokens_and_what_it_went_on_with_those_of_the_last_one() {
        let earlier = EarlierInput::default();
        let of = |tenant: &str, id: &str| earlier.of(tenant, [id].into_iter());
        assert_eq!(of("one", "a-1"), 0);
        earlier.learn("one", "a-1", &["c-1".to_owned()], 100);
        earlier.learn("one", "a-2", &["a-1".to_owned(), "c-1".to_owned()], 250);
        for (id, tokens) in [("a-1", 100), ("a-2", 250), ("c-1", 250), ("a-3", 0)] {
            assert_eq!((of("one", id), of("two", id)), (tokens, 0), "{id}");
        }
        assert_eq!(earlier.of("one", ["a-1", "unknown", "a-2"].into_iter()), 250);
        assert_eq!(earlier.of("one", std::iter::empty()), 0);
    }

    #[test]
    fn only_so_many_are_known() {
        let earlier = EarlierInput::default();
        for number in 0..KEPT * 2 {
            earlier.learn("one", &number.to_string(), &[], 1);
        }
        assert!(earlier.known.len() <= KEPT);
    }
}
