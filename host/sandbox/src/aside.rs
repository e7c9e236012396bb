//! Threads apart from the async workers, for components that are not trusted with one: those that missed a deadline lately,
//! and those that have not been called often enough yet to know.
//!
//! Such a component may spin until its deadline in every call. On the workers, a few of them would stop all traffic; so only
//! a few of their calls run at a time, each on a thread that gives way to all others, and only so many wait. There is a line
//! for each of the two kinds, so that new ones need not wait for those that are known to spin.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Calls that wait for a turn; each holds a thread.
const LINE: u32 = 64;

/// The turns.
#[derive(Debug)]
pub(super) struct Aside {
    turns: u32,
    line: Mutex<Line>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Line {
    running: u32,
    waiting: u32,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a>(&'a Aside);

impl Aside {
    /// One turn for each core, two at least: for those that are new.
    pub(super) fn for_news() -> Self {
        Self::with(cores().max(2))
    }

    /// One turn for every two cores: whoever spins, spins there.
    pub(super) fn for_suspects() -> Self {
        Self::with((cores() / 2).max(1))
    }

    fn with(turns: u32) -> Self {
        Self { turns, line: Mutex::default(), ended: Condvar::new() }
    }

    /// Whether there is no use in waiting.
    pub(super) fn is_full(&self) -> bool {
        self.lock().waiting >= LINE
    }

    /// Waits for a turn; none if it does not come in that time. Blocks.
    pub(super) fn turn(&self, patience: Duration) -> Option<Turn<'_>> {
        let mut line = self.lock();
        if line.running >= self.turns {
            if line.waiting >= LINE {
                return None;
            }
            line.waiting += 1;
            let waited = self.ended.wait_timeout_while(line, patience, |line| line.running >= self.turns);
            line = waited.unwrap_or_else(PoisonError::into_inner).0;
            line.waiting -= 1;
        }
        if line.running >= self.turns {
            return None;
        }
        line.running += 1;
        Some(Turn(self))
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Does the work on a thread of its own and waits for it; none if there is no thread to be had. Blocks.
    pub(super) fn run<R: Send>(self, work: impl FnOnce() -> R + Send) -> Option<R> {
        // Given back when the work is done.
        let _turn = self;
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("weir-aside".into());
            let working = thread.spawn_scoped(scope, || {
                give_way();
                work()
            });
            Some(working.ok()?.join().unwrap_or_else(|panic| resume_unwind(panic)))
        })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
        self.0.ended.notify_one();
    }
}

/// Lowers the priority of this thread, which is then no use for anything else.
fn cores() -> u32 {
    std::thread::available_parallelism().map_or(2, |cores| u32::try_from(NonZero::get(cores)).unwrap_or(u32::MAX))
}

fn give_way() {
    // On Linux this is the thread's own; elsewhere it would be the whole program's.
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

    fn with(turns: u32) -> Aside {
        Aside::with(turns)
    }

    fn run<R: Send>(aside: &Aside, patience: Duration, work: impl FnOnce() -> R + Send) -> Option<R> {
        aside.turn(patience)?.run(work)
    }

    #[test]
    fn no_more_run_at_a_time_than_there_are_turns() {
        let (aside, running, most) = (with(2), AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    let done = run(&aside, Duration::from_mins(1), || {
                        most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                        std::thread::yield_now();
                        running.fetch_sub(1, SeqCst);
                    });
                    assert!(done.is_some());
                });
            }
        });
        assert!(most.load(SeqCst) <= 2);
        let line = aside.lock();
        assert_eq!((line.running, line.waiting), (0, 0));
    }

    #[test]
    fn who_gets_no_turn_in_time_hears_so() {
        let (aside, barrier) = (with(1), Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                run(&aside, Duration::ZERO, || {
                    barrier.wait();
                    barrier.wait();
                })
            });
            barrier.wait();
            assert_eq!(run(&aside, Duration::ZERO, || 1), None);
            aside.lock().waiting = LINE;
            assert!(aside.is_full());
            assert_eq!(run(&aside, Duration::from_mins(1), || 1), None, "at once");
            aside.lock().waiting = 0;
            barrier.wait();
        });
        assert_eq!(run(&aside, Duration::ZERO, || 1), Some(1));
    }

    #[test]
    fn a_panic_gives_the_turn_back() {
        let aside = with(1);
        let panics = || run(&aside, Duration::ZERO, || std::panic::panic_any(7));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        assert_eq!(run(&aside, Duration::ZERO, || 1), Some(1));
    }
}
