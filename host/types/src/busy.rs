//! Whether a worker has so much to do that its tasks should wait for each other: what many do one after another finds
//! its code and its data in the processor's caches.

use std::cell::Cell;

/// So many writes between two waits of a worker make it busy. Two and eight cost the same as far as could be measured
/// (`docs/performance.md`).
pub(crate) const BUSY: u32 = 4;

thread_local! {
    /// The writes since this thread waited for events last.
    static WRITES: Cell<u32> = const { Cell::new(0) };
    /// The writes between its last two waits.
    static BEFORE: Cell<u32> = const { Cell::new(0) };
}

/// The worker of this thread has nothing to do and waits for events.
pub fn worker_waits() {
    BEFORE.set(WRITES.replace(0));
}

/// Counts one more write of this thread's worker.
pub(crate) fn count_write() {
    WRITES.set(WRITES.get().saturating_add(1));
}

/// Whether the worker of this thread is busy.
pub(crate) fn is_busy() -> bool {
    WRITES.get().max(BEFORE.get()) >= BUSY
}
