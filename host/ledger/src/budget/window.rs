//! The windows of budgets: minutes to months, some days, or one without end.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::error::BudgetError;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
/// The longest period of days.
const MAX_DAYS: u32 = 3_660;

/// How long a window lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// A minute of UTC.
    Minute,
    /// An hour of UTC. Zones whose clocks are off by half an hour share these windows.
    Hour,
    /// A day of the budget's zone, which has 23 or 25 hours where clocks change.
    Day,
    /// From Monday on.
    Week,
    /// A calendar month.
    Month,
    /// So many days, one such window after the other since 1970-01-01.
    Days(u32),
    /// One window without end.
    Total,
}

impl Period {
    /// Reads `minute`, `hour`, `day`, `week`, `month`, `total`, or days such as `30d`.
    pub fn parse(text: &str) -> Result<Self, BudgetError> {
        let wrong = || BudgetError::Period(text.to_owned());
        Ok(match text {
            "minute" => Self::Minute,
            "hour" => Self::Hour,
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "total" => Self::Total,
            _ => {
                let days = text.strip_suffix('d').ok_or_else(wrong)?;
                let days = days.parse().ok().filter(|days| (1..=MAX_DAYS).contains(days)).ok_or_else(wrong)?;
                Self::Days(days)
            }
        })
    }

    /// The window that holds a time. A time that no calendar has gets one without end.
    pub fn window(self, zone: &TimeZone, at: Timestamp) -> Window {
        let second = at.as_second();
        match self {
            Self::Minute => Window::aligned(second, MINUTE),
            Self::Hour => Window::aligned(second, HOUR),
            Self::Total => Window::ENDLESS,
            Self::Day | Self::Week | Self::Month | Self::Days(_) => {
                self.civil(at.to_zoned(zone.clone()).date(), zone).unwrap_or(Window::ENDLESS)
            }
        }
    }

    /// The window of whole days that holds a date.
    fn civil(self, date: Date, zone: &TimeZone) -> Option<Window> {
        let (first, length) = match self {
            Self::Week => {
                let since_monday = i64::from(date.weekday().to_monday_zero_offset());
                (date.checked_sub(Span::new().try_days(since_monday).ok()?).ok()?, Span::new().try_days(7).ok()?)
            }
            Self::Month => (date.first_of_month(), Span::new().try_months(1).ok()?),
            Self::Days(days) => {
                let epoch = Date::constant(1970, 1, 1);
                let since = i64::from(date.since(epoch).ok()?.get_days()).rem_euclid(i64::from(days));
                (date.checked_sub(Span::new().try_days(since).ok()?).ok()?, Span::new().try_days(i64::from(days)).ok()?)
            }
            _ => (date, Span::new().try_days(1).ok()?),
        };
        // The first moment of a date: where clocks skip midnight, a later one.
        let begin = |date: Date| Some(date.to_zoned(zone.clone()).ok()?.start_of_day().ok()?.timestamp().as_second());
        Some(Window { start: begin(first)?, end: Some(begin(first.checked_add(length).ok()?)?) })
    }
}

/// A window of time, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Its first second.
    pub start: i64,
    /// The second after its last; `None` if it never ends.
    pub end: Option<i64>,
}

impl Window {
    /// The only window of a total.
    pub const ENDLESS: Self = Self { start: 0, end: None };

    const fn aligned(second: i64, length: i64) -> Self {
        let start = second - second.rem_euclid(length);
        Self { start, end: Some(start + length) }
    }

    /// Whether a second is within it. Nothing is before a window without end.
    pub fn holds(&self, second: i64) -> bool {
        self.end.is_none_or(|end| self.start <= second && second < end)
    }

    /// Seconds from a time until it ends.
    pub fn remaining(&self, now: Timestamp) -> Option<u64> {
        self.end.map(|end| u64::try_from(end.saturating_sub(now.as_second())).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn window(period: &str, zone: &TimeZone, at: &str) -> (String, String, i64) {
        let window = Period::parse(period).unwrap().window(zone, at.parse().unwrap());
        let end = window.end.unwrap();
        let text = |second| Timestamp::from_second(second).unwrap().to_string();
        (text(window.start), text(end), (end - window.start) / HOUR)
    }

    #[test]
    fn acceptance_3_days_have_23_or_25_hours_where_clocks_change() {
        let of = |at| window("day", &berlin(), at);
        assert_eq!(of("2026-03-29T12:00:00Z"), ("2026-03-28T23:00:00Z".into(), "2026-03-29T22:00:00Z".into(), 23));
        assert_eq!(of("2026-10-25T00:30:00Z"), ("2026-10-24T22:00:00Z".into(), "2026-10-25T23:00:00Z".into(), 25));
        // The hour that comes twice is within one day.
        assert_eq!(of("2026-10-25T01:30:00Z"), of("2026-10-25T00:30:00Z"));
    }

    #[test]
    fn windows_begin_with_days_weeks_and_months_of_the_zone() {
        let utc = TimeZone::UTC;
        let at = "2026-11-21T15:09:42Z";
        assert_eq!(window("minute", &utc, at).0, "2026-11-21T15:09:00Z");
        assert_eq!(window("hour", &utc, at).0, "2026-11-21T15:00:00Z");
        assert_eq!(window("week", &utc, at), ("2026-11-16T00:00:00Z".into(), "2026-11-23T00:00:00Z".into(), 168));
        assert_eq!(window("month", &berlin(), "2026-11-30T23:30:00Z").0, "2026-11-30T23:00:00Z");
        assert_eq!(window("month", &berlin(), "2026-10-05T00:00:00Z").2, 31 * 24 + 1);
        assert_eq!(window("30d", &utc, at).2, 720);
        assert_eq!(Period::Total.window(&utc, at.parse().unwrap()), Window::ENDLESS);
        // Here clocks skip midnight: the day begins at one.
        let santiago = TimeZone::get("America/Santiago").unwrap();
        assert_eq!(
            window("day", &santiago, "2026-09-06T12:00:00Z"),
            ("2026-09-06T04:00:00Z".into(), "2026-09-07T03:00:00Z".into(), 23)
        );
    }

    #[test]
    fn other_periods_are_refused() {
        for text in ["", "d", "0d", "-1d", "9999d", "30 d", "year", "Month"] {
            assert_eq!(Period::parse(text), Err(BudgetError::Period(text.into())));
        }
    }

    proptest! {
        #[test]
        fn windows_follow_each_other_without_a_gap(
            second in 0..4_000_000_000_i64,
            period in prop::sample::select(vec!["minute", "hour", "day", "week", "month", "30d", "7d"]),
            zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
        ) {
            let (zone, period) = (TimeZone::get(zone).unwrap(), Period::parse(period).unwrap());
            let of = |second| period.window(&zone, Timestamp::from_second(second).unwrap());
            let own = of(second);
            let end = own.end.unwrap();
            prop_assert!(own.holds(second));
            prop_assert_eq!(of(own.start), own);
            prop_assert_eq!(of(end - 1), own);
            prop_assert_eq!(of(end).start, end);
        }
    }
}
