//! The stages of a request: each runs through much code, and none is so long that what all of it touches leaves the
//! processor's caches before the next request comes to it.
//!
//! On a busy worker a request waits before each stage until the worker's other ready requests have come as far. So a
//! stage is run for all of them one after another, and the code of a sandboxed adapter, of routing or of accounting is
//! brought into the caches once for many requests. (Known as cohort scheduling: Larus and Parkes, "Using Cohort
//! Scheduling to Enhance Server Performance", USENIX 2002.) A worker with little to do goes on at once.

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::busy::is_busy;

/// Waits for a stage's begin.
#[derive(Debug, Default)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct Begin {
    has_waited: bool,
}

/// The length in bytes from which a request does not wait: its copies in this stage and the next would stand beside
/// those of all others that wait, and to go through it takes longer than to bring the code into the caches.
const LARGE: usize = 32 << 10;

/// Begins a stage: at once or, on a busy worker, after all tasks that are ready now.
pub fn begin() -> Begin {
    Begin::default()
}

/// Begins a stage of a request of this many bytes: that of a large one at once.
pub fn begin_of(bytes: usize) -> Begin {
    Begin { has_waited: bytes >= LARGE }
}

impl Future for Begin {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_waited || !is_busy() {
            return Poll::Ready(());
        }
        self.has_waited = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::sync::atomic::Ordering::Relaxed;
    use std::task::Waker;

    use super::*;
    use crate::busy::{BUSY, count_write, worker_waits};
    use crate::turn::tests::counted;

    fn be_idle() {
        worker_waits();
        worker_waits();
    }

    /// The order in which the two stages of three tasks run, each woken task being polled after those that are ready.
    fn order() -> Vec<&'static str> {
        let ran = Rc::new(RefCell::new(Vec::new()));
        let names = [["a1", "a2"], ["b1", "b2"], ["c1", "c2"]];
        let mut tasks: Vec<_> = names
            .into_iter()
            .map(|[first, second]| {
                let ran = Rc::clone(&ran);
                Box::pin(async move {
                    ran.borrow_mut().push(first);
                    begin().await;
                    ran.borrow_mut().push(second);
                })
            })
            .collect();
        let mut cx = Context::from_waker(Waker::noop());
        while !tasks.is_empty() {
            tasks.retain_mut(|task| task.as_mut().poll(&mut cx).is_pending());
        }
        ran.take()
    }

    #[test]
    fn a_busy_worker_runs_a_stage_for_all_tasks_before_the_next() {
        be_idle();
        assert_eq!(order(), ["a1", "a2", "b1", "b2", "c1", "c2"], "with little to do");
        (0..BUSY).for_each(|_| count_write());
        assert_eq!(order(), ["a1", "b1", "c1", "a2", "b2", "c2"]);
        be_idle();
        assert_eq!(order(), ["a1", "a2", "b1", "b2", "c1", "c2"], "it was busy");
    }

    #[test]
    fn a_large_request_does_not_wait() {
        be_idle();
        (0..BUSY).for_each(|_| count_write());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut begin_of(LARGE - 1)).poll(&mut cx).is_pending());
        assert!(Pin::new(&mut begin_of(LARGE)).poll(&mut cx).is_ready());
        be_idle();
    }

    #[test]
    fn a_stage_is_waited_for_once_and_wakes_its_own_task() {
        be_idle();
        (0..BUSY).for_each(|_| count_write());
        let (count, waker) = counted();
        let (mut stage, mut cx) = (begin(), Context::from_waker(&waker));
        assert!(Pin::new(&mut stage).poll(&mut cx).is_pending());
        assert_eq!(count.0.load(Relaxed), 1);
        assert!(Pin::new(&mut stage).poll(&mut cx).is_ready());
        assert_eq!(count.0.load(Relaxed), 1);
    }
}
