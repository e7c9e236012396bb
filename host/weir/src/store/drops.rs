//! What the request log has lost, by what it was and why: the same figures for the metrics and for `/ready`.

use weir_store::{Drops, Health};

use super::bodies::BodyLog;
use super::unknown_callers::UnknownCallerLimit;

/// A number of things that were lost for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// `fact`, `body`, or `exchange`: one that had no bodies yet.
    pub(crate) what: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) count: u64,
}

/// All that was lost, each kind with each of its reasons.
pub(super) fn dropped(health: &Health, bodies: &BodyLog, unknown_callers: &UnknownCallerLimit) -> Vec<Dropped> {
    let by_writer = |what, Drops { full, failed }| {
        [("full", full), ("failed", failed)].map(|(reason, count)| (what, reason, count))
    };
    let unknown = ("fact", "unknown_caller", unknown_callers.left_out());
    let exchanges = bodies.lost().map(|(reason, count)| ("exchange", reason, count));
    let all = by_writer("fact", health.dropped_facts).into_iter().chain([unknown]);
    let all = all.chain(by_writer("body", health.dropped_bodies)).chain(exchanges);
    all.map(|(what, reason, count)| Dropped { what, reason, count }).collect()
}
