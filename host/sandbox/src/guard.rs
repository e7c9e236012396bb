//! Guards: components that judge requests and answers in the unified model (`weir:hook`). They are loaded, leased and
//! limited as adapters are.

use serde::{Deserialize, Serialize};

pub use super::contract::hook::guard::exports::weir::hook::guard::{
    Annotation, Asked, Denial, EventAnswer, EventVerdict, Facts, Outcome, RequestAnswer, RequestVerdict,
};

pub use super::contract::hook::screen::exports::weir::hook::screen::ScreenWords;

/// When a guard runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Before a request is sent.
    Request,
    /// For each event of an answer.
    Event,
    /// When the exchange is over.
    End,
}

/// What a guard may see of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Nothing.
    None,
    /// It may look at it.
    Read,
    /// It may replace it, too.
    Write,
}

/// What a guard says about itself, beyond what an adapter says too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardManifest {
    /// When it runs.
    pub phases: Vec<Phase>,
    /// The access to requests that it asks for.
    pub prompt: Access,
    /// The access to answers that it asks for.
    pub answer: Access,
    /// Whether it asks for the client's labels and its name for its end user.
    pub metadata: bool,
    /// How many characters of each part of an answer are kept back until what follows them has been judged.
    pub hold_back: u32,
}
