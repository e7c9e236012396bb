//! Answers that do not report their usage, such as speech, which is only audio, and plain-text transcripts. Their usage
//! is estimated from the size of the request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Account;
use crate::pricing::Tariff;
use weir_ledger::{Facts, Quantity, Timestamp};
use weir_types::contract::about::{BodyKind, Operation};
use weir_types::contract::types::{Unit, UnitCount, Usage};

/// Bytes of text per token, and per second of its speech.
const BYTES_A_TOKEN: usize = 4;
const BYTES_A_SPOKEN_SECOND: usize = 15;
/// Bytes of an uploaded second of audio: that of a compressed file of 32 kbit a second.
const BYTES_A_SECOND: usize = 4000;
/// Tokens of a second of audio.
const TOKENS_A_SECOND: usize = 10;

/// The size of a request whose answer may not report its usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnmeteredRequest {
    /// The bytes of a text to be spoken.
    Speech(usize),
    /// The bytes of a recording.
    Recording(usize),
    /// The bytes of any other request.
    Other(usize),
}

impl UnmeteredRequest {
    /// A request with this many bytes; `None` if its answer costs nothing unless it reports usage.
    pub(crate) fn of(operation: &Operation, body: BodyKind, bytes: usize) -> Option<Self> {
        Some(match operation {
            // Providers that charge for moderation report its tokens.
            Operation::Moderation => return None,
            operation if !operation.is_relayed_only() => return None,
            Operation::Speech => Self::Speech(bytes),
            _ if body == BodyKind::Multipart => Self::Recording(bytes),
            _ => Self::Other(bytes),
        })
    }

    /// The request with at least this many bytes.
    fn at_least(self, bytes: u64) -> Self {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        match self {
            Self::Speech(known) => Self::Speech(known.max(bytes)),
            Self::Recording(known) => Self::Recording(known.max(bytes)),
            Self::Other(known) => Self::Other(known.max(bytes)),
        }
    }

    /// The estimated units by which it is billed, if they have a price.
    fn unit(self, tariff: &Tariff) -> Option<UnitCount> {
        let counts = match self {
            Self::Speech(bytes) => {
                [Some((Unit::Character, bytes)), Some((Unit::Second, bytes.div_ceil(BYTES_A_SPOKEN_SECOND)))]
            }
            Self::Recording(bytes) => [Some((Unit::Second, bytes.div_ceil(BYTES_A_SECOND))), None],
            Self::Other(_) => [None, None],
        };
        let is_priced = |&(unit, count): &(Unit, usize)| {
            let mut facts = Facts::at(Timestamp::now());
            facts.pieces.add(unit, Quantity::whole(u32::try_from(count).unwrap_or(u32::MAX)));
            tariff.cost(&facts).total().is_some()
        };
        let (unit, count) = counts.into_iter().flatten().find(is_priced)?;
        Some(UnitCount { unit, count: count as f64 })
    }

    /// The estimated tokens.
    fn tokens(self) -> u32 {
        let tokens = match self {
            Self::Speech(bytes) | Self::Other(bytes) => bytes.div_ceil(BYTES_A_TOKEN),
            Self::Recording(bytes) => bytes.div_ceil(BYTES_A_SECOND).saturating_mul(TOKENS_A_SECOND),
        };
        u32::try_from(tokens).unwrap_or(u32::MAX)
    }
}

impl Account {
    /// Notes that the answer may not report its usage. The request's body may still be arriving, and exceed its
    /// announced size.
    pub(crate) fn set_unmetered(&mut self, unmetered: Option<UnmeteredRequest>, arrived: Option<Arc<AtomicU64>>) {
        self.unmetered = unmetered.map(|unmetered| (unmetered, arrived));
    }

    /// Charges for an answer that reported nothing: by an estimate of the units that it is billed by, if these have a
    /// price. Otherwise its cost is unknown, and not zero.
    pub(super) fn charge_unmetered(&mut self) {
        let is_answered = (200..300).contains(&self.status);
        let is_metered = self.counts || self.is_unknown || self.tokens.reported.is_some();
        let Some((unmetered, arrived)) = self.unmetered.take().filter(|_| is_answered && !is_metered) else { return };
        let unmetered = unmetered.at_least(arrived.map_or(0, |arrived| arrived.load(Ordering::Relaxed)));
        let book = self.book();
        match self.tokens.tariff.as_ref().and_then(|tariff| unmetered.unit(tariff)) {
            Some(unit) => self.tokens.estimate_unit(unit),
            None => self.tokens.charge_unknown(unmetered.tokens(), &book),
        }
    }
}

/// A usage with nothing but this unit.
pub(super) fn only(unit: UnitCount) -> Usage {
    Usage { units: vec![unit], ..Usage::of(None, None) }
}

#[cfg(test)]
mod tests;
