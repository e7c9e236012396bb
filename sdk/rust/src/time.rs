//! Converts between RFC 3339 texts and milliseconds since the Unix epoch.

/// Parses `2026-07-24T00:00:00Z`, with fractions of a second and offsets.
pub fn parse(text: &str) -> Option<f64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
    let days = days_from_civil(i64::from(number(0, 4)?), number(5, 7)?, number(8, 10)?)?;
    let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    let rest = text.get(19..)?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (fraction, zone) = rest.split_at(zone_at);
    let fraction: f64 = if fraction.is_empty() { 0.0 } else { format!("0{fraction}").parse().ok()? };
    Some((days as f64 * 86_400.0 + f64::from(seconds) + fraction - offset_seconds(zone)?) * 1000.0)
}

fn offset_seconds(zone: &str) -> Option<f64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0.0);
    }
    let hours: f64 = zone.get(1..3)?.parse().ok()?;
    let minutes: f64 = zone.get(4..6)?.parse().ok()?;
    let sign = if zone.starts_with('-') { -1.0 } else { 1.0 };
    Some(sign * (hours * 3600.0 + minutes * 60.0))
}

/// Writes `2026-07-24T00:00:00Z`.
pub fn format(ms: f64) -> String {
    let seconds = (ms / 1000.0).floor().clamp(0.0, 253_402_300_799.0) as i64;
    let (year, month, day) = civil_from_days(seconds / 86_400);
    let second = seconds % 86_400;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

// Both conversions follow Howard Hinnant's "chrono-compatible low-level date algorithms".
fn days_from_civil(year: i64, month: u32, day: u32) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * i64::from((month + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_as_they_went() {
        for text in ["1970-01-01T00:00:00Z", "2026-07-24T00:00:00Z", "2024-02-29T23:59:59Z", "2000-12-31T12:00:01Z"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
    }

    #[test]
    fn fractions_and_offsets_are_understood_and_nonsense_is_not() {
        assert_eq!(parse("1970-01-01T00:00:01.5Z"), Some(1500.0));
        assert_eq!(parse("1970-01-01T01:00:00+01:00"), Some(0.0));
        assert_eq!(parse("yesterday"), None);
        assert_eq!(parse("2026-13-01T00:00:00Z"), None);
    }
}
