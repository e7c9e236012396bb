//! Exports spans to a collector. The exporter calls from its own thread; requests are sent on the runtime's threads.

mod grpc;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::Handle;

use super::http_client::{HttpClientError, builder_through, read_body};
use super::outbound::OutboundProxy;
use weir_config::{Outbound, SpanProtocol};

/// Timeout of one export.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum size of the collector's answer, in bytes.
const ANSWER: usize = 64 * 1024;

/// HTTP client for a collector of spans.
pub struct Collector {
    runtime: Handle,
    client: reqwest::Client,
    protocol: SpanProtocol,
}

impl Collector {
    /// Creates a client that sends on this runtime.
    pub fn new(runtime: Handle, protocol: SpanProtocol, outbound: Option<&Outbound>) -> Result<Self, HttpClientError> {
        let proxy = OutboundProxy::of(outbound)?;
        let client = builder_through(proxy.as_ref())?.timeout(TIMEOUT);
        let client = match protocol {
            SpanProtocol::Http => client,
            SpanProtocol::Grpc => client.http2_prior_knowledge(),
        };
        Ok(Self { runtime, client: client.build()?, protocol })
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // Sent inside the task: the client's timers need the runtime, which the exporter's thread is not part of.
        let (client, protocol) = (self.client.clone(), self.protocol);
        let request = match protocol {
            SpanProtocol::Http => request,
            SpanProtocol::Grpc => grpc::framed(request)?,
        };
        let request = request.try_into()?;
        let exchange = async move {
            let answer = client.execute(request).await.map_err(reqwest::Error::without_url)?;
            if protocol == SpanProtocol::Grpc {
                return grpc::read(answer.into(), ANSWER).await;
            }
            let mut response = Response::builder().status(answer.status());
            if let Some(headers) = response.headers_mut() {
                headers.clone_from(answer.headers());
            }
            Ok::<_, HttpError>(response.body(read_body(answer, ANSWER).await?)?)
        };
        self.runtime.spawn(exchange).await?
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collector")
    }
}
