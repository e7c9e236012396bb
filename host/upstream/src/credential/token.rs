//! Access tokens: fetched from a token endpoint on demand, cached until shortly before they expire, and fetched by one
//! request at a time, however many wait.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use bytes::BytesMut;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode, Uri};
use reqwest::{Client, Response};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::super::client::Upstreams;
use super::super::deadline::Watch;
use super::super::http_client::{self, HttpClientError};
use super::super::origin::Place;
use super::super::outbound::OutboundProxy;
use super::super::redactor::Scope;
use super::super::{
    Base, Chunks, Redactor, Timeouts, UpstreamError, UpstreamErrorKind, UpstreamRequest, UpstreamResponse,
};
use super::answer::{self, IssuedToken, Refusal};
use super::grant::{Claim, Grant};
use super::{Credential, CredentialError};
use weir_config::secret::Secret;

/// Timeouts of fetching a token; those of the request that waits for it start afterwards.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    first_byte: Duration::from_secs(15),
    first_byte_of_body: true,
    idle: Duration::from_secs(10),
    total: Some(Duration::from_secs(20)),
};
/// The largest answer of a token endpoint, in bytes.
const MAX_ANSWER: usize = 64 << 10;
/// Lifetime in seconds of a token whose answer states none, and the maximum for any token.
const DEFAULT_LIFETIME: u64 = 300;
const MAX_LIFETIME_SECS: u64 = 24 * 60 * 60;
/// How long before its expiry a token is replaced, in seconds; a fifth of the lifetime if that is shorter.
const MARGIN: u64 = 60;

/// The tokens of one credential. A clone shares them.
#[derive(Clone)]
pub(crate) struct Tokens(Arc<Inner>);

struct Inner {
    grant: Grant,
    endpoint: Base,
    current: ArcSwapOption<Token>,
    /// Held while a token is fetched. Contains the last failure, for requests that waited meanwhile.
    turn: Mutex<Option<Failed>>,
    /// Whether the provider refuses even fresh tokens. If so, a refusal does not cause another fetch.
    hopeless: AtomicBool,
}

struct Failed {
    at: Instant,
    error: UpstreamError,
}

/// An access token, ready to be sent.
pub(crate) struct Token {
    /// The credential that adds the token to a request.
    pub(crate) credential: Credential,
    secret: Secret,
    /// Taken just before the request for the token was sent.
    fetched: Instant,
    until: Instant,
}

impl Tokens {
    /// Creates the tokens of a grant from the endpoint at `url`. The caller must make sure that the url is trusted.
    pub(super) fn new(grant: Grant, url: &str) -> Result<Self, CredentialError> {
        let endpoint = Base::open(url, &[], false).map_err(|_| CredentialError::TokenUrl)?;
        Ok(Self(Arc::new(Inner {
            grant,
            endpoint,
            current: ArcSwapOption::empty(),
            turn: Mutex::default(),
            hopeless: AtomicBool::new(false),
        })))
    }

    /// Sends a request with a token, which is fetched first if necessary. If the provider refuses a cached token, the
    /// request is sent once more with a fresh one, unless its body is gone.
    pub(crate) async fn send(
        &self,
        upstreams: &Upstreams,
        request: UpstreamRequest<'_>,
    ) -> Result<UpstreamResponse, UpstreamError> {
        let asked = Instant::now();
        let token = Box::pin(self.token(upstreams, asked, None)).await?;
        let spare = request.clone();
        let response = upstreams.exchange(UpstreamRequest { credential: Some(&token.credential), ..request }).await?;
        if response.status != StatusCode::UNAUTHORIZED {
            self.0.hopeless.store(false, Ordering::Relaxed);
            return Ok(response);
        }
        let is_sent = spare.body.upload().is_some();
        if is_sent || token.fetched >= asked || self.0.hopeless.load(Ordering::Relaxed) {
            return Ok(response);
        }
        tracing::debug!(origin = %spare.address.origin(), "the provider refuses the token: sending again with a fresh one");
        let Ok(fresh) = Box::pin(self.token(upstreams, asked, Some(&token))).await else { return Ok(response) };
        let response = upstreams.exchange(UpstreamRequest { credential: Some(&fresh.credential), ..spare }).await?;
        self.0.hopeless.store(response.status == StatusCode::UNAUTHORIZED, Ordering::Relaxed);
        Ok(response)
    }

    /// A token for a request that is sent once.
    pub(crate) async fn current(&self, upstreams: &Upstreams) -> Result<Arc<Token>, UpstreamError> {
        self.token(upstreams, Instant::now(), None).await
    }

    /// Removes the grant's secrets and the current token from a text.
    pub(super) fn redact(&self, text: &mut String) {
        self.0.grant.redact(text);
        if let Some(token) = self.0.current.load().as_ref() {
            token.secret.redact(text);
        }
    }

    /// A token that is usable for a request made at `asked`, and is not the `refused` one.
    async fn token(
        &self,
        upstreams: &Upstreams,
        asked: Instant,
        refused: Option<&Arc<Token>>,
    ) -> Result<Arc<Token>, UpstreamError> {
        if let Some(token) = self.usable(asked, refused) {
            return Ok(token);
        }
        let mut failed = self.0.turn.lock().await;
        if let Some(token) = self.usable(asked, refused) {
            return Ok(token);
        }
        // All requests that wait for one attempt share its result, so that they do not try a dead endpoint one after
        // another.
        if let Some(failed) = failed.as_ref().filter(|failed| failed.at >= asked) {
            return Err(failed.error.clone());
        }
        match self.fetch(upstreams).await {
            Ok(token) => {
                let token = Arc::new(token);
                self.0.current.store(Some(Arc::clone(&token)));
                *failed = None;
                Ok(token)
            }
            Err(error) => {
                *failed = Some(Failed { at: Instant::now(), error: error.clone() });
                Err(error)
            }
        }
    }

    /// The cached token, if it is still valid or was fetched after `asked`, however short its lifetime.
    fn usable(&self, asked: Instant, refused: Option<&Arc<Token>>) -> Option<Arc<Token>> {
        let token = self.0.current.load_full()?;
        let is_refused = refused.is_some_and(|refused| Arc::ptr_eq(refused, &token));
        let is_good = token.until > Instant::now() || token.fetched >= asked;
        (is_good && !is_refused).then_some(token)
    }

    async fn fetch(&self, upstreams: &Upstreams) -> Result<Token, UpstreamError> {
        let fetched = Instant::now();
        let origin = self.0.endpoint.origin();
        let unfit = |error: &CredentialError| UpstreamError::because(UpstreamErrorKind::Request, origin, error);
        let claim = self.0.grant.claim(SystemTime::now()).map_err(|error| unfit(&error))?;
        let address = self.0.endpoint.join("", []).map_err(|_| unfit(&CredentialError::TokenUrl))?;
        let Place::Network { uri, .. } = address.place() else { return Err(unfit(&CredentialError::TokenUrl)) };
        let (status, body) = self.ask(upstreams, uri, claim).await.map_err(of_endpoint)?;
        let IssuedToken { token, lifetime } =
            answer::read(status, &body).map_err(|refusal| refused(origin, &refusal))?;
        let value = super::sensitive("Bearer ", token.expose())
            .map_err(|_| refused(origin, &Refusal::Unusable("the token cannot be sent".into())))?;
        tracing::debug!(%origin, lifetime, "fetched an access token");
        let until = fetched + useful(lifetime);
        Ok(Token {
            credential: Credential::authorization(value, Redactor::of([token.expose()])),
            secret: token,
            fetched,
            until,
        })
    }

    /// Shows a claim to the endpoint. The client's proof is hidden in what the endpoint answers.
    async fn ask(
        &self,
        upstreams: &Upstreams,
        uri: &Uri,
        claim: Claim,
    ) -> Result<(StatusCode, BytesMut), UpstreamError> {
        let origin = self.0.endpoint.origin();
        let unfit = |error: &CredentialError| UpstreamError::because(UpstreamErrorKind::Request, origin, error);
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(client) = &claim.client {
            client.apply(&Method::POST, uri.clone(), &mut headers, &Chunks::empty()).map_err(|error| unfit(&error))?;
        }
        let client = upstreams.tokens().get_or_make(|| client(upstreams.proxy()));
        let client = client.map_err(|error| UpstreamError::because(UpstreamErrorKind::Tls, origin, &error))?;
        let mut watch = Watch::start(&TIMEOUTS);
        let sending = client.post(uri.to_string()).headers(headers).body(claim.form).send();
        let sent = watch.guard(sending).await.map_err(|expired| UpstreamError::new(expired, origin))?;
        let response = sent.map_err(|error| UpstreamError::of_call(&error, origin, UpstreamErrorKind::Reset))?;
        watch.head_came();
        let status = response.status();
        let mut body = read(response, &mut watch, origin).await?;
        if let Some(client) = &claim.client {
            client.redactor().redact_bytes(&mut body, Scope::of(status));
        }
        Ok((status, body))
    }
}

/// The client for token endpoints, which are reached as providers are.
fn client(proxy: Option<&OutboundProxy>) -> Result<Client, HttpClientError> {
    Ok(http_client::builder_through(proxy)?.connect_timeout(TIMEOUTS.connect).build()?)
}

/// Reads an answer within the limits of size and time.
async fn read(mut response: Response, watch: &mut Watch, origin: &Arc<str>) -> Result<BytesMut, UpstreamError> {
    let mut body = BytesMut::new();
    loop {
        let piece = watch.guard(response.chunk()).await.map_err(|expired| UpstreamError::new(expired, origin))?;
        let piece = piece.map_err(|error| UpstreamError::of_call(&error, origin, UpstreamErrorKind::Cut))?;
        let Some(piece) = piece else { return Ok(body) };
        watch.piece_came();
        if body.len() + piece.len() > MAX_ANSWER {
            return Err(UpstreamError::new(UpstreamErrorKind::BodyTooLarge, origin));
        }
        body.extend_from_slice(&piece);
    }
}

/// How long a token of this lifetime is used.
fn useful(lifetime: Option<u64>) -> Duration {
    let lifetime = lifetime.unwrap_or(DEFAULT_LIFETIME).min(MAX_LIFETIME_SECS);
    Duration::from_secs(lifetime - MARGIN.min(lifetime.div_ceil(5)))
}

/// The error of a failed exchange with the token endpoint.
fn of_endpoint(error: UpstreamError) -> UpstreamError {
    let detail = match &error.detail {
        Some(detail) => format!("{}: {detail}", error.kind.name()),
        None => error.kind.name().to_owned(),
    };
    UpstreamError { kind: UpstreamErrorKind::Token, detail: Some(detail.into()), ..error }
}

fn refused(origin: &Arc<str>, refusal: &Refusal) -> UpstreamError {
    let kind = match refusal {
        Refusal::Credential(_) => UpstreamErrorKind::TokenRefused,
        Refusal::Unusable(_) => UpstreamErrorKind::Token,
    };
    UpstreamError::because(kind, origin, refusal)
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({})", self.0.endpoint.origin())
    }
}

#[cfg(test)]
mod tests;
