//! How many places there should be, found out by what becomes of those who got one. Pure: the time is an argument.
//!
//! Additive increase, multiplicative decrease, as TCP avoids congestion (RFC 5681, section 3.1) and as `AIMDLimit` of
//! Netflix's concurrency-limits carries it over to requests: one more place for each round of successes while at least half
//! of the places are taken, and on overload a share of 0.7 of them (as RFC 9438 has it, since half is much to lose). What was
//! under way when places were taken away says the same thing again: it takes away nothing further (as TCP reduces
//! once for a window of data).

use std::time::Instant;

/// What is left of the places after an overload.
const KEPT: f64 = 0.7;
/// Fewer than this there never are: somebody has to find out that it is over.
const LEAST: usize = 1;

/// How many places there should be. Begins with as many as are allowed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Adaptive {
    /// None until the first overload.
    limit: Option<f64>,
    reduced: Option<Instant>,
}

impl Adaptive {
    /// The places there are, of so many at the most.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 1 and the most")]
    pub(super) fn places(&self, most: usize) -> usize {
        self.limit.map_or(most, |limit| (limit as usize).max(LEAST).min(most))
    }

    /// Somebody was served while so many had a place.
    pub(super) fn went_well(&mut self, inside: usize, most: usize) {
        let Some(limit) = self.limit else { return };
        if inside.saturating_mul(2) < self.places(most) {
            return;
        }
        let limit = limit + 1.0 / limit;
        self.limit = (limit < as_limit(most)).then_some(limit);
    }

    /// Somebody who got a place then met an overload.
    pub(super) fn overloaded(&mut self, begun: Instant, now: Instant, most: usize) {
        if self.reduced.is_some_and(|reduced| begun < reduced) {
            return;
        }
        let limit = self.limit.unwrap_or(f64::INFINITY).min(as_limit(most));
        self.limit = Some((limit * KEPT).max(as_limit(LEAST)));
        self.reduced = Some(now);
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody has so many places")]
fn as_limit(places: usize) -> f64 {
    places as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_begins_with_all_and_halves_with_two_overloads() {
        let mut adaptive = Adaptive::default();
        let now = Instant::now();
        assert_eq!(adaptive.places(64), 64);
        adaptive.overloaded(now, now, 64);
        assert_eq!(adaptive.places(64), 44);
        let later = now + Duration::from_secs(1);
        adaptive.overloaded(later, later, 64);
        assert_eq!(adaptive.places(64), 31);
    }

    #[test]
    fn what_was_under_way_together_counts_once() {
        let mut adaptive = Adaptive::default();
        let begun = Instant::now();
        for after in 1..=40 {
            adaptive.overloaded(begun, begun + Duration::from_millis(after), 64);
        }
        assert_eq!(adaptive.places(64), 44);
    }

    #[test]
    fn a_round_of_successes_earns_one_place_and_only_where_places_are_used() {
        let mut adaptive = Adaptive { limit: Some(10.0), reduced: None };
        (0..1000).for_each(|_| adaptive.went_well(4, 64));
        assert_eq!(adaptive.places(64), 10, "four of ten say nothing of eleven");
        (0..11).for_each(|_| adaptive.went_well(10, 64));
        assert_eq!(adaptive.places(64), 11);
    }

    /// A provider that bears so many at the same time: the limit comes near and stays there.
    #[test]
    fn it_finds_what_a_provider_bears() {
        for bears in [1, 3, 10, 40] {
            let (mut adaptive, begun) = (Adaptive::default(), Instant::now());
            let mut seen = Vec::new();
            for round in 0..400 {
                let now = begun + Duration::from_secs(round);
                let inside = adaptive.places(64);
                for n in 0..inside {
                    if n < bears { adaptive.went_well(inside, 64) } else { adaptive.overloaded(now, now, 64) }
                }
                seen.push(inside);
            }
            let settled = &seen[200..];
            assert!(settled.iter().all(|inside| (bears / 2..=bears + 1).contains(inside)), "{bears}: {settled:?}");
        }
    }

    proptest! {
        #[test]
        fn there_is_always_a_place_and_never_more_than_allowed(
            steps in prop::collection::vec((any::<bool>(), 0usize..200, 0u64..50, 1usize..100), 1..300),
        ) {
            let (mut adaptive, mut now) = (Adaptive::default(), Instant::now());
            for (well, inside, wait, most) in steps {
                let (before, begun) = (adaptive.places(most), now);
                now += Duration::from_millis(wait);
                if well {
                    adaptive.went_well(inside, most);
                    prop_assert!((before..=before + 1).contains(&adaptive.places(most)));
                } else {
                    adaptive.overloaded(begun, now, most);
                    prop_assert!(adaptive.places(most) <= before);
                }
                prop_assert!((1..=most).contains(&adaptive.places(most)));
            }
            // However low it is, it comes back where all goes well.
            (0..20_000).for_each(|_| adaptive.went_well(100, 100));
            prop_assert_eq!(adaptive.places(100), 100);
        }
    }
}
