//! Writes that wait until their worker's other tasks have run.
//!
//! A write to a socket wakes the reader at its other end, which on the same machine costs the writer more than the
//! write itself, and runs through as much of the kernel's code as a request does of Weir's. A worker with much to do
//! therefore does all that arrived first, and then writes for all of it in one go: the other side is awake after the
//! first, and neither code drives the other out of the processor's caches. A worker with little to do writes at once.

use std::cell::Cell;
use std::io::Result;
use std::task::{Context, Poll};

use crate::busy::{count_write, is_busy};

thread_local! {
    /// Whether the next write is not put off.
    static IS_LAST: Cell<bool> = const { Cell::new(false) };
}

/// The write that follows in this poll of a task is its connection's last one: what is put off would be lost.
pub fn last_write_follows() {
    IS_LAST.set(true);
}

/// Counts one more write, and returns whether the worker has so many that they should wait for each other.
fn is_one_of_many() -> bool {
    count_write();
    is_busy()
}

/// Whether a connection's next write has waited.
#[derive(Debug, Default)]
pub struct DeferredWrite {
    has_waited: bool,
}

impl DeferredWrite {
    /// Writes at once or, on a busy worker, at the task's next poll, which comes after all tasks that are ready now.
    /// `offered` is how many bytes `write` is given: what it leaves of them is written without another wait.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        offered: usize,
        write: impl FnOnce(&mut Context<'_>) -> Poll<Result<usize>>,
    ) -> Poll<Result<usize>> {
        if !IS_LAST.take() && !self.has_waited && is_one_of_many() {
            self.has_waited = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let written = write(cx);
        self.has_waited = match &written {
            Poll::Ready(Ok(length)) => *length < offered,
            Poll::Ready(Err(_)) => false,
            Poll::Pending => true,
        };
        written
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;
    use std::task::Waker;

    use super::*;
    use crate::busy::{BUSY, worker_waits};
    use crate::turn::tests::counted;

    /// Writes by as many connections, each once: how many were put off.
    fn put_off(writes: usize) -> usize {
        let (count, waker) = counted();
        let mut cx = Context::from_waker(&waker);
        for _ in 0..writes {
            let mut deferred = DeferredWrite::default();
            if deferred.poll(&mut cx, 1, |_| Poll::Ready(Ok(1))).is_pending() {
                assert!(deferred.poll(&mut cx, 1, |_| Poll::Ready(Ok(1))).is_ready(), "it has waited");
            }
        }
        count.0.load(Relaxed)
    }

    #[test]
    fn a_worker_with_few_writes_writes_at_once() {
        for _ in 0..5 {
            worker_waits();
            assert_eq!(put_off(BUSY as usize - 1), 0);
        }
    }

    #[test]
    fn a_worker_with_many_writes_puts_them_off_and_then_from_the_first() {
        worker_waits();
        assert_eq!(put_off(10), 11 - BUSY as usize);
        worker_waits();
        assert_eq!(put_off(2), 2, "it was busy just now");
        worker_waits();
        assert_eq!(put_off(2), 0);
    }

    #[test]
    fn a_last_write_is_not_put_off() {
        let mut cx = Context::from_waker(Waker::noop());
        while !is_one_of_many() {}
        last_write_follows();
        assert!(DeferredWrite::default().poll(&mut cx, 1, |_| Poll::Ready(Ok(1))).is_ready());
        assert!(DeferredWrite::default().poll(&mut cx, 1, |_| Poll::Ready(Ok(1))).is_pending(), "another one");
    }

    #[test]
    fn the_rest_of_a_write_does_not_wait_again() {
        let mut cx = Context::from_waker(Waker::noop());
        let (mut deferred, mut left) = (DeferredWrite::default(), 10);
        while !is_one_of_many() {}
        let mut polls = Vec::new();
        for takes in [4, 0, 4, 2] {
            let polled =
                deferred.poll(&mut cx, left, |_| if takes == 0 { Poll::Pending } else { Poll::Ready(Ok(takes)) });
            if let Poll::Ready(Ok(written)) = &polled {
                left -= written;
            }
            polls.push(polled.is_ready());
        }
        assert_eq!((polls, left), (vec![false, false, true, true], 4), "the first poll wrote nothing");
        assert!(deferred.poll(&mut cx, left, |_| Poll::Ready(Ok(4))).is_ready());
        assert!(deferred.poll(&mut cx, 1, |_| Poll::Ready(Ok(1))).is_pending(), "the next write waits");
    }
}
