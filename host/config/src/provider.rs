//! A provider: an account with somebody who serves models, spoken to by one adapter.

use std::sync::Arc;
use std::time::Duration;

use super::{Address, Limits, Options, Origin, Place, Secret};

/// Time limits of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name look-up, TCP and TLS.
    pub connect: Duration,
    /// From the request's last byte to the answer's first.
    pub first_byte: Duration,
    /// Between two reads of the answer.
    pub idle: Duration,
    /// The whole attempt, if that is limited.
    pub total: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_mins(2),
            idle: Duration::from_mins(1),
            total: None,
        }
    }
}

/// How often a failed attempt is repeated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// Attempts after the first.
    pub max_retries: u32,
    /// Before the first repetition; grows from there.
    pub delay: Duration,
    /// The longest wait before a repetition, whoever asks for it.
    pub max_delay: Duration,
    /// Repetitions for each request of a model, on the average.
    pub budget: f64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { max_retries: 2, delay: Duration::from_secs(1), max_delay: Duration::from_secs(10), budget: 0.2 }
    }
}

/// When a failing target is left alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Breaker {
    /// Share of failed attempts, above 0 and up to 1.
    pub failure_rate: f64,
    /// The time over which attempts are counted.
    pub window: Duration,
    /// How long the target then rests.
    pub open: Duration,
    /// Attempts within the window below which no share is taken. Where fewer come, as many failures in a row count.
    pub min_attempts: u32,
    /// How long a key rests that met a rate limit of unknown length.
    pub cooldown: Duration,
    /// The longest rest that a provider can ask for.
    pub max_cooldown: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failure_rate: 0.5,
            window: Duration::from_secs(10),
            open: Duration::from_secs(5),
            min_attempts: 10,
            cooldown: Duration::from_secs(1),
            max_cooldown: Duration::from_mins(5),
        }
    }
}

/// How a provider is asked whether it is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The time from one to the next, on the average.
    pub every: Duration,
    /// When one that has not been answered has failed.
    pub timeout: Duration,
    /// So many have to fail in a row.
    pub failures: u32,
    /// The model that is asked for one token; the list of models is asked for without it.
    pub model: Option<Arc<str>>,
}

impl Default for Check {
    fn default() -> Self {
        Self { every: Duration::from_secs(30), timeout: Duration::from_secs(5), failures: 2, model: None }
    }
}

/// How the usage of relayed streams is learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Metering {
    /// By asking the provider for it where tokens matter, until it refuses the question.
    #[default]
    Auto,
    /// From what passes by, and by estimate where nothing does.
    Tap,
    /// By asking the provider for it, with the one member that the manifest names.
    Ask,
}

/// An origin besides the provider's own that follow-ups may go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedOrigin {
    /// Scheme, host and port.
    pub origin: Origin,
    /// Whether the provider's credential goes there too.
    pub credential: bool,
}

/// A provider as configured (`[[providers]]`), made for a model's own `target.url`, or discovered by its key.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Provider {
    /// Unique; a label in metrics.
    pub name: String,
    /// The adapter that speaks to it.
    pub adapter: String,
    /// Where it is. None until the adapter's own suggestion is taken ([`super::Config::complete`]).
    pub address: Option<Address>,
    /// Its credentials, the first being the one to use unless several rotate. Empty for none.
    pub keys: Vec<Secret>,
    /// For the adapter.
    pub options: Options,
    /// Fills `{region}` in urls, and signs requests where the scheme asks for one.
    pub region: Option<String>,
    /// Where follow-ups may go besides [`Provider::address`].
    pub allow_origins: Vec<AllowedOrigin>,
    /// The format that its adapter should use, where it knows several.
    pub format: Option<String>,
    /// Whether even requests that could be relayed are translated.
    pub translate: bool,
    /// How the usage of relayed streams is learnt.
    pub metering: Metering,
    /// Time limits.
    pub timeouts: Timeouts,
    /// Repetitions.
    pub retry: Retry,
    /// When it is left alone.
    pub breaker: Breaker,
    /// Attempts at the same time, if that is limited.
    pub max_concurrency: Option<usize>,
    /// Whether that is the most, and there are fewer while it says that it has too much to do.
    pub adaptive: bool,
    /// Whether it is asked now and then how it is.
    pub check: Option<Check>,
    /// What may be had of it.
    pub limits: Limits,
    /// Whether a request that failed here may go elsewhere.
    pub enable_fallback: bool,
    /// Whether HTTP/2 is spoken without agreeing on it first, to an `http://` server that knows nothing else.
    pub http2: bool,
    /// For messages.
    pub places: ProviderPlaces,
}

impl Provider {
    /// A provider that no file names, found because its usual key variable is set.
    pub fn discovered(
        name: impl Into<String>,
        adapter: impl Into<String>,
        address: Option<Address>,
        key: Option<Secret>,
    ) -> Self {
        let mut provider = Self::new(name.into(), adapter.into());
        provider.address = address;
        provider.keys.extend(key);
        provider
    }

    pub(super) fn new(name: String, adapter: String) -> Self {
        Self {
            name,
            adapter,
            address: None,
            keys: Vec::new(),
            options: Options::default(),
            region: None,
            allow_origins: Vec::new(),
            format: None,
            translate: false,
            metering: Metering::default(),
            timeouts: Timeouts::default(),
            retry: Retry::default(),
            breaker: Breaker::default(),
            max_concurrency: None,
            adaptive: false,
            check: None,
            limits: Limits::default(),
            enable_fallback: true,
            http2: false,
            places: ProviderPlaces::default(),
        }
    }
}

/// Where a provider's values stand, for what only its adapter can judge. (Its options carry their own.)
#[derive(Debug, Clone, Default)]
pub struct ProviderPlaces {
    /// The name, or the model that it was made for.
    pub name: Place,
    /// The adapter's name.
    pub adapter: Place,
    /// The url.
    pub url: Place,
    /// The key or keys.
    pub keys: Place,
    /// The format.
    pub format: Place,
    /// The list of origins.
    pub allow_origins: Place,
}
