//! Skipped targets, with the reasons.

use std::time::Instant;

use super::Candidate;
use super::fit::Fit;
use crate::health::Rest;

/// A target that a request skips.
#[derive(Debug, Clone)]
pub struct Skipped {
    /// The target with its route.
    pub candidate: Candidate,
    /// The reason.
    pub why: SkipReason,
}

/// Why a request skips a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkipReason {
    /// The target is known to lack this feature, which the request uses.
    Lacks(String),
    /// The request seems to be too long for the target's context.
    Long,
    /// The request is for embeddings, and the target has another model.
    OtherEmbeddings,
    /// The target rests until this time.
    Resting(Instant, Rest),
}

impl SkipReason {
    /// The reason to skip a target with this fit, if it is one.
    pub fn of(fit: Fit) -> Option<Self> {
        match fit {
            Fit::Lacks(what) => Some(Self::Lacks(what)),
            Fit::Long => Some(Self::Long),
            Fit::Known | Fit::Unknown => None,
        }
    }

    /// The reason's name in metrics and headers.
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
            Self::Resting(_, Rest::Limited | Rest::Unstated) => "limited",
            Self::Resting(_, Rest::Failing | Rest::Refused) => "resting",
        }
    }

    /// The reason in words.
    pub fn text(&self, now: Instant) -> String {
        let seconds = |until: &Instant| until.saturating_duration_since(now).as_secs_f64().ceil();
        match self {
            Self::Lacks(what) => format!("it cannot serve this: it lacks `{what}`"),
            Self::Long => "the request seems to be too long for its context".to_owned(),
            Self::OtherEmbeddings => {
                "its embeddings are another model's: `fallback_embeddings = true` would allow them".to_owned()
            }
            Self::Resting(until, Rest::Limited | Rest::Unstated) => {
                format!("it reached a rate limit and rests for {} s", seconds(until))
            }
            Self::Resting(until, _) => format!("it failed and rests for {} s", seconds(until)),
        }
    }
}
