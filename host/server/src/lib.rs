//! Sockets and HTTP on the client's side: accepting, limits, and graceful shutdown.

mod activity;
mod address_key;
mod drive;
pub mod final_poll;
mod listen;
mod metrics;
mod protocol;
mod proxies;
mod registry;
mod socket;
mod stall;
#[cfg(test)]
mod tests;
pub mod tls;
mod upgrade;
mod workers;

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use self::activity::{Activity, ConnectionTimeouts, Order};
use self::drive::{End, drive};
use self::protocol::Protocols;
use self::registry::{Capacity, Place, Registry};
use self::socket::{Observed, Socket};
use self::stall::Marked;
use self::tls::Tls;
use weir_buffers::Connection;

pub use listen::{Reserved, bind, reserve};
pub use metrics::{ConnectionMetrics, ListenerMetrics};
pub use proxies::TrustedProxies;
pub use upgrade::{Leaving, Upgrade};
pub use workers::{Spread, Workers};

/// Request extension: the client's side of the connection. One value, since each extension takes memory of its own.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The client's address, one of IPv4 as such. Of a request that a trusted proxy sends, what that says.
    pub address: IpAddr,
    /// What the connection's requests hold together.
    pub buffers: Connection,
}

impl Peer {
    /// The side of a connection on which nothing is held yet.
    pub fn new(address: IpAddr) -> Self {
        Self { address, buffers: Connection::default() }
    }

    /// The client for which this proxy sends a request.
    fn behind<B>(&self, proxies: &TrustedProxies, request: &Request<B>) -> Self {
        Self { address: proxies.client(self.address, request.headers()), ..self.clone() }
    }
}

/// Request extension: the connection is beyond the limit, and only the operations endpoints serve it.
#[derive(Debug, Clone, Copy)]
pub struct BeyondLimit;

/// Limits and settings of one listener.
#[derive(Debug, Clone)]
pub struct Allowance {
    /// Maximum number of open connections. At the limit the idlest one is closed for a new one.
    pub connections: usize,
    /// Further connections beyond that, whose requests are marked with [`BeyondLimit`]. If zero, further connections
    /// wait to be accepted.
    pub reserve: usize,
    /// Maximum connections from one address; by default half of all, and any number from loopback and from `proxies`.
    pub per_address: Option<usize>,
    /// The proxies whose `x-forwarded-for` is believed.
    pub proxies: TrustedProxies,
    /// Maximum size of a request's head, in bytes.
    pub header_bytes: usize,
    /// How long a client may take from accept to its first complete request head, and for each later head.
    pub header_timeout: Duration,
    /// How long a connection may stay open between requests.
    pub idle_timeout: Duration,
    /// Interval of HTTP/2 pings, and how long the client may take to answer one.
    pub ping: (Duration, Duration),
    /// How long a client may accept no data before its connection or HTTP/2 stream is closed.
    pub send_timeout: Duration,
    /// How long open connections may continue after the listener is stopped, before their answers are ended.
    pub drain: Duration,
    /// The certificate, if the listener uses TLS.
    pub tls: Option<Arc<Tls>>,
    /// Metrics of the listener's connections.
    pub metrics: ListenerMetrics,
}

/// Default interval of HTTP/2 pings, and how long the client may take to answer one.
pub const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));
/// Pause after a failed accept, for instance when the system has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How many evicted connections may still be closing while others occupy their slots.
const ENDING: usize = 64;
/// How long answers have to end themselves before they are cut.
const LAST_CALL: Duration = Duration::from_secs(1);
/// How long connections have to end after they are cut.
const CUT: Duration = Duration::from_secs(1);

/// State shared by all connections of a listener.
struct Listener<H> {
    protocols: Protocols,
    allowance: Allowance,
    handle: H,
}

/// Body types that a listener can send in an answer.
pub trait ReplyBody:
    Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>> + Send> + Send + Unpin + 'static
{
}

impl<B> ReplyBody for B where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>> + Send> + Send + Unpin + 'static
{
}

/// Accepts connections and hands them to workers until `stop` is set, then drains the open ones.
///
/// What `handle` returns is boxed: a connection's task reserves space for it as long as it lives, and mostly just
/// streams an answer.
pub async fn serve<H, F, B>(
    listener: TcpListener,
    spread: Spread,
    allowance: Allowance,
    mut stop: watch::Receiver<bool>,
    handle: H,
) where
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + Unpin + 'static,
    B: ReplyBody,
{
    let Allowance { connections, reserve, per_address, drain, .. } = allowance;
    let proxies = allowance.proxies.clone();
    let ending = if reserve == 0 { 0 } else { ENDING };
    let most = u32::try_from(connections + reserve + ending).unwrap_or(u32::MAX).min(Semaphore::MAX_PERMITS as u32);
    let sockets = Arc::new(Semaphore::new(most as usize));
    let registry = Arc::new(Registry::new(Capacity { connections, reserve, per_address, proxies }));
    let final_poll = watch::Sender::new(false);
    let protocols = Protocols::new(&allowance, final_poll.subscribe());
    let shared = Arc::new(Listener { protocols, allowance, handle });
    let mut is_crowded = false;
    loop {
        let (permit, accepted) = tokio::select! {
            accepted = accept(&listener, &sockets) => accepted,
            () = stopped(&mut stop) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                registry.relieve();
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match registry.enter(peer.ip()) {
            Ok(place) => {
                is_crowded = false;
                let (seat, shared, stream) = (spread.seat(), Arc::clone(&shared), stream.into_std());
                seat.runtime().clone().spawn(async move {
                    if let Some(stream) = adopted(stream) {
                        serve_connection(shared, stream, peer.ip().to_canonical(), place).await;
                    }
                    drop((permit, seat));
                });
            }
            Err(refusal) => {
                shared.allowance.metrics.refused(refusal);
                if !std::mem::replace(&mut is_crowded, true) {
                    tracing::warn!(peer = %peer.ip(), reason = ?refusal, "connections are refused: there are too many");
                }
            }
        }
    }
    drop(listener);
    end_all(&registry, &final_poll, drain, &sockets, most).await;
}

/// The next connection, once there is room for its socket.
async fn accept(
    listener: &TcpListener,
    sockets: &Arc<Semaphore>,
) -> (Option<OwnedSemaphorePermit>, io::Result<(TcpStream, SocketAddr)>) {
    // Infallible: the semaphore is never closed.
    let permit = Arc::clone(sockets).acquire_owned().await.ok();
    (permit, listener.accept().await)
}

/// Ends the open connections: after their exchanges, and those whose exchanges take longer than `drain` nevertheless.
/// Each connection has one of the `sockets`, which are `most`.
async fn end_all(
    registry: &Registry,
    final_poll: &watch::Sender<bool>,
    drain: Duration,
    sockets: &Semaphore,
    most: u32,
) {
    registry.instruct_all(Order::Leave);
    if tokio::time::timeout(drain, sockets.acquire_many(most)).await.is_ok() {
        return;
    }
    tracing::warn!("some connections did not end in time: their answers are ended, and then they are cut");
    registry.instruct_all(Order::FinalPoll);
    final_poll.send_replace(true);
    if tokio::time::timeout(LAST_CALL, sockets.acquire_many(most)).await.is_ok() {
        return;
    }
    registry.instruct_all(Order::Cut);
    let _cut = tokio::time::timeout(CUT, sockets.acquire_many(most)).await;
}

/// The connection, with its events going to the runtime of the caller.
fn adopted(stream: io::Result<std::net::TcpStream>) -> Option<TcpStream> {
    let adopted = stream.and_then(TcpStream::from_std);
    adopted.inspect_err(|error| tracing::warn!(%error, "a connection cannot be served")).ok()
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A closed channel means stop, too.
    drop(stop.wait_for(|stop| *stop).await);
}

/// Serves one connection until it ends.
async fn serve_connection<H, F, B>(shared: Arc<Listener<H>>, stream: TcpStream, address: IpAddr, place: Place)
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + Unpin + 'static,
    B: ReplyBody,
{
    let Allowance { metrics, header_timeout, idle_timeout, send_timeout, tls, .. } = &shared.allowance;
    let timeouts = ConnectionTimeouts { head: *header_timeout, idle: *idle_timeout };
    let (_open, place) = (metrics.opened(), Arc::new(place));
    let activity = Arc::clone(&place.activity);
    socket::prepare(&stream);
    let socket = match tls {
        None => Some(Socket::Plain(stream)),
        Some(tls) => match drive(pin!(tls.accept(stream)), |_| (), &activity, timeouts).await {
            End::Done(Ok(stream)) => Some(Socket::Tls(Box::new(stream))),
            End::Done(Err(error)) => {
                tracing::debug!(%error, "no TLS connection came about");
                None
            }
            End::Expired(expiry) => {
                metrics.expired(expiry);
                None
            }
            End::Ordered => None,
        },
    };
    if let Some(socket) = socket {
        let stream = Observed::new(socket, *send_timeout, Arc::clone(&activity));
        let handle = shared.handle.clone();
        let peer = Peer::new(address);
        let holder = Arc::clone(&place);
        let proxies = Some(shared.allowance.proxies.clone()).filter(|proxies| proxies.has(address));
        let service = service_fn(move |request| {
            let asks_for = proxies.as_ref().map(|proxies| peer.behind(proxies, &request));
            answer(&handle, &place, asks_for.as_ref().unwrap_or(&peer), request)
        });
        match serve_protocol(&shared.protocols, stream, service, &activity, timeouts).await {
            End::Done(Err(error)) => tracing::debug!(%error, "connection ended"),
            End::Expired(expiry) => metrics.expired(expiry),
            End::Done(Ok(())) => go_on(&holder, timeouts).await,
            End::Ordered => {}
        }
    }
    if activity.order() == Order::Evict {
        metrics.evicted();
    }
}

/// Serves a connection's requests, in the version of HTTP that its client uses.
async fn serve_protocol<S, B>(
    protocols: &Protocols,
    mut stream: Observed,
    service: S,
    activity: &Activity,
    timeouts: ConnectionTimeouts,
) -> End<Result<(), Box<dyn Error + Send + Sync>>>
where
    S: Service<Request<Incoming>, Response = Response<Marked<B>>, Error = Infallible>,
    S::Future: Send + 'static,
    B: ReplyBody,
{
    let detected = drive(pin!(protocol::version(&mut stream)), |_| (), activity, timeouts).await;
    let version = match detected {
        End::Done(Ok((version, read))) => {
            stream.reread(read);
            version
        }
        End::Done(Err(error)) => return End::Done(Err(error.into())),
        End::Expired(expiry) => return End::Expired(expiry),
        End::Ordered => return End::Ordered,
    };
    let io = TokioIo::new(stream);
    let ended = if version == Version::HTTP_2 {
        // Boxed: it is large, and few connections use it.
        let mut connection = Box::pin(protocols.http2.serve_connection(io, service));
        drive(connection.as_mut(), http2::Connection::graceful_shutdown, activity, timeouts).await
    } else {
        let connection = pin!(protocols.http1.serve_connection(io, service).with_upgrades());
        drive(connection, http1::UpgradeableConnection::graceful_shutdown, activity, timeouts).await
    };
    ended.map(|done| done.map_err(Into::into))
}

/// Runs what an answer made that upgraded the connection. The connection counts as busy meanwhile.
async fn go_on(place: &Arc<Place>, timeouts: ConnectionTimeouts) {
    let Some(upgrade) = place.upgrade.get() else { return };
    let Some(mut task) = upgrade.take() else { return };
    let _busy = place.activity.begin(Version::HTTP_11);
    drive(task.as_mut(), |_| upgrade.leave(), &place.activity, timeouts).await;
}

/// Answers one request.
fn answer<H, F, B>(
    handle: &H,
    place: &Arc<Place>,
    peer: &Peer,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Marked<B>>, Infallible>> + use<H, F, B>
where
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<B>> + Unpin,
    B: ReplyBody,
{
    let version = request.version();
    let exchange = place.activity.begin(version);
    request.extensions_mut().insert(peer.clone());
    if version == Version::HTTP_11 && request.headers().contains_key(header::UPGRADE) {
        request.extensions_mut().insert(place.upgrade.get_or_init(Upgrade::default).clone());
        place.activity.upgrading();
    }
    let beyond = (!place.is_ordinary()).then(|| Arc::clone(place));
    if beyond.is_some() {
        request.extensions_mut().insert(BeyondLimit);
    }
    let answer = handle(request);
    async move {
        let mut response = answer.await;
        if let Some(place) = beyond.filter(|_| response.status() == StatusCode::SERVICE_UNAVAILABLE) {
            if version < Version::HTTP_2 {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            place.activity.instruct(Order::Leave);
        }
        Ok(response.map(|body| Marked::new(body, exchange)))
    }
}
