//! The closed list of metrics. Label values come from the configuration and from manifests; only names of lost fields
//! may come from requests, and their number is bounded.

mod bound;
pub mod buckets;
mod exemplar;
mod field_losses;
mod gen_ai;
pub mod histogram;
mod openmetrics;
mod protobuf;
mod series;
mod spending;
mod tries;

use std::sync::Arc;

use prometheus::core::Collector;
use prometheus::proto::LabelPair;
use prometheus::{CounterVec, Encoder as _, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

use bound::SeriesBound;
use buckets::BucketBounds;
use exemplar::Exemplars;
use field_losses::FieldLosses;
use gen_ai::GenAi;
use histogram::{HistogramVec, Histograms};
use series::{DURATION, OwnLabels, RequestMetrics};
use spending::{Spending, TokenLabels};

pub use series::{Labels, Series};
pub use spending::Book;
pub(crate) use spending::dollars_of;
use weir_config::{Buckets, MetricsSettings};
use weir_types::contract::types::LossKind;
use weir_types::fault::Side;

pub use tries::Tries;

use super::log;

/// The metrics of the data plane.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    histograms: Histograms,
    bounds: BucketBounds,
    requests: Arc<RequestMetrics>,
    spending: Arc<Spending>,
    translations: IntCounterVec,
    /// Exchanges in progress.
    pub in_flight: IntGauge,
    /// Streams in progress.
    pub streams_active: IntGauge,
    /// Exchanges refused before they were routed, by reason.
    pub rejected: IntCounterVec,
    /// Requests sent to providers.
    pub attempts: IntCounterVec,
    /// Requests to providers that failed, by reason.
    pub failures: IntCounterVec,
    /// Metrics of attempts: failures, retries, fallbacks, breakers.
    pub tries: Tries,
    /// Time until a provider's answer began.
    pub upstream: HistogramVec,
    /// Clients that left, by phase.
    pub disconnects: IntCounterVec,
    /// Streams that broke, by the side that broke them.
    pub stream_errors: IntCounterVec,
    /// Whether the last reload of the configuration succeeded.
    pub config_ok: IntGauge,
    /// The number of configurations loaded so far.
    pub config_revision: IntGauge,
    /// Configurations that were rejected.
    pub config_rejected: IntCounter,
    /// Dropped log lines, updated from the log's own count on each scrape.
    log_dropped: IntCounter,
    losses: FieldLosses,
}

impl Metrics {
    /// Creates the metrics in a new registry, with the usual settings.
    pub fn new() -> Result<Self, prometheus::Error> {
        Self::with(&MetricsSettings::default())
    }

    /// Creates the metrics in a new registry.
    pub fn with(settings: &MetricsSettings) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let r = &registry;
        let bounds = buckets::bounds(settings.buckets);
        let histograms = Histograms::new(r, settings.buckets == Buckets::Native);
        let overflow = counter(
            r,
            "weir_metrics_overflow_total",
            "Series that had no room, so that their client and model are counted as `other`",
        )?;
        let bound = Arc::new(SeriesBound::new(settings.max_series, overflow));
        let gen_ai = settings.gen_ai.then(|| GenAi::new(&histograms, Arc::clone(&bound), bounds)).transpose()?;
        Ok(Self {
            bounds,
            requests: Arc::new(RequestMetrics::new(r, &histograms, Arc::clone(&bound), bounds)?),
            spending: Arc::new(Spending::new(r, bound, gen_ai)?),
            translations: counters(
                r,
                "weir_translations_total",
                "Requests translated from one format to another",
                &["from", "to"],
            )?,
            in_flight: gauge(r, "weir_in_flight", "Exchanges under way")?,
            streams_active: gauge(r, "weir_streams_active", "Streams under way")?,
            rejected: counters(r, "weir_rejected_total", "Requests refused before they were routed", &["reason"])?,
            attempts: counters(r, "weir_upstream_attempts_total", "Requests sent to providers", &["provider"])?,
            failures: counters(
                r,
                "weir_upstream_failures_total",
                "Requests to providers that failed",
                &["provider", "reason"],
            )?,
            tries: Tries::new(r)?,
            upstream: histograms.add(
                "weir_upstream_duration_seconds",
                "From sending a request to the head of its answer",
                &["provider"],
                bounds.seconds,
            )?,
            disconnects: counters(
                r,
                "weir_client_disconnects_total",
                "Clients that left before their answer's end",
                &["phase"],
            )?,
            stream_errors: stream_errors(r)?,
            config_ok: gauge(r, "weir_config_last_reload_successful", "Whether the last reload was taken")?,
            config_revision: gauge(r, "weir_config_revision", "Configurations taken since the start")?,
            config_rejected: counter(r, "weir_config_rejected_total", "Configurations refused")?,
            log_dropped: counter(r, "weir_log_dropped_total", "Log lines dropped because the log's reader was slow")?,
            losses: FieldLosses::new(r)?,
            histograms,
            registry,
        })
    }

    /// The metric handles for these labels.
    pub fn series(&self, labels: Labels<'_>) -> Series {
        Series::new(&self.requests, labels)
    }

    /// The bounds of histograms' buckets.
    pub fn bounds(&self) -> BucketBounds {
        self.bounds
    }

    /// The metric handles of a series for the provider that answered or, if none was reached, for the first of its
    /// route.
    pub fn book(&self, series: &Series, provider: Option<&str>) -> Arc<Book> {
        let OwnLabels { route, operation, provider: first, client, .. } = &series.labels;
        let provider = provider.unwrap_or(first);
        series.books.of(&self.spending, TokenLabels { operation, route, client, provider })
    }

    /// Records a request to a provider, and the time until the head of its answer.
    pub(crate) fn attempted(&self, book: &Book, seconds: f64) {
        book.attempted(&self.attempts, &self.upstream, seconds);
    }

    /// Begins the count of answers without a known price at 0, for a model and a provider of which none is known.
    pub(crate) fn may_be_unpriced(&self, model: &str, provider: &str) {
        self.spending.may_be_unpriced(model, provider);
    }

    /// Records a translation.
    pub fn translated(&self, from: &str, to: &str) {
        self.translations.with_label_values(&[from, to]).inc();
    }

    /// Counts a field that a translation left out or changed.
    pub fn lost(&self, field: &str, kind: LossKind) {
        self.losses.count(field, kind);
    }

    /// The registry, for the metrics of other modules.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Makes a histogram with these classic buckets, and with native ones if the operator asks for them.
    pub(crate) fn histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        bounds: &'static [f64],
    ) -> Result<HistogramVec, prometheus::Error> {
        self.histograms.add(name, help, labels, bounds)
    }

    /// All metrics in the `OpenMetrics` text format, with exemplars of the duration of requests from the first call on.
    pub fn open_metrics(&self) -> String {
        self.count_dropped();
        self.requests.exemplars.ask();
        openmetrics::write(&self.registry.gather(), |family, labels| self.exemplars(family, labels))
    }

    /// All metrics in Prometheus's protobuf format, with native histograms if there are any. It has exemplars, too.
    pub fn protobuf(&self) -> Vec<u8> {
        self.count_dropped();
        self.requests.exemplars.ask();
        let histograms = |family: &str| self.histograms.of(family);
        protobuf::write(&self.registry.gather(), histograms, |family, labels| self.exemplars(family, labels))
    }

    fn exemplars(&self, family: &str, labels: &[LabelPair]) -> Option<Arc<Exemplars>> {
        let value = |name: &str| labels.iter().find(|label| label.name() == name).map(LabelPair::value);
        let labels = [value("dialect")?, value("route")?];
        (family == DURATION).then(|| self.requests.exemplars.of(labels))
    }

    fn count_dropped(&self) {
        self.log_dropped.inc_by(log::dropped().saturating_sub(self.log_dropped.get()));
    }

    /// All metrics in Prometheus's text format.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        self.count_dropped();
        let mut out = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut out)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }
}

fn stream_errors(r: &Registry) -> Result<IntCounterVec, prometheus::Error> {
    let errors = counters(r, "weir_stream_errors_total", "Streams that broke", &["side"])?;
    // From 0 on, so that the first one shows as an increase.
    for side in [Side::Adapter, Side::Gateway, Side::Upstream] {
        errors.with_label_values(&[side.as_str()]).inc_by(0);
    }
    Ok(errors)
}

fn add<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counter(r: &Registry, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    add(r, IntCounter::new(name, help)?)
}

fn counters(r: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    add(r, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn dollars(r: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<CounterVec, prometheus::Error> {
    add(r, CounterVec::new(Opts::new(name, help), labels)?)
}

fn gauge(r: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    add(r, IntGauge::new(name, help)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::Pricing;
    use weir_config::Price;
    use weir_ledger::{Facts, Timestamp};
    use weir_types::tokens::Tokens;

    #[test]
    fn a_series_counts_requests_and_tokens() {
        let metrics = Metrics::new().unwrap();
        let labels = Labels { dialect: "zeta.talk", route: "fast", operation: "chat", provider: "zeta", client: "me" };
        let series = metrics.series(labels);
        let id = Arc::from("r");
        series.ended(200, "ok", 0.5, &id, None);
        let name = Arc::from("zeta");
        let set = Price { input: Some(0.0), output: Some(62_500.0), ..Price::default() };
        let mut facts = Facts::at(Timestamp::UNIX_EPOCH);
        facts.tokens = Tokens::of(Some(3), Some(4));
        let cost = |set| Pricing::new(&Arc::default(), &name, &name, set).tariff("m").cost(&facts);
        let book = metrics.book(&series, None);
        book.reported(facts.tokens);
        book.charge(&cost(Some(set)));
        let other = metrics.book(&series, Some("other"));
        other.estimated([1, 2]);
        other.charge(&cost(None));
        series.ended(502, "error", 0.1, &id, None);
        let text = metrics.text().unwrap();
        assert!(text.contains(
            r#"weir_requests_total{client="me",dialect="zeta.talk",outcome="ok",route="fast",status="200"} 1"#
        ));
        assert!(text.contains(
            r#"weir_requests_total{client="me",dialect="zeta.talk",outcome="error",route="fast",status="502"} 1"#
        ));
        let zeta = r#"client="me",model="fast",provider="zeta""#;
        assert!(text.contains(&format!("weir_tokens_total{{bucket=\"output\",{zeta}}} 4")), "{text}");
        assert!(text.contains(&format!("weir_cost_total{{{zeta}}} 0.25")), "{text}");
        let other = r#"client="me",model="fast",provider="other""#;
        assert!(text.contains(&format!("weir_tokens_estimated_total{{bucket=\"output\",{other}}} 2")), "{text}");
        assert!(text.contains(r#"weir_price_unknown_total{model="fast",provider="other"} 1"#), "{text}");
    }
}
