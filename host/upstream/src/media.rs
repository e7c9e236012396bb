//! Fetches media that a request references by url, for providers that accept only bytes.
//!
//! The url comes from a client, so it must not reach the gateway's own network: https only, every address that a name
//! resolves to must be public (and the connection goes to the very address that was checked), redirects are checked
//! like the first url, and no credentials or client headers are sent. Origins that the operator names are exempt.

mod public;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, LOCATION};
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::GaiResolver;
use hyper_util::rt::TokioExecutor;

use self::public::PublicOnly;
use super::dial::tls;
use weir_budget::{Full, Held};

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

/// Fetches media. A clone shares its connections.
#[derive(Clone, Default)]
pub struct MediaClient(Arc<Clients>);

/// A client whose connector resolves names with `R`; `None` if there is no TLS.
type Resolving<R> = Option<Client<HttpsConnector<HttpConnector<R>>, Empty<Bytes>>>;

/// Clients, created on first use, because few gateways fetch media.
#[derive(Default)]
struct Clients {
    public: OnceLock<Resolving<PublicOnly>>,
    exempt: OnceLock<Resolving<GaiResolver>>,
}

impl MediaClient {
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
        let mut uri: Uri = url.parse().map_err(|_| MediaError::Refused("it cannot be read"))?;
        for _ in 0..=REDIRECTS {
            let response = self.get(&uri, rules).await?;
            if !response.status().is_redirection() {
                return taken(response, kinds, rules, held).await;
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            uri = location.and_then(|to| beside(&uri, to)).ok_or(MediaError::Status(response.status().as_u16()))?;
        }
        Err(MediaError::Refused("it points elsewhere again and again"))
    }

    async fn get(&self, uri: &Uri, rules: &MediaRules) -> Result<Response<Incoming>, MediaError> {
        let host = uri.host().ok_or(MediaError::Refused("it names no host"))?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(MediaError::Refused("it holds a user's name"));
        }
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = uri.clone();
        let sent = if rules.origins.contains(&origin(uri)) {
            let client = self.0.exempt.get_or_init(|| client(HttpConnector::new()));
            client.as_ref().ok_or(MediaError::Unreachable)?.request(request).await
        } else {
            if uri.scheme() != Some(&Scheme::HTTPS) {
                return Err(MediaError::Refused("only https is"));
            }
            if !public::is_public_host(host) {
                return Err(MediaError::Refused("it is not a public one"));
            }
            let client = self.0.public.get_or_init(|| client(HttpConnector::new_with_resolver(PublicOnly)));
            client.as_ref().ok_or(MediaError::Unreachable)?.request(request).await
        };
        sent.map_err(|error| {
            tracing::info!(%error, host, "a medium cannot be fetched");
            MediaError::Unreachable
        })
    }
}

impl std::fmt::Debug for MediaClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MediaClient").finish_non_exhaustive()
    }
}

fn client<R>(mut http: HttpConnector<R>) -> Resolving<R>
where
    R: Clone + Send + Sync + 'static,
    HttpsConnector<HttpConnector<R>>: hyper_util::client::legacy::connect::Connect + Clone,
{
    http.enforce_http(false);
    let https = tls(&http).inspect_err(|error| tracing::error!(%error, "no TLS for fetching media")).ok()?;
    Some(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1).build(https))
}

/// Reads a medium within its limits.
async fn taken(
    response: Response<Incoming>,
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
    let mut body = response.into_body();
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|_| MediaError::Unreachable)?.into_data() else { continue };
        if bytes.len().saturating_add(piece.len()) > rules.max_bytes {
            return Err(MediaError::TooLarge(rules.max_bytes));
        }
        held.grow(piece.len()).await.map_err(MediaError::NoRoom)?;
        bytes.extend_from_slice(&piece);
    }
    Ok(Fetched { mime, bytes: bytes.freeze() })
}

/// Resolves a redirect: an absolute url, or a path on the same server.
fn beside(from: &Uri, to: &str) -> Option<Uri> {
    if !to.starts_with('/') {
        return to.parse().ok().filter(|uri: &Uri| uri.scheme().is_some());
    }
    let scheme = from.scheme_str()?;
    if to.starts_with("//") {
        return format!("{scheme}:{to}").parse().ok();
    }
    format!("{scheme}://{}{to}", from.authority()?).parse().ok()
}

fn origin(uri: &Uri) -> String {
    let (scheme, host) = (uri.scheme_str().unwrap_or_default(), uri.host().unwrap_or_default().to_ascii_lowercase());
    let usual = if scheme == "https" { 443 } else { 80 };
    match uri.port_u16() {
        Some(port) if port != usual => format!("{scheme}://{host}:{port}"),
        _ => format!("{scheme}://{host}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_to_addresses_and_paths() {
        let from: Uri = "https://a.example:8443/x/y".parse().unwrap();
        let to = |to: &str| beside(&from, to).map(|uri| uri.to_string());
        assert_eq!(to("/z?q=1").as_deref(), Some("https://a.example:8443/z?q=1"));
        assert_eq!(to("//b.example/z").as_deref(), Some("https://b.example/z"));
        assert_eq!(to("http://10.0.0.1/").as_deref(), Some("http://10.0.0.1/"));
        assert_eq!(to("z"), None);
    }

    #[tokio::test]
    async fn urls_that_are_not_public_and_https_are_refused_without_a_connection() {
        let rules = MediaRules { max_bytes: 10, timeout: Duration::from_secs(1), origins: Vec::new() };
        let client = MediaClient::default();
        for url in [
            "http://example.com/a.png",
            "https://127.0.0.1/a.png",
            "https://[::1]/a.png",
            "https://169.254.169.254/latest",
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
