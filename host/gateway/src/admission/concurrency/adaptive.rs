//! Adaptive concurrency limit, learned from the outcome of requests. Pure: the time is an argument.
//!
//! Additive increase, multiplicative decrease, as TCP avoids congestion (RFC 5681, section 3.1) and as `AIMDLimit` of
//! Netflix's concurrency-limits applies it to requests. A round of successes adds one place if at least half of the
//! places are in use. An overload reduces the places to 0.7 of their number (as in RFC 9438, since half is a large
//! loss). Requests that began before a reduction do not reduce again (as TCP reduces once for a window of data).

use std::time::Instant;

/// The fraction of places kept after an overload.
const KEPT: f64 = 0.7;
/// The fewest places: one request must be able to detect that an overload has ended.
const MIN_PLACES: usize = 1;

/// The current limit. It starts at the maximum.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Adaptive {
    /// `None` while the maximum applies.
    limit: Option<f64>,
    reduced: Option<Instant>,
}

impl Adaptive {
    /// The current places, at most `most`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 1 and the most")]
    pub(super) fn places(&self, most: usize) -> usize {
        self.limit.map_or(most, |limit| (limit as usize).max(MIN_PLACES).min(most))
    }

    /// Records a success while `inside` places were in use.
    pub(super) fn went_well(&mut self, inside: usize, most: usize) {
        let Some(limit) = self.limit else { return };
        if inside.saturating_mul(2) < self.places(most) {
            return;
        }
        let limit = limit + 1.0 / limit;
        self.limit = (limit < as_limit(most)).then_some(limit);
    }

    /// Records an overload of a request begun at `begun`.
    pub(super) fn overloaded(&mut self, begun: Instant, now: Instant, most: usize) {
        if self.reduced.is_some_and(|reduced| begun < reduced) {
            return;
        }
        let limit = self.limit.unwrap_or(f64::INFINITY).min(as_limit(most));
        self.limit = Some((limit * KEPT).max(as_limit(MIN_PLACES)));
        self.reduced = Some(now);
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are never so many places")]
fn as_limit(places: usize) -> f64 {
    places as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_limit_starts_at_the_maximum_and_two_overloads_halve_it() {
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
    fn concurrent_overloads_count_once() {
        let mut adaptive = Adaptive::default();
        let begun = Instant::now();
        for after in 1..=40 {
            adaptive.overloaded(begun, begun + Duration::from_millis(after), 64);
        }
        assert_eq!(adaptive.places(64), 44);
    }

    #[test]
    fn a_round_of_successes_adds_one_place_only_while_places_are_in_use() {
        let mut adaptive = Adaptive { limit: Some(10.0), reduced: None };
        (0..1000).for_each(|_| adaptive.went_well(4, 64));
        assert_eq!(adaptive.places(64), 10, "four of ten say nothing of eleven");
        (0..11).for_each(|_| adaptive.went_well(10, 64));
        assert_eq!(adaptive.places(64), 11);
    }

    /// The limit approaches the capacity of a provider and stays there.
    #[test]
    fn the_limit_converges_to_a_providers_capacity() {
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
        fn there_is_always_a_place_and_never_more_than_the_maximum(
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
            // However low the limit is, successes restore the maximum.
            (0..20_000).for_each(|_| adaptive.went_well(100, 100));
            prop_assert_eq!(adaptive.places(100), 100);
        }
    }
}
