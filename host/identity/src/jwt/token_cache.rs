//! Tokens that were verified before, found by the SHA-256 of the whole token: a part of it, such as a user's id or the
//! signature, would let one token pass for another.

use std::sync::Arc;

use jiff::Timestamp;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use super::TokenIdentity;

/// What was found out about a token.
#[derive(Clone)]
struct Entry {
    identity: Arc<TokenIdentity>,
    /// The generation of the keys that verified it.
    generation: u64,
    until: Timestamp,
}

/// A bounded cache.
pub(super) struct TokenCache(Cache<[u8; 32], Entry>);

impl TokenCache {
    pub(super) fn new(tokens: usize) -> Self {
        Self(Cache::new(tokens))
    }

    pub(super) fn digest(token: &str) -> [u8; 32] {
        Sha256::digest(token.as_bytes()).into()
    }

    /// The identity, while it has not expired and `is_current` holds for the issuer's number and generation.
    pub(super) fn get(
        &self,
        digest: &[u8; 32],
        now: Timestamp,
        is_current: impl Fn(&TokenIdentity, u64) -> bool,
    ) -> Option<Arc<TokenIdentity>> {
        let entry = self.0.get(digest)?;
        if now < entry.until && is_current(&entry.identity, entry.generation) {
            return Some(entry.identity);
        }
        self.0.remove(digest);
        None
    }

    pub(super) fn put(&self, digest: [u8; 32], identity: &Arc<TokenIdentity>, generation: u64, until: Timestamp) {
        self.0.insert(digest, Entry { identity: Arc::clone(identity), generation, until });
    }
}

impl std::fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenCache({} tokens)", self.0.len())
    }
}
