//! Traces for an OpenTelemetry collector: a server span for each request, below it a client span for each attempt,
//! and below that a span for each call of an adapter. Spans contain nothing of what clients and providers wrote, unless
//! `traces.content` says so ([`Span::set_messages`]).
//!
//! Names follow OpenTelemetry's semantic conventions for HTTP and generative AI ([`Attribute`]); contexts are
//! propagated as W3C Trace Context. Without a collector no spans are made, and a client's own trace headers are
//! forwarded unchanged.

mod answer;
mod attribute;
mod messages;
mod waiting;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer as _, TracerProvider,
};
use opentelemetry::{Context, KeyValue, TraceId, Value};
use opentelemetry_http::{HeaderExtractor, HttpClient};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, Span as SdkSpan,
};
use prometheus::Registry;

pub(crate) use answer::AnswerFacts;
pub use attribute::Attribute;
use messages::Messages;
pub(crate) use messages::finish_reason;
use waiting::{BoundedProcessor, CountingExporter, SpanFigures, WaitingSpans};
use weir_config::{Conventions, Secret, SpanProtocol, Traces};
use weir_types::contract::types::{ChatRequest, ChatResponse};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// The path of a collector for spans, relative to its endpoint (OTLP specification, "OTLP/HTTP Request").
const HTTP_PATH: &str = "v1/traces";
/// The path of the method that takes spans ("OTLP/gRPC": `TraceService` of the protocol's schema).
const GRPC_PATH: &str = "opentelemetry.proto.collector.trace.v1.TraceService/Export";
/// The most spans that wait for the collector; further spans are dropped, which is counted.
const QUEUE: usize = 8192;
/// The most bytes of messages in the spans that wait. Further spans go without theirs.
const MESSAGES: usize = 32 << 20;
/// The most spans sent together.
const BATCH: usize = 512;
/// How long a batch waits for further spans.
const DELAY: Duration = Duration::from_secs(1);
/// How long sending the last spans may take when the program ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Why tracing cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The exporter cannot be built from the settings.
    #[error(transparent)]
    Exporter(#[from] ExporterBuildError),
    /// The metrics of spans cannot be made.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// Creates spans. A clone shares the queue. The default creates none.
#[derive(Debug, Clone, Default)]
pub struct Tracer(Option<Live>);

#[derive(Debug, Clone)]
struct Live {
    tracer: SdkTracer,
    provider: SdkTracerProvider,
    naming: Naming,
    follows_clients: bool,
}

/// How spans are filled in.
#[derive(Debug, Clone, Copy)]
struct Naming {
    conventions: Conventions,
    /// The most bytes of the messages of one side; `None` if spans have no messages.
    content: Option<usize>,
}

/// The address that spans are sent to, of which a configuration may have the path already.
fn address(endpoint: &str, path: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    let is_whole = endpoint.strip_suffix(path).is_some_and(|base| base.ends_with('/'));
    if is_whole { endpoint.to_owned() } else { format!("{endpoint}/{path}") }
}

impl Tracer {
    /// Starts sending spans to a collector through this HTTP client, which frames messages where the protocol is gRPC.
    pub fn begin(
        settings: &Traces,
        client: impl HttpClient + 'static,
        registry: &Registry,
    ) -> Result<Self, TraceError> {
        let header = |(name, value): &(String, Secret)| (name.clone(), value.expose().to_owned());
        let path = match settings.protocol {
            SpanProtocol::Http => HTTP_PATH,
            SpanProtocol::Grpc => GRPC_PATH,
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(address(&settings.endpoint, path))
            .with_headers(settings.headers.iter().map(header).collect::<HashMap<_, _>>())
            .with_http_client(client)
            .build()?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY)
            .build();
        let resource = Resource::builder()
            .with_service_name(settings.service.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let waiting = Arc::new(WaitingSpans::new(QUEUE, MESSAGES, SpanFigures::new(registry)?));
        let exporter = CountingExporter::new(exporter, Arc::clone(&waiting));
        let sender = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BoundedProcessor::new(sender, waiting))
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample))))
            .with_resource(resource)
            .build();
        let content = settings.content.then_some(settings.max_content_bytes);
        let naming = Naming { conventions: settings.names(), content };
        let follows_clients = settings.follow_clients;
        Ok(Self(Some(Live { tracer: provider.tracer("weir"), provider, naming, follows_clients })))
    }

    /// The span of a request with these headers, whose parent is the client's own span if it sent one that is followed.
    pub fn request(&self, headers: &HeaderMap, name: impl FnOnce() -> String) -> Span {
        let Some(Live { tracer, naming, follows_clients, .. }) = &self.0 else { return Span::default() };
        let parent = match follows_clients {
            true => TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers)),
            false => Context::new(),
        };
        Span::build(tracer, *naming, SpanKind::Server, name(), &parent)
    }

    /// Sends the waiting spans and stops tracing. Blocks.
    pub fn end(&self) {
        if let Some(Live { provider, .. }) = &self.0
            && let Err(error) = provider.shutdown_with_timeout(FLUSH_TIMEOUT)
        {
            tracing::warn!(%error, "the last spans did not reach the collector");
        }
    }
}

/// A span, which ends when the last of its clones is dropped. The default is no span.
#[derive(Clone, Default)]
pub struct Span(Option<Arc<Open>>);

struct Open {
    tracer: SdkTracer,
    naming: Naming,
    context: SpanContext,
    /// `None` if this trace is not sampled.
    span: Option<Mutex<SdkSpan>>,
    /// When it ended, if it is held beyond that.
    ended: OnceLock<SystemTime>,
}

impl Drop for Open {
    fn drop(&mut self) {
        if let (Some(span), Some(ended)) = (&mut self.span, self.ended.get()) {
            span.get_mut().unwrap_or_else(PoisonError::into_inner).end_with_timestamp(*ended);
        }
    }
}

impl Span {
    fn build(tracer: &SdkTracer, naming: Naming, kind: SpanKind, name: String, parent: &Context) -> Self {
        let span = tracer.build_with_context(SpanBuilder::from_name(name).with_kind(kind), parent);
        let context = span.span_context().clone();
        let span = span.is_recording().then(|| Mutex::new(span));
        Self(Some(Arc::new(Open { tracer: tracer.clone(), naming, context, span, ended: OnceLock::new() })))
    }

    fn beneath(&self, kind: SpanKind, name: impl FnOnce() -> String) -> Self {
        let Some(open) = &self.0 else { return Self::default() };
        if open.span.is_none() && kind == SpanKind::Internal {
            return Self::default();
        }
        let parent = Context::new().with_remote_span_context(open.context.clone());
        Self::build(&open.tracer, open.naming, kind, name(), &parent)
    }

    /// A child span for a request to another server.
    #[must_use]
    pub fn client(&self, name: impl FnOnce() -> String) -> Self {
        self.beneath(SpanKind::Client, name)
    }

    /// A child span for internal work.
    #[must_use]
    pub fn internal(&self, name: impl FnOnce() -> String) -> Self {
        self.beneath(SpanKind::Internal, name)
    }

    /// Whether the span is sampled, so that its attributes are kept.
    pub(crate) fn is_recording(&self) -> bool {
        self.0.as_ref().is_some_and(|open| open.span.is_some())
    }

    /// Its trace, if it is sampled.
    pub(crate) fn trace(&self) -> Option<TraceId> {
        self.0.as_ref().filter(|open| open.span.is_some()).map(|open| open.context.trace_id())
    }

    /// Renames the span.
    pub fn rename(&self, name: impl FnOnce() -> String) {
        self.with(|span| span.update_name(name()));
    }

    /// Sets an attribute, by its name in the configured conventions. Those without it leave it out.
    pub fn set(&self, attribute: Attribute, value: impl Into<Value>) {
        let name = self.0.as_ref().and_then(|open| attribute.name(open.naming.conventions));
        if let Some(name) = name {
            self.with(|span| span.set_attribute(KeyValue::new(name, value)));
        }
    }

    /// Marks the span as failed; `reason` becomes the type of its error, so it must come from a small set.
    pub fn fail(&self, reason: &'static str) {
        self.set(Attribute::ErrorType, reason);
        self.with(|span| span.set_status(Status::error(reason)));
    }

    /// Whether it may have the messages of its exchange.
    pub fn takes_messages(&self) -> bool {
        self.0.as_ref().is_some_and(|open| open.span.is_some() && open.naming.content.is_some())
    }

    /// Sets the messages of an exchange, as far as they are known: without secrets, and within the configured bound.
    pub fn set_messages(&self, request: Option<&ChatRequest>, answer: Option<&ChatResponse>) {
        let Some(room) = self.0.as_ref().and_then(|open| open.naming.content) else { return };
        let sides = [
            (Attribute::InputMessages, request.map(|request| Messages::of_request(request, room))),
            (Attribute::OutputMessages, answer.map(|answer| Messages::of_answer(answer, room))),
        ];
        for (attribute, messages) in sides {
            let Some(messages) = messages else { continue };
            if messages.is_cut {
                self.set(Attribute::MessagesCut, true);
            }
            self.set(attribute, messages.json);
        }
    }

    /// The span ends now, although it is held for a while yet. The first call counts.
    pub(crate) fn end(&self) {
        if let Some(open) = &self.0 {
            let _is_first = open.ended.set(SystemTime::now());
        }
    }

    /// Sets the trace headers of a message to this span's context, in place of any others.
    pub fn mark(&self, headers: &mut HeaderMap) {
        let Some(open) = &self.0 else { return };
        let context = &open.context;
        let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags().to_u8());
        if let Ok(value) = HeaderValue::try_from(format!("00-{trace:032x}-{span:016x}-{flags:02x}")) {
            headers.insert(TRACEPARENT, value);
        }
        match HeaderValue::try_from(context.trace_state().header()) {
            Ok(state) if !state.is_empty() => _ = headers.insert(TRACESTATE, state),
            _ => _ = headers.remove(TRACESTATE),
        }
    }

    fn with(&self, say: impl FnOnce(&mut SdkSpan)) {
        if let Some(span) = self.0.as_ref().and_then(|open| open.span.as_ref()) {
            say(&mut span.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Span").field(&self.0.as_ref().map(|open| &open.context)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_for_spans_is_added_where_the_endpoint_lacks_it() {
        for endpoint in ["http://c:4318", "http://c:4318/", "http://c:4318/v1/traces", "http://c:4318/v1/traces/"] {
            assert_eq!(address(endpoint, HTTP_PATH), "http://c:4318/v1/traces");
        }
        assert_eq!(address("https://c/otlp", HTTP_PATH), "https://c/otlp/v1/traces");
        assert_eq!(address("https://c/dev1/traces", HTTP_PATH), "https://c/dev1/traces/v1/traces");
    }
}
