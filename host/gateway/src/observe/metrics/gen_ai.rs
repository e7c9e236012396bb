//! The metrics that OpenTelemetry's conventions for generative AI name. They count what Weir's own do, so they are made
//! only where the operator asks for them.

use std::sync::{Arc, OnceLock};

use super::bound::SeriesBound;
use super::buckets::BucketBounds;
use super::histogram::{Histogram, HistogramVec, Histograms};
use super::series::HISTOGRAM_LINES;
use weir_types::tokens::Tokens;

const OPERATION: &str = "gen_ai_client_operation_duration_seconds";
const FIRST_TOKEN: &str = "gen_ai_server_time_to_first_token_seconds";
const USAGE: &str = "gen_ai_client_token_usage";
/// The labels, with underscores for dots.
const LABELS: &[&str] = &["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"];
const USAGE_LABELS: &[&str] =
    &["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type"];

/// These metrics.
#[derive(Debug)]
pub(super) struct GenAi {
    bound: Arc<SeriesBound>,
    bounds: BucketBounds,
    operation: HistogramVec,
    first_token: HistogramVec,
    usage: HistogramVec,
}

impl GenAi {
    pub(super) fn new(
        all: &Histograms,
        bound: Arc<SeriesBound>,
        bounds: BucketBounds,
    ) -> Result<Self, prometheus::Error> {
        let first_token = "Time to the first token of a streamed answer";
        Ok(Self {
            bound,
            bounds,
            operation: all.add(OPERATION, "Duration of a GenAI operation", LABELS, bounds.seconds)?,
            first_token: all.add(FIRST_TOKEN, first_token, LABELS, bounds.seconds)?,
            usage: all.add(USAGE, "Tokens used by an operation", USAGE_LABELS, bounds.tokens)?,
        })
    }

    /// The handles of an operation, a provider and a model's alias.
    pub(super) fn book(self: &Arc<Self>, labels: [&str; 3]) -> GenAiBook {
        let labels = labels.map(str::to_owned);
        let [operation, first_token, input, output] = Default::default();
        GenAiBook { all: Arc::clone(self), labels, operation, first_token, input, output }
    }
}

/// The handles of one operation, provider and model, each made when it is first used.
#[derive(Debug)]
pub(super) struct GenAiBook {
    all: Arc<GenAi>,
    labels: [String; 3],
    operation: OnceLock<Histogram>,
    first_token: OnceLock<Histogram>,
    input: OnceLock<Histogram>,
    output: OnceLock<Histogram>,
}

impl GenAiBook {
    fn seconds(&self, vec: &HistogramVec, name: &str) -> Histogram {
        let lines = self.all.bounds.seconds.len() + HISTOGRAM_LINES;
        vec.with_label_values(&self.all.bound.fit(name, lines, self.labels.each_ref().map(String::as_str), &[2]))
    }

    pub(super) fn took(&self, seconds: f64) {
        self.operation.get_or_init(|| self.seconds(&self.all.operation, OPERATION)).observe(seconds);
    }

    pub(super) fn first_token(&self, seconds: f64) {
        self.first_token.get_or_init(|| self.seconds(&self.all.first_token, FIRST_TOKEN)).observe(seconds);
    }

    pub(super) fn used(&self, tokens: Tokens) {
        let lines = self.all.bounds.tokens.len() + HISTOGRAM_LINES;
        let counts = [(&self.input, "input", tokens.input()), (&self.output, "output", tokens.output())];
        for (histogram, kind, count) in counts {
            let made = || {
                let [operation, provider, model] = self.labels.each_ref().map(String::as_str);
                let labels = self.all.bound.fit(USAGE, lines, [operation, provider, model, kind], &[2]);
                self.all.usage.with_label_values(&labels)
            };
            histogram.get_or_init(made).observe(count.map_or(0.0, f64::from));
        }
    }
}
