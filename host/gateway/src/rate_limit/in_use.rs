//! The current use of a bucket, for the admin endpoint of limits.

use std::time::Duration;

use super::{Key, Rate};

/// A bucket of which something is used.
#[derive(Debug, Clone, PartialEq)]
pub struct InUse {
    /// The bucket.
    pub key: Key,
    /// Its size: for a node that is on its own, that of the node's part.
    pub limit: u64,
    /// What has not come back yet, in the bucket's unit: more than the limit if more was used than reserved.
    pub used: f64,
    /// Time until all of it is back; `None` if requests give it back when they end.
    pub back_in: Option<Duration>,
}

impl InUse {
    /// A bucket with this amount left; `None` if it is full.
    pub(super) fn of(key: &Key, rate: Rate, remaining: f64) -> Option<Self> {
        let limit = rate.limit();
        let used = limit as f64 - remaining;
        let back_in = (!rate.is_returned()).then(|| rate.time_for(used));
        (used > 0.0).then(|| Self { key: key.clone(), limit, used, back_in })
    }
}
