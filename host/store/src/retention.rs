//! How long facts and bodies are kept. What ends is removed by the day, as a whole: a file, or a partition.

use serde::{Deserialize, Serialize};

use crate::id::Day;

/// What is kept: days end when either bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Days before today.
    pub days: u32,
    /// Bytes of all days. Of a day that alone has as many, the newest part is kept.
    pub bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { days: 30, bytes: 2 << 30 }
    }
}

/// One day of the log with its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaySize {
    /// Which day it is, in UTC.
    pub day: Day,
    /// Its bytes in the file or the database.
    pub bytes: u64,
}

impl Retention {
    /// The days that end. Days after today, which a clock that was wrong has made, count for the size only.
    pub fn ending(&self, today: Day, days: &[DaySize]) -> Vec<Day> {
        let mut days = days.to_vec();
        days.sort_by_key(|size| size.day);
        let oldest = today.back(self.days);
        let mut left: u64 = days.iter().map(|size| size.bytes).fold(0, u64::saturating_add);
        let mut ending = Vec::new();
        for size in days.iter().filter(|size| size.day < today) {
            if size.day < oldest || left > self.bytes {
                ending.push(size.day);
                left = left.saturating_sub(size.bytes);
            }
        }
        ending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: u32) -> Day {
        Day::of(u64::from(number) * 86_400_000)
    }

    fn days(of: impl IntoIterator<Item = (u32, u64)>) -> Vec<DaySize> {
        of.into_iter().map(|(number, bytes)| DaySize { day: day(number), bytes }).collect()
    }

    fn numbers(days: Vec<Day>) -> Vec<u32> {
        days.into_iter().map(Day::number).collect()
    }

    #[test]
    fn days_end_by_age_and_by_size_whichever_is_first() {
        let today = day(100);
        let keep = |days, bytes| Retention { days, bytes };
        let sizes = days([(100, 50), (99, 10), (69, 10), (70, 10), (98, 30)]);
        assert_eq!(numbers(keep(30, 1_000).ending(today, &sizes)), [69]);
        assert_eq!(numbers(keep(30, 60).ending(today, &sizes)), [69, 70, 98]);
        assert_eq!(numbers(keep(30, 0).ending(today, &sizes)), [69, 70, 98, 99]);
        assert_eq!(numbers(keep(0, u64::MAX).ending(today, &sizes)), [69, 70, 98, 99]);
    }

    #[test]
    fn a_clock_set_back_ends_no_days() {
        let sizes = days([(100, 50), (99, 10)]);
        assert!(Retention::default().ending(day(3), &sizes).is_empty());
    }
}
