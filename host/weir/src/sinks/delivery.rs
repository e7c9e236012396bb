//! One request that carries a batch: its address, its form, its credential.

use std::fmt;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri};
use serde_json::json;

use super::event::Event;
use super::summary;
use crate::time::from_milliseconds;
use weir_config::{Outbound, Sink, SinkKind};
use weir_types::contract::about::AuthScheme;
use weir_upstream::{
    Chunks, Credential, CredentialError, HttpClientError, Means, NotPublic, OutboundProxy, PublicClient, http_client,
};

/// The service that signatures are for.
const STORAGE: &str = "s3";

/// Why a sink cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Its address is not valid.
    #[error("the sink `{0}` has no http or https url")]
    Url(String),
    /// Its address is not public, and it is not allowed that it is.
    #[error("the sink `{name}`: {reason} allowed; `private = true` allows http and private networks")]
    Private {
        /// The sink's name.
        name: String,
        /// What is wrong with the address.
        reason: NotPublic,
    },
    /// Its headers or its key cannot be sent.
    #[error("the sink `{name}`: {source}")]
    Credential {
        /// The sink's name.
        name: String,
        /// What is wrong.
        source: CredentialError,
    },
    /// There is no client.
    #[error(transparent)]
    Client(#[from] HttpClientError),
    /// The metrics cannot be made.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It may be taken later.
    #[error("{0}")]
    Passing(String),
    /// It will never be taken.
    #[error("{0}")]
    Refused(String),
}

/// Sends batches to a sink.
pub(super) struct Delivery {
    kind: SinkKind,
    url: reqwest::Url,
    prefix: String,
    headers: HeaderMap,
    credential: Credential,
    client: Client,
    timeout: Duration,
}

enum Client {
    Any(reqwest::Client),
    Public(PublicClient),
}

impl Delivery {
    pub(super) fn new(sink: &Sink, outbound: Option<&Outbound>) -> Result<Self, SinkError> {
        let name = || sink.name().to_owned();
        let url = sink.url.as_ref().and_then(|url| reqwest::Url::parse(url.expose().trim()).ok());
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(|| SinkError::Url(name()))?;
        let proxy = OutboundProxy::of(outbound).map_err(HttpClientError::from)?;
        let client = if sink.private {
            Client::Any(http_client::builder_through(proxy.as_ref())?.build().map_err(HttpClientError::from)?)
        } else {
            let client = PublicClient::new(proxy.as_ref())?;
            // Nothing is sent: only the address is checked.
            let checked = client.request(Method::POST, url.clone());
            drop(checked.map_err(|reason| SinkError::Private { name: name(), reason })?);
            Client::Public(client)
        };
        let scheme = match sink.kind {
            SinkKind::S3 => AuthScheme::AwsSigv4(STORAGE.to_owned()),
            SinkKind::Webhook | SinkKind::Slack => AuthScheme::Open,
        };
        let means = Means { secret: sink.key.as_ref(), region: &sink.region, ..Means::default() };
        let credential = Credential::new(&scheme, means);
        let credential = credential.map_err(|source| SinkError::Credential { name: name(), source })?;
        let mut headers = HeaderMap::new();
        for (header, value) in &sink.headers {
            let pair = HeaderName::try_from(header).ok().zip(HeaderValue::try_from(value.expose()).ok());
            let bad = || SinkError::Credential { name: name(), source: CredentialError::Header(header.clone()) };
            let (header, mut value) = pair.ok_or_else(bad)?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        let (kind, prefix, timeout) = (sink.kind, sink.prefix.clone(), sink.timeout);
        Ok(Self { kind, url, prefix, headers, credential, client, timeout })
    }

    /// Sends a batch once.
    pub(super) async fn send(&self, batch: &[Event]) -> Result<(), Failure> {
        let (method, url, kind, body) = match self.kind {
            SinkKind::Webhook => (Method::POST, self.url.clone(), "application/json", events(batch)),
            SinkKind::Slack => (Method::POST, self.url.clone(), "application/json", message(batch)),
            SinkKind::S3 => (Method::PUT, self.object(batch), "application/x-ndjson", lines(batch)),
        };
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        let uri: Uri = url.as_str().parse().map_err(|_| Failure::Refused("its address is none".to_owned()))?;
        let signed = self.credential.apply(&method, uri, &mut headers, &Chunks::from(body.clone()));
        signed.map_err(|error| Failure::Refused(error.to_string()))?;
        let request = match &self.client {
            Client::Any(client) => client.request(method, url),
            Client::Public(client) => client
                .request(method, url)
                .map_err(|reason| Failure::Refused(format!("its address is refused: {reason} allowed")))?,
        };
        let answer = request.headers(headers).timeout(self.timeout).body(body).send().await;
        let status = answer.map_err(|error| Failure::Passing(http_client::reason(&error)))?.status();
        if status.is_success() { Ok(()) } else { Err(failure(status)) }
    }

    /// The address of a batch's object. It is the same for each attempt, so that no batch is stored twice.
    fn object(&self, batch: &[Event]) -> reqwest::Url {
        let mut url = self.url.clone();
        let Some(first) = batch.first() else { return url };
        let time = from_milliseconds(first.id().time_ms()).unwrap_or_default();
        let folder = time.strftime("%Y/%m/%d/%H%M%S");
        let path = format!("{}/{}{folder}-{}.jsonl", url.path().trim_end_matches('/'), self.prefix, first.id());
        url.set_path(&path);
        url
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// What a status means. A redirect is refused: it would lead past the check of addresses. A credential or an address
/// that the other side does not know may be put right there, while the batch is tried again.
fn failure(status: StatusCode) -> Failure {
    let text = format!("it answered with the status {}", status.as_u16());
    let is_passing = status.is_server_error() || matches!(status.as_u16(), 401 | 403 | 404 | 408 | 425 | 429);
    if is_passing { Failure::Passing(text) } else { Failure::Refused(text) }
}

/// The body of a webhook: `{"events": [...]}`.
fn events(batch: &[Event]) -> Bytes {
    let events: Vec<_> = batch.iter().map(Event::shown).collect();
    json!({ "events": events }).to_string().into()
}

/// The message of a chat.
fn message(batch: &[Event]) -> Bytes {
    json!({ "text": summary::of(batch) }).to_string().into()
}

/// One JSON object a line.
fn lines(batch: &[Event]) -> Bytes {
    let mut body = BytesMut::new();
    for event in batch {
        body.put(event.shown().to_string().as_bytes());
        body.put_u8(b'\n');
    }
    body.freeze()
}
