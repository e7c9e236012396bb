//! Bounds the series that clients and models make: those beyond a number count as `other`.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, PoisonError};

use prometheus::IntCounter;

/// The value of labels that had no room.
const OTHER: &str = "other";

/// The series that were made, by the hashes of their labels. Asked when a series is made, not when it counts.
#[derive(Debug)]
pub(super) struct SeriesBound {
    most: usize,
    /// Counts the series that had no room.
    refused: IntCounter,
    hasher: RandomState,
    kept: Mutex<KeptSeries>,
}

#[derive(Debug, Default)]
struct KeptSeries {
    series: HashSet<u64>,
    /// Hashes of series that had no room, as far as they are remembered.
    refused: HashSet<u64>,
    lines: usize,
}

impl SeriesBound {
    pub(super) fn new(most: usize, refused: IntCounter) -> Self {
        Self { most, refused, hasher: RandomState::new(), kept: Mutex::default() }
    }

    /// The labels of a series of this metric, which takes so many lines of the page. If there is no room for it, the
    /// labels at the positions `open` are `other`.
    pub(super) fn fit<'a, const N: usize>(
        &self,
        metric: &str,
        lines: usize,
        labels: [&'a str; N],
        open: &[usize],
    ) -> [&'a str; N] {
        let hash = self.hasher.hash_one((metric, labels));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.series.contains(&hash) {
            return labels;
        }
        if kept.lines.saturating_add(lines) <= self.most {
            kept.lines += lines;
            kept.series.insert(hash);
            return labels;
        }
        let is_new = kept.refused.len() >= self.most || kept.refused.insert(hash);
        drop(kept);
        if is_new {
            self.refused.inc();
        }
        let mut at = 0..;
        labels.map(|label| if at.next().is_some_and(|at| open.contains(&at)) { OTHER } else { label })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_counts_as_other() {
        let refused = IntCounter::new("a", "b").unwrap();
        let bound = SeriesBound::new(5, refused.clone());
        for _ in 0..2 {
            assert_eq!(bound.fit("m", 4, ["c1", "x"], &[0]), ["c1", "x"], "it is the same series");
            assert_eq!(bound.fit("m", 4, ["c2", "x"], &[0]), ["other", "x"]);
        }
        assert_eq!(bound.fit("n", 1, ["c2", "x"], &[0]), ["c2", "x"], "there is room for a smaller one");
        assert_eq!(bound.fit("n", 1, ["c3", "y"], &[0, 1]), ["other", "other"]);
        assert_eq!(refused.get(), 2);
    }
}
