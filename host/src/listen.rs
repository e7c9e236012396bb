//! Sockets and HTTP on the client's side: accept, limits, and the orderly end.

mod stall;

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;

use self::stall::{Marked, Streams};
use crate::attempt::ReplyBody;

/// Where a request came from, among its extensions.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// What one listener allows.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// Connections at the same time; further ones wait to be accepted.
    pub connections: usize,
    /// Bytes of a request's head.
    pub header_bytes: usize,
    /// How long a client may take to send a request's head.
    pub header_timeout: Duration,
    /// How long a client may take nothing of what is sent to it.
    pub send_timeout: Duration,
    /// How long connections may go on when the listener is told to stop.
    pub drain: Duration,
}

/// The least that hyper takes for a buffer.
const LEAST_BUFFER: usize = 8 * 1024;
/// Before the next try when the system has no descriptor for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until told to stop, then lets those that are open end.
pub async fn serve<H, F>(listener: TcpListener, allowance: Allowance, mut stop: watch::Receiver<bool>, handle: H)
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<ReplyBody>> + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(allowance.connections));
    let server = Arc::new(server(&allowance));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "no connection could be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            () = told(&mut stop) => break,
        };
        let connection = converse(
            Arc::clone(&server),
            (patient(stream, allowance.send_timeout), Peer(peer.ip())),
            graceful.watcher(),
            handle.clone(),
        );
        tokio::spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(allowance.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections did not end in time and are cut");
    }
}

fn server(allowance: &Allowance) -> auto::Builder<Streams> {
    let mut server = auto::Builder::new(Streams { patience: allowance.send_timeout });
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(allowance.header_timeout)
        .max_buf_size(allowance.header_bytes.max(LEAST_BUFFER));
    server
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(allowance.header_bytes).unwrap_or(u32::MAX));
    server
}

async fn told(stop: &mut watch::Receiver<bool>) {
    // Whoever could have said it is gone: that says it too.
    drop(stop.wait_for(|stop| *stop).await);
}

/// A connection that ends when its client takes nothing of it for too long, so that nobody can hold a provider's answer, an
/// adapter's instance and a place by not reading.
type Patient = Pin<Box<TimeoutStream<TcpStream>>>;

fn patient(stream: TcpStream, patience: Duration) -> Patient {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY cannot be set");
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(patience));
    Box::pin(stream)
}

/// One connection's life.
async fn converse<H, F>(
    server: Arc<auto::Builder<Streams>>,
    (stream, peer): (Patient, Peer),
    watcher: Watcher,
    handle: H,
) where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<ReplyBody>> + Send + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        // In a box: the connection keeps a place for it as long as it lives, and most of that time streams an answer.
        let answer = Box::pin(handle(request));
        async move { Ok::<_, std::convert::Infallible>(answer.await.map(Marked)) }
    });
    let connection = server.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(error = %error, "connection ended");
    }
}

/// Opens a socket.
pub async fn bind(host: &str, port: u16) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((host, port)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
