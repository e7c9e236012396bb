//! The bounds of the buckets of histograms: few, since each is a series of its own, or many.

use weir_config::Buckets;

/// The bounds that histograms have, by what they count.
#[derive(Debug, Clone, Copy)]
pub struct BucketBounds {
    /// Seconds, from a kept answer to a long generation.
    pub seconds: &'static [f64],
    /// Seconds that the gateway itself takes.
    pub own: &'static [f64],
    /// Seconds in the queue.
    pub queue: &'static [f64],
    /// Tokens of an exchange.
    pub tokens: &'static [f64],
}

const FEW: BucketBounds = BucketBounds {
    seconds: &[0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0],
    own: &[1e-4, 5e-4, 0.0025, 0.01, 0.05, 0.25, 1.0],
    queue: &[0.01, 0.1, 0.5, 2.5, 10.0, 60.0],
    tokens: &[16.0, 256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0],
};

/// The finer bounds. Those of tokens are the ones that OpenTelemetry's conventions recommend.
const MANY: BucketBounds = BucketBounds {
    seconds: &[
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0,
    ],
    own: &[1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0],
    queue: &[0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0],
    tokens: &[1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0],
};

/// The bounds of a choice.
pub(super) fn bounds(choice: Buckets) -> BucketBounds {
    match choice {
        // Of native ones there are as many as are needed; these are for readers that know no native ones.
        Buckets::Few | Buckets::Native => FEW,
        Buckets::Many => MANY,
    }
}
