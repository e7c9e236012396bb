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
//! request, unless `per` says otherwise. Amounts are strings or numbers and are read exactly. `search` is the price of
//! each search, `searched_request` one for all searches of a request; the more specific of the two holds.
//! `billed_input` and `billed_output` have the prices of `input` and `output` unless they have their own. The other
//! members are `when` (`context_over`, `service_tier`, `batch`, `cache_minutes`, `region`, `variant`, `hours`),
//! `valid_from` (a date or a time), `replace` (the offers of earlier files for these models are void) and `gaps`
//! (charges of the source that no measure expresses, with the measure that each goes with). `rules` has the same as a
//! list with one price each.

use std::sync::Arc;

use crate::measure::Measure;
use crate::rule::Offer;

/// The checked content of a price file.
#[derive(Debug, Clone)]
pub struct PriceFile {
    pub(super) name: Arc<str>,
    pub(super) version: Arc<str>,
    pub(super) offers: Vec<Offer>,
    pub(super) tiers: Vec<((String, String), String)>,
    /// Whether it comes with Weir, rather than from the operator.
    pub(super) is_bundled: bool,
}

impl PriceFile {
    /// The version that the file names, or else its name, and a digest of its text.
    pub fn version(&self) -> &Arc<str> {
        &self.version
    }

    /// The name under which it was read.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its first offer that has a price for a measure that another file has under the same conditions, and that
    /// measure.
    pub fn repeats(&self, other: &Self) -> Option<(&Offer, Measure)> {
        self.offers.iter().find_map(|own| Some((own, other.offers.iter().find_map(|offer| offer.repeats(own))?)))
    }
}
