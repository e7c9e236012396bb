//! Makes connections to providers: name resolution, TCP and TLS under one time limit.

use std::cell::Cell;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use super::client::Settings;
use super::tls;

type BoxError = Box<dyn Error + Send + Sync>;
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

tokio::task_local! {
    /// The exchange for which a connection is opened. The pool does not report whether it dials, but it dials in its
    /// caller's task, so a task-local value reaches the dialer.
    pub(super) static CALL: Call;
}

/// State shared between an exchange and the dialer.
#[derive(Debug)]
pub(super) struct Call {
    /// The exchange's connect timeout.
    pub(super) connect: Duration,
    /// Whether a new connection was opened for the exchange, instead of a pooled one.
    pub(super) dialed: Cell<bool>,
}

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

/// Opens connections for the pool. A single pointer, because the pool clones it for each request.
#[derive(Clone)]
pub(super) struct Dialer(Arc<Inner>);

struct Inner {
    http: HttpConnector,
    /// Created at the first https connection, because reading the system's roots takes longer than the rest of a start.
    https: OnceLock<Result<HttpsConnector<HttpConnector>, rustls::Error>>,
    /// Timeout of connections that no exchange waits for any longer.
    connect: Duration,
}

impl Dialer {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_keepalive(settings.tcp_keepalive);
        Self(Arc::new(Inner { http, https: OnceLock::new(), connect: settings.connect }))
    }
}

impl Inner {
    async fn dial(&self, to: Uri) -> Result<Stream, DialError> {
        if to.scheme() != Some(&Scheme::HTTPS) {
            let stream = self.http.clone().call(to).await;
            return stream.map(MaybeHttpsStream::Http).map_err(|error| DialError::Connect(error.into()));
        }
        let https = self.https.get_or_init(|| connector(&self.http));
        let mut https = https.clone().map_err(|error| DialError::Tls(error.into()))?;
        // The connector passes TCP's errors on as they are and wraps those of TLS in an `io::Error`.
        https.call(to).await.map_err(|error| {
            if error.is::<std::io::Error>() { DialError::Tls(error) } else { DialError::Connect(error) }
        })
    }
}

fn connector(http: &HttpConnector) -> Result<HttpsConnector<HttpConnector>, rustls::Error> {
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls::config()?).https_or_http().enable_all_versions();
    Ok(connector.wrap_connector(http.clone()))
}

impl Service<Uri> for Dialer {
    type Response = Stream;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let dialer = self.0.clone();
        let limit = CALL.try_with(|call| call.connect).unwrap_or(dialer.connect);
        Box::pin(async move {
            let stream = tokio::time::timeout(limit, dialer.dial(to)).await.map_err(|_| DialError::TimedOut)??;
            // Not set if the exchange found a pooled connection meanwhile, so that this one goes to the pool.
            let _ = CALL.try_with(|call| call.dialed.set(true));
            Ok(stream)
        })
    }
}
