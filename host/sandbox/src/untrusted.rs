//! Threads for components that are not trusted with an async worker: those that missed a deadline lately, those with
//! too few calls so far to judge, and those with grants.
//!
//! A component of the first two kinds may spin until its deadline in every call, and a few of these calls would stop
//! all traffic on the workers. So only a few of them run at a time, each on a thread of low priority. A component with
//! grants may wait for a disk and so block its thread: its calls get more threads, which keep the usual priority. Of
//! each kind, only a limited number of calls waits. The three kinds have separate queues, so that no kind waits for
//! another.

use std::cell::Cell;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};

/// Maximum number of waiting calls; each blocks a thread.
const MAX_WAITING: u32 = 64;

/// Error: all threads for calls of components with grants are in use.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("too many calls of components with grants at the same time")]
pub(super) struct TooManyGrantedCalls;

/// Limits the calls that run on separate threads.
#[derive(Debug)]
pub(super) struct UntrustedExecutor {
    turns: u32,
    /// Whether its threads keep the usual priority.
    is_equal: bool,
    line: Mutex<Line>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Line {
    running: u32,
    waiting: u32,
}

/// Permission to run one call, until it is dropped.
#[derive(Debug)]
pub(super) struct CallPermit<'a>(&'a UntrustedExecutor);

impl UntrustedExecutor {
    /// For new components: one turn per core, but at least two.
    pub(super) fn for_news() -> Self {
        Self::with(cores().max(2))
    }

    /// For suspect components: one turn for every two cores, because they may spin.
    pub(super) fn for_suspects() -> Self {
        Self::with((cores() / 2).max(1))
    }

    /// Creates an executor for components with grants, whose calls may wait for a disk: four turns for each core, at
    /// least eight, with the usual priority.
    pub(super) fn for_granted() -> Self {
        Self { is_equal: true, ..Self::with(cores().saturating_mul(4).max(8)) }
    }

    fn with(turns: u32) -> Self {
        Self { turns, is_equal: false, line: Mutex::default(), ended: Condvar::new() }
    }

    /// Runs work that may block on a thread outside of async runtimes: on this thread if it is outside, else on a
    /// separate one. `None` if there is no turn in time.
    pub(super) fn off_runtime<R: Send>(&self, timeout: Duration, work: impl FnOnce() -> R + Send) -> Option<R> {
        let elsewhere = |work| self.turn(timeout)?.run(work);
        match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Err(_) => Some(work()),
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(|| elsewhere(work)),
            Ok(_) => elsewhere(work),
        }
    }

    /// Whether the queue is full.
    pub(super) fn is_full(&self) -> bool {
        self.lock().waiting >= MAX_WAITING
    }

    /// Waits for a turn; `None` if none is free in time. Blocks.
    pub(super) fn turn(&self, timeout: Duration) -> Option<CallPermit<'_>> {
        let mut line = self.lock();
        if line.running >= self.turns {
            if line.waiting >= MAX_WAITING {
                return None;
            }
            line.waiting += 1;
            let waited = self.ended.wait_timeout_while(line, timeout, |line| line.running >= self.turns);
            line = waited.unwrap_or_else(PoisonError::into_inner).0;
            line.waiting -= 1;
        }
        if line.running >= self.turns {
            return None;
        }
        line.running += 1;
        Some(CallPermit(self))
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallPermit<'_> {
    /// Runs the work on a new thread and waits for it; `None` if no thread can be started. Blocks.
    pub(super) fn run<R: Send>(self, work: impl FnOnce() -> R + Send) -> Option<R> {
        let is_equal = self.0.is_equal;
        // Returned when the work is done.
        let _turn = self;
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("weir-untrusted".into());
            let working = thread.spawn_scoped(scope, || {
                if !is_equal {
                    give_way();
                }
                work()
            });
            Some(working.ok()?.join().unwrap_or_else(|panic| resume_unwind(panic)))
        })
    }
}

impl Drop for CallPermit<'_> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
        self.0.ended.notify_one();
    }
}

/// Number of cores of this machine; 2 if it is unknown.
fn cores() -> u32 {
    std::thread::available_parallelism().map_or(2, |cores| u32::try_from(NonZero::get(cores)).unwrap_or(u32::MAX))
}

thread_local! {
    static GIVES_WAY: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread runs calls at low priority.
pub(super) fn gives_way() -> bool {
    GIVES_WAY.get()
}

fn give_way() {
    GIVES_WAY.set(true);
    // Lowers the priority of this thread. Only on Linux: elsewhere the call would affect the whole program.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        tracing::debug!(%error, "a thread's priority stays as it is");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use super::*;

    fn with(turns: u32) -> UntrustedExecutor {
        UntrustedExecutor::with(turns)
    }

    fn run<R: Send>(executor: &UntrustedExecutor, timeout: Duration, work: impl FnOnce() -> R + Send) -> Option<R> {
        executor.turn(timeout)?.run(work)
    }

    #[test]
    fn no_more_run_at_a_time_than_there_are_turns() {
        let (executor, running, most) = (with(2), AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    let done = run(&executor, Duration::from_mins(1), || {
                        most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                        std::thread::yield_now();
                        running.fetch_sub(1, SeqCst);
                    });
                    assert!(done.is_some());
                });
            }
        });
        assert!(most.load(SeqCst) <= 2);
        let line = executor.lock();
        assert_eq!((line.running, line.waiting), (0, 0));
    }

    #[test]
    fn a_call_without_a_turn_in_time_fails() {
        let (executor, barrier) = (with(1), Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                run(&executor, Duration::ZERO, || {
                    barrier.wait();
                    barrier.wait();
                })
            });
            barrier.wait();
            assert_eq!(run(&executor, Duration::ZERO, || 1), None);
            executor.lock().waiting = MAX_WAITING;
            assert!(executor.is_full());
            assert_eq!(run(&executor, Duration::from_mins(1), || 1), None, "at once");
            executor.lock().waiting = 0;
            barrier.wait();
        });
        assert_eq!(run(&executor, Duration::ZERO, || 1), Some(1));
    }

    #[test]
    fn only_the_threads_of_components_that_are_not_trusted_give_way() {
        let gives_way_on = |executor: UntrustedExecutor| run(&executor, Duration::ZERO, gives_way);
        assert_eq!(gives_way_on(UntrustedExecutor::for_news()), Some(true));
        assert_eq!(gives_way_on(UntrustedExecutor::for_suspects()), Some(true));
        assert_eq!(gives_way_on(UntrustedExecutor::for_granted()), Some(false));
        assert!(!gives_way());
    }

    #[test]
    fn a_panic_gives_the_turn_back() {
        let executor = with(1);
        let panics = || run(&executor, Duration::ZERO, || std::panic::panic_any(7));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        assert_eq!(run(&executor, Duration::ZERO, || 1), Some(1));
    }
}
