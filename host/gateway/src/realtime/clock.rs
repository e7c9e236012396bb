//! When each side of a session sent something last, and when the last message passed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use weir_realtime::Side;

/// Times are nanoseconds since the session began: the answer to a ping may come within microseconds.
#[derive(Debug)]
pub(super) struct Clock {
    begun: Instant,
    client: AtomicU64,
    provider: AtomicU64,
    message: AtomicU64,
}

impl Clock {
    pub(super) fn start() -> Self {
        let zero = AtomicU64::default;
        Self { begun: Instant::now(), client: zero(), provider: zero(), message: zero() }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn side(&self, side: Side) -> &AtomicU64 {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.provider,
        }
    }

    /// Bytes of a side have arrived.
    pub(super) fn received(&self, side: Side) {
        self.side(side).store(self.now(), Ordering::Relaxed);
    }

    /// A message has arrived, or a part of it.
    pub(super) fn message(&self) {
        self.message.store(self.now(), Ordering::Relaxed);
    }

    /// When bytes of a side arrived last.
    pub(super) fn last_received(&self, side: Side) -> Instant {
        self.begun + Duration::from_nanos(self.side(side).load(Ordering::Relaxed))
    }

    /// When the last message arrived.
    pub(super) fn last_message(&self) -> Instant {
        self.begun + Duration::from_nanos(self.message.load(Ordering::Relaxed))
    }

    /// When the session began.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }
}
