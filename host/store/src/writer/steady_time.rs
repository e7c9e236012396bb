//! The time by which days end: a clock that goes ahead by more than the time that has passed is not believed at once,
//! since what it ends does not come back when it is set right.

use std::time::{Duration, Instant};

/// For how long a clock has to stay ahead until it is believed: a machine that was suspended or off is as far ahead.
const BELIEVED_AFTER: Duration = Duration::from_hours(1);
/// By how much a clock may go ahead and is believed: as if it were set to summer time.
const SLACK: Duration = Duration::from_hours(1);

/// A time that was believed, in milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
struct Believed {
    ms: u64,
    at: Instant,
}

/// The clock as far as it is believed.
#[derive(Debug, Default)]
pub(super) struct SteadyTime {
    believed: Option<Believed>,
    ahead_since: Option<Instant>,
}

impl SteadyTime {
    /// `known_ms` is a time that is over for sure, such as the end of the newest day that was written. Without one, the
    /// clock is believed when it is looked at first.
    pub(super) fn after(known_ms: Option<u64>, at: Instant) -> Self {
        Self { believed: known_ms.map(|ms| Believed { ms, at }), ahead_since: None }
    }

    /// The time, in milliseconds since 1970, where the clock tells this one.
    pub(super) fn now(&mut self, clock_ms: u64, at: Instant) -> u64 {
        let most = self.believed.map(|Believed { ms, at: since }| {
            let passed = at.saturating_duration_since(since).saturating_add(SLACK);
            ms.saturating_add(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX))
        });
        if let Some(most) = most.filter(|most| clock_ms > *most) {
            let since = *self.ahead_since.get_or_insert(at);
            if at.saturating_duration_since(since) < BELIEVED_AFTER {
                return most;
            }
        }
        self.ahead_since = None;
        self.believed = Some(Believed { ms: clock_ms, at });
        clock_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    const NOON: u64 = 20_000 * DAY + DAY / 2;

    /// The time that is believed of a clock which is this far ahead at these minutes, after a known time or at the
    /// start.
    fn believed(known_ms: Option<u64>, ahead: &[(u64, i64)]) -> Vec<i64> {
        let begun = Instant::now();
        let mut time = SteadyTime::after(known_ms, begun);
        let mut at = |(minute, ahead): (u64, i64)| {
            let right = NOON + minute * MINUTE;
            let now = time.now(right.saturating_add_signed(ahead), begun + Duration::from_millis(minute * MINUTE));
            now.cast_signed() - right.cast_signed()
        };
        ahead.iter().map(|one| at(*one)).collect()
    }

    #[test]
    fn a_clock_that_is_months_ahead_for_a_while_is_not_believed() {
        let (months, hour) = (90 * DAY.cast_signed(), HOUR.cast_signed());
        let looks = [(0, 0), (1, months), (2, months), (40, months), (41, 0), (42, months), (43, 0)];
        assert_eq!(believed(None, &looks), [0, hour, hour, hour, 0, hour, 0]);
    }

    #[test]
    fn a_clock_that_stays_ahead_is_believed_after_an_hour() {
        let (days, hour) = (3 * DAY.cast_signed(), HOUR.cast_signed());
        let looks = [(0, 0), (10, days), (69, days), (70, days), (71, days), (72, 0), (73, 0)];
        assert_eq!(believed(None, &looks), [0, hour, hour, days, days, 0, 0]);
    }

    #[test]
    fn a_start_long_after_what_was_written_last_waits_as_well() {
        let known = NOON - 5 * DAY;
        let (past, hour) = (-5 * DAY.cast_signed(), HOUR.cast_signed());
        assert_eq!(believed(Some(known), &[(0, 0), (59, 0), (60, 0)]), [past + hour, past + hour, 0]);
        assert_eq!(believed(Some(NOON + DAY), &[(0, 0), (1, 0)]), [0, 0], "today was written to");
    }

    #[test]
    fn a_clock_that_goes_a_little_ahead_or_back_is_believed_at_once() {
        let looks = [(0, 0), (1, 3_600_000), (2, -7_200_000), (3, -7_200_000)];
        assert_eq!(believed(None, &looks), [0, 3_600_000, -7_200_000, -7_200_000]);
    }
}
