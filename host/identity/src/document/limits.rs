//! Rate limits of a key, a team or an organisation.

use serde::{Deserialize, Serialize};

use super::Invalid;

/// Limits, each refilled evenly. Those of key, team and organisation apply together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// How many requests may begin in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u64>,
    /// Input and output tokens per minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// How many tokens requests may hold in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens_per_minute: Option<u64>,
    /// How many tokens answers may hold in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens_per_minute: Option<u64>,
    /// Concurrent streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams: Option<u64>,
}

impl Limits {
    const MAX_LIMIT: u64 = 1_000_000_000_000;

    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        let all = [
            ("limits.requests_per_minute", self.requests_per_minute),
            ("limits.tokens_per_minute", self.tokens_per_minute),
            ("limits.input_tokens_per_minute", self.input_tokens_per_minute),
            ("limits.output_tokens_per_minute", self.output_tokens_per_minute),
            ("limits.streams", self.streams),
        ];
        match all.iter().find(|(_, limit)| limit.is_some_and(|limit| !(1..=Self::MAX_LIMIT).contains(&limit))) {
            Some((field, _)) => Err(Invalid::new(field, "a limit is 1 to 1,000,000,000,000")),
            None => Ok(()),
        }
    }
}

/// As the limiter takes them.
impl From<Limits> for weir_config::Limits {
    fn from(limits: Limits) -> Self {
        Self {
            requests: limits.requests_per_minute,
            tokens: limits.tokens_per_minute,
            input_tokens: limits.input_tokens_per_minute,
            output_tokens: limits.output_tokens_per_minute,
            streams: limits.streams,
        }
    }
}
