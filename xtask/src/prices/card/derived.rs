//! Prices that the list does not name under a condition, although it names others there: half the price of input and
//! output for a batch, say, and nothing for cached input. Without them, the price without the condition would hold.

use std::collections::BTreeMap;

use super::super::amount::Ratio;
use super::super::rate_key::When;
use super::{Rates, TOKENS};

/// The measures of what a request sends; the other ones are of what the model makes.
const SENT: [&str; 6] = ["input", "input_audio", "input_image", "cache_read", "cache_write", "cache_write_hour"];

/// Adds the price of each token that an offer does not name, but another one names that holds whenever it does: it
/// stands to that one's price as the price of plain text does, of the same side (input or output) or else of the other
/// side.
pub(super) fn derive_missing(offers: &mut BTreeMap<When, Rates>) {
    let mut order: Vec<When> = offers.keys().cloned().collect();
    order.sort_by_key(When::conditions);
    for when in order {
        // Only a price of one measure depends on this.
        if when.cache_minutes.is_none() {
            let missing = missing(&when, offers);
            offers.entry(when).or_default().extend(missing);
        }
    }
}

/// The prices that an offer does not name.
fn missing(when: &When, offers: &BTreeMap<When, Rates>) -> Rates {
    let mut wider: Vec<(&When, &Rates)> = offers.iter().filter(|(other, _)| when.is_within(other)).collect();
    wider.sort_by_key(|(other, _)| (other.conditions(), *other));
    let Some(own) = offers.get(when) else { return Rates::new() };
    let price = |measure: &&'static str| {
        let in_place = wider.iter().rev().find_map(|(_, rates)| Some((*rates, *rates.get(measure)?)));
        let (rates, amount) = in_place.filter(|(_, amount)| !amount.is_zero())?;
        amount.at(ratio(measure, own, rates)?)
    };
    let named = TOKENS.into_iter().filter(|measure| !own.contains_key(measure));
    named.filter_map(|measure| Some((measure, price(&measure)?))).collect()
}

/// The ratio in which the price of plain text on a measure's side stands to that of a wider offer, or the one of the
/// other side; `None` if the offers name neither in common.
fn ratio(measure: &str, rates: &Rates, wider: &Rates) -> Option<Ratio> {
    let sides = if SENT.contains(&measure) { ["input", "output"] } else { ["output", "input"] };
    sides.iter().find_map(|text| Ratio::of(*rates.get(text)?, *wider.get(text)?))
}

impl When {
    /// How many conditions it has.
    fn conditions(&self) -> usize {
        let Self { context_over, tier, batch, cache_minutes, region, variant, hours } = self;
        let texts = [tier, region, variant, hours].into_iter().filter(|text| text.is_some()).count();
        texts + usize::from(context_over.is_some()) + usize::from(*batch) + usize::from(cache_minutes.is_some())
    }

    /// Whether another offer's conditions hold whenever these do, and are not the same.
    fn is_within(&self, other: &Self) -> bool {
        fn holds<T: PartialEq>(own: Option<&T>, other: Option<&T>) -> bool {
            other.is_none_or(|other| own == Some(other))
        }
        let Self { context_over, tier, batch, cache_minutes, region, variant, hours } = other;
        self != other
            && context_over.is_none_or(|limit| self.context_over.is_some_and(|own| own >= limit))
            && (!batch || self.batch)
            && holds(self.cache_minutes.as_ref(), cache_minutes.as_ref())
            && [(&self.tier, tier), (&self.region, region), (&self.variant, variant), (&self.hours, hours)]
                .into_iter()
                .all(|(own, other)| holds(own.as_ref(), other.as_ref()))
    }
}
