//! The cost of an attempt, with the reason for each part of it.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use weir_types::contract::types::Unit;

use crate::facts::Facts;
use crate::measure::Measure;
use crate::money::{MoneyError, Nano, Pico, Quantity, Rate};
use crate::price_book::{Holding, MatchingOffers, PriceBook, Subject};

/// What an attempt costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cost {
    /// Everything that was counted has a price.
    Priced(Bill),
    /// Something that was counted has no price. The cost is unknown, and certainly not zero.
    Unpriced(PartialBill),
    /// Nothing was counted: the provider reported no usage, or zeros. That is not free either.
    NoUsage,
}

/// The version of prices that stands for a cost which the answer reported itself, as stores have it since its first
/// day.
pub const REPORTED: &str = "told";

impl Cost {
    /// A cost that the answer reported, which no line accounts for.
    pub fn reported(total: Nano) -> Self {
        let (exact, version) = (Pico::of_nano(total), Arc::from(REPORTED));
        Self::Priced(Bill { total, exact, version, lines: Vec::new(), assumptions: Vec::new(), estimated: false })
    }

    /// The total, if it is known.
    pub fn total(&self) -> Option<Nano> {
        self.bill().map(|bill| bill.total)
    }

    /// The bill, if everything on it has a price.
    pub fn bill(&self) -> Option<&Bill> {
        match self {
            Self::Priced(bill) => Some(bill),
            Self::Unpriced(_) | Self::NoUsage => None,
        }
    }
}

/// A bill on which some counts have no price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartialBill {
    /// What has no price, and how much of it there is.
    pub missing: Vec<(Measure, Quantity)>,
    /// The rest. Its total is a lower bound and no cost.
    pub known: Bill,
}

/// A priced attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bill {
    /// The sum of the lines, rounded half up to the nano-dollar.
    pub total: Nano,
    /// The sum of the lines.
    pub exact: Pico,
    /// The version of the price book.
    #[serde(serialize_with = "as_text")]
    pub version: Arc<str>,
    /// A line for each measure with a count.
    pub lines: Vec<Line>,
    /// What the bill takes for granted.
    pub assumptions: Vec<Assumption>,
    /// Whether any count is an estimate.
    pub estimated: bool,
}

/// A line of a bill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What was counted.
    pub measure: Measure,
    /// How much of it.
    pub count: Quantity,
    /// The measure whose price was taken: another one only as [`Measure::priced_as`] allows.
    pub priced_as: Measure,
    /// The price.
    #[serde(serialize_with = "as_text")]
    pub rate: Rate,
    /// The cost.
    pub amount: Pico,
    /// The version of the file that the price stands in.
    #[serde(serialize_with = "as_text")]
    pub file: Arc<str>,
    /// The place of the price there.
    #[serde(serialize_with = "as_text")]
    pub place: Arc<str>,
}

/// Something that a bill takes for granted, since the price book does not settle it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Assumption {
    /// The model has no price for this tier: other prices were taken.
    Tier(String),
    /// The model has no price for batches: other prices were taken.
    Batch,
    /// The source charges for this as well, and no measure expresses it: the cost may be higher.
    Gap(String),
}

fn as_text<S: serde::Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Prices an attempt. The only error is a sum beyond nine billion dollars.
pub fn price(book: &PriceBook, subject: Subject<'_>, facts: &Facts) -> Result<Cost, MoneyError> {
    price_by(book, facts, || book.find(subject, facts))
}

/// Prices an attempt by the offers that hold for it.
pub(crate) fn price_by<'a>(
    book: &PriceBook,
    facts: &Facts,
    find: impl FnOnce() -> MatchingOffers<'a>,
) -> Result<Cost, MoneyError> {
    if facts.is_empty() {
        return Ok(Cost::NoUsage);
    }
    let found = find();
    let (mut lines, mut missing) = (Vec::new(), Vec::new());
    for measure in Measure::all() {
        let count = facts.count(measure);
        if count.is_zero() || is_counted_elsewhere(measure, facts, &found.holding) {
            continue;
        }
        match line(&found.holding, measure, count) {
            Some(line) => lines.push(line),
            // Few providers charge for the request as such.
            None if measure == Measure::Request => {}
            None => missing.push((measure, count)),
        }
    }
    let exact = lines.iter().try_fold(Pico::ZERO, |sum, line| sum.plus(line.amount))?;
    let bill = Bill {
        total: exact.to_nano()?,
        exact,
        version: Arc::clone(book.version()),
        lines,
        assumptions: assumptions(&found, facts),
        estimated: facts.estimated,
    };
    Ok(if missing.is_empty() { Cost::Priced(bill) } else { Cost::Unpriced(PartialBill { missing, known: bill }) })
}

/// Whether another measure stands on the bill for the same use: what the provider bills in place of the tokens that it
/// reports, or the one of the two ways to charge for searches that has the most specific price.
fn is_counted_elsewhere(measure: Measure, facts: &Facts, offers: &[Holding<'_>]) -> bool {
    match measure {
        Measure::Tokens(_) => facts.is_billed_apart(),
        Measure::Pieces(Unit::Search) | Measure::SearchedRequest => measure != charge_for_searches(offers),
        Measure::Pieces(_) | Measure::Request => false,
    }
}

/// How searches are charged for: each, or once for all of a request. Without a price for either, each is missing one.
fn charge_for_searches(offers: &[Holding<'_>]) -> Measure {
    const EACH: Measure = Measure::Pieces(Unit::Search);
    let mut rates = offers.iter().flat_map(|holding| &holding.offer.rates);
    let first = rates.find(|(measure, _)| *measure == EACH || *measure == Measure::SearchedRequest);
    first.map_or(EACH, |(measure, _)| *measure)
}

/// The line of a measure at its own price, or at the one that holds in its place.
fn line(offers: &[Holding<'_>], measure: Measure, count: Quantity) -> Option<Line> {
    let (holding, priced_as, rate) = rate(offers, measure)?;
    let (file, place) = (Arc::clone(holding.file), Arc::clone(&holding.offer.place));
    Some(Line { measure, count, priced_as, rate, amount: rate.cost(count), file, place })
}

/// What so much of a measure costs; `None` if it has no price.
pub(crate) fn amount(offers: &[Holding<'_>], measure: Measure, count: Quantity) -> Option<Pico> {
    rate(offers, measure).map(|(_, _, rate)| rate.cost(count))
}

/// The price of a measure, or the one that holds in its place, with the measure that it is written for.
fn rate<'a>(offers: &'a [Holding<'a>], measure: Measure) -> Option<(&'a Holding<'a>, Measure, Rate)> {
    let find = |wanted: Measure| offers.iter().find_map(|holding| Some((holding, wanted, holding.rate(wanted)?)));
    find(measure).or_else(|| find(measure.priced_as()?))
}

fn assumptions(found: &MatchingOffers<'_>, facts: &Facts) -> Vec<Assumption> {
    let mut assumptions = Vec::new();
    if !found.knows_tier {
        assumptions.extend(facts.service_tier.clone().map(Assumption::Tier));
    }
    if facts.batch && !found.knows_batch {
        assumptions.push(Assumption::Batch);
    }
    let own = found.holding.iter().filter(|holding| !holding.is_of_other_name);
    for (charge, measure) in own.flat_map(|holding| &holding.offer.gaps) {
        let gap = Assumption::Gap(charge.clone());
        if !facts.count(*measure).is_zero() && !assumptions.contains(&gap) {
            assumptions.push(gap);
        }
    }
    assumptions
}

/// A line for each part, as `weir ledger explain` prints it.
impl fmt::Display for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            let Line { measure, count, priced_as, rate, amount, file, place } = line;
            write!(f, "{measure:<18} {count:>12}  at {rate:<24} = {amount:<18} {file} {place}.{priced_as}")?;
            writeln!(f)?;
        }
        for assumption in &self.assumptions {
            writeln!(f, "{assumption}")?;
        }
        let estimated = if self.estimated { " (estimated)" } else { "" };
        write!(f, "{:<18} {} USD{estimated}, prices {}", "total", self.total, self.version)
    }
}

impl fmt::Display for Assumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tier(tier) => write!(f, "no price for the service tier {tier:?}: taken from the other prices"),
            Self::Batch => f.write_str("no price for batches: taken from the other prices"),
            Self::Gap(gap) => write!(f, "the price list has `{gap}` as well, which no count expresses"),
        }
    }
}

impl fmt::Display for PartialBill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (measure, count) in &self.missing {
            writeln!(f, "{measure:<18} {count:>12}  has no price")?;
        }
        write!(f, "{}, without what has no price", self.known)
    }
}

#[cfg(test)]
mod tests;
