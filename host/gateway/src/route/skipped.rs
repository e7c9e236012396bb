//! Targets that a request is not sent to, and why.

use std::time::Instant;

use super::Stop;
use super::fit::Fit;
use crate::health::Rest;

/// A target that a request is not sent to.
#[derive(Debug, Clone)]
pub struct Skipped {
    /// The target, and the route that it is one of.
    pub stop: Stop,
    /// Why.
    pub why: Why,
}

/// Why a request is not sent to a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The request asks for this, which the target is known to lack.
    Lacks(String),
    /// The request seems to be too long for its context.
    Long,
    /// The request is for embeddings, and those of another model mean something else.
    OtherEmbeddings,
    /// It rests until then.
    Resting(Instant, Rest),
}

impl Why {
    /// What speaks against a target that fits so.
    pub fn of(fit: Fit) -> Option<Self> {
        match fit {
            Fit::Lacks(what) => Some(Self::Lacks(what)),
            Fit::Long => Some(Self::Long),
            Fit::Known | Fit::Unknown => None,
        }
    }

    /// In a word, as metrics and headers have it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Lacks(what) => match what.as_str() {
                "vision" => "vision",
                "tools" => "tools",
                "audio" => "audio",
                "documents" => "documents",
                "schema" => "schema",
                _ => "feature",
            },
            Self::Long => "context",
            Self::OtherEmbeddings => "embeddings",
            Self::Resting(_, Rest::Limited | Rest::Untold) => "limited",
            Self::Resting(_, Rest::Failing | Rest::Refused) => "resting",
        }
    }

    /// For people.
    pub fn told(&self, now: Instant) -> String {
        let seconds = |until: &Instant| until.saturating_duration_since(now).as_secs_f64().ceil();
        match self {
            Self::Lacks(what) => format!("it cannot serve this: it lacks `{what}`"),
            Self::Long => "the request seems to be too long for its context".to_owned(),
            Self::OtherEmbeddings => {
                "its embeddings are another model's: `fallback_embeddings = true` would allow them".to_owned()
            }
            Self::Resting(until, Rest::Limited | Rest::Untold) => {
                format!("it reached a rate limit and rests for {} s", seconds(until))
            }
            Self::Resting(until, _) => format!("it failed and rests for {} s", seconds(until)),
        }
    }
}
