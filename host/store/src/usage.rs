//! Use put together by key, model, provider or day: whole days from their sums, and the hours at both ends from theirs.

use crate::error::StoreError;
use crate::id::Day;
use crate::ledger::LedgerSums;
use crate::span::{DAY_HOURS, spans};
use crate::sql::{Row, Sql, Value};

/// Days before today whose sums are kept by the hour. Those of earlier days are kept by the day alone.
const DAYS_WITH_HOURS: u32 = 190;
/// The most transactions in which one look removes rows of hours: what is left is removed by the next ones.
const MAX_ENDINGS: u32 = 20;
/// What sums are put together by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageBy {
    /// Whose use it is: `key:ID`.
    Subject,
    /// The provider that was used.
    Provider,
    /// The model that answered.
    Served,
    /// The day, as days since 1970.
    Day,
}

/// Whose use is summed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subjects {
    /// One subject: `key:ID`, `team:ID`.
    One(String),
    /// All subjects of a kind: `key`, `team`.
    Kind(String),
}

/// Which use is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageQuery {
    /// From this hour on, in hours since 1970. Before [`first_hour_kept`], the first of a day.
    pub from_hour: u64,
    /// To this hour, which is excluded; likewise.
    pub to_hour: u64,
    /// Whose.
    pub subjects: Subjects,
    /// Put together by what.
    pub by: UsageBy,
}

/// The sums of one group, circumstance and bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsageSum {
    /// The group, as [`UsageBy`] says.
    pub group: String,
    /// As [`crate::LedgerKey::price_dim`].
    pub price_dim: String,
    /// As [`crate::LedgerKey::bucket`].
    pub bucket: String,
    /// What they come to.
    pub sums: LedgerSums,
}

/// The first hour of those that are kept, at a time in milliseconds since 1970.
pub fn first_hour_kept(now_ms: u64) -> u64 {
    u64::from(Day::of(now_ms).back(DAYS_WITH_HOURS).number()) * DAY_HOURS
}

/// Removes rows of hours that are not kept, by a statement that removes some; the sums of their days stay.
pub(crate) fn end_hours(
    now_ms: u64,
    mut remove: impl FnMut(&[Value<'_>]) -> Result<u64, StoreError>,
) -> Result<(), StoreError> {
    let first = [Value::count(first_hour_kept(now_ms))];
    for _ in 0..MAX_ENDINGS {
        if remove(&first)? == 0 {
            break;
        }
    }
    Ok(())
}

/// The sums that a query asks for, by group, circumstance and bucket. Without sums of days, those of hours are read.
pub(crate) fn read(sql: &mut dyn Sql, query: &UsageQuery, has_days: bool) -> Result<Vec<UsageSum>, StoreError> {
    let (days, hours) = spans(query.from_hour, query.to_hour, has_days);
    let is_of_one = matches!(query.subjects, Subjects::One(_));
    let subject = if is_of_one { "subject = $1" } else { "subject >= $1 and subject < $2" };
    let part = |table: &str, day: &str, condition: String| {
        format!(
            "select {day} as day,subject,provider,served,price_dim,bucket,units,requests,estimated,cost_nano \
             from {table} where {condition} and {subject}"
        )
    };
    let days = days.map(|span| part("ledger_days", "day", span.condition("day", is_of_one)));
    let hours = hours.into_iter().flatten().map(|span| part("ledger", "hour / 24", span.condition("hour", is_of_one)));
    let parts: Vec<String> = days.into_iter().chain(hours).collect();
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let group = match query.by {
        UsageBy::Subject => "subject",
        UsageBy::Provider => "provider",
        UsageBy::Served => "served",
        UsageBy::Day => "cast(day as text)",
    };
    let sums = ["units", "requests", "estimated", "cost_nano"].map(|name| format!("cast(sum({name}) as bigint)"));
    let text = format!(
        "select {group},price_dim,bucket,{} from ({}) parts group by {group},price_dim,bucket \
         order by {group},price_dim,bucket",
        sums.join(","),
        parts.join(" union all ")
    );
    let (first, after) = match &query.subjects {
        Subjects::One(subject) => (subject.clone(), None),
        // What follows the colon, and all that begins with the kind and the colon lies before it.
        Subjects::Kind(kind) => (format!("{kind}:"), Some(format!("{kind};"))),
    };
    let values: Vec<Value<'_>> = std::iter::once(&first).chain(&after).map(|text| Value::text(text)).collect();
    let read = |row: &mut Row| {
        Ok(UsageSum {
            group: row.text()?,
            price_dim: row.text()?,
            bucket: row.text()?,
            sums: LedgerSums { units: row.int()?, requests: row.int()?, estimated: row.int()?, cost_nano: row.int()? },
        })
    };
    sql.query(&text, &values)?.iter_mut().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_kept_by_whole_days_and_removed_in_parts_that_come_to_an_end() {
        let noon = (20_000 * 24 + 12) * 3_600_000;
        assert_eq!(first_hour_kept(noon), (20_000 - 190) * 24);
        assert_eq!(first_hour_kept(0), 0);
        let mut left = 12_000_u64;
        let mut calls = 0;
        end_hours(noon, |_| {
            calls += 1;
            let removed = left.min(5_000);
            left -= removed;
            Ok(removed)
        })
        .unwrap();
        assert_eq!((left, calls), (0, 4));
        end_hours(noon, |_| {
            calls += 1;
            Ok(5_000)
        })
        .unwrap();
        assert_eq!(calls, 4 + MAX_ENDINGS);
    }
}
