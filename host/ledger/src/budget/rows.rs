//! The state of budgets as rows for a store: sums, so that their number is bounded by budgets and windows.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::definition::{Budget, is_shape};

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
    /// The part of what is booked that earlier processes had booked already.
    #[serde(default)]
    pub before: u64,
    /// The number of the budget's counts in the process that wrote it.
    #[serde(default)]
    pub cell: u64,
    /// How often windows of the budget had been dropped there when these counts began.
    #[serde(default)]
    pub made: u64,
    /// Greater in later rows of the same budget and window.
    pub seq: u64,
}

/// Which counts of a window these are: a budget that is made again counts from nothing, and so does a window that a
/// clock comes back to after its counts were dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountsId {
    /// See [`Row::cell`].
    pub cell: u64,
    /// See [`Row::made`].
    pub made: u64,
}

/// What other processes that keep the same rows have counted at a budget in a window since the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// The budget's name.
    pub budget: Arc<str>,
    /// The first second of the window.
    pub start: i64,
    /// The second after its last.
    pub end: Option<i64>,
    /// How much more they count now, or less: what they had reserved may have been returned.
    pub change: i64,
}

impl Row {
    /// What is booked and reserved.
    pub fn total(&self) -> u64 {
        self.settled.saturating_add(self.reserved)
    }

    /// Which counts these are in the process that wrote it.
    pub fn counts(&self) -> CountsId {
        CountsId { cell: self.cell, made: self.made }
    }

    /// What the process that wrote it has booked and reserved itself.
    pub fn own(&self) -> u64 {
        self.total().saturating_sub(self.before)
    }

    /// Takes in what others have counted since: it is booked, and no use of the process that writes the row.
    pub fn correct(&mut self, change: i64) {
        self.settled = self.settled.saturating_add_signed(change);
        self.before = self.before.saturating_add_signed(change);
    }

    /// Whether this row replaces another one.
    pub(super) fn is_after(&self, other: &Self) -> bool {
        self.seq >= other.seq
    }
}

/// The rows of many budgets with the shapes of these, as a store keeps them.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRows {
    /// [`Budget::shape`] by name.
    pub shapes: BTreeMap<String, String>,
    /// One for each window that is counted.
    pub rows: Vec<Row>,
    /// The name under which the process that wrote them shared its budgets with other nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

impl StoredRows {
    /// Takes out the rows of these budgets. Rows of a budget that has another shape now are dropped.
    pub fn take<'a>(&mut self, budgets: impl Iterator<Item = &'a Budget>) -> Vec<Row> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let shapes: BTreeMap<&str, String> = budgets.map(|budget| (&*budget.name, budget.shape())).collect();
        let of = |row: &Row| shapes.get(&*row.budget);
        let (known, others): (Vec<Row>, Vec<Row>) = self.rows.drain(..).partition(|row| of(row).is_some());
        let has_shape = |row: &Row| match (self.shapes.get(&*row.budget), of(row)) {
            (Some(kept), Some(shape)) => is_shape(kept, shape),
            _ => false,
        };
        let taken = known.into_iter().filter(has_shape).collect();
        self.rows = others;
        self.shapes.retain(|name, _| !shapes.contains_key(name.as_str()));
        taken
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
