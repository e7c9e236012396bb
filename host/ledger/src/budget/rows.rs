//! The state of budgets as rows for a store: sums, so that their number is bounded by budgets and windows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What one budget has counted in one window. A later row of the same budget and window replaces an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The budget's name.
    #[serde(with = "name")]
    pub budget: Arc<str>,
    /// The first second of the window.
    pub start: i64,
    /// The second after its last.
    pub end: Option<i64>,
    /// What open reservations hold. Their requests are lost with the process: restoring books this as spent, since
    /// their providers may have answered and charged.
    pub reserved: u64,
    /// What is booked.
    pub settled: u64,
    /// Greater in later rows of the same budget and window.
    pub seq: u64,
}

impl Row {
    /// Whether this row replaces another one.
    pub(super) fn is_after(&self, other: &Self) -> bool {
        self.seq >= other.seq
    }
}

/// `Arc<str>` as text.
mod name {
    use std::sync::Arc;

    pub(super) fn serialize<S: serde::Serializer>(name: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(name)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        <String as serde::Deserialize>::deserialize(deserializer).map(Arc::from)
    }
}
