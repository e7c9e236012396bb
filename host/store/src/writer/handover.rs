//! What callers hand over to a writing thread: a state, what wakes the thread, and what wakes those who wait for it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A state that callers and a thread share.
#[derive(Debug, Default)]
pub(super) struct Handover<S> {
    state: Mutex<S>,
    /// Wakes the thread.
    wake: Condvar,
    /// Wakes the waits for a flush and for the end.
    done: Condvar,
}

impl<S> Handover<S> {
    pub(super) fn state(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the thread.
    pub(super) fn wake(&self) {
        self.wake.notify_all();
    }

    /// Wakes those who wait for the thread.
    pub(super) fn done(&self) {
        self.done.notify_all();
    }

    /// Lets the thread wait until it is woken, or for so long.
    pub(super) fn sleep<'a>(&self, state: MutexGuard<'a, S>, most: Duration) -> MutexGuard<'a, S> {
        self.wake.wait_timeout(state, most).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Lets the thread wait after a failure, but not beyond the deadline that the state may have. Returns whether to
    /// try again.
    pub(super) fn pause(&self, wait: Duration, deadline: impl Fn(&S) -> Option<Instant>) -> bool {
        let until = Instant::now() + wait;
        let mut state = self.state();
        loop {
            let (now, deadline) = (Instant::now(), deadline(&state));
            if deadline.is_some_and(|deadline| now >= deadline) {
                return false;
            }
            if now >= until {
                return true;
            }
            let end = deadline.map_or(until, |deadline| deadline.min(until));
            state = self.sleep(state, end.saturating_duration_since(now));
        }
    }

    /// Waits for the thread until something is so. Returns whether it was in time.
    pub(super) fn wait_until(&self, until: Instant, is_met: impl Fn(&S) -> bool) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        let waited = self.done.wait_timeout_while(self.state(), left, |state| !is_met(state));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}
