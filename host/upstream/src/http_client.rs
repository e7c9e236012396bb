//! Makes the HTTP clients for every call off the data path: access tokens, media, spans, the recording proxy, the
//! commands' questions to a running Weir.
//!
//! A url that the operator wrote goes to a client of [`builder`]. A url from any other source, such as a caller's
//! request or another server's answer, goes through [`PublicClient`]. Both share what is decided here once: TLS with
//! the roots that providers are checked by, and neither redirects, retries nor decompression. Only what leads out of
//! the operator's network goes through the proxy of `[outbound]` ([`builder_through`]). [`read_body`] reads an answer
//! within a limit.

mod public;

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response};

pub(crate) use self::public::check_user;
pub use self::public::{NotPublic, PublicClient};
use super::outbound::{BadProxy, OutboundProxy};
use super::tls;

/// How long a connection may take (name resolution, TCP and TLS together), unless the caller sets another limit.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an unused connection is kept: shorter than servers usually do.
const POOL_IDLE: Duration = Duration::from_secs(50);
/// How many unused connections are kept for one host.
const POOL_IDLE_PER_HOST: usize = 1;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum HttpClientError {
    /// TLS cannot be set up.
    #[error("there is no TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The client cannot be made.
    #[error("there is no HTTP client: {}", reason(.0))]
    Client(#[from] reqwest::Error),
    /// There is no way through the proxy.
    #[error(transparent)]
    Proxy(#[from] BadProxy),
}

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is longer than the limit.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection failed in the middle of it.
    #[error("the answer broke off: {}", reason(.0))]
    Broken(#[from] reqwest::Error),
}

/// A builder of a client for urls that the operator wrote. It has no limit of time but that of connecting: the caller
/// sets one, for the client or for each request.
pub fn builder() -> Result<ClientBuilder, HttpClientError> {
    let mut tls = tls::config()?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        // A proxy of the environment would resolve names itself, behind the check of addresses, and see admin tokens.
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .connect_timeout(CONNECT)
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_IDLE_PER_HOST);
    Ok(client)
}

/// A builder of clients for urls outside, such as those of providers: through the proxy of `[outbound]`, where there is
/// one.
pub fn builder_through(proxy: Option<&OutboundProxy>) -> Result<ClientBuilder, HttpClientError> {
    let client = builder()?;
    Ok(match proxy {
        Some(proxy) => proxy.apply(client),
        None => client,
    })
}

/// A client that is made when it is first needed, and never where nothing needs it. Clones share it.
#[derive(Debug)]
pub struct Lazy<C>(Arc<OnceLock<C>>);

impl<C> Lazy<C> {
    /// The client. A failure to make it is not kept: the next call tries again.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> Result<C, HttpClientError>) -> Result<&C, HttpClientError> {
        if let Some(client) = self.0.get() {
            return Ok(client);
        }
        let client = make()?;
        Ok(self.0.get_or_init(|| client))
    }
}

impl<C> Default for Lazy<C> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<C> Clone for Lazy<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Reads a whole body of at most `limit` bytes, which are counted as they come, whatever the head announced.
pub async fn read_body(mut response: Response, limit: usize) -> Result<Bytes, BodyError> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = response.chunk().await? {
        if bytes.len().saturating_add(piece.len()) > limit {
            return Err(BodyError::TooLarge(limit));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

/// The client's error with its causes and without its url, which may hold what is not for a log.
pub fn reason(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    // The error itself names its url; what caused it does not.
    if causes.is_empty() { "the request cannot be sent".to_owned() } else { causes.join(": ") }
}

#[cfg(test)]
mod tests;
