//! The spans that wait for the collector: bounded in number and in the bytes of their messages, and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::{Context, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};
use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

use super::attribute::CONTENT;
use weir_config::Conventions;

/// Spans by what became of them.
#[derive(Debug)]
pub(super) struct SpanFigures {
    sent: IntCounter,
    failed: IntCounter,
    dropped: IntCounter,
}

impl SpanFigures {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let spans = Opts::new("weir_spans_total", "Spans for the collector, by what became of them");
        let spans = IntCounterVec::new(spans, &["result"])?;
        registry.register(Box::new(spans.clone()))?;
        let of = |result| spans.with_label_values(&[result]);
        Ok(Self { sent: of("sent"), failed: of("failed"), dropped: of("dropped") })
    }
}

/// The spans that have ended and are not sent yet.
#[derive(Debug)]
pub(super) struct WaitingSpans {
    most_spans: usize,
    most_bytes: usize,
    spans: AtomicUsize,
    /// Bytes of messages in them.
    bytes: AtomicUsize,
    /// Whether the last span found no room.
    is_full: AtomicBool,
    figures: SpanFigures,
}

impl WaitingSpans {
    pub(super) fn new(most_spans: usize, most_bytes: usize, figures: SpanFigures) -> Self {
        let (spans, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { most_spans, most_bytes, spans, bytes, is_full: AtomicBool::new(false), figures }
    }

    /// Takes room for a span, and removes its messages where there is none for them. `false` if it is dropped.
    fn admit(&self, span: &mut SpanData) -> bool {
        if self.spans.fetch_add(1, Ordering::Relaxed) >= self.most_spans {
            self.spans.fetch_sub(1, Ordering::Relaxed);
            self.figures.dropped.inc();
            if !self.is_full.swap(true, Ordering::Relaxed) {
                tracing::warn!("the collector of spans is slow or away: spans are dropped");
            }
            return false;
        }
        let bytes = content_len(span);
        if bytes > 0 && self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > self.most_bytes {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            span.attributes.retain(|attribute| !is_content(attribute.key.as_str()));
        }
        true
    }
}

/// The room of spans that are being sent, returned however that ends.
struct Batch<'a> {
    waiting: &'a WaitingSpans,
    spans: usize,
    bytes: usize,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.waiting.spans.fetch_sub(self.spans, Ordering::Relaxed);
        self.waiting.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.waiting.is_full.store(false, Ordering::Relaxed);
    }
}

fn is_content(key: &str) -> bool {
    [Conventions::V1_37, Conventions::V1_42]
        .iter()
        .any(|version| CONTENT.iter().any(|attribute| attribute.name(*version) == Some(key)))
}

fn content_len(span: &SpanData) -> usize {
    let held = span.attributes.iter().filter(|attribute| is_content(attribute.key.as_str()));
    held.map(|attribute| if let Value::String(text) = &attribute.value { text.as_str().len() } else { 0 }).sum()
}

/// Lets spans wait within the bounds.
#[derive(Debug)]
pub(super) struct BoundedProcessor<P> {
    inner: P,
    waiting: Arc<WaitingSpans>,
}

impl<P> BoundedProcessor<P> {
    pub(super) fn new(inner: P, waiting: Arc<WaitingSpans>) -> Self {
        Self { inner, waiting }
    }
}

impl<P: SpanProcessor> SpanProcessor for BoundedProcessor<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, mut span: SpanData) {
        if self.waiting.admit(&mut span) {
            self.inner.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// Counts what is sent, and returns its room.
#[derive(Debug)]
pub(super) struct CountingExporter<E> {
    inner: E,
    waiting: Arc<WaitingSpans>,
}

impl<E> CountingExporter<E> {
    pub(super) fn new(inner: E, waiting: Arc<WaitingSpans>) -> Self {
        Self { inner, waiting }
    }
}

impl<E: SpanExporter> SpanExporter for CountingExporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let (spans, bytes) = (batch.len(), batch.iter().map(content_len).sum());
        let _room = Batch { waiting: &self.waiting, spans, bytes };
        let result = self.inner.export(batch).await;
        let figures = &self.waiting.figures;
        let count = if result.is_ok() { &figures.sent } else { &figures.failed };
        count.inc_by(spans as u64);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status};
    use opentelemetry::{InstrumentationScope, KeyValue};
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

    use super::*;

    fn span(content: &str) -> SpanData {
        let now = std::time::SystemTime::UNIX_EPOCH;
        SpanData {
            span_context: SpanContext::empty_context(),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Client,
            name: "chat".into(),
            start_time: now,
            end_time: now,
            attributes: vec![
                KeyValue::new("gen_ai.request.model", "m"),
                KeyValue::new("gen_ai.input.messages", content.to_owned()),
            ],
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        }
    }

    #[test]
    fn spans_wait_within_their_bounds_and_what_was_sent_makes_room() {
        let registry = Registry::new();
        let waiting = WaitingSpans::new(3, 10, SpanFigures::new(&registry).unwrap());
        let mut spans = [span("12345678"), span("12345"), span("12"), span("")];
        let admitted: Vec<bool> = spans.iter_mut().map(|span| waiting.admit(span)).collect();
        assert_eq!(admitted, [true, true, true, false]);
        let attributes: Vec<usize> = spans.iter().map(|span| span.attributes.len()).collect();
        assert_eq!(attributes, [2, 1, 2, 2], "the second finds no room for its messages");
        assert_eq!(waiting.figures.dropped.get(), 1);
        drop(Batch { waiting: &waiting, spans: 2, bytes: 8 });
        assert!(waiting.admit(&mut span("12345678")) && waiting.bytes.load(Ordering::Relaxed) == 10);
    }
}
