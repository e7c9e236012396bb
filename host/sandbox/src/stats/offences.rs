//! The recent failures of a component by request, caller and time, for the judge.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::time::Instant;

use super::super::fault::FaultKind;

/// Maximum number of remembered requests; the latest are kept.
pub(super) const REMEMBERED: usize = 64;

/// Keyed anew in each process, so that a client cannot construct collisions.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// One request that a component failed at. The same request sent again is the same offence: caller, function and input
/// size distinguish requests well enough, without keeping any of their content.
#[derive(Debug, Clone, Copy)]
pub struct Offence {
    /// Time of the last failure.
    pub at: Instant,
    /// The kind of fault.
    pub kind: FaultKind,
    /// The caller, as one bit of 64.
    pub caller: u64,
    request: u64,
}

impl Offence {
    /// Creates an offence of this moment.
    pub fn new(kind: FaultKind, caller: u64, function: &str, bytes: usize) -> Self {
        Self { at: Instant::now(), kind, caller, request: HASHER.hash_one((caller, function, bytes)) }
    }
}

/// A caller as one bit of 64.
pub fn caller(tenant: &str) -> u64 {
    1 << (HASHER.hash_one(tenant) % 64)
}

#[derive(Debug, Default)]
pub(super) struct Offences(VecDeque<Offence>);

impl Offences {
    pub(super) fn note(&mut self, offence: Offence) {
        self.0.retain(|known| known.request != offence.request);
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(offence);
    }

    pub(super) fn since(&self, begin: Option<Instant>) -> Vec<Offence> {
        self.0.iter().filter(|offence| begin.is_none_or(|begin| offence.at >= begin)).copied().collect()
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
        let mut offences = Offences::default();
        for _ in 0..1000 {
            offences.note(Offence::new(FaultKind::Trap, 1, "f", 10));
        }
        assert_eq!(offences.since(None).len(), 1);
        offences.note(Offence::new(FaultKind::Trap, 1, "f", 11));
        offences.note(Offence::new(FaultKind::Trap, 2, "f", 10));
        offences.note(Offence::new(FaultKind::Trap, 1, "g", 10));
        assert_eq!(offences.since(None).len(), 4);
        for bytes in 0..1000 {
            offences.note(Offence::new(FaultKind::Trap, 1, "f", bytes));
        }
        assert_eq!(offences.since(None).len(), REMEMBERED);
        assert!(offences.since(Some(Instant::now())).is_empty());
    }
}
