//! A provider, as a program describes it.

use std::time::Duration;

use serde_json::Value;

use super::Secret;

/// A service that serves models: its adapter, address and keys. The defaults are those of `[[providers]]` in the
/// gateway's configuration.
#[derive(Debug, Clone)]
pub struct Provider {
    pub(super) adapter: String,
    pub(super) url: Option<String>,
    pub(super) keys: Vec<Secret>,
    pub(super) options: Vec<(String, Value)>,
    pub(super) total: Option<Duration>,
    pub(super) retries: Option<u32>,
    pub(super) settings: String,
}

impl Provider {
    /// A provider whose format this adapter knows: the name of its file without `.wasm`.
    pub fn new(adapter: impl Into<String>) -> Self {
        Self {
            adapter: adapter.into(),
            url: None,
            keys: Vec::new(),
            options: Vec::new(),
            total: None,
            retries: None,
            settings: String::new(),
        }
    }

    /// Sets the base of the API. Without it, the adapter's own suggestion counts if the lock file pins the adapter.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Adds a key. Several keys take turns, and one that the provider refuses rests.
    #[must_use]
    pub fn key(mut self, key: Secret) -> Self {
        self.keys.push(key);
        self
    }

    /// Sets one of the adapter's own options.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.options.push((name.into(), value.into()));
        self
    }

    /// Limits the time of one attempt, with its whole answer.
    #[must_use]
    pub fn timeout(mut self, total: Duration) -> Self {
        self.total = Some(total);
        self
    }

    /// Sets how often a failed attempt is repeated at this provider, before the next target is tried.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
        self
    }

    /// Adds further keys of `[[providers]]` as lines of TOML, for example
    /// `breaker = { min_attempts = 5, open = "30s" }`.
    #[must_use]
    pub fn settings(mut self, toml: &str) -> Self {
        self.settings.push_str(toml);
        self.settings.push('\n');
        self
    }
}
