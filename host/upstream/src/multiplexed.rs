//! A connection of HTTP/2, which exchanges share: as many at the same time as the provider takes.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::chunks::Chunks;
use super::refusal;
use super::settings::Settings;
use super::stream::Stream;

/// The window of a connection in bytes: room for the windows of all its streams. What has arrived of an answer and no
/// client has read counts against it, so a few slow readers would use up a smaller one, and stop all other exchanges.
/// (h2 also bounds small unread frames by half of it, and ends the connection beyond that.)
const CONNECTION_WINDOW: u32 = 256 << 20;
/// The window of a stream in bytes: how much of an answer is held for a client that does not read, and how much may be
/// under way before the provider has to wait for one round trip.
const STREAM_WINDOW: u32 = 1 << 20;
/// The most exchanges of a connection, whatever the provider takes, so that the windows of their streams fit.
const MAX_EXCHANGES: usize = (CONNECTION_WINDOW / STREAM_WINDOW) as usize;
/// How long an exchange waits without an answer before its connection gets no more exchanges, in milliseconds, if
/// nothing arrived for any other one meanwhile. A provider may still answer pings on a connection on which no answers
/// arrive.
const STUCK: u64 = 2_000;
/// How many exchanges a provider takes at the same time, before it has said so: the least that the protocol recommends.
pub(super) const ASSUMED: usize = 100;

type Driver = http2::Connection<Stream, Chunks, TokioExecutor>;

/// A connection of HTTP/2.
pub(super) struct Multiplexed {
    sender: http2::SendRequest<Chunks>,
    load: Arc<Load>,
    /// When an exchange took it last, or it was seen in use.
    used: Instant,
}

/// How many exchanges a connection has, and may have.
struct Load {
    /// The number of exchanges that have not ended yet.
    exchanges: AtomicUsize,
    /// How many the provider takes at the same time, as far as is known.
    limit: AtomicUsize,
    /// Whether the provider has answered.
    has_answered: AtomicBool,
    /// When the connection began, from which times are counted.
    begun: Instant,
    /// When something arrived for an exchange last, in milliseconds.
    moved: AtomicU64,
    /// Whether it gets no more exchanges, since one has waited too long, or the provider ends it.
    is_retired: AtomicBool,
    /// Wakes the task that drives the connection.
    driver: OnceLock<Waker>,
}

/// The right to one exchange on a connection.
pub(super) struct Http2 {
    sender: http2::SendRequest<Chunks>,
    seat: Seat,
}

/// The place of one exchange among those of a connection. Dropping it makes room for another one.
pub(super) struct Seat {
    load: Arc<Load>,
    /// When it was taken, in milliseconds.
    taken: u64,
}

impl Multiplexed {
    /// Begins to speak HTTP/2. The connection takes `limit` exchanges, until the provider has said how many.
    pub(super) async fn open(stream: Stream, settings: &Settings, limit: usize) -> hyper::Result<Self> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(settings.http2_ping)
            .max_header_list_size(u32::try_from(settings.answer_head).unwrap_or(u32::MAX))
            .initial_max_send_streams(limit)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_stream_window_size(STREAM_WINDOW);
        let (sender, connection) = builder.handshake(stream).await?;
        let load = Arc::new(Load::new(limit));
        tokio::spawn(drive(connection, Arc::clone(&load)));
        Ok(Self { sender, load, used: Instant::now() })
    }

    /// How many exchanges it may have at the same time. One that the provider allows none may have one, which waits.
    pub(super) fn limit(&self) -> usize {
        self.load.limit.load(Relaxed).clamp(1, MAX_EXCHANGES)
    }

    /// Whether it can take exchanges at all.
    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed() && !self.load.is_retired.load(Relaxed)
    }

    /// Takes it for one exchange, if it is open and has room. Only one caller at a time asks, so the bound holds.
    pub(super) fn take(&mut self) -> Option<Http2> {
        if self.load.exchanges.load(Relaxed) >= self.limit() || !self.is_open() {
            return None;
        }
        self.used = Instant::now();
        self.load.exchanges.fetch_add(1, Relaxed);
        let seat = Seat { load: Arc::clone(&self.load), taken: self.load.now() };
        Some(Http2 { sender: self.sender.clone(), seat })
    }

    /// Whether it is worth keeping: open, and used within this time.
    pub(super) fn is_kept(&mut self, idle: Duration) -> bool {
        if self.load.exchanges.load(Relaxed) > 0 {
            self.used = Instant::now();
        }
        self.is_open() && self.used.elapsed() <= idle
    }
}

impl Load {
    fn new(limit: usize) -> Self {
        let (exchanges, limit) = (AtomicUsize::new(0), AtomicUsize::new(limit));
        Self {
            exchanges,
            limit,
            has_answered: AtomicBool::new(false),
            begun: Instant::now(),
            moved: AtomicU64::new(0),
            is_retired: AtomicBool::new(false),
            driver: OnceLock::new(),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Http2 {
    /// Sends a request: the future has the answer's head, and the place that its body keeps.
    pub(super) fn send(
        self,
        message: Request<Chunks>,
    ) -> impl Future<Output = Result<(Response<Incoming>, Seat), TrySendError<Request<Chunks>>>> {
        let Self { mut sender, seat } = self;
        let answer = sender.try_send_request(message);
        async move {
            match answer.await {
                Ok(answered) => {
                    seat.answered();
                    Ok((answered, seat))
                }
                Err(error) => {
                    if refusal::is_leaving(error.error()) {
                        seat.load.is_retired.store(true, Relaxed);
                    }
                    Err(error)
                }
            }
        }
    }
}

impl Seat {
    /// Makes the driver look at the provider's settings, which came before its first answer. Later changes are seen
    /// when requests are sent.
    fn answered(&self) {
        let load = &self.load;
        self.moved();
        if !load.has_answered.load(Relaxed)
            && !load.has_answered.swap(true, Relaxed)
            && let Some(driver) = load.driver.get()
        {
            driver.wake_by_ref();
        }
    }
}

impl Seat {
    /// Something arrived for the exchange.
    pub(super) fn moved(&self) {
        self.load.moved.store(self.load.now(), Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let load = &self.load;
        load.exchanges.fetch_sub(1, Relaxed);
        // One that has ended well has just moved it.
        let waited_since = load.moved.load(Relaxed).max(self.taken);
        if load.now().saturating_sub(waited_since) >= STUCK {
            load.is_retired.store(true, Relaxed);
        }
    }
}

/// Sends requests until the connection ends, and notes how many the provider takes.
async fn drive(mut connection: Driver, load: Arc<Load>) {
    let ended = poll_fn(|cx| {
        load.driver.get_or_init(|| cx.waker().clone());
        let polled = Pin::new(&mut connection).poll(cx);
        load.limit.store(connection.current_max_send_streams(), Relaxed);
        polled
    });
    if let Err(error) = ended.await {
        tracing::debug!(%error, "connection ended");
    }
}
