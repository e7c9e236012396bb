//! The one client that all providers share: a pool of connections, HTTP/1.1 and HTTP/2.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::body::UpstreamBody;
use super::chunks::Chunks;
use super::deadline::Watch;
use super::dial::{CALL, Call, Dialer};
use super::error::{UpstreamError, UpstreamErrorKind};
use super::headers;
use super::http_client::Lazy;
use super::media::MediaClient;
use super::origin::Place;
use super::replay::{Replay, ReplayRequest};
use super::screen::Screen;
use super::veil::{Scope, Veil};
use super::{Credential, UpstreamRequest, UpstreamResponse};

/// Settings of all connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Timeout of a connection attempt that no exchange waits for any longer; exchanges have their own limit.
    pub connect: Duration,
    /// How long an unused connection is kept. Shorter than the usual idle timeout of load balancers (60 s), so that few
    /// requests meet a connection that is just being closed.
    pub pool_idle: Duration,
    /// How many unused connections are kept for one origin.
    pub pool_idle_per_host: usize,
    /// Maximum size of the read buffer of an HTTP/1.1 connection, in bytes; it starts at 8 KiB, which is also the
    /// minimum. It bounds the head of an answer, too.
    pub read_buffer: usize,
    /// Silence before the first TCP keep-alive probe.
    pub tcp_keepalive: Option<Duration>,
    /// Interval of HTTP/2 pings, while an answer is awaited.
    pub http2_ping: Option<Duration>,
}

/// The smallest read buffer that hyper accepts, in bytes.
const LEAST_READ_BUFFER: usize = 8 * 1024;

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            pool_idle: Duration::from_secs(50),
            pool_idle_per_host: 256,
            read_buffer: 64 * 1024,
            tcp_keepalive: Some(Duration::from_mins(1)),
            http2_ping: Some(Duration::from_secs(30)),
        }
    }
}

/// Sends requests to providers. A clone shares the pool.
#[derive(Clone)]
pub struct Upstreams {
    /// Uses HTTP/1.1, or HTTP/2 if TLS negotiates it.
    negotiating: Client<Dialer, Chunks>,
    /// Uses HTTP/2 from the first byte, for bases that are configured so.
    http2: Client<Dialer, Chunks>,
    media: MediaClient,
    /// For access tokens.
    tokens: Lazy<reqwest::Client>,
}

impl Upstreams {
    /// Creates a client without connections; they are opened on demand.
    pub fn new(settings: &Settings) -> Self {
        let dialer = Dialer::new(settings);
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.pool_idle)
            .pool_max_idle_per_host(settings.pool_idle_per_host)
            .http1_max_buf_size(settings.read_buffer.max(LEAST_READ_BUFFER))
            .http2_keep_alive_interval(settings.http2_ping);
        let negotiating = builder.build(dialer.clone());
        let http2 = builder.http2_only(true).build(dialer);
        Self { negotiating, http2, media: MediaClient::default(), tokens: Lazy::default() }
    }

    /// The client that fetches media.
    pub fn media(&self) -> &MediaClient {
        &self.media
    }

    /// The client for access tokens, once it has been made.
    pub(super) fn tokens(&self) -> &Lazy<reqwest::Client> {
        &self.tokens
    }

    /// Sends a request and waits for the answer's head. Dropping the future cancels the exchange.
    ///
    /// The request is sent once more if a pooled connection turns out to be closed before any byte of an answer (the
    /// provider closed it while it was unused) and a repetition does no harm: either nothing of it was written yet,
    /// which the pool itself handles, or its method is idempotent. After any other failure, retrying is up to the
    /// caller.
    pub async fn send(&self, request: UpstreamRequest<'_>) -> Result<UpstreamResponse, UpstreamError> {
        match request.address.place() {
            Place::Replay { replay, path } => Ok(play(replay, path, &request)),
            Place::Network { trusted, .. } => {
                let tokens = request.credential.filter(|_| *trusted).and_then(Credential::tokens);
                match tokens {
                    Some(tokens) => tokens.send(self, request).await,
                    None => self.exchange(request).await,
                }
            }
        }
    }

    /// Sends a request without fetching a token first.
    pub(super) async fn exchange(&self, request: UpstreamRequest<'_>) -> Result<UpstreamResponse, UpstreamError> {
        let is_http2 = matches!(request.address.place(), Place::Network { http2: true, .. });
        exchange(if is_http2 { &self.http2 } else { &self.negotiating }, request).await
    }
}

async fn exchange(
    client: &Client<Dialer, Chunks>,
    request: UpstreamRequest<'_>,
) -> Result<UpstreamResponse, UpstreamError> {
    let origin = request.address.origin().clone();
    let connect = request.timeouts.connect;
    let mut watch = Watch::start(&request.timeouts);
    let veil = request.credential.map(|credential| credential.veil().clone());
    let message = dress(request)?;
    let spare = message.method().is_idempotent().then(|| message.clone());
    let failure = match watch.guard(attempt(client, message, connect)).await {
        Err(expired) => return Err(UpstreamError::new(expired, &origin)),
        Ok(Ok(response)) => return Ok(answer(response, watch, origin, veil)),
        Ok(Err(failure)) => failure,
    };
    let error = UpstreamError::of_request(&failure.error, &origin);
    let Some(spare) = spare.filter(|_| !failure.dialed && error.kind == UpstreamErrorKind::Reset) else {
        return Err(error);
    };
    tracing::debug!(%error, "sending the request again: the pooled connection was stale");
    match watch.guard(attempt(client, spare, connect)).await {
        Err(expired) => Err(UpstreamError::new(expired, &origin)),
        Ok(Ok(response)) => Ok(answer(response, watch, origin, veil)),
        Ok(Err(failure)) => Err(UpstreamError::of_request(&failure.error, &origin)),
    }
}

/// A failed attempt.
struct Failure {
    error: legacy::Error,
    /// Whether the connection was opened for this attempt.
    dialed: bool,
}

async fn attempt(
    client: &Client<Dialer, Chunks>,
    message: Request<Chunks>,
    connect: Duration,
) -> Result<Response<Incoming>, Failure> {
    let sending = client.request(message);
    let call = Call { connect, dialed: Cell::new(false) };
    CALL.scope(call, async {
        sending.await.map_err(|error| Failure { error, dialed: CALL.with(|call| call.dialed.get()) })
    })
    .await
}

/// Builds the HTTP request. The credential comes last and replaces anything in its place.
fn dress(request: UpstreamRequest<'_>) -> Result<Request<Chunks>, UpstreamError> {
    let UpstreamRequest { method, address, mut headers, body, credential, .. } = request;
    headers::scrub(&mut headers);
    let Place::Network { uri, trusted, host, .. } = address.place() else {
        return Err(UpstreamError::new(UpstreamErrorKind::Request, address.origin()));
    };
    if let Some(host) = host {
        headers.insert(HOST, host.clone());
    }
    let mut uri = uri.clone();
    if let Some(credential) = credential.filter(|_| *trusted) {
        uri = credential
            .apply(&method, uri, &mut headers, &body)
            .map_err(|error| UpstreamError::because(UpstreamErrorKind::Request, address.origin(), &error))?;
    }
    let mut message = Request::new(body);
    *message.method_mut() = method;
    *message.uri_mut() = uri;
    *message.headers_mut() = headers;
    Ok(message)
}

/// Builds the answer. The request's credential is hidden in it, so that neither a client nor an adapter can read it.
fn answer(response: Response<Incoming>, mut watch: Watch, origin: Arc<str>, veil: Option<Veil>) -> UpstreamResponse {
    watch.head_came();
    let (mut head, body) = response.into_parts();
    let mut body = UpstreamBody::network(body, watch, origin);
    if let Some(veil) = veil.filter(|veil| !veil.is_empty()) {
        let scope = Scope::of(head.status);
        veil.hide_in_headers(&mut head.headers, scope);
        body.screen_by(Screen::new(veil, scope, &head.headers));
    }
    UpstreamResponse { status: head.status, headers: head.headers, body }
}

fn play(replay: &Replay, path: &str, request: &UpstreamRequest<'_>) -> UpstreamResponse {
    let asked = ReplayRequest {
        method: &request.method,
        path,
        body: &request.body,
        stream: request.stream,
        model: request.model,
    };
    let played = replay.answer(&asked);
    let mut watch = Watch::start(&request.timeouts);
    watch.head_came();
    let body = UpstreamBody::replay(played.body, watch, request.address.origin().clone());
    UpstreamResponse { status: played.status, headers: played.headers, body }
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstreams").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
