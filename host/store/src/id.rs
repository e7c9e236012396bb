//! Ids of requests, which carry their time, and the days that facts are filed under.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds of a day; days are those of UTC, which has no summer time.
const DAY_MS: u64 = 86_400_000;

/// The largest time that an id can carry: 48 bits of milliseconds.
pub(crate) const LAST_MS: u64 = (1 << 48) - 1;

/// A request's id: a UUID of version 7. Its first 48 bits are the request's start in milliseconds since 1970, so the
/// order of ids is the order of time, and an id is enough to find the file that a request is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId([u8; 16]);

impl RequestId {
    /// An id for a request that began at this time, with entropy of which 74 bits are used.
    pub fn new(time_ms: u64, entropy: [u8; 10]) -> Self {
        let mut id = [0; 16];
        id[..6].copy_from_slice(&time_ms.min(LAST_MS).to_be_bytes()[2..]);
        id[6..].copy_from_slice(&entropy);
        id[6] = 0x70 | (id[6] & 0x0f);
        id[8] = 0x80 | (id[8] & 0x3f);
        Self(id)
    }

    /// An id for a request that begins at this time. Without randomness from the system, the time alone makes the id.
    pub fn at(time_ms: u64) -> Self {
        let mut entropy = [0; 10];
        if getrandom::fill(&mut entropy).is_err() {
            entropy[..8].copy_from_slice(&time_ms.to_le_bytes());
        }
        Self::new(time_ms, entropy)
    }

    /// The id of these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, in the order of time.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// When the request began, in milliseconds since 1970.
    pub fn time_ms(&self) -> u64 {
        self.0[..6].iter().fold(0, |time, byte| time << 8 | u64::from(*byte))
    }

    /// The day that the request is filed under.
    pub fn day(&self) -> Day {
        Day::of(self.time_ms())
    }

    /// The smallest id of a time.
    pub(crate) fn first_of(time_ms: u64) -> Self {
        let mut id = [0; 16];
        id[..6].copy_from_slice(&time_ms.min(LAST_MS).to_be_bytes()[2..]);
        Self(id)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// A text that is not the id of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a request: an id has 32 hexadecimal digits, with or without dashes")]
pub struct BadId;

impl FromStr for RequestId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        if text.len() > 36 {
            return Err(BadId);
        }
        let mut id = [0; 16];
        let mut digits = text.chars().filter(|character| *character != '-').map(|digit| digit.to_digit(16));
        for byte in &mut id {
            let mut next = || digits.next().flatten().ok_or(BadId);
            *byte = (next()? << 4 | next()?) as u8;
        }
        if digits.next().is_some() { Err(BadId) } else { Ok(Self(id)) }
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A day in UTC, counted from 1970-01-01. Prints as `2026-11-21`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u32);

impl Day {
    /// The day of a time in milliseconds since 1970.
    pub fn of(time_ms: u64) -> Self {
        Self((time_ms.min(LAST_MS) / DAY_MS) as u32)
    }

    /// Days since 1970-01-01.
    pub fn number(self) -> u32 {
        self.0
    }

    /// When it begins, in milliseconds since 1970.
    pub fn start_ms(self) -> u64 {
        u64::from(self.0) * DAY_MS
    }

    /// The day after.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The day so many days earlier, but none before 1970.
    #[must_use]
    pub fn back(self, days: u32) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// Year, month and day of the month (Hinnant's algorithm for the civil calendar).
    fn civil(self) -> (u32, u32, u32) {
        let shifted = self.0 + 719_468;
        let era = shifted / 146_097;
        let of_era = shifted % 146_097;
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        (year + era * 400 + u32::from(month <= 2), month, day)
    }

    fn from_civil(year: u32, month: u32, day: u32) -> Option<Self> {
        if !(1970..=10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let year = if month <= 2 { year - 1 } else { year };
        let of_era = year % 400;
        let month = if month > 2 { month - 3 } else { month + 9 };
        let of_year = (153 * month + 2) / 5 + day - 1;
        let days = year / 400 * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
        Some(Self(days.checked_sub(719_468)?))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Day {
    type Err = BadDay;

    fn from_str(text: &str) -> Result<Self, BadDay> {
        let mut parts = text.split('-').map(|part| part.parse::<u32>().map_err(|_| BadDay));
        let mut next = || parts.next().unwrap_or(Err(BadDay));
        let day = Self::from_civil(next()?, next()?, next()?).ok_or(BadDay)?;
        // Only the form that is printed: no 2026-2-31, no signs, nothing after it.
        if day.to_string() == text { Ok(day) } else { Err(BadDay) }
    }
}

/// A text that is not a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a day of the form 2026-11-21")]
pub struct BadDay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_carries_its_time_and_sorts_by_it() {
        let early = RequestId::new(1_795_219_200_000, [0xff; 10]);
        let late = RequestId::new(1_795_219_200_001, [0; 10]);
        assert_eq!(early.time_ms(), 1_795_219_200_000);
        assert!(
            early < late && RequestId::first_of(late.time_ms()) <= late && early < RequestId::first_of(late.time_ms())
        );
        assert_eq!(early.to_string(), "01a1fb67-1800-7fff-bfff-ffffffffffff".to_owned());
        assert_eq!(early.to_string().parse(), Ok(early));
    }

    #[test]
    fn texts_that_are_no_ids_are_refused() {
        for text in ["", "abc", "01a1fb67-1800-7fff-bfff-fffffffffffff", "zz a1fbb6b4007fffbfffffffffffffff"] {
            assert_eq!(text.parse::<RequestId>(), Err(BadId), "{text}");
        }
    }

    #[test]
    fn days_print_and_parse() {
        let mut day = Day::of(0);
        let mut texts = Vec::new();
        while day < Day::of(4_102_444_800_000) {
            let text = day.to_string();
            assert_eq!(text.parse(), Ok(day));
            texts.push(text);
            day = day.next();
        }
        assert!(texts.is_sorted() && texts[0] == "1970-01-01" && texts.last().unwrap() == "2099-12-31");
        assert_eq!("2026-11-21".parse::<Day>().unwrap(), Day::of(1_795_219_200_000));
        for text in ["2026-02-30", "2026-2-03", "+2026-02-03", "2026-02-03-04", "1969-12-31", "", "99999-01-01"] {
            assert_eq!(text.parse::<Day>(), Err(BadDay), "{text}");
        }
        assert!(Day::of(u64::MAX).to_string().starts_with("10889"));
    }
}
