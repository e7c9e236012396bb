//! What a tap reads of an answer.

use super::compiled::Sign;
use weir_types::contract::types::UnitCount;
use weir_types::tokens::Tokens;

/// The reports of an answer so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TapReading {
    /// Its tokens.
    pub usage: Tokens,
    /// What is billed by the piece.
    pub units: Vec<UnitCount>,
    /// The service tier that served it.
    pub service_tier: Option<String>,
    /// Whether it was served at the price of a batch; none where the answer does not report it.
    pub batch: Option<bool>,
    /// The region that served it, in the words of price files.
    pub region: Option<String>,
    /// Why it ended, in the format's own word.
    pub finish: Option<String>,
    /// The model, as the provider names it.
    pub model: Option<String>,
    /// Whether content has arrived.
    pub content: bool,
    /// Whether the answer is complete: the end marker has arrived, or the JSON body was whole.
    pub ended: bool,
    /// Whether a frame, or the whole answer, was an error.
    pub failed: bool,
    /// Whether it is made as a whole, by what a frame or the whole answer says.
    pub completion: Completion,
}

/// Whether an answer is made as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Completion {
    /// It does not say that more of it is to come.
    #[default]
    Final,
    /// It is still being made, to be read later.
    UnderWay,
}

impl TapReading {
    pub(super) fn has(&self, sign: Sign) -> bool {
        match sign {
            Sign::Content => self.content,
            Sign::End => self.ended,
            Sign::Failure => self.failed,
            Sign::Batch => self.batch.is_some(),
            Sign::UnderWay => self.completion == Completion::UnderWay,
        }
    }

    pub(super) fn note(&mut self, sign: Sign) {
        match sign {
            Sign::Content => self.content = true,
            Sign::End => self.ended = true,
            Sign::Failure => self.failed = true,
            Sign::Batch => self.batch = Some(true),
            Sign::UnderWay => self.completion = Completion::UnderWay,
        }
    }
}
