//! A whole answer, with what a program may want to know besides.

use weir_gateway::accounting::trail::{End, Step};
use weir_types::contract::types::{ChatResponse, Loss, Part, Usage};

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Answer<T> {
    /// The answer in the unified model.
    pub response: T,
    /// The fields that got lost, changed or approximated on the way to the provider and back.
    pub losses: Vec<Loss>,
    /// The tokens, as far as the provider reported them.
    pub usage: Option<Usage>,
    /// The target that answered, as `provider/model`.
    pub target: String,
    /// The request's id, which the log names too.
    pub request_id: String,
    /// How many requests went out, over all targets.
    pub attempts: u32,
    /// The targets that failed or were left out before, in order.
    pub tried: Vec<Attempt>,
    /// Whether Weir estimated the answer, since the provider counts no tokens.
    pub is_estimate: bool,
}

impl Answer<ChatResponse> {
    /// The text of the first candidate, without reasoning and tool calls.
    pub fn text(&self) -> String {
        let parts = self.response.candidates.first().map_or(&[][..], |candidate| &candidate.parts);
        let text = |part: &Part| match part {
            Part::Text(text) => Some(text.text.clone()),
            _ => None,
        };
        parts.iter().filter_map(text).collect()
    }
}

/// A target that did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The target, as `provider/model`.
    pub target: String,
    /// Why it did not.
    pub reason: Reason,
}

/// Why a target did not answer, in the words of the metrics: `overloaded`, `timeout`, `resting`, ...
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It was tried and failed.
    Failed(&'static str),
    /// It was not tried.
    Skipped(&'static str),
}

impl From<&Step> for Attempt {
    fn from(step: &Step) -> Self {
        let reason = match step.end {
            End::Failed(why) => Reason::Failed(why),
            End::Skipped(why) => Reason::Skipped(why),
        };
        Self { target: step.target.to_string(), reason }
    }
}
