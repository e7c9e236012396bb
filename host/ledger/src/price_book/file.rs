//! Price files: the bundled one and those of operators have the same shape.
//!
//! ```json
//! {
//!   "version": "2026-11",
//!   "tiers": { "*": { "standard": ["default", "on_demand"] } },
//!   "providers": {
//!     "acme": {
//!       "large-*": [
//!         { "input": "2.5", "output": "10", "search": { "amount": "10", "per": 1000 } },
//!         { "when": { "context_over": 200000 }, "input": "5", "output": "15" },
//!         { "valid_from": "2027-01-01", "input": "2" }
//!       ]
//!     }
//!   },
//!   "rules": [
//!     { "provider": "acme", "model": "large-2", "unit": "input", "per": 1000000, "amount": "2.4",
//!       "when": { "batch": true } }
//!   ]
//! }
//! ```
//!
//! An offer's members are the names of measures with amounts in dollars: for a million tokens, for one piece, for one
//! request, unless `per` says otherwise. Amounts are strings or numbers and are read exactly. The other members are
//! `when` (`context_over`, `service_tier`, `batch`, `cache_minutes`, `region`, `variant`, `hours`), `valid_from` (a date
//! or a time), `replace` (the offers of earlier files for these models are void) and `gaps` (charges
//! of the source that no measure expresses, with the measure that each goes with). `rules` has the same as a list with one price each.

use std::fmt;
use std::sync::Arc;

use super::parse::Reader;
use crate::rule::Offer;

/// The name of the bundled file in errors.
const NAME: &str = "bundled.json";

/// The checked content of a price file.
#[derive(Debug, Clone)]
pub struct PriceFile {
    pub(super) version: Arc<str>,
    pub(super) offers: Vec<Offer>,
    pub(super) tiers: Vec<((String, String), String)>,
}

impl PriceFile {
    /// The file that comes with Weir.
    pub fn bundled() -> Result<Self, PriceFileError> {
        Self::parse(NAME, super::BUNDLED)
    }

    /// Reads a file's text; `name` stands in errors.
    pub fn parse(name: &str, text: &str) -> Result<Self, PriceFileError> {
        Reader::new(name, text).read()
    }

    /// The version that the file names, or else its name, and a digest of its text.
    pub fn version(&self) -> &Arc<str> {
        &self.version
    }
}

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
