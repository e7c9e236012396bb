//! The writer: two threads that write what requests leave behind, so that no request waits for a store.

mod condition;
mod handover;
mod log;
mod money;
mod queue;
mod steady_time;
mod sums;
mod turns;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::broadcast;

use crate::body::Body;
use crate::error::StoreError;
use crate::fact::Fact;
use crate::fact::packed::PackedFact;
use crate::health::Health;
use crate::ledger::Use;
use crate::open_work::{OpenWork, WorkKey};
use crate::retention::Retention;
use crate::store::Store;
use money::Money;
use queue::Queue;

/// Facts that a reader of the tail may lag behind before it misses some.
const TAIL: usize = 1_024;

/// Settings of a [`Writer`].
#[derive(Debug, Clone, Copy)]
pub struct WriterOptions {
    /// Most facts and bodies that wait.
    pub most_rows: usize,
    /// Most bytes that they take.
    pub most_bytes: usize,
    /// Most facts and bodies of one transaction. A store whose work this process does gets fewer at once.
    pub batch_rows: usize,
    /// For how long a fact waits for others to be written with.
    pub flush_every: Duration,
    /// How often sums are written: what a kill can cost of them.
    pub money_every: Duration,
    /// Most different sums that wait.
    pub most_sums: usize,
    /// The wait after a first failure; each further one doubles it.
    pub backoff: Duration,
    /// The longest wait after a failure.
    pub most_backoff: Duration,
    /// A write that takes longer than this shows in [`Health`].
    pub slow: Duration,
    /// What is kept; none keeps everything.
    pub retention: Option<Retention>,
    /// How often days are looked at for their end.
    pub retain_every: Duration,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            most_rows: 65_536,
            most_bytes: 64 << 20,
            batch_rows: 4_096,
            flush_every: Duration::from_millis(200),
            money_every: Duration::from_secs(1),
            most_sums: 262_144,
            backoff: Duration::from_millis(100),
            most_backoff: Duration::from_secs(5),
            slow: Duration::from_secs(2),
            retention: Some(Retention::default()),
            retain_every: Duration::from_mins(1),
        }
    }
}

/// What the threads and the recorders share.
#[derive(Debug)]
struct Shared {
    store: Arc<dyn Store>,
    options: WriterOptions,
    process: i64,
    sequence: AtomicU64,
    queue: Queue,
    money: Money,
    tail: broadcast::Sender<Arc<Fact>>,
}

/// The writing threads of a store. Dropping it writes what waits, for five seconds at most.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
}

/// Takes what requests leave behind. Cheap to clone; no call waits for the store.
#[derive(Debug, Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

impl Writer {
    /// Starts the threads. Fails only if the system gives none.
    pub fn start(store: Arc<dyn Store>, options: WriterOptions) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared {
            options,
            process: process_number(),
            sequence: AtomicU64::new(0),
            queue: Queue::new(options, store.is_in_process()),
            store,
            money: Money::new(options),
            tail: broadcast::channel(TAIL).0,
        });
        let writer = Self { shared: Arc::clone(&shared) };
        let log = Arc::clone(&shared);
        thread::Builder::new().name("weir-store-log".to_owned()).spawn(move || log::run(&log))?;
        thread::Builder::new().name("weir-store-money".to_owned()).spawn(move || money::run(&shared))?;
        Ok(writer)
    }

    /// What takes facts, bodies and use for this writer.
    pub fn recorder(&self) -> Recorder {
        Recorder { shared: Arc::clone(&self.shared) }
    }

    /// Writes what waits and ends the threads. What the store does not take within this time is counted as failed.
    pub fn close(self, within: Duration) -> Health {
        self.end(within);
        self.shared.health()
    }

    fn end(&self, within: Duration) {
        let deadline = Instant::now() + within;
        self.shared.queue.close(deadline);
        self.shared.money.close(deadline);
        // A little later than the threads' own deadline, so that they have counted what they give up.
        let grace = deadline + Duration::from_millis(200);
        self.shared.queue.wait_for_end(grace);
        self.shared.money.wait_for_end(grace);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end(Duration::from_secs(5));
    }
}

impl Recorder {
    /// Takes the fact of a request. Its process and its number are set, its texts are cut to their bounds. Returns
    /// false if it is dropped because the queue is full.
    pub fn record<T: AsRef<str>>(&self, fact: &Fact<T>) -> bool {
        // Dropped facts have numbers too: this is how they are missed.
        let sequence = self.shared.sequence.fetch_add(1, Ordering::Relaxed);
        self.shared.queue.push_fact(PackedFact::new(fact, self.shared.process, sequence))
    }

    /// Takes a body to be kept. Returns false if it is dropped because the queue is full.
    pub fn keep(&self, body: Body) -> bool {
        self.shared.queue.push_body(body)
    }

    /// Adds to the sums of use, which are written within [`WriterOptions::money_every`].
    pub fn book(&self, uses: &[Use<'_>]) {
        self.shared.money.book(uses, None);
    }

    /// Adds uses that book this work: it leaves the store in the transaction that writes the sums.
    pub fn book_work(&self, uses: &[Use<'_>], work: WorkKey) {
        self.shared.money.book(uses, Some(work));
    }

    /// Takes work at a provider that is not booked yet. It is written as sums are, and held by this process. Returns
    /// false if it is not kept.
    pub fn owe(&self, work: OpenWork) -> bool {
        work.key.can_be_kept() && self.shared.money.owe(work)
    }

    /// The number of this process, which holds what it has written with [`Recorder::owe`].
    pub fn process(&self) -> i64 {
        self.shared.process
    }

    /// New facts as they come, whether or not the store takes them. A reader that is too slow misses some and learns
    /// how many. Facts that found no room are in [`Recorder::dropped`] only.
    pub fn tail(&self) -> broadcast::Receiver<Arc<Fact>> {
        self.shared.tail.subscribe()
    }

    /// How many facts found no room in the queue so far.
    pub fn dropped(&self) -> u64 {
        self.shared.queue.dropped_facts()
    }

    /// How the writer is doing.
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    /// Blocks until everything taken before is written or given up, and returns whether it was in time.
    pub fn flush(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        // Both are woken before either is waited for.
        let (log, money) = (self.shared.queue.want_flush(), self.shared.money.want_flush());
        self.shared.queue.wait_for_flush(log, deadline) & self.shared.money.wait_for_flush(money, deadline)
    }
}

impl Shared {
    fn health(&self) -> Health {
        let mut health = Health::default();
        self.queue.report(&mut health);
        self.money.report(&mut health);
        health
    }
}

/// A number for this process that no other one has.
fn process_number() -> i64 {
    let mut bytes = [0; 8];
    if getrandom::fill(&mut bytes).is_err() {
        let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        bytes = (time.as_nanos() as u64).to_le_bytes();
    }
    i64::from_le_bytes(bytes)
}
