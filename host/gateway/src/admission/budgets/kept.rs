//! The counts of budgets as rows, to store and restore.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::Budgets;
use weir_ledger::{Correction, CountsId, Row, StoredRows};

impl Budgets {
    /// Continues with the counts of an earlier process. With `is_unread`, the store's budgets have not been read yet,
    /// and rows of unknown budgets wait for them.
    pub fn restore(&self, mut rows: StoredRows, is_unread: bool) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let known = rows.take(sources.configured.iter().chain(&sources.stored));
        self.set.load().restore(&known, rows.node.as_deref());
        sources.waiting = if is_unread { rows } else { StoredRows::default() };
    }

    /// Changes whenever there may be other budgets than before.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// All counts, to be stored, including rows that wait for their budgets.
    pub fn rows(&self) -> StoredRows {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = sources.waiting.clone();
        if let Some(sharing) = self.sharing.get() {
            all.node = Some(sharing.node().to_owned());
            // Waiting rows are not this process's own use.
            all.rows.iter_mut().for_each(|row| row.before = row.total());
        }
        // The configuration's budgets come last, so that they replace the store's of the same name.
        let budgets = sources.stored.iter().chain(&sources.configured);
        all.shapes.extend(budgets.map(|budget| (budget.name.to_string(), budget.shape())));
        all.rows.extend(self.set.load().snapshot());
        all
    }

    /// Takes the rows that have changed since the last call, to be stored.
    pub fn changes(&self) -> Vec<Row> {
        self.set.load().changes()
    }

    /// Takes back rows that could not be stored: they count as changed again.
    pub fn give_back(&self, rows: &[Row]) {
        self.set.load().give_back(rows);
    }

    /// Adds what other processes that keep the same rows have counted. Returns, for each, which counts now include it,
    /// if its budget is known.
    pub fn correct(&self, corrections: &[Correction]) -> Vec<Option<CountsId>> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let by_window: HashMap<(&str, i64), i64> =
            corrections.iter().map(|one| ((&*one.budget, one.start), one.change)).collect();
        for row in &mut sources.waiting.rows {
            if let Some(change) = by_window.get(&(&*row.budget, row.start)) {
                row.correct(*change);
            }
        }
        self.set.load().correct(corrections)
    }
}
