//! The wait before a retry: exponential with full jitter, and never shorter than the provider's `Retry-After`. Pure:
//! the random number is an argument.

use std::time::Duration;

use weir_config::Retry;

/// The wait before a retry; `number` is 0 for the first. `asked` is the provider's `Retry-After`, `draw` a random
/// number in [0, 1). `None` if the provider asks for more than `max_delay`.
pub(super) fn wait(retry: &Retry, number: u32, asked: Option<Duration>, draw: f64) -> Option<Duration> {
    let grown = retry.delay.saturating_mul(2_u32.saturating_pow(number.min(20))).min(retry.max_delay);
    let Some(asked) = asked.filter(|asked| !asked.is_zero()) else { return Some(grown.mul_f64(draw)) };
    // Spreads the retries of requests that got the same `Retry-After`.
    let spread = grown.min(asked / 2).mul_f64(draw);
    (asked <= retry.max_delay).then(|| asked + spread)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn c63_what_the_provider_asks_for_is_honoured_and_capped() {
        let retry = Retry::default();
        let asked = Duration::from_secs(3);
        let waited = wait(&retry, 0, Some(asked), 0.99).unwrap();
        assert!(waited >= asked && waited <= asked + Duration::from_secs(1), "{waited:?}");
        assert_eq!(wait(&retry, 0, Some(retry.max_delay + Duration::from_millis(1)), 0.5), None);
        assert!(wait(&retry, 0, Some(Duration::ZERO), 0.0).is_some());
    }

    proptest! {
        #[test]
        fn a_wait_stays_within_its_bounds(
            delay in 0u64..100_000, most in 0u64..100_000, number in any::<u32>(), draw in 0.0..1.0f64,
            asked in prop::option::of(0u64..200_000),
        ) {
            let (delay, max_delay) = (Duration::from_millis(delay), Duration::from_millis(most));
            let retry = Retry { delay, max_delay, ..Retry::default() };
            let asked = asked.map(Duration::from_millis);
            match wait(&retry, number, asked, draw) {
                Some(waited) => {
                    let ceiling = delay.saturating_mul(2_u32.saturating_pow(number.min(20))).min(max_delay);
                    prop_assert!(waited >= asked.unwrap_or_default());
                    prop_assert!(waited <= asked.unwrap_or_default() + ceiling);
                }
                None => prop_assert!(asked > Some(max_delay)),
            }
        }
    }
}
