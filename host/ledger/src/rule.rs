//! Price rules: for which provider and model, under which conditions, and from when on an amount holds.

use std::sync::Arc;

use jiff::Timestamp;

use crate::facts::Facts;
use crate::measure::Measure;
use crate::money::Rate;

mod hours;
mod pattern;

pub use hours::{Hours, HoursError};
pub use pattern::Pattern;

/// Prices of one provider's models that hold under the same conditions.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The provider's name in the configuration or its kind; `*` for all.
    pub provider: Arc<str>,
    /// Which names of the provider's for models it holds for.
    pub model: Pattern,
    /// The conditions, all of which must hold.
    pub when: When,
    /// From when on; always, if it is not set.
    pub valid_from: Option<Timestamp>,
    /// The prices.
    pub rates: Vec<(Measure, Rate)>,
    /// Charges of the source that no measure expresses, each with the measure that it goes with. A bill with a count of
    /// that measure may be too low.
    pub gaps: Vec<(String, Measure)>,
    /// Whether the offers of earlier files for these models are void.
    pub replaces: bool,
    /// Where it stands in its file.
    pub place: Arc<str>,
    /// The line there, from 1.
    pub line: usize,
}

impl Offer {
    /// The price of a measure.
    pub fn rate(&self, measure: Measure) -> Option<Rate> {
        self.rates.iter().find(|(own, _)| *own == measure).map(|(_, rate)| *rate)
    }

    /// The first measure for which another offer has a price under the same conditions, or for another count of the
    /// same use: neither would be the more specific.
    pub(crate) fn repeats(&self, other: &Self) -> Option<Measure> {
        let is_same = self.provider == other.provider
            && self.model == other.model
            && self.when == other.when
            && self.valid_from == other.valid_from;
        let mut measures = self.rates.iter().map(|(measure, _)| *measure);
        let has = |other: &Self, measure: Measure| {
            other.rates.iter().any(|(own, _)| *own == measure || own.is_other_count_of(measure))
        };
        measures.find(|measure| is_same && has(other, *measure))
    }

    /// Two of its measures that are counts of the same use.
    pub(crate) fn contradicts_itself(&self) -> Option<(Measure, Measure)> {
        let measures = || self.rates.iter().map(|(measure, _)| *measure);
        measures().find_map(|one| Some((one, measures().find(|other| one.is_other_count_of(*other))?)))
    }

    /// Whether it says what a model costs: it is more than a surcharge.
    pub(crate) fn prices_a_model(&self) -> bool {
        self.rates.iter().any(|(measure, _)| !measure.is_surcharge())
    }
}

/// The circumstances that conditions are compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    pub(crate) facts: &'a Facts,
    /// The tier that served it, in the price file's word; `None` for the standard tier.
    pub(crate) tier: Option<&'a str>,
}

/// A region condition: `eu` for that region, `!global` for every known region but that one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Region {
    /// This region.
    Is(String),
    /// Any other region. A region that is not known is not another one.
    IsNot(String),
}

impl Region {
    /// Reads a condition.
    pub fn parse(text: &str) -> Self {
        match text.strip_prefix('!') {
            Some(name) => Self::IsNot(name.to_owned()),
            None => Self::Is(text.to_owned()),
        }
    }

    fn holds(&self, region: Option<&str>) -> bool {
        match self {
            Self::Is(name) => region.is_some_and(|region| region.eq_ignore_ascii_case(name)),
            Self::IsNot(name) => region.is_some_and(|region| !region.eq_ignore_ascii_case(name)),
        }
    }
}

/// The conditions of an offer; one that is not set always holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct When {
    /// More tokens of context than this. The whole request then has this price, not only what is beyond.
    pub context_over: Option<u64>,
    /// Served by this tier.
    pub service_tier: Option<String>,
    /// Served as a batch, or not.
    pub batch: Option<bool>,
    /// Input written to a cache for at least so many minutes; only prices of the bucket `cache_write` depend on it.
    pub cache_minutes: Option<u32>,
    /// Served by a region.
    pub region: Option<Region>,
    /// Made in this way: `high`, `1080p`.
    pub variant: Option<String>,
    /// Served at these times.
    pub hours: Option<Hours>,
}

impl When {
    pub(crate) fn holds(&self, now: Circumstances<'_>) -> bool {
        let facts = now.facts;
        let variant = facts.variant.as_deref();
        self.context_over.is_none_or(|limit| facts.context() > limit)
            && self.service_tier.as_deref().is_none_or(|tier| now.tier == Some(tier))
            && self.batch.is_none_or(|batch| facts.batch == batch)
            && self.cache_minutes.is_none_or(|least| facts.cache_minutes.is_some_and(|minutes| minutes >= least))
            && self.region.as_ref().is_none_or(|region| region.holds(facts.region.as_deref()))
            && self
                .variant
                .as_deref()
                .is_none_or(|own| variant.is_some_and(|variant| variant.eq_ignore_ascii_case(own)))
            && self.hours.as_ref().is_none_or(|hours| hours.contain(facts.at))
    }

    /// Its rank among offers for the same model: first how many conditions it has, then which, in the order of the
    /// fields, then the higher threshold.
    fn rank(&self) -> (u32, u8, u64, u32) {
        let set = [
            self.context_over.is_some(),
            self.service_tier.is_some(),
            self.batch.is_some(),
            self.cache_minutes.is_some(),
            self.region.is_some(),
            self.variant.is_some(),
            self.hours.is_some(),
        ];
        let bits = set.iter().fold(0_u8, |bits, is_set| bits << 1 | u8::from(*is_set));
        (bits.count_ones(), bits, self.context_over.unwrap_or_default(), self.cache_minutes.unwrap_or_default())
    }
}

/// How specific an offer is. The greater one wins. In this order:
///
/// 1. the provider: by its name in the configuration, by its kind, `*`;
/// 2. the model: an exact name before a pattern, more literal characters before fewer; the name that served before the
///    name that was asked for;
/// 3. the number of conditions;
/// 4. the conditions themselves: `context_over` (the higher threshold first), `service_tier`, `batch`, `cache_minutes`
///    (the longer time first), `region`, `variant`, `hours`. A threshold is first since it raises a price and most
///    other conditions lower it: where a file names no price for both together, the bill is too high rather than too
///    low;
/// 5. the layer: the operator's file before the bundled one;
/// 6. the later `valid_from`.
///
/// Two offers for the same models that agree in all of these and have a price for the same measure are an error of the
/// price file. Between others, `*a` and `a*` for instance, the order of their texts decides, never that of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Specificity {
    provider: u8,
    model: (u16, bool),
    when: (u32, u8, u64, u32),
    layer: u8,
    valid_from: Option<Timestamp>,
}

/// What decides by which of a model's two names it is priced, the greater one: the layer, the provider, then how
/// specific the name is, and whether it served.
pub(crate) type NameRank = (u8, u8, (u16, bool));

impl Specificity {
    /// How good the offer is for the name that it was found by.
    pub(crate) fn of_name(&self) -> NameRank {
        (self.layer, self.provider, self.model)
    }

    pub(crate) fn new(offer: &Offer, layer: u8, is_named: bool, is_served: bool) -> Self {
        let provider = if &*offer.provider == "*" { 0 } else { 1 + u8::from(is_named) };
        Self {
            provider,
            model: (offer.model.specificity(), is_served),
            when: offer.when.rank(),
            layer,
            valid_from: offer.valid_from,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts::at(Timestamp::UNIX_EPOCH)
    }

    fn holds(when: &When, facts: &Facts, tier: Option<&str>) -> bool {
        when.holds(Circumstances { facts, tier })
    }

    #[test]
    fn a_threshold_is_exceeded_by_more_only() {
        let when = When { context_over: Some(200_000), ..When::default() };
        for (context, is_over) in [(0, false), (200_000, false), (200_001, true)] {
            assert_eq!(holds(&when, &Facts { context: Some(context), ..facts() }, None), is_over);
        }
    }

    #[test]
    fn an_unknown_region_is_no_region() {
        let known = |name: &str| Facts { region: Some(name.into()), ..facts() };
        let eu = When { region: Some(Region::parse("eu")), ..When::default() };
        let elsewhere = When { region: Some(Region::parse("!global")), ..When::default() };
        assert!(holds(&eu, &known("EU"), None) && !holds(&eu, &known("us"), None) && !holds(&eu, &facts(), None));
        assert!(holds(&elsewhere, &known("eu"), None));
        assert!(!holds(&elsewhere, &known("global"), None) && !holds(&elsewhere, &facts(), None));
    }

    #[test]
    fn more_conditions_rank_above_stronger_ones() {
        let threshold = When { context_over: Some(1), ..When::default() };
        let higher = When { context_over: Some(2), ..When::default() };
        let tier = When { service_tier: Some("flex".into()), ..When::default() };
        let two = When { batch: Some(true), region: Some(Region::parse("eu")), ..When::default() };
        let ranks = [&When::default(), &tier, &threshold, &higher, &two].map(When::rank);
        assert!(ranks.is_sorted() && ranks.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
