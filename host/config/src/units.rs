//! Durations (`"250ms"`, `"1m30s"`) and sizes (`"64MiB"`).

use std::fmt::Write;
use std::time::Duration;

/// The form of a duration, for messages.
pub(super) const DURATION: &str = "a duration such as \"250ms\", \"30s\", \"15m\" or \"1h30m\"";
/// The form of a size, for messages.
pub(super) const SIZE: &str = "a size such as 65536, \"64KiB\" or \"64MiB\"";

/// The longest duration, about a year.
const MAX_DURATION: Duration = Duration::from_hours(366 * 24);

/// Parses one or more whole numbers with a unit each: `ms`, `s`, `m`, `h`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = leading_number(rest)?;
        let unit_end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        total = total.checked_add(Duration::from_millis(number.checked_mul(milliseconds)?))?;
        rest = after;
    }
    (total <= MAX_DURATION).then_some(total)
}

/// Parses a whole number with a unit: none or `B`, `KiB`, `MiB`, `GiB`, and `KB`, `MB`, `GB` as powers of 1000.
pub fn size(text: &str) -> Option<u64> {
    let (number, unit) = leading_number(text.trim())?;
    let bytes = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    number.checked_mul(bytes)
}

/// Writes a duration in the form that the parser reads.
pub(super) fn show_duration(duration: Duration) -> String {
    let mut rest = duration.as_millis();
    let mut text = String::new();
    for (unit, milliseconds) in [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        if rest >= milliseconds {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{}{unit}", rest / milliseconds);
            rest %= milliseconds;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Writes a size in the form that the parser reads.
pub(super) fn show_size(bytes: usize) -> String {
    let units = [("GiB", 1_usize << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let even = units.into_iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    even.map_or_else(|| bytes.to_string(), |(name, unit)| format!("{}{name}", bytes / unit))
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("1h30m"), Some(Duration::from_mins(90)));
        assert_eq!(duration(" 5s "), Some(Duration::from_secs(5)));
        for text in ["", "5", "s", "1.5s", "-1s", "5 s", "1d", "99999999999999999999s", "9999999h", "5süß"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_binary_or_decimal() {
        assert_eq!(size("64MiB"), Some(64 << 20));
        assert_eq!(size("10 kb"), Some(10_000));
        assert_eq!(size("123"), Some(123));
        for text in ["", "MiB", "1.5MiB", "-1", "1TiB", "99999999999GiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for (milliseconds, text) in [(250, "250ms"), (5_400_000, "1h30m"), (120_000, "2m"), (1001, "1s1ms"), (0, "0s")]
        {
            let value = Duration::from_millis(milliseconds);
            assert_eq!((show_duration(value).as_str(), duration(text)), (text, Some(value)));
        }
        for (bytes, text) in [(64 << 20, "64MiB"), (8192, "8KiB"), (1 << 30, "1GiB"), (1000, "1000"), (0, "0")] {
            assert_eq!((show_size(bytes).as_str(), size(text)), (text, Some(bytes as u64)));
        }
    }
}
