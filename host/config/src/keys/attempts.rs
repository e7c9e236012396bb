//! How attempts at a provider are made: time limits, retries, circuit breaker, health checks.

use std::sync::Arc;
use std::time::Duration;

use crate::section::{Count, Milliseconds, Pause, Share, overlay, section};

overlay! {
    TimeoutsDraft over
    /// Time limits of one attempt.
    TIMEOUTS = "timeouts = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Timeouts {
        /// DNS lookup, connection and TLS handshake.
        connect: Duration = Duration::from_secs(5),
        /// From the last byte of the request to the first byte of the answer.
        first_byte: Duration = Duration::from_mins(2),
        /// Between two pieces of an answer.
        idle: Duration = Duration::from_mins(1),
        /// The whole attempt. No limit if unset.
        total: Option<Duration>,
    }
}

overlay! {
    RetryDraft over
    /// How failed attempts are retried. Nothing is retried once the client has received a byte.
    RETRY = "retry = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct Retry {
        /// Retries after the first attempt.
        max_retries: u32 as Count<u32, 0, 100> = 2,
        /// The upper bound of the wait before the first retry, in milliseconds; it doubles with each retry. The wait is
        /// random, between zero and the bound.
        delay "retry_delay_ms": Duration as Milliseconds = Duration::from_secs(1),
        /// The longest wait before a retry. A provider that asks for a longer wait is not tried again.
        max_delay: Duration = Duration::from_secs(10),
        /// The average number of retries per request of a model, so that retries cannot multiply an outage. A few are
        /// always free.
        budget: f64 = 0.2,
    }
}

section! {
    /// When a failing provider gets no requests for a while (circuit breaker).
    BREAKER = "breaker = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct Breaker {
        /// The share of failed attempts that opens the breaker, above 0 and up to 1.
        failure_rate: f64 as Share = 0.5,
        /// The time over which attempts are counted.
        window: Duration = Duration::from_secs(10),
        /// How long the breaker stays open. After that, a single request probes the provider.
        open: Duration = Duration::from_secs(5),
        /// The fewest attempts within the window for the share to count. With fewer attempts, this number of failures
        /// in a row opens the breaker.
        min_attempts: u32 as Count<u32, 1, 1_000_000> = 10,
        /// How long a key rests after a rate limit that names no duration.
        cooldown: Duration as Pause = Duration::from_secs(1),
        /// The longest rest that a provider can ask for.
        max_cooldown: Duration as Pause = Duration::from_mins(5),
    }
}

section! {
    /// How the health of a provider is checked: with a request for its list of models, or with a chat of one token.
    CHECK = "check = { ... }";
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Check {
        /// The interval between checks, give or take a tenth.
        every: Duration = Duration::from_secs(30),
        /// How long a check waits for an answer before it counts as failed.
        timeout: Duration = Duration::from_secs(5),
        /// The number of checks in a row that must fail before the provider rests.
        failures: u32 as Count<u32, 1, 100> = 2,
        /// The provider's name of a model. If set, the check asks this model for one token instead of requesting the
        /// list. Each check costs a few tokens.
        model: Option<Arc<str>>,
    }
}
