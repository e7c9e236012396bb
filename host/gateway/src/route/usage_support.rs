//! Whether a server accepts the added member that requests the usage of a stream.

use std::sync::atomic::{AtomicU8, Ordering};

const OPEN: u8 = 0;
const TAKEN: u8 = 1;
const REFUSED: u8 = 2;

/// The server's reaction so far; reset when the configuration changes.
#[derive(Debug, Default)]
pub struct UsageSupport(AtomicU8);

impl UsageSupport {
    /// Whether the member may be added: the server has not refused it.
    pub(crate) fn may_be_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed) != REFUSED
    }

    /// Whether the server has neither accepted nor refused the member yet.
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed) == OPEN
    }

    /// The server accepted a request with the member.
    pub fn taken(&self) {
        if self.is_open() {
            self.0.store(TAKEN, Ordering::Relaxed);
        }
    }

    /// Notes that the server refuses requests with the member, and accepts them without it.
    pub fn refused(&self) {
        self.0.store(REFUSED, Ordering::Relaxed);
    }
}
