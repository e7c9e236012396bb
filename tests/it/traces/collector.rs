//! A collector of spans, over HTTP or gRPC. It reads the protocol strictly: a message that holds more than the
//! protocol's schema knows is a mistake.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use weir_tests::{Answer, Upstream, soon};

/// A received span.
#[derive(Debug, Clone, Default)]
pub(super) struct Span {
    pub(super) name: String,
    pub(super) kind: i32,
    pub(super) trace: String,
    pub(super) id: String,
    pub(super) parent: String,
    pub(super) attributes: BTreeMap<String, String>,
    /// 2 is an error (OTLP, `Status.StatusCode`).
    pub(super) status: i32,
    pub(super) lasted: u64,
}

/// Where a collector gets its messages from.
enum Inlet {
    Http(Upstream),
    Grpc { url: String, messages: mpsc::UnboundedReceiver<Bytes> },
}

/// A collector, and the spans so far.
pub(super) struct Collector {
    inlet: Inlet,
    spans: Vec<Span>,
    /// All received bytes, to search for forbidden content.
    pub(super) bytes: Vec<u8>,
}

impl Collector {
    pub(super) async fn open() -> Self {
        let upstream = Upstream::always(Answer::whole(200, &[("content-type", "application/x-protobuf")], "")).await;
        Self { inlet: Inlet::Http(upstream), spans: Vec::new(), bytes: Vec::new() }
    }

    /// A collector over gRPC, whose first answer has this status.
    pub(super) async fn over_grpc(first_status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, messages) = mpsc::unbounded_channel();
        tokio::spawn(serve_grpc(listener, sender, Arc::new(Mutex::new(Some(first_status)))));
        Self { inlet: Inlet::Grpc { url, messages }, spans: Vec::new(), bytes: Vec::new() }
    }

    pub(super) fn config(&self, more: &str) -> String {
        let (endpoint, protocol) = match &self.inlet {
            Inlet::Http(upstream) => (upstream.url(), "http"),
            Inlet::Grpc { url, .. } => (url.clone(), "grpc"),
        };
        format!(
            "[traces]\nendpoint = \"{endpoint}\"\nprotocol = \"{protocol}\"\nheaders = \"x-team=a%20b\"\n\
             service = \"gate\"\n{more}\n"
        )
    }

    /// Waits for this many spans of requests; their children were received before.
    pub(super) async fn requests(&mut self, count: usize) -> Vec<Span> {
        loop {
            let found: Vec<Span> = self.of(SpanKind::Server);
            if found.len() >= count {
                return found;
            }
            let message = self.message().await;
            self.bytes.extend_from_slice(&message);
            self.take(&message);
        }
    }

    /// Waits for the span of a request's only attempt, which may come after the request's own.
    pub(super) async fn attempt(&mut self, whole: &Span) -> Span {
        loop {
            let below = self.beneath(whole);
            if let Some(found) = below.into_iter().find(|span| span.kind == SpanKind::Client as i32) {
                return found;
            }
            let message = self.message().await;
            self.bytes.extend_from_slice(&message);
            self.take(&message);
        }
    }

    async fn message(&mut self) -> Bytes {
        match &mut self.inlet {
            Inlet::Http(upstream) => {
                let received = upstream.request().await;
                assert_eq!(received.line(), "POST /base/v1/traces");
                assert_eq!(received.header("x-team"), Some("a b"));
                received.body.into()
            }
            Inlet::Grpc { messages, .. } => soon("a batch of spans", messages.recv()).await.unwrap(),
        }
    }

    fn take(&mut self, body: &[u8]) {
        let export = ExportTraceServiceRequest::decode(body).expect("it is OTLP");
        assert_eq!(export.encode_to_vec().len(), body.len(), "it holds fields that the protocol does not have");
        for resource in export.resource_spans {
            let attributes = resource.resource.unwrap().attributes;
            assert!(attributes.iter().any(|one| one.key == "service.name" && text(one.value.as_ref()) == "gate"));
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
                self.spans.push(Span {
                    attributes: span.attributes.iter().map(|one| (one.key.clone(), text(one.value.as_ref()))).collect(),
                    kind: span.kind,
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                    status: span.status.unwrap_or_default().code,
                    lasted: span.end_time_unix_nano - span.start_time_unix_nano,
                    name: span.name,
                });
            }
        }
    }

    fn of(&self, kind: SpanKind) -> Vec<Span> {
        self.spans.iter().filter(|span| span.kind == kind as i32).cloned().collect()
    }

    /// The children of a span, in the order of their ends.
    pub(super) fn beneath(&self, parent: &Span) -> Vec<Span> {
        self.spans.iter().filter(|span| span.parent == parent.id).cloned().collect()
    }
}

/// The status of the first answer, until it is given.
type First = Arc<Mutex<Option<&'static str>>>;

/// Takes spans over gRPC.
async fn serve_grpc(listener: TcpListener, messages: mpsc::UnboundedSender<Bytes>, first: First) {
    while let Ok((socket, _)) = listener.accept().await {
        let (messages, first) = (messages.clone(), Arc::clone(&first));
        let service = service_fn(move |request| answer(request, messages.clone(), Arc::clone(&first)));
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        tokio::spawn(server.serve_connection(TokioIo::new(socket), service));
    }
}

/// Answers a call. What is refused is not passed on, and has to come again.
async fn answer(
    request: Request<Incoming>,
    messages: mpsc::UnboundedSender<Bytes>,
    first: First,
) -> Result<Response<impl Body<Data = Bytes, Error = Infallible>>, Infallible> {
    let (head, body) = request.into_parts();
    assert_eq!(head.uri.path(), "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    assert_eq!([&head.headers["content-type"], &head.headers["te"]], ["application/grpc", "trailers"]);
    assert_eq!(head.headers["x-team"], "a b");
    let mut frame = body.collect().await.unwrap().to_bytes();
    let message = frame.split_off(5);
    assert_eq!(frame[..], [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes()].concat());
    let status = first.lock().unwrap().take().unwrap_or("0");
    if status == "0" {
        // The test may have ended.
        let _is_taken = messages.send(message);
    }
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static(status))]);
    let body = Full::new(Bytes::from_static(&[0; 5])).with_trailers(async move { Some(Ok(trailers)) });
    Ok(Response::builder().header("content-type", "application/grpc").body(body).unwrap())
}

fn text(value: Option<&opentelemetry_proto::tonic::common::v1::AnyValue>) -> String {
    match value.and_then(|value| value.value.clone()) {
        Some(any_value::Value::StringValue(text)) => text,
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        Some(any_value::Value::DoubleValue(number)) => number.to_string(),
        Some(any_value::Value::BoolValue(is)) => is.to_string(),
        Some(any_value::Value::ArrayValue(list)) => {
            list.values.iter().map(|value| text(Some(value))).collect::<Vec<_>>().join(", ")
        }
        other => panic!("not a plain value: {other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
