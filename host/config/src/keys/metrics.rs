//! `[metrics]`: what the page of metrics shows.

use crate::Buckets;
use crate::section::{Amount, section};

section! {
    /// What `/metrics` shows; see `docs/metrics.md`.
    METRICS = "[metrics]" at "metrics";
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct MetricsSettings {
        /// The most series that clients and models make. Those beyond it are counted with `other` as client and model.
        max_series: usize as Amount = 10_000,
        /// How many buckets histograms have: `"few"` (6 to 9) or `"many"` (12 to 18), each a series, or `"native"`:
        /// Prometheus's native histograms, each one series with fine buckets, and few classic buckets for readers
        /// without them.
        buckets: Buckets,
        /// Whether the histograms that OpenTelemetry's conventions name exist, too. They count what Weir's own do.
        gen_ai: bool,
    }
}
