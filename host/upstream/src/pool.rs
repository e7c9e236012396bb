//! The open connections to providers, by origin: idle ones of HTTP/1.1, and those of HTTP/2, which exchanges share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use futures_util::future::Either;
use http::{Request, Uri};
use tokio::time::timeout;

use super::chunks::Chunks;
use super::connection::{AnswerWithCarrier, Connection, Failure, Http1, Unanswered};
use super::dial::{DialError, Dialer};
use super::hand_over::HandOver;
use super::multiplexed::{ASSUMED, Multiplexed};
use super::settings::Settings;
use super::stream::Stream;

/// How many sweeps an unused connection sees before it is too old: so it is closed at most a quarter late.
const SWEEPS: u32 = 4;

/// Connections to providers. A clone shares them.
#[derive(Clone)]
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    dialer: Dialer,
    settings: Settings,
    /// Whether all connections use HTTP/2 from the first byte, instead of what TLS negotiates.
    is_http2: bool,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    origins: HashMap<Arc<str>, Origin, RandomState>,
    /// Whether a task closes unused connections.
    is_swept: bool,
}

/// The connections to one origin.
#[derive(Default)]
struct Origin {
    /// The last used one last.
    idle: Vec<Idle>,
    /// A request goes out on the first one that has room, so that those at the end are unused when there is less to do.
    http2: Vec<Multiplexed>,
    dial_lock: DialLock,
}

/// Held while a connection of HTTP/2 is opened, so that those who can share it do not open others.
type DialLock = Arc<tokio::sync::Mutex<()>>;

struct Idle {
    connection: Box<Http1>,
    since: Instant,
}

/// A failed exchange.
pub(super) struct Failed {
    pub(super) failure: Failure,
    /// Whether the connection was opened for this exchange.
    pub(super) dialed: bool,
}

impl Pool {
    /// Creates an empty pool.
    pub(super) fn new(dialer: Dialer, settings: Settings, is_http2: bool) -> Self {
        Self(Arc::new(Shared { dialer, settings, is_http2, open: Mutex::default() }))
    }

    /// Sends a request on an open connection, or on a new one, which may take `connect` to open. A request of which
    /// nothing was written, since its connection was closed, goes out on another.
    pub(super) fn send<'p>(
        &'p self,
        origin: &Arc<str>,
        message: Request<Chunks>,
        connect: Duration,
        hand_over: Option<HandOver>,
    ) -> impl Future<Output = Result<AnswerWithCarrier, Failed>> + use<'p> {
        let origin = Arc::clone(origin);
        // What is rarely needed is boxed: the futures of requests are copied some times.
        let sending = match self.take(&origin) {
            Some(open) => {
                hand_over.iter().for_each(HandOver::done);
                Either::Left((open.send(message), hand_over))
            }
            None => Either::Right(Box::pin(self.send_anew(Arc::clone(&origin), message, connect, hand_over))),
        };
        async move {
            match sending {
                Either::Left((sending, hand_over)) => match sending.await {
                    Err(Unanswered { unsent: Some(unsent), .. }) => {
                        hand_over.iter().for_each(HandOver::undone);
                        Box::pin(self.send_anew(origin, *unsent, connect, hand_over)).await
                    }
                    answered => answered.map_err(|Unanswered { failure, .. }| Failed { failure, dialed: false }),
                },
                Either::Right(sending) => sending.await,
            }
        }
    }

    /// Sends a request on another open connection, or opens one.
    async fn send_anew(
        &self,
        origin: Arc<str>,
        mut message: Request<Chunks>,
        connect: Duration,
        hand_over: Option<HandOver>,
    ) -> Result<AnswerWithCarrier, Failed> {
        loop {
            let (connection, dialed) = match self.take(&origin) {
                Some(open) => (open, false),
                None => match self.connect(&origin, message.uri(), connect).await {
                    Ok(new) => (new, true),
                    Err(failure) => return Err(Failed { failure, dialed: true }),
                },
            };
            hand_over.iter().for_each(HandOver::done);
            match connection.send(message).await {
                Ok(answered) => return Ok(answered),
                Err(Unanswered { unsent: Some(unsent), .. }) if !dialed => {
                    hand_over.iter().for_each(HandOver::undone);
                    message = *unsent;
                }
                Err(Unanswered { failure, .. }) => return Err(Failed { failure, dialed }),
            }
        }
    }

    /// Takes an open connection, if there is one.
    fn take(&self, origin: &Arc<str>) -> Option<Connection> {
        loop {
            let mut connection = {
                let mut open = self.open();
                let known = open.origins.get_mut(origin)?;
                if let Some(shared) = known.shared() {
                    return Some(shared);
                }
                let Idle { connection, since } = known.idle.pop()?;
                if since.elapsed() > self.0.settings.pool_idle {
                    // Those below it are older still.
                    known.idle.clear();
                    return None;
                }
                connection
            };
            if connection.is_idle() {
                return Some(Connection::Http1(connection));
            }
        }
    }

    /// Opens a connection. If another exchange opened one of HTTP/2 meanwhile, and that has room, it is used.
    async fn connect(&self, origin: &Arc<str>, uri: &Uri, limit: Duration) -> Result<Connection, Failure> {
        let dial_lock = self.dial_lock(origin);
        let _alone = match &dial_lock {
            Some(dial_lock) => Some(timeout(limit, dial_lock.lock()).await.map_err(|_| DialError::TimedOut)?),
            None => None,
        };
        if dial_lock.is_some()
            && let Some(shared) = self.shared(origin)
        {
            return Ok(shared);
        }
        let stream = self.0.dialer.dial(uri, limit).await?;
        if !self.0.is_http2 && !stream.is_http2() {
            return Ok(Connection::Http1(Http1::open(stream, self.0.settings.answer_head).await?));
        }
        // It was not known that the provider has HTTP/2, so others may have opened connections at the same time.
        if dial_lock.is_none()
            && let Some(shared) = self.shared(origin)
        {
            return Ok(shared);
        }
        self.multiplexed(origin, stream).await
    }

    /// What to hold while a connection of HTTP/2 is opened, if the origin may speak it. As many exchanges as one
    /// connection takes wait for the same; further ones open another connection meanwhile.
    fn dial_lock(&self, origin: &Arc<str>) -> Option<DialLock> {
        let mut open = self.open();
        let known = open.origins.entry(Arc::clone(origin)).or_default();
        if !self.0.is_http2 && known.http2.is_empty() {
            return None;
        }
        if Arc::strong_count(&known.dial_lock) > known.limit() {
            known.dial_lock = DialLock::default();
        }
        Some(Arc::clone(&known.dial_lock))
    }

    /// Begins to speak HTTP/2 on a new connection, and keeps it for other exchanges.
    async fn multiplexed(&self, origin: &Arc<str>, stream: Stream) -> Result<Connection, Failure> {
        let limit = self.open().origins.get(origin).map_or(ASSUMED, Origin::limit);
        let mut new = Multiplexed::open(stream, &self.0.settings, limit).await?;
        let taken = new.take().ok_or(Failure::Closed)?;
        let mut open = self.open();
        let known = open.origins.entry(Arc::clone(origin)).or_default();
        known.http2.retain(Multiplexed::is_open);
        known.http2.push(new);
        self.start_sweep(&mut open);
        Ok(Connection::Http2(taken))
    }

    fn shared(&self, origin: &Arc<str>) -> Option<Connection> {
        self.open().origins.get_mut(origin)?.shared()
    }

    /// Keeps an idle connection for later exchanges.
    pub(super) fn put(&self, origin: &Arc<str>, connection: Box<Http1>) {
        let settings = &self.0.settings;
        let mut open = self.open();
        let idle = match open.origins.get_mut(origin) {
            Some(known) => &mut known.idle,
            None => &mut open.origins.entry(Arc::clone(origin)).or_default().idle,
        };
        if idle.len() >= settings.pool_idle_per_host {
            return;
        }
        idle.push(Idle { connection, since: Instant::now() });
        self.start_sweep(&mut open);
    }

    /// Starts the task that closes unused connections, unless it runs.
    fn start_sweep(&self, open: &mut Open) {
        if !open.is_swept
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            open.is_swept = true;
            runtime.spawn(sweep(Arc::downgrade(&self.0), self.0.settings.pool_idle / SWEEPS));
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        lock(&self.0.open)
    }
}

impl Origin {
    /// A connection that exchanges share, if one has room.
    fn shared(&mut self) -> Option<Connection> {
        self.http2.iter_mut().find_map(Multiplexed::take).map(Connection::Http2)
    }

    /// How many exchanges a new connection takes: as many as the last one.
    fn limit(&self) -> usize {
        self.http2.last().map_or(ASSUMED, Multiplexed::limit)
    }

    /// Whether nothing of it is worth keeping; drops the shared connections that were not used for so long.
    fn is_unused(&mut self, idle: Duration) -> bool {
        self.http2.retain_mut(|shared| shared.is_kept(idle));
        self.idle.is_empty() && self.http2.is_empty() && Arc::strong_count(&self.dial_lock) == 1
    }
}

/// Closes connections that were unused for long, or that the provider has closed, until none is left.
async fn sweep(pool: Weak<Shared>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut gone = Vec::new();
        let mut open = lock(&pool.open);
        open.origins.retain(|_, origin| {
            let usable = |idle: &mut Idle| idle.since.elapsed() <= pool.settings.pool_idle && idle.connection.is_idle();
            gone.extend(origin.idle.extract_if(.., |idle| !usable(idle)));
            !origin.is_unused(pool.settings.pool_idle)
        });
        open.is_swept = !open.origins.is_empty();
        let is_done = !open.is_swept;
        drop(open);
        drop(gone);
        if is_done {
            return;
        }
    }
}

fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The future of every request is copied some times: what it rarely needs is boxed.
    #[test]
    fn the_future_of_a_request_is_small() {
        let settings = Settings::default();
        let pool = Pool::new(Dialer::new(&settings), settings, false);
        let origin = Arc::from("http://127.0.0.1:1");
        let future = pool.send(&origin, Request::new(Chunks::empty()), Duration::ZERO, None);
        assert!(size_of_val(&future) < 2048, "{} bytes", size_of_val(&future));
    }
}
