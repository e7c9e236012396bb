//! Fetches media that a request references by url, for providers that accept only bytes.
//!
//! The url comes from a client, so it must not reach the gateway's own network: https only, every address that a name
//! resolves to must be public (and the connection goes to the very address that was checked), redirects are checked
//! like the first url, and no credentials or client headers are sent. Origins that the operator names are exempt. Where
//! the operator has media fetched through a proxy, that resolves the names and has to keep them from the network.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Method;
use http::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Client, Response, Url};

use super::http_client::{self, HttpClientError, Lazy, NotPublic, PublicClient};
use super::outbound::OutboundProxy;
use weir_buffers::{Full, Held};

/// Maximum number of redirects.
const REDIRECTS: usize = 3;

/// Limits of fetching media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRules {
    /// Maximum size of one medium, in bytes.
    pub max_bytes: usize,
    /// Timeout for one medium.
    pub timeout: Duration,
    /// Origins (`https://host`) that need not be https or public.
    pub origins: Vec<String>,
}

/// A fetched medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its media type, without parameters.
    pub mime: String,
    /// The contents.
    pub bytes: Bytes,
}

/// Why a medium was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The url is invalid, or may not be fetched.
    #[error("the address is not one that is fetched: {0}")]
    Refused(&'static str),
    /// The server answered with this status.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// The content type is missing, or is not of a requested kind.
    #[error("the server sent {0:?}, which is not of the kind that was asked for")]
    Type(String),
    /// The medium is too large.
    #[error("it is larger than {0} bytes")]
    TooLarge(usize),
    /// The medium did not arrive in time.
    #[error("it did not come in time")]
    TimedOut,
    /// The memory budget has no room for it.
    #[error("there is no room for it")]
    NoRoom(Full),
    /// The server cannot be reached.
    #[error("it cannot be reached")]
    Unreachable,
}

/// Fetches media. A clone shares its connections, which few gateways need any of.
#[derive(Clone, Debug, Default)]
pub struct MediaClient {
    public: Lazy<PublicClient>,
    exempt: Lazy<Client>,
    proxy: Option<OutboundProxy>,
}

impl MediaClient {
    /// A client without connections. Origins that the operator names are reached through the proxy, and others only if
    /// it is for media.
    pub fn new(proxy: Option<OutboundProxy>) -> Self {
        Self { proxy, ..Self::default() }
    }

    /// Fetches a url. `kinds` are the prefixes of acceptable media types; the bytes are counted in `held`.
    pub async fn fetch(
        &self,
        url: &str,
        kinds: &[&str],
        rules: &MediaRules,
        held: &mut Held,
    ) -> Result<Fetched, MediaError> {
        let fetching = self.fetch_at_leisure(url, kinds, rules, held);
        tokio::time::timeout(rules.timeout, fetching).await.map_err(|_| MediaError::TimedOut)?
    }

    async fn fetch_at_leisure(
        &self,
        url: &str,
        kinds: &[&str],
        rules: &MediaRules,
        held: &mut Held,
    ) -> Result<Fetched, MediaError> {
        let mut url = Url::parse(url).map_err(|_| MediaError::Refused("it cannot be read"))?;
        for _ in 0..=REDIRECTS {
            let response = self.get(&url, rules).await?;
            if !response.status().is_redirection() {
                return taken(response, kinds, rules, held).await;
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            // As browsers do (RFC 9110, 10.2.2): an address, or a reference relative to the one before.
            url = location.and_then(|to| url.join(to).ok()).ok_or(MediaError::Status(response.status().as_u16()))?;
        }
        Err(MediaError::Refused("it points elsewhere again and again"))
    }

    async fn get(&self, url: &Url, rules: &MediaRules) -> Result<Response, MediaError> {
        let host = url.host_str().ok_or(MediaError::Refused("it names no host"))?;
        http_client::check_user(url)?;
        let request = if is_exempt(url, rules) {
            self.exempt
                .get_or_make(|| exempt(self.proxy.as_ref()))
                .map_err(|error| unreachable(host, &error))?
                .get(url.clone())
        } else {
            let proxy = self.proxy.as_ref().filter(|proxy| proxy.is_for_media());
            let client = self.public.get_or_make(|| PublicClient::new(proxy));
            let client = client.map_err(|error| unreachable(host, &error))?;
            client.request(Method::GET, url.clone())?
        };
        request.send().await.map_err(|error| unreachable(host, &http_client::reason(&error)))
    }
}

/// A client for the origins that the operator exempts.
fn exempt(proxy: Option<&OutboundProxy>) -> Result<Client, HttpClientError> {
    Ok(http_client::builder_through(proxy)?.build()?)
}

fn unreachable(host: &str, reason: &dyn std::fmt::Display) -> MediaError {
    tracing::info!(%reason, host, "a medium cannot be fetched");
    MediaError::Unreachable
}

impl From<NotPublic> for MediaError {
    fn from(refused: NotPublic) -> Self {
        Self::Refused(refused.reason())
    }
}

/// Reads a medium within its limits.
async fn taken(
    mut response: Response,
    kinds: &[&str],
    rules: &MediaRules,
    held: &mut Held,
) -> Result<Fetched, MediaError> {
    if !response.status().is_success() {
        return Err(MediaError::Status(response.status().as_u16()));
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mime = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !kinds.iter().any(|kind| mime.starts_with(kind)) {
        return Err(MediaError::Type(mime.chars().take(64).collect()));
    }
    let mut bytes = BytesMut::new();
    while let Some(piece) = response.chunk().await.map_err(|_| MediaError::Unreachable)? {
        if bytes.len().saturating_add(piece.len()) > rules.max_bytes {
            return Err(MediaError::TooLarge(rules.max_bytes));
        }
        held.grow(piece.len()).await.map_err(MediaError::NoRoom)?;
        bytes.extend_from_slice(&piece);
    }
    Ok(Fetched { mime, bytes: bytes.freeze() })
}

fn is_exempt(url: &Url, rules: &MediaRules) -> bool {
    rules.origins.iter().any(|origin| Url::parse(origin).is_ok_and(|exempt| exempt.origin() == url.origin()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn urls_that_are_not_public_and_https_are_refused_without_a_connection() {
        let rules = MediaRules { max_bytes: 10, timeout: Duration::from_secs(1), origins: Vec::new() };
        let client = MediaClient::default();
        for url in [
            "http://example.com/a.png",
            "https://127.0.0.1/a.png",
            "https://[::1]/a.png",
            "https://169.254.169.254/latest",
            "https://2852039166/latest",
            "https://0x7f.1/a.png",
            "https://user@example.com/a.png",
            "file:///etc/passwd",
            "data:image/png;base64,AAAA",
            "ftp://example.com/",
            "/a.png",
        ] {
            let refused = client.fetch(url, &["image/"], &rules, &mut Held::unlimited()).await;
            assert!(matches!(refused, Err(MediaError::Refused(_))), "{url}: {refused:?}");
        }
        // The host's name is acceptable, but not the address that it resolves to.
        let refused = client.fetch("https://localhost/a.png", &["image/"], &rules, &mut Held::unlimited()).await;
        assert!(matches!(refused, Err(MediaError::Unreachable | MediaError::Refused(_))), "{refused:?}");
    }
}
