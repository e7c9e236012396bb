//! How attempts at a provider are made: time limits, repetitions, rests, checks.

use std::sync::Arc;
use std::time::Duration;

use crate::section::{Count, Milliseconds, Pause, Share, overlay, section};

overlay! {
    TimeoutsDraft over
    /// Time limits of one attempt.
    TIMEOUTS = "timeouts = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Timeouts {
        /// Looking up the name, connecting, and agreeing on encryption.
        connect: Duration = Duration::from_secs(5),
        /// From the request's last byte to the answer's first.
        first_byte: Duration = Duration::from_mins(2),
        /// Between two pieces of an answer.
        idle: Duration = Duration::from_mins(1),
        /// The whole attempt. Not limited without it.
        total: Option<Duration>,
    }
}

overlay! {
    RetryDraft over
    /// How often a failed attempt is repeated. Nothing is repeated once the client has received a byte.
    RETRY = "retry = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct Retry {
        /// Attempts after the first.
        max_retries: u32 as Count<u32, 0, 100> = 2,
        /// Milliseconds before the first repetition at the most; doubles with each. The wait is drawn by chance between
        /// nothing and that.
        delay "retry_delay_ms": Duration as Milliseconds = Duration::from_secs(1),
        /// The longest wait before a repetition. A provider that asks for a longer one is not asked again.
        max_delay: Duration = Duration::from_secs(10),
        /// Repetitions for each request of a model on the average, so that they cannot multiply an outage. A few are
        /// always free.
        budget: f64 = 0.2,
    }
}

section! {
    /// When a failing provider is left alone.
    BREAKER = "breaker = { ... }";
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct Breaker {
        /// The share of failed attempts, above 0 and up to 1.
        failure_rate: f64 as Share = 0.5,
        /// The time over which attempts are counted.
        window: Duration = Duration::from_secs(10),
        /// How long it then rests. After that one request finds out whether it is well.
        open: Duration = Duration::from_secs(5),
        /// Attempts within the window below which no share is taken. Where fewer come, as many failures in a row count.
        min_attempts: u32 as Count<u32, 1, 1_000_000> = 10,
        /// How long a key rests that met a rate limit which says nothing of its length.
        cooldown: Duration as Pause = Duration::from_secs(1),
        /// The longest rest that a provider can ask for.
        max_cooldown: Duration as Pause = Duration::from_mins(5),
    }
}

section! {
    /// How a provider is asked whether it is well: for its list of models, or for a chat of one token.
    CHECK = "check = { ... }";
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Check {
        /// The time from one check to the next, give or take a tenth.
        every: Duration = Duration::from_secs(30),
        /// When a check that has not been answered has failed.
        timeout: Duration = Duration::from_secs(5),
        /// So many have to fail in a row before the provider rests.
        failures: u32 as Count<u32, 1, 100> = 2,
        /// The provider's name of a model that is asked for one token in place of the list. Each check costs a few
        /// tokens.
        model: Option<Arc<str>>,
    }
}
