//! Access tokens: fetched from a token endpoint when one is needed, kept until shortly before they expire, and fetched by
//! one request at a time, however many wait.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::super::client::Upstreams;
use super::super::{Base, Chunks, Timeouts, UpstreamError, UpstreamErrorKind, UpstreamRequest, UpstreamResponse, Veil};
use super::answer::{self, Given, Refusal};
use super::grant::Grant;
use super::{Credential, CredentialError};
use weir_config::secret::Secret;

/// The limits of fetching a token; those of the request that waits for it begin afterwards.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    first_byte: Duration::from_secs(15),
    first_byte_of_body: true,
    idle: Duration::from_secs(10),
    total: Some(Duration::from_secs(20)),
};
/// The largest answer of a token endpoint, in bytes.
const LARGEST_ANSWER: usize = 64 << 10;
/// How long a token is used whose lifetime isn't told, and the longest that any is.
const UNTOLD: u64 = 300;
const LONGEST: u64 = 24 * 60 * 60;
/// How long before its end a token is replaced, in seconds; of a short life the fifth part.
const MARGIN: u64 = 60;

/// The tokens of one credential. A clone shares them.
#[derive(Clone)]
pub(crate) struct Tokens(Arc<Inner>);

struct Inner {
    grant: Grant,
    endpoint: Base,
    current: ArcSwapOption<Token>,
    /// Held by whoever fetches a token. Inside: how the last attempt failed, for those who waited meanwhile.
    turn: Mutex<Option<Failed>>,
    /// Whether the provider refuses even fresh tokens: then none is fetched because of a refusal.
    hopeless: AtomicBool,
}

struct Failed {
    at: Instant,
    error: UpstreamError,
}

/// An access token, as it is sent.
pub(crate) struct Token {
    /// Puts it into a request.
    pub(crate) credential: Credential,
    secret: Secret,
    /// Shortly before the request for it was sent.
    fetched: Instant,
    until: Instant,
}

impl Tokens {
    /// Tokens by a grant from the endpoint at this url. Whoever calls this answers for it that the url may be trusted.
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

    /// Sends a request with a token, which is fetched first where there is none. Where the provider refuses one that was
    /// kept, the request is sent once more with a fresh one.
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
        if token.fetched >= asked || self.0.hopeless.load(Ordering::Relaxed) {
            return Ok(response);
        }
        tracing::debug!(origin = %spare.address.origin(), "the provider refuses the token: sending again with a fresh one");
        let Ok(fresh) = Box::pin(self.token(upstreams, asked, Some(&token))).await else { return Ok(response) };
        let response = upstreams.exchange(UpstreamRequest { credential: Some(&fresh.credential), ..spare }).await?;
        self.0.hopeless.store(response.status == StatusCode::UNAUTHORIZED, Ordering::Relaxed);
        Ok(response)
    }

    /// Takes what is secret of the grant, and the token, out of a text.
    pub(super) fn hide_in(&self, text: &mut String) {
        self.0.grant.hide_in(text);
        if let Some(token) = self.0.current.load().as_ref() {
            token.secret.hide_in(text);
        }
    }

    /// A token that is good to use for whoever asked at `asked`, and is not the `refused` one.
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
        // Everybody who waits for an attempt shares its end, so that a dead endpoint is not asked by one after another.
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

    /// The token that is kept: still good, or fetched while its asker waited, however short its life.
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
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let request = UpstreamRequest {
            method: Method::POST,
            address,
            headers,
            body: Chunks::from(Bytes::from(claim.form)),
            timeouts: TIMEOUTS,
            credential: claim.client.as_ref(),
            stream: false,
            model: "",
        };
        let response = upstreams.exchange(request).await.map_err(of_endpoint)?;
        let status = response.status;
        let body = response.body.collect(LARGEST_ANSWER).await.map_err(of_endpoint)?;
        let Given { token, lifetime } = answer::read(status, &body).map_err(|refusal| refused(origin, &refusal))?;
        let value = super::sensitive("Bearer ", token.expose())
            .map_err(|_| refused(origin, &Refusal::Unusable("the token cannot be sent".into())))?;
        tracing::debug!(%origin, lifetime, "fetched an access token");
        let until = fetched + useful(lifetime);
        Ok(Token {
            credential: Credential::authorization(value, Veil::over([token.expose()])),
            secret: token,
            fetched,
            until,
        })
    }
}

/// How long a token is used.
fn useful(lifetime: Option<u64>) -> Duration {
    let lifetime = lifetime.unwrap_or(UNTOLD).min(LONGEST);
    Duration::from_secs(lifetime - MARGIN.min(lifetime.div_ceil(5)))
}

/// A failed exchange with the token endpoint.
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
