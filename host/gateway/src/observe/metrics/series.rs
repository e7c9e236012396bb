//! The metrics of requests, by the client, its format, and the alias.

use std::sync::{Arc, OnceLock};

use opentelemetry::TraceId;
use prometheus::{IntCounter, IntCounterVec, Registry};

use super::bound::SeriesBound;
use super::buckets::BucketBounds;
use super::counters;
use super::exemplar::{ExemplarStore, Exemplars};
use super::histogram::{Histogram, HistogramVec, Histograms};
use super::spending::Books;

const REQUESTS: &str = "weir_requests_total";
/// The histogram whose buckets have exemplars.
pub(super) const DURATION: &str = "weir_request_duration_seconds";
const OVERHEAD: &str = "weir_overhead_seconds";
const TTFT: &str = "weir_stream_ttft_seconds";
/// The lines of a histogram besides its finite buckets.
pub(super) const HISTOGRAM_LINES: usize = 3;

/// Requests, their duration and the gateway's part of it.
#[derive(Debug)]
pub(super) struct RequestMetrics {
    bound: Arc<SeriesBound>,
    bounds: BucketBounds,
    requests: IntCounterVec,
    duration: HistogramVec,
    overhead: HistogramVec,
    ttft: HistogramVec,
    pub(super) exemplars: ExemplarStore,
}

impl RequestMetrics {
    pub(super) fn new(
        r: &Registry,
        histograms: &Histograms,
        bound: Arc<SeriesBound>,
        bounds: BucketBounds,
    ) -> Result<Self, prometheus::Error> {
        let by = &["dialect", "route"];
        Ok(Self {
            bound,
            bounds,
            requests: counters(r, REQUESTS, "Answered requests", &["client", "dialect", "route", "status", "outcome"])?,
            duration: histograms.add(DURATION, "From a request's head to its answer's end", by, bounds.seconds)?,
            overhead: histograms.add(OVERHEAD, "A request's time less the wait for the provider", by, bounds.own)?,
            ttft: histograms.add(TTFT, "From a request's head to its stream's first piece", by, bounds.seconds)?,
            exemplars: ExemplarStore::new(bounds.seconds),
        })
    }

    fn count(&self, labels: &OwnLabels, status: &str, outcome: &str) -> IntCounter {
        let labels = [&labels.client, &labels.dialect, &labels.route, status, outcome];
        self.requests.with_label_values(&self.bound.fit(REQUESTS, 1, labels, &[0, 2]))
    }

    fn labels<'a>(&self, name: &str, buckets: &[f64], labels: &'a OwnLabels) -> [&'a str; 2] {
        self.bound.fit(name, buckets.len() + HISTOGRAM_LINES, [&labels.dialect, &labels.route], &[1])
    }
}

/// The labels of a series. All values come from manifests and the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    /// The client's format.
    pub dialect: &'a str,
    /// The alias.
    pub route: &'a str,
    /// The operation's name by OpenTelemetry's conventions for generative AI.
    pub operation: &'a str,
    /// The first provider of the route, for exchanges that reach none.
    pub provider: &'a str,
    /// The client's name in the configuration; empty if anonymous.
    pub client: &'a str,
}

#[derive(Debug)]
pub(super) struct OwnLabels {
    dialect: String,
    pub(super) route: String,
    pub(super) operation: String,
    pub(super) provider: Arc<str>,
    pub(super) client: String,
}

/// The metric handles of one face, route and client. Each is made when it is first used.
#[derive(Debug)]
pub struct Series {
    all: Arc<RequestMetrics>,
    duration: OnceLock<(Histogram, Arc<Exemplars>)>,
    overhead: OnceLock<Histogram>,
    ttft: OnceLock<Histogram>,
    ok: OnceLock<IntCounter>,
    pub(super) labels: OwnLabels,
    pub(super) books: Books,
}

impl Series {
    pub(super) fn new(all: &Arc<RequestMetrics>, labels: Labels<'_>) -> Self {
        let Labels { dialect, route, operation, provider, client } = labels;
        Self {
            all: Arc::clone(all),
            duration: OnceLock::new(),
            overhead: OnceLock::new(),
            ttft: OnceLock::new(),
            ok: OnceLock::new(),
            labels: OwnLabels {
                dialect: dialect.to_owned(),
                route: route.to_owned(),
                operation: operation.to_owned(),
                provider: Arc::from(provider),
                client: client.to_owned(),
            },
            books: Books::default(),
        }
    }

    /// Records how a request ended, and how long it took. `trace` is its trace, if that is sampled.
    pub(crate) fn ended(&self, status: u16, outcome: &str, seconds: f64, id: &Arc<str>, trace: Option<TraceId>) {
        if status == 200 && outcome == "ok" {
            self.ok.get_or_init(|| self.all.count(&self.labels, "200", "ok")).inc();
        } else {
            self.all.count(&self.labels, &status.to_string(), outcome).inc();
        }
        let (duration, exemplars) = self.duration.get_or_init(|| {
            let labels = self.all.labels(DURATION, self.all.bounds.seconds, &self.labels);
            (self.all.duration.with_label_values(&labels), self.all.exemplars.of(labels))
        });
        duration.observe(seconds);
        self.all.exemplars.keep(exemplars, seconds, id, trace);
    }

    /// Records the gateway's own time.
    pub fn overhead(&self, seconds: f64) {
        let made =
            || self.all.overhead.with_label_values(&self.all.labels(OVERHEAD, self.all.bounds.own, &self.labels));
        self.overhead.get_or_init(made).observe(seconds);
    }

    /// Records the time to the first piece of a stream.
    pub fn first_token(&self, seconds: f64) {
        let made = || self.all.ttft.with_label_values(&self.all.labels(TTFT, self.all.bounds.seconds, &self.labels));
        self.ttft.get_or_init(made).observe(seconds);
    }
}
