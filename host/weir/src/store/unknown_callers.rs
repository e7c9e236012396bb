//! Bounds what requests without a known caller add to the request log: a flood of them would use up the room of all
//! others' facts.

use std::sync::atomic::{AtomicU64, Ordering};

/// The most facts of such requests in a second.
const A_SECOND: u64 = 50;
/// The low bits of [`UnknownCallerLimit::state`], which count.
const COUNT_BITS: u32 = 16;

/// How many such requests were logged in the current second.
#[derive(Debug, Default)]
pub(crate) struct UnknownCallerLimit {
    /// The second, above the count.
    state: AtomicU64,
    left_out: AtomicU64,
}

impl UnknownCallerLimit {
    /// Whether one more is logged in the second of this time, in milliseconds.
    pub(crate) fn admit(&self, time_ms: u64) -> bool {
        let second = (time_ms / 1_000) << COUNT_BITS;
        let next = |state: u64| {
            let count = if state >> COUNT_BITS << COUNT_BITS == second { state - second } else { 0 };
            (count < A_SECOND).then_some(second + count + 1)
        };
        let is_logged = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok();
        if !is_logged {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        is_logged
    }

    /// How many were not logged.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_room_for_so_many() {
        let unknown_callers = UnknownCallerLimit::default();
        assert_eq!((0..A_SECOND + 7).filter(|_| unknown_callers.admit(5_999)).count() as u64, A_SECOND);
        assert_eq!(unknown_callers.left_out(), 7);
        assert!(unknown_callers.admit(6_000));
    }
}
