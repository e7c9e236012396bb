//! Times as conditions on rows: whole days, which have sums of their own, and the hours around them.

/// The hours of a day.
pub(crate) const DAY_HOURS: u64 = 24;
/// The most days or hours that are named one by one, so that only the rows of one subject are read.
const MAX_NAMED: u64 = 5_000;

/// Some hours or days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    from: u64,
    to: u64,
}

impl Span {
    fn new(from: u64, to: u64) -> Option<Self> {
        // Beyond what databases count, there is nothing.
        let to = to.min(i64::MAX as u64);
        (from < to).then_some(Self { from, to })
    }

    /// The condition on a column. One subject's rows of many hours lie apart: each hour is looked up.
    pub(crate) fn condition(self, column: &str, is_of_one: bool) -> String {
        let Self { from, to } = self;
        if is_of_one && to - from <= MAX_NAMED {
            let numbers: Vec<String> = (from..to).map(|number| number.to_string()).collect();
            return format!("{column} in ({})", numbers.join(","));
        }
        format!("{column} >= {from} and {column} < {to}")
    }
}

/// The condition on hours for one subject or for all.
pub(crate) fn hours(from: u64, to: u64, is_of_one: bool) -> Option<String> {
    Span::new(from, to).map(|span| span.condition("hour", is_of_one))
}

/// The spans of a time: its whole days, and the hours before and after them.
pub(crate) fn spans(from_hour: u64, to_hour: u64, has_days: bool) -> (Option<Span>, [Option<Span>; 2]) {
    let (first, last) = (from_hour.div_ceil(DAY_HOURS), to_hour / DAY_HOURS);
    match Span::new(first, last).filter(|_| has_days) {
        Some(days) => {
            let ends = [Span::new(from_hour, first * DAY_HOURS), Span::new(last * DAY_HOURS, to_hour)];
            (Some(days), ends)
        }
        None => (None, [Span::new(from_hour, to_hour), None]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_its_whole_days_and_the_hours_around_them() {
        let span = Span::new;
        assert_eq!(spans(24, 72, true), (span(1, 3), [None, None]));
        assert_eq!(spans(23, 73, true), (span(1, 3), [span(23, 24), span(72, 73)]));
        assert_eq!(spans(25, 47, true), (None, [span(25, 47), None]));
        assert_eq!(spans(23, 73, false), (None, [span(23, 73), None]));
        assert_eq!(spans(9, 9, true), (None, [None, None]));
        let (days, ends) = spans(0, u64::MAX, true);
        assert!(days.is_some_and(|days| days.from == 0 && days.to == u64::MAX / 24) && ends[1].is_none());
    }

    #[test]
    fn the_rows_of_one_subject_are_looked_up_and_those_of_all_are_walked() {
        assert_eq!(hours(5, 8, true).as_deref(), Some("hour in (5,6,7)"));
        assert_eq!(hours(5, 8, false).as_deref(), Some("hour >= 5 and hour < 8"));
        assert_eq!(hours(0, u64::MAX, true), Some(format!("hour >= 0 and hour < {}", i64::MAX)));
        assert_eq!(hours(8, 8, true), None);
    }
}
