//! The recent failures of a component by request, caller and time, for the judge.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::time::Instant;

use super::super::fault::FaultKind;

/// Maximum number of remembered requests; the latest are kept.
pub(super) const REMEMBERED: usize = 64;

/// The hash has a new key in each process, so that a client cannot construct collisions.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// One request that a component failed at. The same request sent again is the same failure: caller, function and the
/// size of the exchange's input so far distinguish requests well enough, without keeping any of their content.
#[derive(Debug, Clone, Copy)]
pub struct RecentFailure {
    /// Time of the last failure.
    pub at: Instant,
    /// The kind of fault.
    pub kind: FaultKind,
    /// The caller, as one bit of 64.
    pub caller: u64,
    request: u64,
}

impl RecentFailure {
    /// Creates a failure of this moment.
    pub fn new(kind: FaultKind, caller: u64, function: &str, bytes: usize) -> Self {
        Self { at: Instant::now(), kind, caller, request: HASHER.hash_one((caller, function, bytes)) }
    }
}

/// A caller as one bit of 64.
pub fn caller(tenant: &str) -> u64 {
    1 << (HASHER.hash_one(tenant) % 64)
}

#[derive(Debug, Default)]
pub(super) struct RecentFailures(VecDeque<RecentFailure>);

impl RecentFailures {
    pub(super) fn note(&mut self, failure: RecentFailure) {
        self.0.retain(|known| known.request != failure.request);
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(failure);
    }

    pub(super) fn since(&self, begin: Option<Instant>) -> Vec<RecentFailure> {
        self.0.iter().filter(|failure| begin.is_none_or(|begin| failure.at >= begin)).copied().collect()
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_request_again_is_one_offence_and_others_do_not_pile_up() {
        let mut failures = RecentFailures::default();
        for _ in 0..1000 {
            failures.note(RecentFailure::new(FaultKind::Trap, 1, "f", 10));
        }
        assert_eq!(failures.since(None).len(), 1);
        failures.note(RecentFailure::new(FaultKind::Trap, 1, "f", 11));
        failures.note(RecentFailure::new(FaultKind::Trap, 2, "f", 10));
        failures.note(RecentFailure::new(FaultKind::Trap, 1, "g", 10));
        assert_eq!(failures.since(None).len(), 4);
        for bytes in 0..1000 {
            failures.note(RecentFailure::new(FaultKind::Trap, 1, "f", bytes));
        }
        assert_eq!(failures.since(None).len(), REMEMBERED);
        assert!(failures.since(Some(Instant::now())).is_empty());
    }
}
