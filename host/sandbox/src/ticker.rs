//! The clock of deadlines: a thread that advances the engine's epoch while calls are in progress, and sleeps otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

/// Number of ticks without any call after which the thread goes to sleep.
const IDLE_TICKS: u32 = 200;

/// Advances the epoch. Dropping it ends its thread and waits for that.
#[derive(Debug)]
pub struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    waker: Thread,
}

#[derive(Debug, Default)]
struct Shared {
    /// Number of calls in progress.
    active: AtomicUsize,
    asleep: AtomicBool,
    stop: AtomicBool,
}

/// Guard of a call in progress: while one exists, the epoch advances.
#[derive(Debug)]
pub struct Active<'a>(&'a Shared);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, SeqCst);
    }
}

impl Ticker {
    /// Starts the thread, which calls `advance` once per tick.
    pub fn start(tick: Duration, advance: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("weir-epoch".into()).spawn(move || run(&seen, tick, &advance))?;
        let waker = thread.thread().clone();
        Ok(Self { shared, thread: Some(thread), waker })
    }

    /// Marks the start of a call. The epoch advances as long as the returned guard lives.
    pub fn begin(&self) -> Active<'_> {
        self.shared.active.fetch_add(1, SeqCst);
        // The thread sets `asleep` before it checks `active` for the last time, so one of the two sees the other's
        // store.
        if self.shared.asleep.load(SeqCst) && self.shared.asleep.swap(false, SeqCst) {
            self.waker.unpark();
        }
        Active(&self.shared)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        self.waker.unpark();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, tick: Duration, advance: &impl Fn()) {
    let mut idle = 0;
    while !shared.stop.load(SeqCst) {
        std::thread::park_timeout(tick);
        advance();
        idle = if shared.active.load(SeqCst) == 0 { idle + 1 } else { 0 };
        if idle >= IDLE_TICKS {
            sleep(shared);
            idle = 0;
        }
    }
}

fn sleep(shared: &Shared) {
    shared.asleep.store(true, SeqCst);
    while shared.asleep.load(SeqCst) && shared.active.load(SeqCst) == 0 && !shared.stop.load(SeqCst) {
        std::thread::park();
    }
    shared.asleep.store(false, SeqCst);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn it_advances_during_a_call_also_after_having_slept_and_ends_when_dropped() {
        let (send, ticks) = mpsc::channel();
        let ticker = Ticker::start(Duration::from_millis(1), move || send.send(()).unwrap_or_default()).unwrap();
        for _ in 0..IDLE_TICKS {
            ticks.recv().unwrap();
        }
        while !ticker.shared.asleep.load(SeqCst) {
            std::thread::yield_now();
        }
        while ticks.try_recv().is_ok() {}
        let call = ticker.begin();
        ticks.recv().unwrap();
        drop(call);
        drop(ticker);
        while ticks.recv().is_ok() {}
    }
}
