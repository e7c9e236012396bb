//! The operator's policy for new and failing versions of an adapter.

use std::time::Duration;

use weir_sandbox::canary::CanaryRule;

/// The rollout policy of an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RolloutPolicy {
    /// When to quarantine it; never if `None`.
    pub quarantine: Option<QuarantineRule>,
    /// How to try new versions; not at all if `None`.
    pub canary: Option<CanaryRule>,
}

/// When an adapter is quarantined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuarantineRule {
    /// Number of different requests that must fail within the window; at most 64.
    pub faults: usize,
    /// The time over which failures are counted.
    pub window: Duration,
    /// The minimum share of exchanges in that time that must have failed.
    pub share: f64,
    /// The first pause before it is retried.
    pub pause: Duration,
}

impl Default for QuarantineRule {
    fn default() -> Self {
        Self { faults: 5, window: Duration::from_mins(1), share: 0.1, pause: Duration::from_mins(1) }
    }
}
