//! Which region served an answer: the contract's rule for a tap's `region`.

use crate::peek::Scalar;
use weir_types::contract::about::PointerValues;

/// A place that names the region.
#[derive(Debug)]
pub(super) struct RegionPlace {
    /// The texts there that name none.
    nameless: Vec<String>,
}

impl RegionPlace {
    pub(super) fn new(place: &PointerValues) -> Self {
        let texts = place.json.iter().filter_map(|json| serde_json::from_str(json).ok());
        Self { nameless: texts.collect() }
    }

    /// The region that this value names.
    pub(super) fn named<'v>(&self, value: &'v Scalar) -> Option<&'v str> {
        value.as_text().filter(|text| !text.is_empty() && !self.nameless.iter().any(|nameless| nameless == text))
    }
}
