//! The fields that translations leave out or change. Their names may come from requests, so that their number is
//! bounded.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use prometheus::{IntCounterVec, Registry};

use super::counters;
use weir_types::contract::types::LossKind;
use weir_types::fault::loss_kind;
use weir_types::loss::field_name;

/// The most distinct names of fields; further names are counted as `other`.
const MAX_FIELDS: usize = 256;

/// Counts of the fields that translations lose.
#[derive(Debug)]
pub(super) struct FieldLosses {
    dropped: IntCounterVec,
    changed: IntCounterVec,
    known: Mutex<BTreeSet<String>>,
}

impl FieldLosses {
    /// None so far.
    pub(super) fn new(r: &Registry) -> Result<Self, prometheus::Error> {
        let dropped =
            counters(r, "weir_translation_dropped_fields_total", "Fields that a translation left out", &["field"])?;
        let changed = counters(
            r,
            "weir_translation_changed_fields_total",
            "Fields that a translation changed: clamped to what the other side allows, or approximated",
            &["field", "kind"],
        )?;
        Ok(Self { dropped, changed, known: Mutex::default() })
    }

    /// Counts one, by its name without indices.
    pub(super) fn count(&self, field: &str, kind: LossKind) {
        let name = field_name(field);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_listed = known.contains(&name) || (known.len() < MAX_FIELDS && known.insert(name.clone()));
        let name = if is_listed { name.as_str() } else { "other" };
        match kind {
            LossKind::Dropped => self.dropped.with_label_values(&[name]).inc(),
            kind => self.changed.with_label_values(&[name, loss_kind(kind)]).inc(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_fields_are_bounded() {
        let losses = FieldLosses::new(&Registry::new()).unwrap();
        for n in 0..MAX_FIELDS + 10 {
            losses.count(&format!("field_{n}"), LossKind::Dropped);
        }
        assert_eq!(losses.dropped.with_label_values(&["field_0"]).get(), 1);
        assert_eq!(losses.dropped.with_label_values(&["other"]).get(), 10);
    }
}
