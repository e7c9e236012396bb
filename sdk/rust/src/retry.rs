//! Parses when a provider may be called again.

use crate::json::{self, Number};
use crate::model::header;
use crate::types::Header;

/// The wait that an answer's headers ask for, in milliseconds: `retry-after-ms`, or `retry-after` in seconds or as a
/// date; `now_ms` is the context's time.
pub fn after_ms(headers: &[Header], now_ms: f64) -> Option<u32> {
    if let Some(wait) = header(headers, "retry-after-ms").and_then(number) {
        return milliseconds(wait);
    }
    let value = header(headers, "retry-after")?.trim();
    match number(value) {
        Some(seconds) => milliseconds(seconds * 1000.0),
        None => milliseconds((date_ms(value)? - now_ms).max(0.0)),
    }
}

/// Parses a number with JSON's parser, which every adapter contains anyway.
fn number(text: &str) -> Option<f64> {
    json::parse::<Number>(text).ok().map(|number| number.0)
}

fn milliseconds(wait: f64) -> Option<u32> {
    (wait.is_finite() && wait >= 0.0).then(|| wait.min(f64::from(u32::MAX)) as u32)
}

/// Parses a date in the only form that HTTP still allows servers to send: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date_ms(text: &str) -> Option<f64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(',')?.1.trim_start().split(' ');
    let day: i64 = words.next()?.parse().ok()?;
    let name = words.next()?;
    let month = i64::try_from(MONTHS.iter().position(|month| *month == name)?).ok()? + 1;
    let year: i64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let sane = (1970..10000).contains(&year) && (1..=31).contains(&day);
    let seconds = days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    (sane && words.next() == Some("GMT")).then_some(seconds as f64 * 1000.0)
}

/// Days since the Unix epoch, by the civil calendar (years counted from March, so that leap days come last).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(name: &str, value: &str) -> Option<u32> {
        after_ms(&[Header::new(name, value)], 784_111_777_000.0)
    }

    #[test]
    fn c63_seconds_milliseconds_and_dates_are_read() {
        assert_eq!(wait("retry-after", "2"), Some(2000));
        assert_eq!(wait("retry-after", "0.5"), Some(500));
        assert_eq!(wait("retry-after-ms", "120"), Some(120));
        assert_eq!(wait("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT"), Some(10_000));
        assert_eq!(wait("retry-after", "Sun, 06 Nov 1994 08:49:27 GMT"), Some(0));
    }

    #[test]
    fn nonsense_asks_for_nothing() {
        for value in ["", "soon", "-1", "NaN", "Sun, 99 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT"] {
            assert_eq!(wait("retry-after", value), None, "{value}");
        }
    }
}
