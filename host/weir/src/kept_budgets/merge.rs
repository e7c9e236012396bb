//! What a file holds after this process has added what it counted to what other processes have counted meanwhile.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use weir_ledger::{Correction, Row, StoredRows};

/// A window of a budget: the budget's name, and the window's first second.
type WindowKey = (Arc<str>, i64);

/// What this process and the file agreed on last.
#[derive(Debug, Default)]
pub(super) struct Agreed {
    /// What was booked and reserved, by all processes, in the windows that this process counts.
    sums: HashMap<WindowKey, u64>,
    /// The rows of the file that this process does not count.
    others: StoredRows,
}

/// What comes of the rows of this process and those of the file.
#[derive(Debug)]
pub(super) struct Merged {
    /// The file's new content.
    pub(super) content: StoredRows,
    /// Whether the file lacks something of it, apart from what this process has counted since.
    pub(super) is_other: bool,
    /// What other processes have counted since.
    pub(super) corrections: Vec<Correction>,
    /// What is agreed on once that is written.
    pub(super) agreed: Agreed,
}

impl Agreed {
    /// Agrees with a file whose rows this process takes over.
    pub(super) fn on(rows: &StoredRows) -> Self {
        Self { sums: rows.rows.iter().map(|row| (key_of(row), row.total())).collect(), others: StoredRows::default() }
    }

    /// How many rows the file has.
    pub(super) fn rows(&self) -> usize {
        self.sums.len() + self.others.rows.len()
    }

    /// Adds what changed on both sides since. `kept` is the file's content; without it, no other process has written
    /// there. A row that the file no longer has is written again.
    pub(super) fn merge(&self, own: StoredRows, kept: Option<StoredRows>, now: i64) -> Merged {
        let is_read = kept.is_some();
        let kept = kept.unwrap_or_else(|| self.others.clone());
        let has_shape =
            |row: &Row| own.shapes.get(&*row.budget).is_none_or(|own| kept.shapes.get(&*row.budget) == Some(own));
        let mut of_file: BTreeMap<WindowKey, Row> =
            kept.rows.iter().filter(|row| has_shape(row)).map(|row| (key_of(row), row.clone())).collect();
        let mut merged = Merged {
            is_other: is_read && kept.rows.len() != of_file.len(),
            content: StoredRows { shapes: own.shapes, rows: Vec::with_capacity(own.rows.len()), node: own.node },
            corrections: Vec::new(),
            agreed: Self::default(),
        };
        for row in own.rows {
            let found = of_file.remove(&key_of(&row)).map(|found| found.total());
            merged.is_other |= is_read && found.is_none();
            let agreed = self.sums.get(&key_of(&row)).copied();
            merged.count(row, found.map_or(0, |found| difference(found, agreed.unwrap_or_default())));
        }
        for (key, mut row) in of_file {
            if self.sums.contains_key(&key) {
                // This process counted it, and does so no longer.
                merged.is_other = true;
                continue;
            }
            // It is no use of this process, whose name the file gets.
            row.before = row.total();
            let is_counted = merged.content.shapes.contains_key(&*row.budget) && row.end.is_none_or(|end| end > now);
            if is_counted {
                let (change, zero) = (difference(row.total(), 0), Row { settled: 0, reserved: 0, before: 0, ..row });
                merged.count(zero, change);
            } else {
                merged.leave(row, &kept.shapes);
            }
        }
        merged
    }
}

impl Merged {
    /// A row of this process, with what others have counted since.
    fn count(&mut self, mut row: Row, change: i64) {
        if change != 0 {
            let (budget, start, end) = (Arc::clone(&row.budget), row.start, row.end);
            self.corrections.push(Correction { budget, start, end, change });
            row.correct(change);
        }
        self.agreed.sums.insert(key_of(&row), row.total());
        self.content.rows.push(row);
    }

    /// A row that other processes need, and this one does not know.
    fn leave(&mut self, row: Row, shapes: &BTreeMap<String, String>) {
        if let Some(shape) = shapes.get(&*row.budget) {
            let shape = || shape.clone();
            self.content.shapes.entry(row.budget.to_string()).or_insert_with(shape);
            self.agreed.others.shapes.entry(row.budget.to_string()).or_insert_with(shape);
        }
        self.content.rows.push(row.clone());
        self.agreed.others.rows.push(row);
    }
}

fn key_of(row: &Row) -> WindowKey {
    (Arc::clone(&row.budget), row.start)
}

fn difference(now: u64, before: u64) -> i64 {
    let whole = i128::from(now) - i128::from(before);
    i64::try_from(whole).unwrap_or(if whole < 0 { i64::MIN } else { i64::MAX })
}
