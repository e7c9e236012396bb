//! Bodies that pass while they arrive, so that it is known at the end only how long they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Account;
use crate::admission::ArrivedBody;

/// A body that may become tokens.
#[derive(Debug)]
pub(crate) struct ArrivingBody {
    /// The bytes that were reserved for.
    pub(crate) reserved: usize,
    /// The bytes that have arrived.
    pub(crate) arrived: Arc<AtomicU64>,
}

impl Account {
    /// A body arrives whose use of tokens cannot be known: what it has beyond the length that was reserved for is
    /// booked too.
    pub(crate) fn arrives(&mut self, body: Option<ArrivingBody>) {
        self.arriving = body;
    }

    /// What has arrived of such a body.
    pub(super) fn arrived(&self) -> Option<ArrivedBody> {
        let ArrivingBody { reserved, arrived } = self.arriving.as_ref()?;
        let arrived = usize::try_from(arrived.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        Some(ArrivedBody { reserved: *reserved, arrived })
    }
}
