//! What has a price: the buckets of tokens, what is billed by the piece, a request that searched, and a request as
//! such.

use std::fmt;

use weir_types::contract::about::Bucket;
use weir_types::contract::types::Unit;

/// Something that has a price of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Tokens of a bucket.
    Tokens(Bucket),
    /// Pieces of a kind.
    Pieces(Unit),
    /// A request in which there was any search, for providers that charge once for all of them.
    SearchedRequest,
    /// The request itself.
    Request,
}

impl Measure {
    /// Its name in price files, bills and stored counts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokens(bucket) => bucket.name(),
            Self::Pieces(unit) => unit.name(),
            Self::SearchedRequest => "searched_request",
            Self::Request => "request",
        }
    }

    /// The measure of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|measure| measure.name() == name)
    }

    /// All measures, in the order in which bills list them.
    pub fn all() -> impl Iterator<Item = Self> {
        let tokens = Bucket::ALL.into_iter().map(Self::Tokens);
        tokens.chain(Unit::ALL.into_iter().map(Self::Pieces)).chain([Self::SearchedRequest, Self::Request])
    }

    /// For how many units price files name an amount, unless they name another number.
    pub(crate) const fn usual_per(self) -> u64 {
        match self {
            Self::Tokens(_) | Self::Pieces(Unit::BilledInput | Unit::BilledOutput) => 1_000_000,
            Self::Pieces(_) | Self::SearchedRequest | Self::Request => 1,
        }
    }

    /// Whether both are counts of the same use, so that a request is charged by one of them only: each search, or all
    /// of them once.
    pub(crate) fn is_other_count_of(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Pieces(Unit::Search), Self::SearchedRequest) | (Self::SearchedRequest, Self::Pieces(Unit::Search))
        )
    }

    /// Whether it is only charged beside something else, so that its price alone does not show what a model costs.
    pub(crate) const fn is_surcharge(self) -> bool {
        matches!(self, Self::Pieces(Unit::ToolRun | Unit::FileSearch) | Self::SearchedRequest)
    }

    /// The measure whose price holds if this one has none.
    ///
    /// Price lists name a price for reasoning, cached input, and audio and images in the prompt only where it differs
    /// from that of text: reasoning is billed as output, the others as input. A price list that names nothing for
    /// cached input means that the cache gives no discount and costs nothing more. Tokens that a provider counts
    /// otherwise when it bills have the price of its tokens. That does not hold for what providers always charge more
    /// for: audio and images that the model makes, and input that is cached for an hour. For these, and for everything
    /// that is billed by the piece, a missing price is unknown.
    pub const fn priced_as(self) -> Option<Self> {
        match self {
            Self::Tokens(Bucket::InputAudio | Bucket::InputImage | Bucket::CacheRead | Bucket::CacheWrite) => {
                Some(Self::Tokens(Bucket::Input))
            }
            Self::Pieces(Unit::BilledInput) => Some(Self::Tokens(Bucket::Input)),
            Self::Tokens(Bucket::Reasoning) | Self::Pieces(Unit::BilledOutput) => Some(Self::Tokens(Bucket::Output)),
            Self::Tokens(
                Bucket::Input | Bucket::CacheWriteHour | Bucket::Output | Bucket::OutputAudio | Bucket::OutputImage,
            )
            | Self::Pieces(_)
            | Self::SearchedRequest
            | Self::Request => None,
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl serde::Serialize for Measure {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        for measure in Measure::all() {
            assert_eq!(Measure::named(measure.name()), Some(measure));
        }
        assert_eq!(Measure::named("tokens"), None);
    }

    #[test]
    fn fallbacks_end_at_text() {
        for measure in Measure::all() {
            let Some(other) = measure.priced_as() else { continue };
            assert!(matches!(other, Measure::Tokens(Bucket::Input | Bucket::Output)));
            assert_eq!(other.priced_as(), None);
        }
    }
}
