//! Mistakes in price files.

use std::fmt;

use crate::measure::Measure;
use crate::money::MoneyError;
use crate::rule::HoursError;

/// A mistake in a price file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceProblem {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The place: `providers.acme.large-2[1].input`.
    pub place: String,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for PriceProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, place, problem } = self;
        if place.is_empty() {
            write!(f, "{file}:{line}: {problem}")
        } else {
            write!(f, "{file}:{line}: `{place}` {problem}")
        }
    }
}

/// A mistake in a member of an offer. The text follows the member's place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum MemberError {
    /// No measure has this name.
    #[error("names the unknown unit {0:?}: there are {units}", units = units())]
    UnknownUnit(String),
    /// Rules have no such member.
    #[error("is not a member of rules")]
    NotOfRules,
    /// Offers have no such member.
    #[error("is neither a unit nor another member of offers: units are {units}", units = units())]
    NotOfOffers,
    /// A price is not an amount.
    #[error(transparent)]
    Rate(#[from] MoneyError),
    /// The hours of a condition are not valid.
    #[error(transparent)]
    Hours(#[from] HoursError),
    /// A time is not valid.
    #[error("{0:?} is not a date or a time")]
    Time(String),
    /// Its JSON is of another shape.
    #[error("is wrong: {0}")]
    Shape(String),
}

/// The names of all units.
fn units() -> String {
    Measure::all().map(|measure| format!("`{}`", measure.name())).collect::<Vec<_>>().join(", ")
}

/// All mistakes of a price file, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceFileError(pub Vec<PriceProblem>);

impl fmt::Display for PriceFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for PriceFileError {}
