//! What a request has taken from this node's own buckets while it waits for the shares of others.

use std::time::Instant;

use crate::rate_limit::{LimitStore as _, Memory, Resource, Take};

/// What was taken from buckets of this node while shares of others are waited for. If the wait is given up, it goes
/// back, but for the request itself: as where a reservation is dropped.
#[derive(Debug)]
pub(super) struct TakenTokens<'a> {
    memory: &'a Memory,
    takes: &'a [Take],
    now: Instant,
}

impl<'a> TakenTokens<'a> {
    pub(super) fn new(memory: &'a Memory, takes: &'a [Take], now: Instant) -> Self {
        Self { memory, takes, now }
    }

    /// The shares were granted: what was taken stays taken.
    pub(super) fn keep(mut self) {
        self.takes = &[];
    }

    /// The shares were refused: all of it goes back.
    pub(super) fn give_back(mut self) {
        self.settle(|_| true);
    }

    fn settle(&mut self, goes: impl Fn(&Take) -> bool) {
        for take in std::mem::take(&mut self.takes).iter().filter(|take| goes(take)) {
            self.memory.settle(&take.key, take.rate, take.amount, self.now);
        }
    }
}

impl Drop for TakenTokens<'_> {
    fn drop(&mut self) {
        self.settle(|take| take.key.resource != Resource::Requests);
    }
}
