//! Kept answers: as one format has them, or in a form of which every format's are made.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;

use crate::Key;

/// The first size in bytes that is not kept any more.
pub const TOO_LARGE: usize = 8 << 20;
/// What an entry takes besides its body, about.
const OVERHEAD: usize = 512;

/// An answer with everything that a client got of it.
#[derive(Debug)]
pub struct Entry {
    /// The alias of the model, for removal.
    pub model: Arc<str>,
    /// The answer's headers as its client got them.
    pub headers: HeaderMap,
    /// The answer's body in the format of that client; of a stream, all its bytes.
    pub body: Bytes,
    /// When it was complete.
    pub stored: Instant,
    /// How long it is used.
    pub lifetime: Duration,
    /// What it cost in nano-dollars, if that is known.
    pub cost: Option<i64>,
    /// The key of the same answer for clients of other formats, if they may have it. It is removed with that.
    pub origin: Option<Key>,
}

impl Entry {
    /// The time since it was complete.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.stored)
    }

    /// Whether it is still used.
    pub fn is_fresh(&self, now: Instant) -> bool {
        self.age(now) < self.lifetime
    }

    /// The memory that it takes, about.
    pub fn weight(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        self.body.len() + headers + OVERHEAD
    }
}
