//! A limit on the bytes that all requests hold at the same time: request bodies, whole answers that are translated,
//! and fetched media.
//!
//! Bytes count as they arrive. When the limit is used up, a request that needs more waits shortly and is then
//! refused. A flood of unfinished bodies cannot occupy the limit: unfinished bodies are evicted to make room, first
//! those whose client stalls, then those of the caller that holds the most ([`readers`]). One connection holds at
//! most a quarter, however many requests it carries, and the last sixteenth is reserved for small requests.
//!
//! Beside it, what connections have in common that read much: [`turn`] bounds how much one reads before others have
//! their turn, and [`spare_memory`] gives memory back.

pub mod joined;
mod readers;
pub mod spare_memory;
pub mod turn;

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
const TIMEOUT: Duration = Duration::from_secs(2);
/// How often a waiting request checks whether an unfinished body has stalled.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// `Retry-After` of a refused request.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The most bytes that a small request holds. Small requests may use the reserved last part of the limit.
const SMALL: usize = 64 << 10;
const LAST_PART: usize = 16;
/// The divisor of the limit that gives the share of one connection.
const CONNECTION_PART: usize = 4;

/// The byte limit. It outlives reloads of the configuration.
pub struct BufferLimit {
    limit: AtomicUsize,
    /// The most bytes that one connection may hold.
    share: AtomicUsize,
    used: AtomicUsize,
    /// Requests that wait for room.
    waiting: AtomicUsize,
    freed: Notify,
    next_id: AtomicU64,
    readers: Readers,
    metrics: Option<BufferMetrics>,
}

/// The metrics of held bytes.
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

/// Why a request gets no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Full {
    /// The limit is used up.
    AllRequests,
    /// The connection's share is used up.
    Connection,
    /// The limit was used up, and this unfinished body was evicted to make room.
    Evicted,
}

impl Full {
    fn reason(self) -> &'static str {
        match self {
            Self::AllRequests => "full",
            Self::Connection => "connection",
            Self::Evicted => "evicted",
        }
    }
}

impl From<Full> for Fault {
    fn from(full: Full) -> Self {
        let message = match full {
            Full::AllRequests => {
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
        Self::overloaded(message, RETRY_AFTER).with_code("buffers_full")
    }
}

/// The bytes that the requests of one connection hold together.
#[derive(Debug, Clone, Default)]
pub struct Connection(Arc<AtomicUsize>);

impl BufferLimit {
    /// Counts nothing and limits nothing yet, with its metrics registered.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self { metrics: Some(BufferMetrics::new(registry)?), ..Self::unlimited() })
    }

    /// Counts bytes without a limit: those that belong to no client's request.
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

    /// Sets the limit. A connection's share is at least `largest_body`, so that the largest body fits.
    pub fn set_limit(&self, limit: usize, largest_body: usize) {
        self.limit.store(limit, SeqCst);
        self.share.store((limit / CONNECTION_PART).max(largest_body), SeqCst);
        self.freed.notify_waiters();
    }

    /// Bytes held now, by all requests.
    pub fn used(&self) -> usize {
        self.used.load(SeqCst)
    }

    /// Updates the gauges.
    pub fn note(&self) {
        let figure = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        if let Some(metrics) = &self.metrics {
            metrics.bytes.set(figure(self.used()));
            metrics.limit.set(figure(self.limit.load(SeqCst)));
        }
    }

    /// Starts an empty hold for a request of this owner (any number that distinguishes callers).
    pub fn begin(self: &Arc<Self>, owner: u64, connection: Option<Connection>) -> Held {
        let id = self.next_id.fetch_add(1, SeqCst);
        Held { buffers: Arc::clone(self), connection, owner, id, bytes: 0 }
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

impl Debug for BufferLimit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferLimit").field("used", &self.used()).finish_non_exhaustive()
    }
}

/// Adds to a counter, unless the sum would exceed `most`.
fn add(counter: &AtomicUsize, more: usize, most: usize) -> bool {
    counter.fetch_update(SeqCst, SeqCst, |now| now.checked_add(more).filter(|then| *then <= most)).is_ok()
}

/// The bytes that one request holds; dropping it releases them.
pub struct Held {
    buffers: Arc<BufferLimit>,
    connection: Option<Connection>,
    owner: u64,
    /// Ordered by age: an older request has the smaller id.
    id: u64,
    bytes: usize,
}

impl Held {
    /// An empty hold that nothing limits.
    pub fn unlimited() -> Self {
        Arc::new(BufferLimit::unlimited()).begin(0, None)
    }

    /// A second hold for the same request, empty and released separately.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self { buffers: Arc::clone(&self.buffers), connection: self.connection.clone(), bytes: 0, ..*self }
    }

    /// The bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Holds more bytes, waiting shortly for room if there is none.
    pub async fn grow(&mut self, more: usize) -> Result<(), Full> {
        match self.try_grow(more) {
            Ok(()) => Ok(()),
            Err(_) => Box::pin(self.wait_for(more)).await,
        }
    }

    /// Holds more bytes if there is room now.
    ///
    /// # Errors
    ///
    /// There is no room now.
    pub fn grow_at_once(&mut self, more: usize) -> Result<(), Full> {
        self.try_grow(more).map_err(|full| self.buffers.refuse(full))
    }

    /// Releases this many bytes, or all if fewer are held.
    pub fn shrink(&mut self, less: usize) {
        let less = less.min(self.bytes);
        if less == 0 {
            return;
        }
        self.bytes -= less;
        if let Some(Connection(held)) = &self.connection {
            held.fetch_sub(less, SeqCst);
        }
        self.buffers.used.fetch_sub(less, SeqCst);
        if self.buffers.waiting.load(SeqCst) > 0 {
            self.buffers.freed.notify_waiters();
        }
    }

    fn try_grow(&mut self, more: usize) -> Result<(), Full> {
        if let Some(Connection(held)) = &self.connection
            && !add(held, more, self.buffers.share.load(SeqCst))
        {
            return Err(Full::Connection);
        }
        if !add(&self.buffers.used, more, self.ceiling(more)) {
            if let Some(Connection(held)) = &self.connection {
                held.fetch_sub(more, SeqCst);
            }
            return Err(Full::AllRequests);
        }
        self.bytes += more;
        Ok(())
    }

    /// The most bytes that all requests may hold together after this one has taken `more`.
    fn ceiling(&self, more: usize) -> usize {
        let limit = self.buffers.limit.load(SeqCst);
        let is_small = self.bytes.saturating_add(more) <= SMALL;
        if is_small { limit } else { limit - limit / LAST_PART }
    }

    async fn wait_for(&mut self, more: usize) -> Result<(), Full> {
        let buffers = Arc::clone(&self.buffers);
        let _waiting = Waiting::begin(&buffers.waiting);
        let until = Instant::now() + TIMEOUT;
        loop {
            let mut freed = pin!(buffers.freed.notified());
            freed.as_mut().enable();
            let Err(full) = self.try_grow(more) else { return Ok(()) };
            let can_never_be = self.bytes.saturating_add(more) > self.ceiling(more);
            let now = Instant::now();
            if can_never_be || now >= until {
                return Err(buffers.refuse(full));
            }
            if full == Full::AllRequests {
                buffers.readers.evict_for(self.owner, self.id);
            }
            let _woken = timeout_at(until.min(now + POLL_INTERVAL), freed).await;
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

/// Counts one waiting request until it is dropped.
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

/// The hold of a body that is still being read. It may be evicted until the body is complete.
#[derive(Debug)]
pub struct BodyReader {
    held: Held,
    /// The body's entry among the readers, registered once it takes long or is large.
    entry: Option<Entry>,
}

impl BodyReader {
    /// Starts reading a body with this hold.
    pub fn new(held: Held) -> Self {
        Self { held, entry: None }
    }

    /// Waits for the client's next piece, or until the body is evicted.
    pub async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Result<T, Full> {
        self.enter();
        let Some(entry) = &self.entry else { return Ok(next.await) };
        let _stalls = entry.stalls();
        tokio::select! {
            biased;
            piece = next => Ok(piece),
            () = entry.evicted() => Err(self.held.buffers.refuse(Full::Evicted)),
        }
    }

    /// Holds a received piece, waiting shortly for room if there is none.
    pub async fn hold(&mut self, piece: usize) -> Result<(), Full> {
        if self.held.try_grow(piece).is_err() {
            self.enter();
            let Some(entry) = &self.entry else { return self.held.wait_for(piece).await };
            tokio::select! {
                biased;
                grown = self.held.wait_for(piece) => grown?,
                () = entry.evicted() => return Err(self.held.buffers.refuse(Full::Evicted)),
            }
        }
        if let Some(entry) = &self.entry {
            entry.holds(self.held.bytes);
        }
        Ok(())
    }

    /// The body is complete: returns its hold, which can no longer be evicted.
    pub fn done(self) -> Held {
        self.held
    }

    /// Registers the body for eviction. A small body is registered only while the limit is strained, so it usually
    /// costs nothing.
    fn enter(&mut self) {
        let held = &self.held;
        if self.entry.is_none() && (held.bytes >= SMALL / 4 || held.buffers.is_strained()) {
            self.entry = Some(Readers::enter(&held.buffers, held.owner, held.id, held.bytes));
        }
    }
}

#[cfg(test)]
mod tests;
