//! Durations as counts in a few steps of length, which can be summed by the hour and over nodes, unlike medians.

use std::collections::BTreeMap;

/// Steps of each doubling: a figure that is read from the counts is off by an eighth at most.
const STEPS: u64 = 4;
/// No duration has this step or a later one.
pub(crate) const STEP_COUNT: u64 = 64 * STEPS;

/// The counts of durations, by step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Latencies(BTreeMap<u64, u64>);

/// The step that a duration in microseconds belongs to.
pub(crate) fn step_of(micros: u64) -> u64 {
    match micros.checked_ilog2() {
        Some(power @ 2..) => u64::from(power) * STEPS + ((micros >> (power - 2)) & 3),
        _ => micros,
    }
}

/// The shortest duration of a step, in microseconds.
fn begin_of(step: u64) -> u64 {
    let power = step / STEPS;
    if power < 2 { step } else { (STEPS + step % STEPS).checked_shl(power as u32 - 2).unwrap_or(u64::MAX) }
}

impl Latencies {
    /// Adds durations of a step.
    pub(crate) fn add(&mut self, step: u64, count: u64) {
        // No duration is longer than the steps of 64 bits.
        if step < STEP_COUNT {
            *self.0.entry(step).or_default() += count;
        }
    }

    /// The duration that this share of all does not exceed (0.5: the median), in microseconds, to an eighth; none of
    /// nothing.
    pub(crate) fn quantile(&self, share: f64) -> Option<u64> {
        let all: u64 = self.0.values().sum();
        let rank = (share * all as f64).max(1.0);
        let mut before = 0.0;
        for (step, count) in &self.0 {
            let count = *count as f64;
            if before + count >= rank {
                let (begin, end) = (begin_of(*step), begin_of(step + 1));
                let part = (rank - before) / count;
                return Some(begin + (end.saturating_sub(begin) as f64 * part) as u64);
            }
            before += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_within_its_step() {
        for micros in (0..10_000).chain([1 << 20, (1 << 20) + 1, 12_345_678, u64::MAX / 2]) {
            let step = step_of(micros);
            assert!(begin_of(step) <= micros, "{micros}: {step}");
            assert!(micros < begin_of(step + 1) || step < 8, "{micros}: {step}");
        }
        assert!(step_of(u64::MAX) < STEP_COUNT);
        let steps: Vec<u64> = (4..100_000).map(step_of).collect();
        assert!(steps.is_sorted());
    }

    #[test]
    fn quantiles_are_right_to_an_eighth() {
        let mut all = Latencies::default();
        assert_eq!(all.quantile(0.5), None);
        for milliseconds in 1..=1_000_u64 {
            all.add(step_of(milliseconds * 1_000), 1);
        }
        for (share, expected) in [(0.5, 500_000.0), (0.99, 990_000.0), (0.01, 10_000.0)] {
            let found = all.quantile(share).unwrap() as f64;
            assert!((found / expected - 1.0).abs() < 0.13, "{share}: {found}");
        }
        all.add(u64::MAX, 5);
        assert_eq!(all.0.values().sum::<u64>(), 1_000);
    }
}
