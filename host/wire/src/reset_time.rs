//! Times in rate-limit headers: durations (`6m0s`, `1.5s`, `20ms`) and points in time (RFC 3339).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// The longest accepted time until a reset. A longer value is of another kind, such as Unix time instead of a
/// duration.
pub const MAX_RESET: Duration = Duration::from_hours(24 * 31);

/// The last second that is formatted, in the year 9999.
const LAST: Timestamp = Timestamp::constant(253_402_207_200, 0);

/// Formats a duration, as in `6m0s`, `1.5s`, `20ms`.
pub fn spell_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis < 1000 {
        return format!("{millis}ms");
    }
    if millis >= 60_000 {
        let seconds = (millis + 500) / 1000;
        return format!("{}m{}s", seconds / 60, seconds % 60);
    }
    let (seconds, millis) = (millis / 1000, millis % 1000);
    if millis == 0 {
        return format!("{seconds}s");
    }
    let text = format!("{seconds}.{millis:03}");
    [text.trim_end_matches('0'), "s"].concat()
}

/// Parses a duration as [`spell_duration`] and others write it (`1h0m`, `2m59.56s`), or plain seconds.
pub fn read_duration(text: &str) -> Option<Duration> {
    let mut seconds = 0.0;
    match text.parse::<f64>() {
        Ok(plain) => seconds = plain,
        Err(_) if text.is_empty() => return None,
        Err(_) => {
            let mut rest = text;
            while !rest.is_empty() {
                let (number, after) = rest.split_at(rest.find(|c| !is_of_number(c))?);
                let (unit, tail) = after.split_at(after.find(is_of_number).unwrap_or(after.len()));
                seconds += number.parse::<f64>().ok()? * seconds_of(unit)?;
                rest = tail;
            }
        }
    }
    Duration::try_from_secs_f64(seconds).ok().filter(|duration| *duration <= MAX_RESET)
}

fn is_of_number(c: char) -> bool {
    c.is_ascii_digit() || c == '.'
}

fn seconds_of(unit: &str) -> Option<f64> {
    match unit {
        "d" => Some(86_400.0),
        "h" => Some(3600.0),
        "m" => Some(60.0),
        "s" => Some(1.0),
        "ms" => Some(0.001),
        _ => None,
    }
}

/// Formats a time by RFC 3339, in whole seconds.
pub fn spell_moment(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let moment = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    moment.unwrap_or(LAST).to_string()
}

/// Parses a time by RFC 3339, to the second. None is before 1970.
pub fn read_moment(text: &str) -> Option<SystemTime> {
    let seconds = u64::try_from(text.parse::<Timestamp>().ok()?.as_second()).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn times_are_formatted_by_rfc_3339() {
        assert_eq!(spell_moment(at(0)), "1970-01-01T00:00:00Z");
        assert_eq!(spell_moment(at(951_782_400)), "2000-02-29T00:00:00Z");
        assert_eq!(spell_moment(at(1_735_689_599)), "2024-12-31T23:59:59Z");
        assert_eq!(spell_moment(at(u64::MAX / 2)), "9999-12-30T22:00:00Z");
    }

    #[test]
    fn durations_are_written_with_the_digits_they_need() {
        for (millis, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (1_000, "1s"),
            (1_050, "1.05s"),
            (59_999, "59.999s"),
            (60_499, "1m0s"),
            (119_500, "2m0s"),
            (3_600_000, "60m0s"),
        ] {
            assert_eq!(spell_duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn times_are_parsed_with_offsets_and_fractions() {
        for text in ["2000-02-29T00:00:00Z", "2000-02-29t01:30:00.999+01:30", "2000-02-28 19:00:00-05:00"] {
            assert_eq!(read_moment(text), Some(at(951_782_400)), "{text}");
        }
        for nonsense in [
            "",
            "soon",
            "2000-02-29",
            "2000-02-29T00:00:00",
            "2000-13-01T00:00:00Z",
            "2001-02-29T00:00:00Z",
            "2000-02-29T24:00:00Z",
            "1969-12-31T23:59:59Z",
            "99999-01-01T00:00:00Z",
            "1970-01-01T00:00:00+23:59",
            "2000-02-29T00:00:00+1",
            "2000-02-29T00:00:00+é:00",
        ] {
            assert_eq!(read_moment(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn c63_durations_are_read_in_every_spelling() {
        for (text, millis) in [
            ("6m0s", 360_000),
            ("1.5s", 1500),
            ("20ms", 20),
            ("60", 60_000),
            ("0.25", 250),
            ("1h2m3s", 3_723_000),
            ("2m59.56s", 179_560),
            ("1d", 86_400_000),
            ("0s", 0),
        ] {
            assert_eq!(read_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for nonsense in
            ["", "soon", "-1", "-1s", "NaN", "inf", "1e400", "1735689599", "9999h", "s", "1x", "1.2.3s", "6m0", "é"]
        {
            assert_eq!(read_duration(nonsense), None, "{nonsense}");
        }
    }

    proptest! {
        #[test]
        fn formatted_times_parse_back(seconds in 0u64..=253_402_207_200, millis in 0u64..2_000_000_000) {
            prop_assert_eq!(read_moment(&spell_moment(at(seconds))), Some(at(seconds)));
            let duration = Duration::from_millis(millis);
            let read = read_duration(&spell_duration(duration)).unwrap();
            prop_assert!(read.abs_diff(duration) <= Duration::from_millis(500), "{:?} {:?}", read, duration);
        }

        #[test]
        fn no_header_value_breaks_the_parsers(text in "\\PC{0,30}", odd in "[-0-9.:TZ+dhms ]{0,30}") {
            for text in [text, odd] {
                let _ = (read_moment(&text), read_duration(&text));
            }
        }
    }
}
