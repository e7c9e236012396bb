//! Facts that the log lacks, found by the numbers that processes give to their facts.
//!
//! A fact is of the day on which its request began, and has its number since the request ended. So requests that go on over
//! midnight have their numbers among those of the next day, and what a neighbouring day has is not missing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::id::{Day, RequestId};
use crate::sql::{Sql, Value};

/// Facts that a process numbered but that are not in the store: it was killed, or its queue was full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The process that numbered them.
    pub process: i64,
    /// When the day's first request of this process began, in milliseconds since 1970.
    pub from_ms: u64,
    /// When its last one began.
    pub to_ms: u64,
    /// How many numbers between the day's lowest and its highest neither this day nor one of its neighbours has.
    pub missing: u64,
}

/// Numbers of a process, one after the other, each of which a fact has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Run {
    first: u64,
    last: u64,
    process: i64,
}

/// When the first and the last of some requests began, in milliseconds since 1970.
pub(crate) type Times = (u64, u64);

/// The gaps of a day, by process. `read` reads the runs of all parts of a day, and `times` the times of a process in each part of
/// this day.
pub(crate) fn gaps(
    day: Day,
    mut read: impl FnMut(Day) -> Result<Vec<Run>, StoreError>,
    mut times: impl FnMut(i64) -> Result<Vec<Option<Times>>, StoreError>,
) -> Result<Vec<Gap>, StoreError> {
    let mut own = by_process(read(day)?);
    own.retain(|_, runs| missing(runs, ends(runs)) > 0);
    if own.is_empty() {
        return Ok(Vec::new());
    }
    let mut beside = Vec::new();
    for neighbour in [day.back(1), day.next()].into_iter().filter(|neighbour| *neighbour != day) {
        beside.extend(read(neighbour)?);
    }
    let mut beside = by_process(beside);
    let mut gaps = Vec::new();
    for (process, mut runs) in own {
        let ends = ends(&runs);
        runs.extend(beside.remove(&process).unwrap_or_default());
        runs.sort_unstable();
        let missing = missing(&runs, ends);
        if missing > 0 {
            let times = times(process)?.into_iter().flatten();
            let (from_ms, to_ms) = times.reduce(|one, next| (one.0.min(next.0), one.1.max(next.1))).unwrap_or_default();
            gaps.push(Gap { process, from_ms, to_ms, missing });
        }
    }
    Ok(gaps)
}

/// The runs of each process in their order.
fn by_process(mut runs: Vec<Run>) -> BTreeMap<i64, Vec<Run>> {
    runs.sort_unstable();
    let mut of = BTreeMap::<i64, Vec<Run>>::new();
    for run in runs {
        of.entry(run.process).or_default().push(run);
    }
    of
}

/// The lowest and the highest number of runs.
fn ends(runs: &[Run]) -> (u64, u64) {
    let first = runs.iter().map(|run| run.first).min().unwrap_or_default();
    (first, runs.iter().map(|run| run.last).max().unwrap_or_default())
}

/// How many numbers from the first to the last are in none of these runs, which are in their order.
fn missing(runs: &[Run], (first, last): (u64, u64)) -> u64 {
    let (mut next, mut missing) = (first, 0);
    for run in runs.iter().take_while(|run| run.first <= last) {
        missing += run.first.saturating_sub(next);
        next = next.max(run.last.saturating_add(1));
    }
    missing
}

/// The runs of a part of a day. The database finds them: the facts are many and the runs are few.
pub(crate) fn runs(sql: &mut dyn Sql, day: Day) -> Result<Vec<Run>, StoreError> {
    let (from, to) = range(day);
    let rows = sql.query(
        "select process, min(sequence), max(sequence) from (select process, sequence, \
         sequence - row_number() over (partition by process order by sequence) as run \
         from facts where id >= $1 and id < $2) as numbered group by process, run",
        &[Value::blob(from.as_bytes()), Value::blob(to.as_bytes())],
    )?;
    let run = |mut row: crate::sql::Row| Ok(Run { process: row.int()?, first: row.count()?, last: row.count()? });
    rows.into_iter().map(run).collect()
}

/// When the first and the last request of a process began, in a part of a day.
pub(crate) fn times(sql: &mut dyn Sql, day: Day, process: i64) -> Result<Option<Times>, StoreError> {
    let (from, to) = range(day);
    // PostgreSQL before 18 has no min and max of bytes.
    let mut end = |order: &str| -> Result<Option<u64>, StoreError> {
        let rows = sql.query(
            &format!("select id from facts where id >= $1 and id < $2 and process = $3 order by id {order} limit 1"),
            &[Value::blob(from.as_bytes()), Value::blob(to.as_bytes()), Value::Int(process)],
        )?;
        let id = rows.into_iter().next().map(|mut row| row.array()).transpose()?;
        Ok(id.map(|id| RequestId::from_bytes(id).time_ms()))
    };
    Ok(end("asc")?.zip(end("desc")?))
}

/// The ids of a day.
fn range(day: Day) -> (RequestId, RequestId) {
    (RequestId::first_of(day.start_ms()), RequestId::first_of(day.next().start_ms()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs of process 1 on one of three days.
    fn found(days: [&[(u64, u64)]; 3]) -> u64 {
        let today = Day::of(0).next();
        let read = |day: Day| {
            let runs = days[day.number() as usize].iter();
            Ok(runs.map(|(first, last)| Run { process: 1, first: *first, last: *last }).collect())
        };
        let gaps = gaps(today, read, |_| Ok(vec![Some((5, 6)), None, Some((3, 4))])).unwrap();
        assert!(gaps.iter().all(|gap| (gap.process, gap.from_ms, gap.to_ms) == (1, 3, 6)));
        gaps.iter().map(|gap| gap.missing).sum()
    }

    #[test]
    fn a_number_is_missing_if_no_neighbour_has_it() {
        assert_eq!(found([&[], &[(0, 9)], &[]]), 0);
        assert_eq!(found([&[], &[(0, 4), (7, 9)], &[]]), 2);
        assert_eq!(found([&[(0, 3), (6, 6)], &[(4, 5), (7, 9), (14, 14)], &[(10, 13), (15, 90)]]), 0);
        assert_eq!(found([&[(0, 1)], &[(4, 5), (9, 9)], &[(8, 8), (12, 13)]]), 2);
        // A batch that was repeated is in two parts.
        assert_eq!(found([&[], &[(0, 4), (3, 6), (3, 6), (9, 9)], &[(7, 7)]]), 1);
    }
}
