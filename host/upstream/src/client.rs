//! The one client that all providers share: pools of connections, HTTP/1.1 and HTTP/2, one for each worker.

use std::fmt;
use std::future::ready;
use std::pin::{Pin, pin};
use std::sync::Arc;

use http::header::{HOST, TE};
use http::{HeaderValue, Request};

use super::answer_body::AnswerBody;
use super::body::UpstreamBody;
use super::chunks::Chunks;
use super::connection::AnswerWithCarrier;
use super::deadline::Watch;
use super::decode::{Coding, DecodeError};
use super::dial::Dialer;
use super::error::{UpstreamError, UpstreamErrorKind};
use super::grpc;
use super::hand_over::HandOver;
use super::headers;
use super::http_client::Lazy;
use super::media::MediaClient;
use super::origin::Place;
use super::outbound::OutboundProxy;
use super::pool::Pool;
use super::redactor::{Redactor, Scope};
use super::replay::{Replay, ReplayRequest};
use super::settings::Settings;
use super::stream_redactor::StreamRedactor;
use super::{Credential, UpstreamRequest, UpstreamResponse};
use weir_types::in_place::pinned;
use weir_types::worker::PerWorker;

/// A request under way. Boxed, so that the futures of those who wait for it are small: each is copied some times.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<UpstreamResponse, UpstreamError>> + Send + 'a>>;

/// Sends requests to providers. A clone shares the pools.
#[derive(Clone)]
pub struct Upstreams {
    /// Uses HTTP/1.1, or HTTP/2 if TLS negotiates it.
    negotiating: Arc<PerWorker<Pool>>,
    /// Uses HTTP/2 from the first byte, for bases that are configured so.
    http2: Arc<PerWorker<Pool>>,
    media: MediaClient,
    /// Opens connections that become sessions.
    sessions: Dialer,
    /// For access tokens.
    tokens: Lazy<reqwest::Client>,
    proxy: Option<OutboundProxy>,
}

impl Upstreams {
    /// Creates a client without connections; they are opened on demand.
    pub fn new(settings: &Settings) -> Self {
        let dialer = Dialer::new(settings);
        let pools = |is_http2| Arc::new(PerWorker::new(|| Pool::new(dialer.clone(), settings.clone(), is_http2)));
        let (negotiating, http2) = (pools(false), pools(true));
        let sessions = Dialer::http1(settings);
        Self {
            negotiating,
            http2,
            media: MediaClient::new(settings.proxy.clone()),
            sessions,
            tokens: Lazy::default(),
            proxy: settings.proxy.clone(),
        }
    }

    /// The client that fetches media.
    pub fn media(&self) -> &MediaClient {
        &self.media
    }

    /// What opens connections for sessions.
    pub(super) fn sessions(&self) -> &Dialer {
        &self.sessions
    }

    /// The client for access tokens, once it has been made.
    pub(super) fn tokens(&self) -> &Lazy<reqwest::Client> {
        &self.tokens
    }

    /// The proxy on the way to providers.
    pub(super) fn proxy(&self) -> Option<&OutboundProxy> {
        self.proxy.as_ref()
    }

    /// Sends a request and waits for the answer's head. Dropping the future cancels the exchange.
    ///
    /// The request is sent once more if a pooled connection turns out to be closed before any byte of an answer (the
    /// provider closed it while it was unused) and a repetition does no harm: either nothing of it was written yet,
    /// or the provider says that it has not taken it as it ends a connection of HTTP/2 in good order, both of which the
    /// pool itself handles; or its method is idempotent and its body in memory. After any other failure, retrying is up
    /// to the caller: a provider that closes the connection behind a whole request may have carried it out (RFC 9110,
    /// 9.2.2).
    pub fn send<'a>(&'a self, request: UpstreamRequest<'a>) -> Sending<'a> {
        match request.address.place() {
            Place::Replay { replay, path } => {
                request.hand_over.iter().for_each(HandOver::done);
                Box::pin(ready(Ok(play(replay, path, &request))))
            }
            Place::Network { trusted, .. } => {
                let tokens = request.credential.filter(|_| *trusted).and_then(Credential::tokens);
                match tokens {
                    Some(tokens) => Box::pin(tokens.send(self, request)),
                    None => self.exchange(request),
                }
            }
        }
    }

    /// Sends a request without fetching a token first.
    pub(super) fn exchange<'a>(&'a self, request: UpstreamRequest<'_>) -> Sending<'a> {
        if let Some(call) = request.grpc.clone() {
            let begun = grpc::begin(request, call);
            let sending = begun.map(|(request, call)| (exchange(self.http2.mine(), request), call));
            return Box::pin(async move {
                let (sending, call) = sending?;
                call.answered(sending.await?).await
            });
        }
        let is_http2 = matches!(request.address.place(), Place::Network { http2: true, .. });
        let pool = if is_http2 { self.http2.mine() } else { self.negotiating.mine() };
        pinned(|| exchange(pool, request))
    }
}

/// Sends a request. It is handed to a connection before the first poll, so that the future does not hold it.
fn exchange<'p>(
    pool: &'p Pool,
    request: UpstreamRequest<'_>,
) -> impl Future<Output = Result<UpstreamResponse, UpstreamError>> + use<'p> {
    let origin = request.address.origin().clone();
    let connect = request.timeouts.connect;
    let mut watch = Watch::start(&request.timeouts).following(request.body.upload());
    let redactor = request.credential.map(|credential| credential.redactor().clone());
    let hand_over = request.hand_over.clone();
    let sending = dress(request).map(|message| {
        let is_repeatable = message.method().is_idempotent() && message.body().upload().is_none();
        let spare = is_repeatable.then(|| Box::new(message.clone()));
        (pool.send(&origin, message, connect, hand_over.clone()), spare, hand_over)
    });
    async move {
        let (sending, spare, hand_over) = sending?;
        let failed = match watch.guard(pin!(sending)).await {
            Err(expired) => return Err(UpstreamError::new(expired, &origin)),
            Ok(Ok(response)) => return answer(response, watch, pool, origin, redactor),
            Ok(Err(failed)) => failed,
        };
        let error = UpstreamError::of_request(&failed.failure, &origin);
        let Some(spare) = spare.filter(|_| !failed.dialed && error.kind == UpstreamErrorKind::Reset) else {
            return Err(error);
        };
        tracing::debug!(%error, "sending the request again: the pooled connection was stale");
        match watch.guard(Box::pin(pool.send(&origin, *spare, connect, hand_over))).await {
            Err(expired) => Err(UpstreamError::new(expired, &origin)),
            Ok(Ok(response)) => answer(response, watch, pool, origin, redactor),
            Ok(Err(failed)) => Err(UpstreamError::of_request(&failed.failure, &origin)),
        }
    }
}

/// Builds the HTTP request. The credential comes last and replaces anything in its place.
pub(super) fn dress(request: UpstreamRequest<'_>) -> Result<Request<Chunks>, UpstreamError> {
    let UpstreamRequest { method, address, mut headers, body, credential, grpc, .. } = request;
    headers::scrub(&mut headers);
    if grpc.is_some() {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
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
/// What is encoded more than once, as no provider does it, cannot be searched.
fn answer(
    response: AnswerWithCarrier,
    mut watch: Watch,
    pool: &Pool,
    origin: Arc<str>,
    redactor: Option<Redactor>,
) -> Result<UpstreamResponse, UpstreamError> {
    watch.head_came();
    let (mut head, (incoming, carrier)) = response.into_parts();
    let body = AnswerBody::new(incoming, carrier, pool, &origin, !head.status.is_success());
    let mut body = Box::new(UpstreamBody::network(body, watch, origin));
    if let Some(redactor) = redactor.filter(|redactor| !redactor.is_empty()) {
        if let Err(error @ DecodeError::Stacked) = Coding::of(&head.headers) {
            return Err(UpstreamError::because(UpstreamErrorKind::Encoding, body.origin(), &error));
        }
        let scope = Scope::of(head.status);
        redactor.redact_headers(&mut head.headers, scope);
        body.redact_with(StreamRedactor::new(redactor, scope, &head.headers));
    }
    Ok(UpstreamResponse { status: head.status, headers: head.headers, body })
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
    UpstreamResponse { status: played.status, headers: played.headers, body: Box::new(body) }
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstreams").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
