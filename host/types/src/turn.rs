//! The turns of a task: what it does from one poll to its end.
//!
//! Within a connection's task, hyper hands each piece of a body from one part to another and wakes the task for it,
//! which runs already; and it asks a body that waits once more before it rests. A task that is polled through [`Turns`]
//! is not woken by what it does [`quietly`], and a body can tell that it has waited in this turn before.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Wake, Waker};

thread_local! {
    /// The task whose turn it is on this thread, and the number of its turn.
    static CURRENT: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
    /// Whether wake-ups by this thread are left out.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// The number of the next task.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Counts the turns of one task.
#[derive(Debug)]
pub struct Turns {
    turn: u64,
    filter: Arc<SelfWakeFilter>,
    waker: Waker,
}

/// Wakes its task, unless the wake-up comes from what the task itself does quietly.
#[derive(Debug)]
struct SelfWakeFilter {
    task: u64,
    waker: OnceLock<Waker>,
}

impl SelfWakeFilter {
    fn is_quiet(&self) -> bool {
        IS_QUIET.get() && CURRENT.get().is_some_and(|(task, _)| task == self.task)
    }
}

impl Wake for SelfWakeFilter {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(waker) = self.waker.get().filter(|_| !self.is_quiet()) {
            waker.wake_by_ref();
        }
    }
}

impl Default for Turns {
    fn default() -> Self {
        let filter = Arc::new(SelfWakeFilter { task: NEXT.fetch_add(1, Relaxed), waker: OnceLock::new() });
        let waker = Waker::from(Arc::clone(&filter));
        Self { turn: 0, filter, waker }
    }
}

impl Turns {
    /// One turn: `work` is what the task does in it. All turns must be those of one task.
    pub fn take<R>(&mut self, cx: &Context<'_>, work: impl FnOnce(&mut Context<'_>) -> R) -> R {
        let task = self.filter.waker.get_or_init(|| cx.waker().clone());
        // Only a future that is handed to another task has another waker.
        let waker = if task.will_wake(cx.waker()) { &self.waker } else { cx.waker() };
        self.turn += 1;
        let before = Restored(CURRENT.replace(Some((self.filter.task, self.turn))), &CURRENT);
        let done = work(&mut Context::from_waker(waker));
        drop(before);
        done
    }
}

/// Sets a thread's value back when it is dropped, also if the work panics.
struct Restored<T: Copy + 'static>(T, &'static std::thread::LocalKey<Cell<T>>);

impl<T: Copy + 'static> Drop for Restored<T> {
    fn drop(&mut self) {
        self.1.set(self.0);
    }
}

/// Does something whose wake-ups are no news to the task, since what calls this goes on with the same work by itself.
/// Wake-ups of other tasks, and those by other threads, arrive as ever.
pub fn quietly<R>(work: impl FnOnce() -> R) -> R {
    let before = Restored(IS_QUIET.replace(true), &IS_QUIET);
    let done = work();
    drop(before);
    done
}

/// A turn of a task, as seen by what is polled with one waker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    number: (u64, u64),
    waker: (usize, usize),
}

impl Turn {
    /// The turn in which something is polled now; `None` outside of a task whose turns are counted.
    pub fn now(cx: &Context<'_>) -> Option<Self> {
        let waker = cx.waker();
        let number = CURRENT.get()?;
        Some(Self { number, waker: (waker.data().addr(), std::ptr::from_ref(waker.vtable()).addr()) })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Counts its wake-ups.
    #[derive(Default)]
    pub(crate) struct Count(pub(crate) AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn counted() -> (Arc<Count>, Waker) {
        let count = Arc::<Count>::default();
        (Arc::clone(&count), Waker::from(count))
    }

    #[test]
    fn what_a_task_does_quietly_does_not_wake_it_and_what_others_do_does() {
        let (count, waker) = counted();
        let (mut turns, cx) = (Turns::default(), Context::from_waker(&waker));
        let woken = || count.0.load(Relaxed);
        let inner = turns.take(&cx, |cx| {
            quietly(|| cx.waker().wake_by_ref());
            cx.waker().clone()
        });
        assert_eq!(woken(), 0);
        turns.take(&cx, |_| inner.wake_by_ref());
        assert_eq!(woken(), 1, "not quiet any more");
        turns
            .take(&cx, |_| quietly(|| std::thread::scope(|scope| scope.spawn(|| inner.wake_by_ref()).join().unwrap())));
        assert_eq!(woken(), 2, "another thread is not quiet");
        Turns::default().take(&cx, |_| quietly(|| inner.wake_by_ref()));
        quietly(|| inner.wake_by_ref());
        assert_eq!(woken(), 4, "another task does it");
        let (other, waker) = counted();
        turns.take(&Context::from_waker(&waker), |cx| quietly(|| cx.waker().wake_by_ref()));
        assert_eq!(other.0.load(Relaxed), 1, "a future that another task polls wakes that one");
    }

    #[test]
    fn a_panic_ends_the_quiet() {
        let result = std::panic::catch_unwind(|| quietly(|| std::panic::resume_unwind(Box::new(()))));
        assert!(result.is_err() && !IS_QUIET.get());
    }

    #[test]
    fn a_turn_equals_itself_only() {
        let (_, waker) = counted();
        let (mut one, mut other) = (Turns::default(), Turns::default());
        let cx = Context::from_waker(&waker);
        assert_eq!(Turn::now(&cx), None);
        let first = one.take(&cx, |cx| {
            assert_eq!(Turn::now(cx), Turn::now(cx));
            assert_ne!(Turn::now(cx), Turn::now(&Context::from_waker(Waker::noop())), "another waker");
            Turn::now(cx)
        });
        assert!(first.is_some());
        assert_ne!(one.take(&cx, |cx| Turn::now(cx)), first, "a later turn");
        assert_ne!(other.take(&cx, |cx| Turn::now(cx)).map(|turn| turn.number), first.map(|turn| turn.number));
        assert_eq!(Turn::now(&cx), None, "no turn any more");
    }
}
