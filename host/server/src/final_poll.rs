//! The last call: the time that answers have after a listener's stop is over, and each is polled once more to end
//! itself in its own format, before the connections are cut.
//!
//! A body asks while it is polled whether the call was given to its connection. It may stand within other bodies, so
//! the answer is a thread-local mark that is set around each poll; that costs two stores.

use std::cell::Cell;

thread_local! {
    /// Whether the body that is being polled has to end.
    static IS_NOW: Cell<bool> = const { Cell::new(false) };
}

/// Whether the body that is being polled has to end now: its connection is about to be cut. False outside of a body's
/// poll.
pub fn is_now() -> bool {
    IS_NOW.get()
}

/// Polls a body with the mark set.
pub(super) fn within<T>(is_now: bool, poll: impl FnOnce() -> T) -> T {
    let before = IS_NOW.replace(is_now);
    let polled = poll();
    IS_NOW.set(before);
    polled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_is_for_the_body_that_is_polled() {
        assert!(!is_now());
        within(true, || {
            assert!(is_now());
            within(false, || assert!(!is_now()));
            assert!(is_now());
        });
        assert!(!is_now());
    }
}
