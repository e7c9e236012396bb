//! The document of a price. Its amounts and conditions are those of a price file, which the ledger reads.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check::{count, metadata, text};
use super::{Invalid, Metadata, PriceId, Schema};

/// The most bytes of a price's amounts and conditions, as JSON.
const MAX_JSON: usize = 8 * 1024;
/// The most amounts of one price: more than there are measures.
const MAX_RATES: usize = 64;

/// Members that a price file has beside its amounts. They are no measures.
const NO_MEASURES: [&str; 4] = ["when", "valid_from", "replace", "gaps"];

/// Prices of one provider's models that hold under the same conditions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceRule {
    /// The version of the document's fields.
    pub schema: Schema,
    /// Its name in urls, bills and errors.
    pub id: PriceId,
    /// The provider's name in the configuration or its kind; `*` for all.
    pub provider: String,
    /// The provider's name for the model, or a pattern with `*`.
    pub model: String,
    /// Amounts in dollars by measure, as in a price file: `{"input": "2.5", "search": {"amount": "10", "per": 1000}}`.
    pub rates: BTreeMap<String, Value>,
    /// The conditions, as in a price file.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub when: serde_json::Map<String, Value>,
    /// From when on the prices hold: a date, or a time. Always, if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// When it was created.
    pub created: Timestamp,
    /// Free data.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

impl PriceRule {
    /// Checks the bounds of all values.
    ///
    /// # Errors
    ///
    /// Names the first value outside of its bounds.
    pub fn check(&self) -> Result<(), Invalid> {
        text("provider", &self.provider, 1, 256)?;
        text("model", &self.model, 1, 256)?;
        if let Some(from) = &self.valid_from {
            text("valid_from", from, 1, 64)?;
        }
        if self.rates.is_empty() {
            return Err(Invalid::new("rates", "names no price"));
        }
        if let Some(name) = NO_MEASURES.iter().find(|name| self.rates.contains_key(**name)) {
            return Err(Invalid::new("rates", format!("has `{name}`, which is not a measure")));
        }
        count("rates", self.rates.len(), MAX_RATES)?;
        let length = |json: Result<String, serde_json::Error>| json.map_or(usize::MAX, |text| text.len());
        let lengths = [("rates", serde_json::to_string(&self.rates)), ("when", serde_json::to_string(&self.when))];
        for (field, json) in lengths {
            if length(json) > MAX_JSON {
                return Err(Invalid::new(field, format!("is longer than {MAX_JSON} bytes")));
            }
        }
        metadata(&self.metadata)
    }
}
