//! How many bytes may be held for requests at the same time, over all of them: bodies of requests, whole answers that are
//! translated, media that are fetched.
//!
//! What is held is counted as it comes. When the budget is used up, whoever needs more waits shortly and is then refused.
//! A flood of bodies that never end cannot keep it for itself: unfinished bodies are given up in favour of others, those
//! first whose client stalls, then those of the caller that holds the most ([`readers`]). One connection holds a quarter
//! at the most, however many requests it carries, and the last sixteenth is for small requests.

mod readers;

use std::fmt::{self, Debug, Formatter};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use self::readers::{Entry, Readers};
use weir_types::fault::Fault;

/// How long a request waits for room.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it looks meanwhile whether an unfinished body has stalled.
const LOOK: Duration = Duration::from_millis(100);
/// When a request that was refused should come back.
const COME_BACK: Duration = Duration::from_secs(1);
/// What a request may hold to count as small: such may use the last part of the budget too.
const SMALL: usize = 64 << 10;
const LAST_PART: usize = 16;
/// The part of the budget that one connection may hold.
const CONNECTION_PART: usize = 4;

/// The budget. It outlives reloads of the configuration.
pub struct Budget {
    limit: AtomicUsize,
    /// What one connection may hold.
    share: AtomicUsize,
    used: AtomicUsize,
    /// Requests that wait for room.
    waiting: AtomicUsize,
    freed: Notify,
    next_id: AtomicU64,
    readers: Readers,
    metrics: Option<BufferMetrics>,
}

/// What operators see of the budget.
#[derive(Debug, Clone)]
struct BufferMetrics {
    bytes: IntGauge,
    limit: IntGauge,
    refused: IntCounterVec,
}

impl BufferMetrics {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let refused = Opts::new("weir_buffer_refused_total", "Requests refused because too many bytes were held");
        let made = Self {
            bytes: IntGauge::new("weir_buffered_bytes", "Bytes that are held of requests and whole answers")?,
            limit: IntGauge::new("weir_buffered_bytes_limit", "Bytes that may be held of requests and whole answers")?,
            refused: IntCounterVec::new(refused, &["reason"])?,
        };
        registry.register(Box::new(made.bytes.clone()))?;
        registry.register(Box::new(made.limit.clone()))?;
        registry.register(Box::new(made.refused.clone()))?;
        Ok(made)
    }
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The budget is used up.
    Budget,
    /// The connection's share is.
    Connection,
    /// The budget was used up, and this unfinished body was given up for others.
    Evicted,
}

impl Full {
    fn reason(self) -> &'static str {
        match self {
            Self::Budget => "full",
            Self::Connection => "connection",
            Self::Evicted => "evicted",
        }
    }
}

impl From<Full> for Fault {
    fn from(full: Full) -> Self {
        let message = match full {
            Full::Budget => {
                "too many bytes of requests and answers are held already; `server.max_buffered_bytes` sets the limit"
            }
            Full::Connection => {
                "the requests of this connection hold as many bytes as one connection may, a quarter of \
                 `server.max_buffered_bytes`; use several connections"
            }
            Full::Evicted => {
                "the request's body was given up for others, since too many bytes are held; \
                 `server.max_buffered_bytes` sets the limit"
            }
        };
        Self::overloaded(message, COME_BACK).with_code("buffers_full")
    }
}

/// What the requests of one connection hold together.
#[derive(Debug, Clone, Default)]
pub struct Connection(Arc<AtomicUsize>);

impl Budget {
    /// A budget that nothing is held of, told in these metrics.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self { metrics: Some(BufferMetrics::new(registry)?), ..Self::unlimited() })
    }

    /// A budget without an end, for what is no request's.
    pub fn unlimited() -> Self {
        Self {
            limit: AtomicUsize::new(usize::MAX),
            share: AtomicUsize::new(usize::MAX),
            used: AtomicUsize::default(),
            waiting: AtomicUsize::default(),
            freed: Notify::new(),
            next_id: AtomicU64::default(),
            readers: Readers::default(),
            metrics: None,
        }
    }

    /// Holds this many from now on; the largest body must fit into the share of its connection.
    pub fn set_limit(&self, limit: usize, largest_body: usize) {
        self.limit.store(limit, SeqCst);
        self.share.store((limit / CONNECTION_PART).max(largest_body), SeqCst);
        self.freed.notify_waiters();
    }

    /// Bytes that are held.
    pub fn used(&self) -> usize {
        self.used.load(SeqCst)
    }

    /// Tells the metrics how much is held now.
    pub fn note(&self) {
        let figure = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        if let Some(metrics) = &self.metrics {
            metrics.bytes.set(figure(self.used()));
            metrics.limit.set(figure(self.limit.load(SeqCst)));
        }
    }

    /// Begins to hold, nothing yet, for a request of this owner (any number that tells callers apart).
    pub fn begin(self: &Arc<Self>, owner: u64, connection: Option<Connection>) -> Held {
        let id = self.next_id.fetch_add(1, SeqCst);
        Held { budget: Arc::clone(self), connection, owner, id, bytes: 0 }
    }

    fn is_strained(&self) -> bool {
        self.used() > self.limit.load(SeqCst) / 2
    }

    fn refuse(&self, full: Full) -> Full {
        if let Some(metrics) = &self.metrics {
            metrics.refused.with_label_values(&[full.reason()]).inc();
        }
        full
    }
}

impl Debug for Budget {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("used", &self.used()).finish_non_exhaustive()
    }
}

/// Adds to a counter unless it would become more than this.
fn add(counter: &AtomicUsize, more: usize, most: usize) -> bool {
    counter.fetch_update(SeqCst, SeqCst, |now| now.checked_add(more).filter(|then| *then <= most)).is_ok()
}

/// Bytes that are held for one request. They are given back when it is dropped.
pub struct Held {
    budget: Arc<Budget>,
    connection: Option<Connection>,
    owner: u64,
    /// Of two requests, the older one has the smaller.
    id: u64,
    bytes: usize,
}

impl Held {
    /// Holds nothing of a budget without an end.
    pub fn unlimited() -> Self {
        Arc::new(Budget::unlimited()).begin(0, None)
    }

    /// Begins to hold more for the same request, given back apart.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self { budget: Arc::clone(&self.budget), connection: self.connection.clone(), bytes: 0, ..*self }
    }

    /// How much is held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Holds more, perhaps after a short wait.
    pub async fn grow(&mut self, more: usize) -> Result<(), Full> {
        match self.try_grow(more) {
            Ok(()) => Ok(()),
            Err(_) => self.wait_for(more).await,
        }
    }

    /// Holds this much less.
    pub fn shrink(&mut self, less: usize) {
        let less = less.min(self.bytes);
        if less == 0 {
            return;
        }
        self.bytes -= less;
        if let Some(Connection(held)) = &self.connection {
            held.fetch_sub(less, SeqCst);
        }
        self.budget.used.fetch_sub(less, SeqCst);
        if self.budget.waiting.load(SeqCst) > 0 {
            self.budget.freed.notify_waiters();
        }
    }

    fn try_grow(&mut self, more: usize) -> Result<(), Full> {
        if let Some(Connection(held)) = &self.connection
            && !add(held, more, self.budget.share.load(SeqCst))
        {
            return Err(Full::Connection);
        }
        if !add(&self.budget.used, more, self.ceiling(more)) {
            if let Some(Connection(held)) = &self.connection {
                held.fetch_sub(more, SeqCst);
            }
            return Err(Full::Budget);
        }
        self.bytes += more;
        Ok(())
    }

    /// How much may be held over all requests for this one to hold so much more.
    fn ceiling(&self, more: usize) -> usize {
        let limit = self.budget.limit.load(SeqCst);
        let is_small = self.bytes.saturating_add(more) <= SMALL;
        if is_small { limit } else { limit - limit / LAST_PART }
    }

    async fn wait_for(&mut self, more: usize) -> Result<(), Full> {
        let budget = Arc::clone(&self.budget);
        let _waiting = Waiting::begin(&budget.waiting);
        let until = Instant::now() + PATIENCE;
        loop {
            let mut freed = pin!(budget.freed.notified());
            freed.as_mut().enable();
            let Err(full) = self.try_grow(more) else { return Ok(()) };
            let can_never_be = self.bytes.saturating_add(more) > self.ceiling(more);
            let now = Instant::now();
            if can_never_be || now >= until {
                return Err(budget.refuse(full));
            }
            if full == Full::Budget {
                budget.readers.evict_for(self.owner, self.id);
            }
            let _woken = timeout_at(until.min(now + LOOK), freed).await;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

impl Debug for Held {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// Counts one who waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// A body that is being read: what has come of it is held, and it may be given up for others until it is complete.
#[derive(Debug)]
pub struct Reading {
    held: Held,
    /// Where it is known to others, once it takes a while or is large.
    entry: Option<Entry>,
}

impl Reading {
    /// Begins to read.
    pub fn new(held: Held) -> Self {
        Self { held, entry: None }
    }

    /// Waits for the client's next piece.
    pub async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Result<T, Full> {
        self.enter();
        let Some(entry) = &self.entry else { return Ok(next.await) };
        let _stalls = entry.stalls();
        tokio::select! {
            biased;
            piece = next => Ok(piece),
            () = entry.evicted() => Err(self.held.budget.refuse(Full::Evicted)),
        }
    }

    /// Holds a piece that has come, perhaps after a wait for room.
    pub async fn hold(&mut self, piece: usize) -> Result<(), Full> {
        if self.held.try_grow(piece).is_err() {
            self.enter();
            let Some(entry) = &self.entry else { return self.held.wait_for(piece).await };
            tokio::select! {
                biased;
                grown = self.held.wait_for(piece) => grown?,
                () = entry.evicted() => return Err(self.held.budget.refuse(Full::Evicted)),
            }
        }
        if let Some(entry) = &self.entry {
            entry.holds(self.held.bytes);
        }
        Ok(())
    }

    /// The body is complete.
    pub fn done(self) -> Held {
        self.held
    }

    /// Becomes known to others. A small body does so only where room is short, so that it usually costs nothing.
    fn enter(&mut self) {
        let held = &self.held;
        if self.entry.is_none() && (held.bytes >= SMALL / 4 || held.budget.is_strained()) {
            self.entry = Some(Readers::enter(&held.budget, held.owner, held.id, held.bytes));
        }
    }
}

#[cfg(test)]
mod tests;
