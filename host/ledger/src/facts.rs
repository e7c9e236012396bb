//! What one billed attempt used, as counts: enough to price it now, and again later with other prices.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use weir_types::contract::about::Bucket;
use weir_types::contract::types::{Unit, Usage};
use weir_types::tokens::Tokens;

use crate::measure::Measure;
use crate::money::{MoneyError, Quantity};

/// The counts of one billed attempt, and the circumstances that its price depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// When the provider served it.
    pub at: Timestamp,
    /// Tokens in disjoint buckets.
    pub tokens: Tokens,
    /// What is billed by the piece.
    pub pieces: Pieces,
    /// The service tier that served it, in the provider's word. The tier that was asked for is another matter.
    pub service_tier: Option<String>,
    /// Whether it was served at the price of a batch.
    pub batch: bool,
    /// The region that served it, in the words of the price file: `eu`, `us-gov-west-1`.
    pub region: Option<String>,
    /// For how many minutes the bucket `cache_write` was cached, if not for the provider's usual time.
    pub cache_minutes: Option<u32>,
    /// How a piece was made, where that has a price: `high` for searches, `1080p` for video.
    pub variant: Option<String>,
    /// The tokens that count toward a threshold of context, if they are not all input.
    pub context: Option<u64>,
    /// How many of the requests searched whose sum this is, as of a batch; none where it is one request.
    pub searched: Option<u32>,
    /// Whether any count is an estimate.
    pub estimated: bool,
}

impl Facts {
    /// An attempt of which nothing is known yet but its time.
    pub fn at(at: Timestamp) -> Self {
        Self {
            at,
            tokens: Tokens::default(),
            pieces: Pieces::default(),
            service_tier: None,
            batch: false,
            region: None,
            cache_minutes: None,
            variant: None,
            context: None,
            searched: None,
            estimated: false,
        }
    }

    /// What an answer's usage reports.
    pub fn of(usage: &Usage, at: Timestamp) -> Result<Self, MoneyError> {
        let mut pieces = Pieces::default();
        for count in &usage.units {
            pieces.add(count.unit, Quantity::measured(count.count)?);
        }
        let tokens = Tokens::from(usage);
        let (service_tier, region) = (usage.service_tier.clone(), usage.region.clone());
        let batch = usage.batch.unwrap_or_default();
        Ok(Self { tokens, pieces, service_tier, batch, region, ..Self::at(at) })
    }

    /// The count of a measure; a request counts once, and so does each that searched.
    pub fn count(&self, measure: Measure) -> Quantity {
        let has_searched = || !self.pieces.get(Unit::Search).is_zero();
        match measure {
            Measure::Tokens(bucket) => Quantity::whole(self.tokens.get(bucket).unwrap_or_default()),
            Measure::Pieces(unit) => self.pieces.get(unit),
            Measure::SearchedRequest if has_searched() => Quantity::whole(self.searched.unwrap_or_default().max(1)),
            Measure::SearchedRequest => Quantity::whole(0),
            Measure::Request => Quantity::whole(1),
        }
    }

    /// Whether the provider bills tokens by other counts than it reports as usage. The buckets then have no price of
    /// their own, and serve thresholds, limits and statistics.
    pub fn is_billed_apart(&self) -> bool {
        [Unit::BilledInput, Unit::BilledOutput].into_iter().any(|unit| !self.pieces.get(unit).is_zero())
    }

    /// These facts with estimated tokens of input and output, which are also counted as the provider bills them.
    #[must_use]
    pub fn with_estimate(mut self, [input, output]: [u32; 2]) -> Self {
        if self.is_billed_apart() {
            self.pieces.add(Unit::BilledInput, Quantity::whole(input));
            self.pieces.add(Unit::BilledOutput, Quantity::whole(output));
        }
        let tokens = self.tokens.plus(input, output);
        Self { tokens, estimated: self.estimated || [input, output] != [0; 2], ..self }
    }

    /// The tokens that count toward a threshold of context: all input, cached or not, unless [`Facts::context`] is set.
    pub fn context(&self) -> u64 {
        self.context.unwrap_or_else(|| u64::from(self.tokens.input().unwrap_or_default()))
    }

    /// Whether nothing was counted. Usage that is missing and usage that is zero are the same here: neither is free.
    pub fn is_empty(&self) -> bool {
        self.tokens.total().unwrap_or_default() == 0 && self.pieces.is_empty()
    }
}

/// Counts of what is billed by the piece.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pieces([Quantity; Unit::ALL.len()]);

impl Pieces {
    /// The count of a unit.
    pub fn get(&self, unit: Unit) -> Quantity {
        self.0.get(unit as usize).copied().unwrap_or_default()
    }

    /// Adds to the count of a unit.
    pub fn add(&mut self, unit: Unit, count: Quantity) {
        if let Some(sum) = self.0.get_mut(unit as usize) {
            *sum = sum.saturating_add(count);
        }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|count| count.is_zero())
    }
}

/// Facts as they are stored: a map from the names of measures to counts, so that new buckets need no new columns.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tokens: Vec<(String, u32)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pieces: Vec<(String, Quantity)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service_tier: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    batch: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_minutes: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    searched: Option<u32>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    estimated: bool,
}

impl Serialize for Facts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pieces = Unit::ALL.into_iter().map(|unit| (unit, self.pieces.get(unit)));
        let stored = Stored {
            at: self.at,
            tokens: self.tokens.known().map(|(bucket, count)| (bucket.name().to_owned(), count)).collect(),
            pieces: pieces.filter(|(_, count)| !count.is_zero()).map(|(unit, n)| (unit.name().to_owned(), n)).collect(),
            service_tier: self.service_tier.clone(),
            batch: self.batch,
            region: self.region.clone(),
            cache_minutes: self.cache_minutes,
            variant: self.variant.clone(),
            context: self.context,
            searched: self.searched,
            estimated: self.estimated,
        };
        stored.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Facts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        let unknown = |name: &str| serde::de::Error::custom(format!("unknown measure {name:?}"));
        let mut tokens = Tokens::default();
        for (name, count) in &stored.tokens {
            let bucket = Bucket::ALL.into_iter().find(|bucket| bucket.name() == name).ok_or_else(|| unknown(name))?;
            *tokens.slot(bucket) = Some(*count);
        }
        let mut pieces = Pieces::default();
        for (name, count) in &stored.pieces {
            let unit = Unit::ALL.into_iter().find(|unit| unit.name() == name).ok_or_else(|| unknown(name))?;
            pieces.add(unit, *count);
        }
        Ok(Self {
            at: stored.at,
            tokens,
            pieces,
            service_tier: stored.service_tier,
            batch: stored.batch,
            region: stored.region,
            cache_minutes: stored.cache_minutes,
            variant: stored.variant,
            context: stored.context,
            searched: stored.searched,
            estimated: stored.estimated,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::UnitCount;

    #[test]
    fn facts_survive_being_stored() {
        let mut usage = Usage::of(Some(12), Some(0));
        usage.cache_write_hour = Some(7);
        usage.units = vec![UnitCount { unit: Unit::Second, count: 2.25 }];
        usage.service_tier = Some("flex".into());
        let mut facts = Facts::of(&usage, Timestamp::UNIX_EPOCH).unwrap();
        facts.region = Some("eu".into());
        facts.searched = Some(3);
        facts.estimated = true;
        let text = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<Facts>(&text).unwrap(), facts, "{text}");
        let unknown = text.replace("cache_write_hour", "cache_write_year");
        assert!(serde_json::from_str::<Facts>(&unknown).unwrap_err().to_string().contains("cache_write_year"));
    }

    #[test]
    fn zero_and_missing_usage_are_both_empty() {
        for usage in [Usage::default(), Usage::of(Some(0), Some(0)), Usage::of(None, Some(0))] {
            assert!(Facts::of(&usage, Timestamp::UNIX_EPOCH).unwrap().is_empty());
        }
        assert!(!Facts::of(&Usage::of(Some(1), None), Timestamp::UNIX_EPOCH).unwrap().is_empty());
    }

    #[test]
    fn a_measure_out_of_range_is_an_error() {
        let mut usage = Usage::of(Some(1), None);
        usage.units = vec![UnitCount { unit: Unit::Second, count: f64::NAN }];
        assert_eq!(Facts::of(&usage, Timestamp::UNIX_EPOCH), Err(MoneyError::NotANumber));
    }
}
