//! Bodies that are sent on while they arrive, so that their length is known only at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Account;
use crate::admission::ArrivedBody;

/// A body that may become tokens.
#[derive(Debug)]
pub(crate) struct ArrivingBody {
    /// The number of bytes for which budgets have reserved.
    pub(crate) reserved: usize,
    /// The number of bytes that have arrived.
    pub(crate) arrived: Arc<AtomicU64>,
}

impl Account {
    /// Watches a body whose token usage cannot be known: bytes beyond the reserved length are booked too.
    pub(crate) fn arrives(&mut self, body: Option<ArrivingBody>) {
        self.arriving = body;
    }

    /// The bytes of such a body that have arrived.
    pub(super) fn arrived(&self) -> Option<ArrivedBody> {
        let ArrivingBody { reserved, arrived } = self.arriving.as_ref()?;
        let arrived = usize::try_from(arrived.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        Some(ArrivedBody { reserved: *reserved, arrived })
    }
}
