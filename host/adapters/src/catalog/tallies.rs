//! Counts the changes of each adapter by their result.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Maximum number of counters, so that files with ever new names cannot fill the memory.
const NAMES: usize = 1024;

/// The name under which further adapters are counted together.
const OTHER: &str = "other";

#[derive(Debug, Default)]
pub(super) struct Tallies(Mutex<BTreeMap<(Arc<str>, &'static str), u64>>);

impl Tallies {
    pub(super) fn count(&self, name: &str, result: &'static str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Arc::from(name), result);
        let is_named = all.len() < NAMES || all.contains_key(&key);
        *all.entry(if is_named { key } else { (Arc::from(OTHER), result) }).or_default() += 1;
    }

    pub(super) fn all(&self) -> Vec<(Arc<str>, &'static str, u64)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|((name, result), count)| (Arc::clone(name), *result, *count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_count_on_when_there_is_no_room_for_new_ones() {
        let tallies = Tallies::default();
        for name in 0..NAMES + 5 {
            tallies.count(&name.to_string(), "loaded");
        }
        tallies.count("0", "loaded");
        let all = tallies.all();
        let count_of = |name: &str| all.iter().find(|(known, ..)| &**known == name).map(|(_, _, count)| *count);
        assert_eq!((count_of("0"), count_of("other"), all.len()), (Some(2), Some(5), NAMES + 1));
    }
}
