//! Values that count once: a callback that is repeated, from a browser's history or a log, begins no second session.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

/// The most values that are remembered. The provider takes each code once, too, so that this is the second lock.
const MAX_REMEMBERED: usize = 10_000;

/// The values that were used, by their hashes.
#[derive(Debug, Default)]
pub(super) struct UsedOnce(Mutex<Used>);

#[derive(Debug, Default)]
struct Used {
    known: HashSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl UsedOnce {
    /// Uses a value; false if it was used before.
    pub(super) fn take(&self, value: &str) -> bool {
        let hash: [u8; 32] = Sha256::digest(value.as_bytes()).into();
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !used.known.insert(hash) {
            return false;
        }
        if used.order.len() >= MAX_REMEMBERED
            && let Some(oldest) = used.order.pop_front()
        {
            used.known.remove(&oldest);
        }
        used.order.push_back(hash);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_once_and_the_memory_is_bounded() {
        let used = UsedOnce::default();
        assert!(used.take("a") && !used.take("a") && used.take("b"));
        (0..MAX_REMEMBERED).for_each(|number| assert!(used.take(&number.to_string())));
        assert_eq!(used.0.lock().unwrap().known.len(), MAX_REMEMBERED);
    }
}
