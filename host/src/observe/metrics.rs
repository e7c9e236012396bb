//! The closed list of metrics. Label values come from the configuration and from manifests, never from requests.

mod tries;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::{
    Counter, CounterVec, Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    Opts, Registry, TextEncoder,
};

pub use tries::Tries;

/// Distinct names of lost fields that are told apart; the rest is `other`.
const MAX_FIELDS: usize = 256;
/// Seconds; from a cached answer to a long generation.
const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0];
/// Seconds of the gateway's own work.
const OVERHEAD: &[f64] = &[1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0];

/// As OpenTelemetry's conventions for generative AI have it, dots written as underscores.
const GEN_AI: &[&str] = &["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"];
const GEN_AI_TOKENS: &[&str] =
    &["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type"];
/// The buckets that the conventions advise.
const TOKENS: &[f64] =
    &[1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0];

/// All metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    duration: HistogramVec,
    overhead: HistogramVec,
    tokens: IntCounterVec,
    estimated: IntCounterVec,
    cost: CounterVec,
    ttft: HistogramVec,
    gen_ai_operation: HistogramVec,
    gen_ai_first_token: HistogramVec,
    gen_ai_usage: HistogramVec,
    translations: IntCounterVec,
    /// Exchanges that are under way.
    pub in_flight: IntGauge,
    /// Streams that are under way.
    pub streams_active: IntGauge,
    /// Exchanges refused before they were routed, by reason.
    pub rejected: IntCounterVec,
    /// Requests sent to providers.
    pub attempts: IntCounterVec,
    /// Requests to providers that failed, by reason.
    pub failures: IntCounterVec,
    /// What failed, what was tried again and elsewhere.
    pub tries: Tries,
    /// Time until a provider's answer began.
    pub upstream: HistogramVec,
    /// Clients that left, by phase.
    pub disconnects: IntCounterVec,
    /// Streams that broke, by the side that broke them.
    pub stream_errors: IntCounterVec,
    /// Complete answers whose tokens nobody told.
    pub billing_unknown: IntCounterVec,
    /// Whether the last reload of the configuration was taken.
    pub config_ok: IntGauge,
    /// How many configurations have been taken.
    pub config_revision: IntGauge,
    /// Configurations that were refused.
    pub config_rejected: IntCounter,
    fields: IntCounterVec,
    known_fields: Mutex<BTreeSet<String>>,
}

/// What tells series apart. All values come from manifests and the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    /// The client's format.
    pub dialect: &'a str,
    /// The alias.
    pub route: &'a str,
    /// The operation, as OpenTelemetry's conventions for generative AI name it.
    pub operation: &'a str,
    /// The provider that the route leads to first.
    pub provider: &'a str,
}

/// The handles of one face and route, looked up once.
#[derive(Debug)]
pub struct Series {
    duration: Histogram,
    overhead: Histogram,
    ttft: Histogram,
    ok: IntCounter,
    labels: [String; 2],
    tokens: [IntCounter; 5],
    estimated: [IntCounter; 2],
    operation: Histogram,
    first_token: Histogram,
    usage: [Histogram; 2],
    cost: Counter,
}

impl Series {
    /// Records a request that ended with status 200.
    pub fn ok(&self, seconds: f64) {
        self.ok.inc();
        self.took(seconds);
    }

    /// Records the gateway's own time.
    pub fn overhead(&self, seconds: f64) {
        self.overhead.observe(seconds);
    }

    /// Records the time to the first piece of a stream.
    pub fn first_token(&self, seconds: f64) {
        self.ttft.observe(seconds);
        self.first_token.observe(seconds);
    }

    /// Records tokens in the order input, cache read, cache write, output, reasoning.
    pub fn tokens(&self, buckets: [Option<u32>; 5]) {
        for (counter, bucket) in self.tokens.iter().zip(buckets) {
            counter.inc_by(u64::from(bucket.unwrap_or(0)));
        }
        let [input, cache_read, cache_write, output, reasoning] = buckets.map(Option::unwrap_or_default).map(f64::from);
        let [into, out] = &self.usage;
        into.observe(input + cache_read + cache_write);
        out.observe(output + reasoning);
    }

    /// Records what tokens cost.
    pub fn cost(&self, dollars: f64) {
        self.cost.inc_by(dollars);
    }

    /// Records tokens that nobody told, input and output.
    pub fn estimated(&self, tokens: [u32; 2]) {
        for (counter, tokens) in self.estimated.iter().zip(tokens) {
            counter.inc_by(u64::from(tokens));
        }
    }

    fn took(&self, seconds: f64) {
        self.duration.observe(seconds);
        self.operation.observe(seconds);
    }
}

impl Metrics {
    /// A set of metrics in a registry of its own.
    #[expect(clippy::too_many_lines, reason = "the list of all metrics, an entry each")]
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let r = &registry;
        Ok(Self {
            requests: counters(
                r,
                "weir_requests_total",
                "Answered requests",
                &["dialect", "route", "status", "outcome"],
            )?,
            duration: seconds(
                r,
                "weir_request_duration_seconds",
                "From a request's head to its answer's end",
                &["dialect", "route"],
                SECONDS,
            )?,
            overhead: seconds(
                r,
                "weir_overhead_seconds",
                "A request's time less the wait for the provider",
                &["dialect", "route"],
                OVERHEAD,
            )?,
            tokens: counters(r, "weir_tokens_total", "Tokens by bucket", &["bucket", "model"])?,
            estimated: counters(
                r,
                "weir_tokens_estimated_total",
                "Tokens by estimate, where the provider told none",
                &["bucket", "model"],
            )?,
            cost: dollars(r, "weir_cost_total", "US dollars, by the prices of the tokens that were told", &["model"])?,
            gen_ai_operation: seconds(
                r,
                "gen_ai_client_operation_duration_seconds",
                "Duration of a GenAI operation",
                GEN_AI,
                SECONDS,
            )?,
            gen_ai_first_token: seconds(
                r,
                "gen_ai_server_time_to_first_token_seconds",
                "Time to the first token of a streamed answer",
                GEN_AI,
                SECONDS,
            )?,
            gen_ai_usage: seconds(
                r,
                "gen_ai_client_token_usage",
                "Tokens used by an operation",
                GEN_AI_TOKENS,
                TOKENS,
            )?,
            ttft: seconds(
                r,
                "weir_stream_ttft_seconds",
                "From a request's head to its stream's first piece",
                &["dialect", "route"],
                SECONDS,
            )?,
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
            upstream: seconds(
                r,
                "weir_upstream_duration_seconds",
                "From sending a request to the head of its answer",
                &["provider"],
                SECONDS,
            )?,
            disconnects: counters(
                r,
                "weir_client_disconnects_total",
                "Clients that left before their answer's end",
                &["phase"],
            )?,
            stream_errors: counters(r, "weir_stream_errors_total", "Streams that broke", &["side"])?,
            billing_unknown: counters(
                r,
                "weir_billing_unknown_total",
                "Complete answers without a count of tokens",
                &["provider"],
            )?,
            config_ok: gauge(r, "weir_config_last_reload_successful", "Whether the last reload was taken")?,
            config_revision: gauge(r, "weir_config_revision", "Configurations taken since the start")?,
            config_rejected: counter(r, "weir_config_rejected_total", "Configurations refused")?,
            fields: counters(
                r,
                "weir_translation_dropped_fields_total",
                "Fields that a translation could not hold",
                &["field"],
            )?,
            known_fields: Mutex::default(),
            registry,
        })
    }

    /// The handles of these labels.
    pub fn series(&self, labels: Labels<'_>) -> Series {
        let Labels { dialect, route, operation, provider } = labels;
        let labels = [dialect, route];
        let gen_ai = [operation, provider, route];
        let usage = |kind| self.gen_ai_usage.with_label_values(&[operation, provider, route, kind]);
        let tokens = ["input", "cache_read", "cache_write", "output", "reasoning"]
            .map(|bucket| self.tokens.with_label_values(&[bucket, route]));
        Series {
            duration: self.duration.with_label_values(&labels),
            overhead: self.overhead.with_label_values(&labels),
            ttft: self.ttft.with_label_values(&labels),
            ok: self.requests.with_label_values(&[dialect, route, "200", "ok"]),
            labels: labels.map(str::to_owned),
            tokens,
            estimated: ["input", "output"].map(|bucket| self.estimated.with_label_values(&[bucket, route])),
            operation: self.gen_ai_operation.with_label_values(&gen_ai),
            first_token: self.gen_ai_first_token.with_label_values(&gen_ai),
            usage: ["input", "output"].map(usage),
            cost: self.cost.with_label_values(&[route]),
        }
    }

    /// Records a request that ended otherwise than with status 200.
    pub fn request(&self, series: &Series, status: u16, outcome: &str, seconds: f64) {
        let [dialect, route] = &series.labels;
        self.requests.with_label_values(&[dialect, route, status.to_string().as_str(), outcome]).inc();
        series.took(seconds);
    }

    /// Records a translation.
    pub fn translated(&self, from: &str, to: &str) {
        self.translations.with_label_values(&[from, to]).inc();
    }

    /// Records a field that got lost. Its name may come from a request: indices are taken out, and there is a limit to
    /// how many names are told apart.
    pub fn lost(&self, field: &str) {
        let name = bare(field);
        let mut known = self.known_fields.lock().unwrap_or_else(PoisonError::into_inner);
        let told = known.contains(&name) || (known.len() < MAX_FIELDS && known.insert(name.clone()));
        self.fields.with_label_values(&[if told { name.as_str() } else { "other" }]).inc();
    }

    /// Adds metrics that others keep.
    pub fn register(&self, collector: Box<dyn Collector>) -> Result<(), prometheus::Error> {
        self.registry.register(collector)
    }

    /// Everything in Prometheus's text format.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        let mut out = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut out)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }
}

/// A field's name without indices and without what cannot be a name: `messages[2].name` is `messages.name`.
fn bare(field: &str) -> String {
    let mut depth = 0;
    let keep = |c: &char| {
        depth += i32::from(*c == '[');
        let kept = depth == 0 && (c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
        depth -= i32::from(*c == ']');
        kept
    };
    field.chars().filter(keep).take(64).collect()
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

fn seconds(
    r: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
    buckets: &[f64],
) -> Result<HistogramVec, prometheus::Error> {
    add(r, HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_fields_are_bare_and_bounded() {
        assert_eq!(bare("messages[2].name"), "messages.name");
        assert_eq!(bare("a[1][2].b{c}"), "a.bc");
        let metrics = Metrics::new().unwrap();
        for n in 0..MAX_FIELDS + 10 {
            metrics.lost(&format!("field_{n}"));
        }
        let text = metrics.text().unwrap();
        assert!(text.contains(r#"weir_translation_dropped_fields_total{field="other"} 10"#), "{text}");
    }

    #[test]
    fn a_series_counts_requests_and_tokens() {
        let metrics = Metrics::new().unwrap();
        let labels = Labels { dialect: "zeta.talk", route: "fast", operation: "chat", provider: "zeta" };
        let series = metrics.series(labels);
        series.ok(0.5);
        series.tokens([Some(3), None, None, Some(4), None]);
        series.cost(0.25);
        metrics.request(&series, 502, "error", 0.1);
        let text = metrics.text().unwrap();
        assert!(text.contains(r#"weir_requests_total{dialect="zeta.talk",outcome="ok",route="fast",status="200"} 1"#));
        assert!(
            text.contains(r#"weir_requests_total{dialect="zeta.talk",outcome="error",route="fast",status="502"} 1"#)
        );
        assert!(text.contains(r#"weir_tokens_total{bucket="output",model="fast"} 4"#));
        assert!(text.contains(r#"weir_cost_total{model="fast"} 0.25"#), "{text}");
    }
}
