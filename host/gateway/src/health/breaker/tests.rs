use proptest::prelude::*;

use super::*;

const SETTINGS: weir_config::Breaker = weir_config::Breaker {
    failure_rate: 0.5,
    window: Duration::from_secs(10),
    open: Duration::from_secs(5),
    min_attempts: 4,
    cooldown: Duration::from_secs(1),
    max_cooldown: Duration::from_mins(5),
};

fn opened(begun: Instant) -> Breaker {
    let mut breaker = Breaker::default();
    for _ in 0..4 {
        assert!(breaker.admit(begun, &SETTINGS));
        breaker.failed(begun, &SETTINGS);
    }
    breaker
}

#[test]
fn the_breaker_opens_at_the_failure_rate_after_enough_attempts() {
    let now = Instant::now();
    let mut breaker = Breaker::default();
    for _ in 0..3 {
        assert!(!breaker.failed(now, &SETTINGS));
    }
    assert!(breaker.failed(now, &SETTINGS));
    assert_eq!(breaker.position(now), Position::Open);
    assert_eq!(breaker.open_until(now, &SETTINGS), Some(now + SETTINGS.open));
    let mut healthy = Breaker::default();
    for _ in 0..10 {
        healthy.succeeded(now, now, &SETTINGS);
    }
    for _ in 0..9 {
        assert!(!healthy.failed(now, &SETTINGS), "nine of nineteen are less than half");
    }
    assert!(healthy.failed(now, &SETTINGS));
}

#[test]
fn consecutive_failures_open_the_breaker_of_a_rarely_used_target() {
    let begun = Instant::now();
    let hourly = |hour: u32| begun + Duration::from_hours(1) * hour;
    let mut breaker = Breaker::default();
    for hour in 0..3 {
        assert!(!breaker.failed(hourly(hour), &SETTINGS));
    }
    assert!(breaker.failed(hourly(3), &SETTINGS));
    let mut breaker = Breaker::default();
    for hour in 0..20 {
        assert!(!breaker.failed(hourly(2 * hour), &SETTINGS), "every second one went well");
        breaker.succeeded(hourly(2 * hour + 1), hourly(2 * hour + 1), &SETTINGS);
    }
    let mut breaker = Breaker::default();
    for hour in 0..4 {
        breaker.succeeded(hourly(hour), hourly(hour), &SETTINGS);
        assert_eq!(breaker.broke(hourly(hour), &SETTINGS), hour == 3, "streams that all break in their midst");
    }
}

#[test]
fn timeouts_from_a_silence_that_is_over_are_ignored() {
    let begun = Instant::now();
    let second = |second: u64| begun + Duration::from_secs(second);
    let mut breaker = Breaker::default();
    breaker.succeeded(begun, begun, &SETTINGS);
    for asked in 1..4 {
        assert!(!breaker.timed_out(second(asked), second(asked + 120), &SETTINGS), "it lasts, but they are few");
    }
    breaker.succeeded(second(60), second(124), &SETTINGS);
    for asked in 4..60 {
        assert!(!breaker.timed_out(second(asked), second(asked + 121), &SETTINGS), "{asked}");
    }
    for asked in 61..64 {
        assert!(!breaker.timed_out(second(asked), second(asked + 121), &SETTINGS));
    }
    assert!(breaker.timed_out(second(64), second(185), &SETTINGS), "this is another silence");
}

#[test]
fn timeouts_from_before_a_probe_do_not_decide_it() {
    let begun = Instant::now();
    let later = begun + SETTINGS.open;
    let mut breaker = opened(begun);
    assert!(breaker.admit(later, &SETTINGS));
    assert!(!breaker.timed_out(begun, later, &SETTINGS));
    assert_eq!(breaker.position(later), Position::HalfOpen);
    assert!(breaker.timed_out(later, later + SETTINGS.open, &SETTINGS), "the probe itself");
}

#[test]
fn a_half_open_breaker_admits_one_probe_whose_outcome_decides() {
    let begun = Instant::now();
    let later = begun + SETTINGS.open;
    for goes_well in [true, false] {
        let mut breaker = opened(begun);
        assert!(!breaker.admit(begun, &SETTINGS));
        assert!(breaker.admit(later, &SETTINGS), "the probe");
        assert!(!breaker.admit(later, &SETTINGS), "and no other");
        if goes_well {
            breaker.succeeded(later, later, &SETTINGS);
            assert_eq!(breaker.position(later), Position::Closed);
            assert!(!breaker.failed(later, &SETTINGS), "old failures are forgotten");
        } else {
            assert!(breaker.failed(later, &SETTINGS));
            assert!(!breaker.admit(later, &SETTINGS));
        }
    }
}

#[test]
fn a_slow_probe_admits_a_second_one() {
    let begun = Instant::now();
    let (later, late) = (begun + SETTINGS.open, begun + SETTINGS.open * 2);
    let mut breaker = opened(begun);
    assert!(!breaker.reopen_slow_probe(later, &SETTINGS), "there is none");
    assert!(breaker.admit(later, &SETTINGS));
    assert!(
        !breaker.reopen_slow_probe(later, &SETTINGS)
            && breaker.reopen_slow_probe(late, &SETTINGS)
            && !breaker.reopen_slow_probe(late, &SETTINGS)
    );
    assert!(breaker.admit(late, &SETTINGS) && !breaker.admit(late, &SETTINGS), "one more");
}

#[test]
fn c27_a_probe_whose_client_leaves_makes_room_for_the_next() {
    let begun = Instant::now();
    let later = begun + SETTINGS.open;
    let mut breaker = opened(begun);
    assert!(breaker.admit(later, &SETTINGS));
    breaker.abandoned(later);
    assert!(breaker.admit(later, &SETTINGS));
}

#[test]
fn broken_streams_count_once_as_failures() {
    let now = Instant::now();
    let mut breaker = Breaker::default();
    for round in 1..=4 {
        breaker.succeeded(now, now, &SETTINGS);
        assert_eq!(breaker.broke(now, &SETTINGS), round == 4);
    }
}

#[test]
fn checks_close_what_checks_opened_and_half_open_what_exchanges_opened() {
    let now = Instant::now();
    let mut breaker = Breaker::default();
    let until = now + Duration::from_secs(40);
    assert!(breaker.found_failing(now, until) && !breaker.found_failing(now, until), "news once");
    assert!(!breaker.admit(now + SETTINGS.open, &SETTINGS), "it rests until checks say otherwise");
    breaker.found_well(now);
    assert_eq!(breaker.position(now), Position::Closed);
    let mut breaker = opened(now);
    breaker.found_well(now);
    assert_eq!(breaker.position(now), Position::HalfOpen);
    assert!(breaker.admit(now, &SETTINGS) && !breaker.admit(now, &SETTINGS), "one request is tried");
}

#[test]
fn without_further_checks_a_request_becomes_the_probe() {
    let now = Instant::now();
    let mut breaker = Breaker::default();
    let until = now + Duration::from_secs(40);
    breaker.found_failing(now, until);
    assert!(breaker.admit(until, &SETTINGS));
    breaker.succeeded(until, until, &SETTINGS);
    assert_eq!(breaker.position(until), Position::Closed);
}

proptest! {
    /// For any sequence of outcomes there is never more than one probe, and the breaker is never open for longer than
    /// its settings allow.
    #[test]
    fn a_breaker_never_stays_open(steps in prop::collection::vec((0u8..6, 0u64..8000), 1..200)) {
        let begun = Instant::now();
        let (mut now, mut breaker) = (begun, Breaker::default());
        for (what, wait) in steps {
            now += Duration::from_millis(wait);
            match what {
                0 => {
                    if breaker.admit(now, &SETTINGS) && breaker.position(now) == Position::HalfOpen {
                        prop_assert!(!breaker.admit(now, &SETTINGS));
                    }
                }
                1 => breaker.succeeded(now, now, &SETTINGS),
                2 => _ = breaker.failed(now, &SETTINGS),
                3 => _ = breaker.broke(now, &SETTINGS),
                4 => _ = breaker.timed_out(begun + Duration::from_millis(wait), now, &SETTINGS),
                _ => breaker.abandoned(now),
            }
            let longest = now + SETTINGS.open.max(probe_time(&SETTINGS));
            prop_assert!(breaker.open_until(now, &SETTINGS).is_none_or(|until| until <= longest));
        }
        prop_assert!(breaker.admit(now + Duration::from_mins(1), &SETTINGS));
    }
}
