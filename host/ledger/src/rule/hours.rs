//! Times of the week at which a price holds, in UTC.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Why a text is no time of the week.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time such as `mon-fri 04:00-06:00` or `00:30-08:30`")]
pub struct HoursError(String);

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY: u16 = 24 * 60;

/// A span of the same minutes on some days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    /// A bit for each day from Monday on.
    days: u8,
    from: u16,
    /// Later than `from`, up to the day's end.
    until: u16,
}

/// Spans of the week.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hours(Vec<Span>);

impl Hours {
    /// Reads spans such as `mon-fri 10:00-24:00`. A span that ends at or before its start goes on to midnight and from
    /// there to its end, on the same days.
    pub fn parse<'a>(spans: impl IntoIterator<Item = &'a str>) -> Result<Self, HoursError> {
        let mut read = Vec::new();
        for text in spans {
            let span = span(text).ok_or_else(|| HoursError(text.to_owned()))?;
            if span.from < span.until {
                read.push(span);
            } else {
                read.push(Span { until: DAY, ..span });
                read.extend((span.until > 0).then_some(Span { from: 0, ..span }));
            }
        }
        if read.is_empty() { Err(HoursError(String::new())) } else { Ok(Self(read)) }
    }

    /// Whether a time is within one of the spans.
    pub(crate) fn contain(&self, at: Timestamp) -> bool {
        let at = at.to_zoned(TimeZone::UTC);
        let minute = u16::from(at.hour().unsigned_abs()) * 60 + u16::from(at.minute().unsigned_abs());
        let day = 1_u8 << (at.weekday().to_monday_zero_offset().unsigned_abs() % 7);
        self.0.iter().any(|span| span.days & day != 0 && (span.from..span.until).contains(&minute))
    }
}

fn span(text: &str) -> Option<Span> {
    let (days, times) = match text.split_once(' ') {
        Some((days, times)) => (self::days(days)?, times),
        None => (0x7f, text),
    };
    let (from, until) = times.split_once('-')?;
    let (from, until) = (minute(from)?, minute(until)?);
    (from < DAY).then_some(Span { days, from, until })
}

fn days(text: &str) -> Option<u8> {
    let number = |name: &str| DAYS.iter().position(|day| *day == name);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then(|| (first..=last).fold(0, |bits, day| bits | 1 << day))
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':') {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_hold_on_their_days() {
        let hours = Hours::parse(["mon-fri 10:00-00:00", "sat 00:00-24:00", "22:00-02:00"]).unwrap();
        // 2026-11-16 is a Monday.
        for (at, is_within) in [
            ("2026-11-16T09:59:59Z", false),
            ("2026-11-16T10:00:00Z", true),
            ("2026-11-16T23:59:59Z", true),
            ("2026-11-21T09:00:00Z", true),
            ("2026-11-22T09:00:00Z", false),
            ("2026-11-22T22:00:00Z", true),
            ("2026-11-22T01:59:00Z", true),
            ("2026-11-22T02:00:00Z", false),
        ] {
            assert_eq!(hours.contain(at.parse().unwrap()), is_within, "{at}");
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in
            ["", "noon", "10:00", "24:00-25:00", "10:60-11:00", "fri-mon 10:00-11:00", "x 10:00-11:00", "1:0-2:0"]
        {
            assert_eq!(Hours::parse([text]), Err(HoursError(text.into())), "{text}");
        }
        assert!(Hours::parse([]).is_err());
    }
}
