//! Makes connections to providers, directly or through a proxy: name resolution, TCP and TLS under one time limit.

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use tower_service::Service;

use super::outbound::{self, OutboundProxy};
use super::settings::Settings;
use super::stream::{Stream, Transport};
use super::tls;

type BoxError = Box<dyn Error + Send + Sync>;

/// Why no connection could be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("timed out")]
    TimedOut,
    #[error(transparent)]
    Tls(BoxError),
    #[error(transparent)]
    Connect(BoxError),
}

/// Opens connections. A clone shares the TLS sessions.
#[derive(Clone)]
pub(super) struct Dialer(Arc<Inner>);

struct Inner {
    http: HttpConnector,
    /// The way through a proxy.
    proxied: Option<Proxied>,
    /// Whether TLS may negotiate HTTP/2.
    takes_http2: bool,
    /// Created at the first https connection, because reading the system's roots takes longer than the rest of a start.
    https: OnceLock<Result<HttpsConnector<HttpConnector>, rustls::Error>>,
}

/// The way through a proxy to hosts that are not reached directly.
struct Proxied {
    proxy: OutboundProxy,
    https: OnceLock<Result<HttpsConnector<Tunnel<HttpConnector>>, rustls::Error>>,
}

impl Dialer {
    pub(super) fn new(settings: &Settings) -> Self {
        Self::speaking(settings, true)
    }

    /// Connections that are certain to speak HTTP/1.1.
    pub(super) fn http1(settings: &Settings) -> Self {
        Self::speaking(settings, false)
    }

    fn speaking(settings: &Settings, takes_http2: bool) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_keepalive(settings.tcp_keepalive);
        let proxied = settings.proxy.clone().map(|proxy| Proxied { proxy, https: OnceLock::new() });
        Self(Arc::new(Inner { http, proxied, takes_http2, https: OnceLock::new() }))
    }

    /// Opens a connection to the host of `to` within `limit`.
    pub(super) async fn dial(&self, to: &Uri, limit: Duration) -> Result<Stream, DialError> {
        let dialed = tokio::time::timeout(limit, self.0.dial(to.clone())).await;
        dialed.map_err(|_| DialError::TimedOut)?.map(Stream::new)
    }
}

impl Inner {
    async fn dial(&self, to: Uri) -> Result<Transport, DialError> {
        if let Some(proxied) = &self.proxied
            && to.host().is_some_and(|host| proxied.proxy.is_for(host))
        {
            return Box::pin(self.dial_through(proxied, to)).await;
        }
        if to.scheme() != Some(&Scheme::HTTPS) {
            let stream = self.http.clone().call(to).await;
            return stream.map(MaybeHttpsStream::Http).map_err(|error| DialError::Connect(error.into()));
        }
        let https = self.https.get_or_init(|| connector(self.http.clone(), self.takes_http2));
        let mut https = https.clone().map_err(|error| DialError::Tls(error.into()))?;
        // The connector passes TCP's errors on as they are and wraps those of TLS in an `io::Error`.
        https.call(to).await.map_err(of_https)
    }

    /// Has the proxy make a tunnel to a host. It resolves the name itself.
    async fn dial_through(&self, Proxied { proxy, https }: &Proxied, to: Uri) -> Result<Transport, DialError> {
        let tunnel = || proxy.tunnel(self.http.clone());
        if to.scheme() != Some(&Scheme::HTTPS) {
            let to = outbound::tunnelled(&to).unwrap_or(to);
            let stream = tunnel().call(to).await;
            return stream.map(MaybeHttpsStream::Http).map_err(|error| DialError::Connect(error.into()));
        }
        let https = https.get_or_init(|| connector(tunnel(), self.takes_http2));
        let mut https = https.clone().map_err(|error| DialError::Tls(error.into()))?;
        https.call(to).await.map_err(of_https)
    }
}

fn of_https(error: BoxError) -> DialError {
    if error.is::<std::io::Error>() { DialError::Tls(error) } else { DialError::Connect(error) }
}

fn connector<C>(http: C, takes_http2: bool) -> Result<HttpsConnector<C>, rustls::Error> {
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls::config()?).https_or_http();
    Ok(if takes_http2 {
        connector.enable_all_versions().wrap_connector(http)
    } else {
        connector.enable_http1().wrap_connector(http)
    })
}
