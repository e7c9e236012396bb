//! Whether a request was handed to a connection: until then, a provider has seen nothing of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const UNKNOWN: u8 = 0;
const WAITING: u8 = 1;
const DONE: u8 = 2;

/// How far a request is on its way to a provider. A clone shows the same. Who gives a request up, by dropping the
/// future that sends it, learns from this whether the provider may have it.
#[derive(Clone, Debug, Default)]
pub struct HandOver(Arc<AtomicU8>);

impl HandOver {
    /// Resets it for another request, of which nothing is known yet. Clones keep their state.
    pub fn renew(&mut self) {
        match Arc::get_mut(&mut self.0) {
            Some(unshared) => *unshared.get_mut() = UNKNOWN,
            None => *self = Self::default(),
        }
    }

    /// Begins to wait for a connection, and returns what is to note it; none if a request has begun already.
    pub fn begin(&self) -> Option<Self> {
        let begun = self.0.compare_exchange(UNKNOWN, WAITING, Ordering::Relaxed, Ordering::Relaxed);
        begun.is_ok().then(|| self.clone())
    }

    /// Whether the request waits for a connection, or for a token. False before it was sent.
    pub fn is_waiting(&self) -> bool {
        self.0.load(Ordering::Relaxed) == WAITING
    }

    /// A connection has the request.
    pub fn done(&self) {
        self.0.store(DONE, Ordering::Relaxed);
    }

    /// The connection gave the request back, and nothing of it was written.
    pub(crate) fn undone(&self) {
        self.0.store(WAITING, Ordering::Relaxed);
    }
}
