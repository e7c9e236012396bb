//! A recording proxy: forwards the exchanges of a client and a provider unchanged, and writes each as a recording when
//! it is complete.
//!
//! For an author's own machine. The client's credential is sent to the provider and never written. An exchange that is
//! too large, breaks off or cannot be cleaned is forwarded nevertheless, but not recorded; the log has the reason.

mod capture;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use capture::{Capture, ExchangeSlot, Tapped};
use weir_fixtures::fixture::{Exchange, Folder, Rules, header_pairs};
use weir_gateway::attempt::ReplyBody;
use weir_server::{Allowance, Spread, TrustedProxies};
use weir_upstream::pass::{Passage, PassageError};
use writer::Writer;

/// Settings of a recording proxy.
#[derive(Debug)]
pub struct RecorderSettings {
    /// The provider: `https://host`, with a path if it precedes that of all requests.
    pub to: String,
    /// The folder for the recordings.
    pub out: PathBuf,
    /// The provider's name, for the recordings.
    pub provider: Option<String>,
    /// Maximum size of an exchange in bytes, both bodies together, encoded and decoded.
    pub limit: u64,
    /// Maximum number of concurrent exchanges.
    pub connections: usize,
}

/// Why no recorder can be created.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The provider's url is invalid.
    #[error("the url {0:?}: {1}")]
    To(String, PassageError),
    /// The folder cannot be used.
    #[error("the folder {0:?}: {1}")]
    Out(PathBuf, std::io::Error),
    /// The thread that writes cannot be started.
    #[error("no thread to write with: {0}")]
    Thread(std::io::Error),
}

/// A recording proxy, ready to serve.
#[derive(Debug)]
pub struct Recorder {
    passage: Arc<Passage>,
    writer: Writer,
    settings: RecorderSettings,
}

/// State shared by all exchanges.
#[derive(Clone)]
struct RecordContext {
    passage: Arc<Passage>,
    writer: writer::WriteQueue,
    provider: Option<String>,
    limit: u64,
    count: Arc<AtomicUsize>,
    /// Limits concurrent exchanges: one connection may carry many, and each is kept in memory.
    slots: Arc<Semaphore>,
}

impl Recorder {
    /// Opens the folder; does not listen yet.
    pub fn new(settings: RecorderSettings, rules: Rules) -> Result<Self, RecordError> {
        let passage = Passage::to(&settings.to).map_err(|reason| RecordError::To(settings.to.clone(), reason))?;
        let folder = Folder::open(&settings.out).map_err(|error| RecordError::Out(settings.out.clone(), error))?;
        let writer = Writer::start(folder, rules, settings.limit).map_err(RecordError::Thread)?;
        Ok(Self { passage: Arc::new(passage), writer, settings })
    }

    /// Serves until `stop` is set. Returns the number of recorded exchanges, once all that ended in time are written.
    pub async fn run(self, listener: TcpListener, stop: watch::Receiver<bool>) -> usize {
        let context = RecordContext {
            passage: self.passage,
            writer: self.writer.queue(),
            provider: self.settings.provider,
            limit: self.settings.limit,
            count: Arc::new(AtomicUsize::new(0)),
            slots: Arc::new(Semaphore::new(self.settings.connections)),
        };
        let allowance = Allowance {
            connections: self.settings.connections,
            reserve: 0,
            per_address: Some(usize::MAX),
            proxies: TrustedProxies::default(),
            header_bytes: 64 * 1024,
            header_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_mins(2),
            ping: weir_server::PING,
            tls: None,
            metrics: weir_server::ListenerMetrics::default(),
            send_timeout: Duration::from_mins(1),
            drain: Duration::from_secs(5),
        };
        weir_server::serve(listener, Spread::here(), allowance, stop, move |request| {
            let context = context.clone();
            Box::pin(async move { context.pass(request).await })
        })
        .await;
        self.writer.finish().await
    }
}

impl RecordContext {
    /// Forwards one exchange, and captures both bodies.
    async fn pass(&self, request: Request<Incoming>) -> Response<ReplyBody> {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let Ok(permit) = Arc::clone(&self.slots).acquire_owned().await else { return unreachable("it has ended") };
        let (head, body) = request.into_parts();
        let about = Exchange {
            method: head.method.to_string(),
            path_and_query: self.passage.path_and_query(&head.uri),
            request_headers: header_pairs(&head.headers),
            provider: self.provider.clone(),
            ..Exchange::default()
        };
        let line = format!("{} {}", about.method, head.uri.path());
        let capture = Capture::new(about, self.limit, self.writer.clone(), ExchangeSlot { permit, number });
        let sent = Tapped::of_request(body, Arc::clone(&capture));
        match self.passage.send(Request::from_parts(head, sent)).await {
            Ok(response) => {
                let (head, body) = response.into_parts();
                capture.answered(head.status.as_u16(), header_pairs(&head.headers));
                let body = Body::new(Tapped::of_response(body, capture));
                Response::from_parts(head, ReplyBody::Other(body))
            }
            Err(error) => {
                tracing::warn!(number, reason = %error, "{line}: not recorded, the provider was not reached");
                unreachable(&error.to_string())
            }
        }
    }
}

/// The answer if the provider cannot be reached.
fn unreachable(reason: &str) -> Response<ReplyBody> {
    let text = serde_json::json!({"error": {"message": format!("weir record: {reason}")}}).to_string();
    let mut response = Response::new(ReplyBody::from(Bytes::from(text)));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
