//! Counts the changes of each adapter by their result.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Maximum number of counters, so that files with ever new names cannot fill the memory.
const NAMES: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Tallies(Mutex<BTreeMap<(Arc<str>, &'static str), u64>>);

impl Tallies {
    pub(super) fn count(&self, name: &str, result: &'static str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < NAMES {
            *all.entry((name.into(), result)).or_default() += 1;
        }
    }

    pub(super) fn all(&self) -> Vec<(Arc<str>, &'static str, u64)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|((name, result), count)| (Arc::clone(name), *result, *count)).collect()
    }
}
