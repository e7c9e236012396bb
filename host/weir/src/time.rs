//! Times as the admin endpoints and the commands write them.

use jiff::{SignedDuration, Timestamp};

/// A length of time such as `30s`, `15m`, `24h` or `7d`.
pub(crate) fn length(text: &str) -> Option<SignedDuration> {
    let unit = text.find(|character: char| !character.is_ascii_digit())?;
    let (count, unit) = text.split_at(unit);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let count: i64 = count.parse().ok()?;
    count.checked_mul(seconds).map(SignedDuration::from_secs)
}

/// A time of the store, which has milliseconds since 1970; `None` if no calendar has it.
pub(crate) fn from_milliseconds(milliseconds: u64) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(milliseconds).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        let seconds = |text| length(text).map(|time| time.as_secs());
        assert_eq!(
            (seconds("0s"), seconds("15m"), seconds("24h"), seconds("7d")),
            (Some(0), Some(900), Some(86_400), Some(604_800))
        );
        for wrong in ["", "5", "h", "-1h", "1.5h", "1 h", "1w", "99999999999999999999s", "9223372036854775807d"] {
            assert_eq!(length(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_of_the_store_are_times_of_the_calendar() {
        assert_eq!(from_milliseconds(1_500).unwrap().to_string(), "1970-01-01T00:00:01.5Z");
        assert_eq!(from_milliseconds(u64::MAX), None);
    }
}
