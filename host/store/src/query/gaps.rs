//! Facts that the log lacks, found by the numbers that processes give to their facts.
//!
//! A fact belongs to the day on which its request began, but gets its number when the request ends. The numbers of
//! requests that run over midnight therefore lie among those of the next day, so numbers that a neighbouring day has
//! are not missing. The same holds for a day to which a clock was set and set back.
//!
//! The counters keep how many facts a process has numbered by the day, as `facts:DAY:PROCESS`. They show the last facts
//! before a kill, and those of a process of which nothing else is left.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::id::{Day, RequestId};
use crate::retention::Retention;
use crate::sql::{Sql, Value};

/// Facts that a process numbered but that are not in the store: it was killed, or its queue was full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The process that numbered them.
    pub process: i64,
    /// When the day's first request of this process began, in milliseconds since 1970; when the day began, if it has
    /// none.
    pub from_ms: u64,
    /// When its last one began; when the day ended, if it has none.
    pub to_ms: u64,
    /// How many of the day's numbers neither this day has nor a neighbour, by the calendar or by the numbers.
    pub missing: u64,
}

/// How many facts a process has numbered on a day and before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactCount {
    /// In UTC.
    pub day: Day,
    /// The number that the next fact gets.
    pub facts: u64,
}

impl FactCount {
    /// So many now.
    pub(crate) fn now(facts: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { day: Day::of(now.as_millis() as u64), facts }
    }
}

/// What a process had numbered at the end of a day, and of each other day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    end: Option<u64>,
    others: Vec<(Day, u64)>,
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

/// The gaps of a day, by process. `counted` has what processes had numbered. `read` reads the runs of all parts of a
/// day, and `times` the times of a process in each part of this day.
pub(crate) fn gaps(
    day: Day,
    counted: &BTreeMap<i64, Counted>,
    mut read: impl FnMut(Day) -> Result<Vec<Run>, StoreError>,
    mut times: impl FnMut(i64) -> Result<Vec<Option<Times>>, StoreError>,
) -> Result<Vec<Gap>, StoreError> {
    let mut own = by_process(read(day)?);
    for process in counted.iter().filter(|(_, counted)| counted.end.is_some()).map(|(process, _)| *process) {
        own.entry(process).or_default();
    }
    own.retain(|process, runs| missing(runs, range_of(runs, counted.get(process))) > 0);
    if own.is_empty() {
        return Ok(Vec::new());
    }
    let mut beside = Beside { read, days: BTreeMap::new() };
    let mut gaps = Vec::new();
    for (process, mut runs) in own {
        let counted = counted.get(&process);
        let range = range_of(&runs, counted);
        let mut left = missing(&runs, range);
        for other in days_beside(day, range, counted) {
            if left == 0 {
                break;
            }
            runs.extend(beside.runs(other, process)?);
            runs.sort_unstable();
            left = missing(&runs, range);
        }
        if left > 0 {
            let times = times(process)?.into_iter().flatten();
            let times = times.reduce(|one, next| (one.0.min(next.0), one.1.max(next.1)));
            let (from_ms, to_ms) = times.unwrap_or((day.start_ms(), day.next().start_ms()));
            gaps.push(Gap { process, from_ms, to_ms, missing: left });
        }
    }
    Ok(gaps)
}

/// Other days, each of which is read once, when the numbers of a process are looked for there.
struct Beside<R> {
    read: R,
    days: BTreeMap<Day, BTreeMap<i64, Vec<Run>>>,
}

impl<R: FnMut(Day) -> Result<Vec<Run>, StoreError>> Beside<R> {
    /// The numbers of a process on a day, which are asked for once.
    fn runs(&mut self, day: Day, process: i64) -> Result<Vec<Run>, StoreError> {
        let runs = match self.days.entry(day) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(by_process((self.read)(day)?)),
        };
        Ok(runs.remove(&process).unwrap_or_default())
    }
}

/// The days that may have numbers of this range: the neighbours, and those to which a clock went and came back, with
/// their neighbours. A day's count is of the last time at it: where the counts show that a clock was set back, a day
/// may have lower numbers than it was counted at.
fn days_beside(day: Day, (first, end): (u64, u64), counted: Option<&Counted>) -> Vec<Day> {
    let others = counted.map(|counted| counted.others.as_slice()).unwrap_or_default();
    let mut all = [others, &[(day, end)]].concat();
    all.sort_unstable();
    let most = if all.is_sorted_by_key(|(_, count)| *count) { end } else { u64::MAX };
    let others = others.iter().filter(|(_, count)| (first + 1..=most).contains(count)).map(|(other, _)| *other);
    let mut days = Vec::new();
    for near in std::iter::once(day).chain(others) {
        for beside in [near.back(1), near.next(), near] {
            if beside != day && !days.contains(&beside) {
                days.push(beside);
            }
        }
    }
    days
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

/// The numbers of a day, without the last one: from the count before the day to the count on it, together with all
/// numbers that the day has. The numbers of a process that keeps counts begin with 0; for another one, only the numbers
/// that the day has are known. Counts, not the calendar, show which day came before, since a clock may have been set
/// back.
fn range_of(runs: &[Run], counted: Option<&Counted>) -> (u64, u64) {
    let lowest = runs.iter().map(|run| run.first).min();
    let end = runs.iter().map(|run| run.last.saturating_add(1)).max().unwrap_or(0);
    let Some(counted) = counted else { return (lowest.unwrap_or(0), end) };
    let at_most = lowest.into_iter().chain(counted.end).min().unwrap_or(0);
    let others = counted.others.iter().map(|(_, count)| *count);
    let first = others.filter(|count| *count <= at_most).max().unwrap_or(0);
    (first, end.max(counted.end.unwrap_or(0)))
}

/// How many numbers from the first to the end are in none of these runs, which are in their order.
fn missing(runs: &[Run], (first, end): (u64, u64)) -> u64 {
    let (mut next, mut missing) = (first, 0);
    for run in runs.iter().take_while(|run| run.first < end) {
        missing += run.first.saturating_sub(next);
        next = next.max(run.last.saturating_add(1));
    }
    missing + end.saturating_sub(next)
}

/// What the names of counts begin with.
const COUNTS: &str = "facts:";

/// The first text after all that begin so.
const COUNTS_END: &str = "facts;";

/// Keeps how many facts a process has numbered.
pub(crate) fn write_count(sql: &mut dyn Sql, process: i64, count: FactCount) -> Result<(), StoreError> {
    let name = format!("{COUNTS}{}:{process}", count.day);
    sql.execute(
        "insert into counters (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value \
         where counters.value < excluded.value",
        &[Value::text(&name), Value::count(count.facts)],
    )?;
    Ok(())
}

/// What processes had numbered on a day and on all others.
pub(crate) fn counted(sql: &mut dyn Sql, day: Day) -> Result<BTreeMap<i64, Counted>, StoreError> {
    let mut found = BTreeMap::<i64, Counted>::new();
    let query = "select name, value from counters where name >= $1 and name < $2";
    for mut row in sql.query(query, &[Value::text(COUNTS), Value::text(COUNTS_END)])? {
        let (name, value) = (row.text()?, row.count()?);
        let parts = name.strip_prefix(COUNTS).and_then(|name| name.split_once(':'));
        let Some((Ok(of), Ok(process))) = parts.map(|(day, process)| (day.parse::<Day>(), process.parse())) else {
            continue;
        };
        let counted = found.entry(process).or_default();
        if of == day {
            counted.end = Some(value);
        } else {
            counted.others.push((of, value));
        }
    }
    Ok(found)
}

/// Forgets the counts of days whose facts have ended, but of the last of them.
pub(crate) fn end_counts(sql: &mut dyn Sql, today: Day, retention: &Retention) -> Result<(), StoreError> {
    let end = format!("{COUNTS}{}:", today.back(retention.days.saturating_add(1)));
    sql.execute("delete from counters where name >= $1 and name < $2", &[Value::text(COUNTS), Value::text(&end)])?;
    Ok(())
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
        missing_of(&days, None)
    }

    fn missing_of(days: &[&[(u64, u64)]], counted: Option<Counted>) -> u64 {
        let today = Day::of(0).next();
        let read = |day: Day| {
            let runs = days.get(day.number() as usize).copied().unwrap_or_default().iter();
            Ok(runs.map(|(first, last)| Run { process: 1, first: *first, last: *last }).collect())
        };
        let counted = counted.into_iter().map(|counted| (1, counted)).collect();
        let gaps = gaps(today, &counted, read, |_| Ok(vec![Some((5, 6)), None, Some((3, 4))])).unwrap();
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

    #[test]
    fn what_was_numbered_before_the_first_and_after_the_last_is_missing() {
        for (days, others, end, missing) in [
            ([&[][..], &[(3, 9)], &[]], &[][..], Some(12), 5),
            ([&[], &[(3, 9)], &[]], &[3], Some(10), 0),
            ([&[], &[(3, 9)], &[]], &[2], None, 1),
            ([&[], &[], &[]], &[], Some(4), 4),
            ([&[], &[], &[]], &[4], Some(4), 0),
            ([&[(0, 2)], &[(3, 3)], &[(5, 9)]], &[], Some(6), 1),
            // What is written after the last count.
            ([&[], &[(0, 9)], &[]], &[], Some(6), 0),
            // Days after it, and before the one before.
            ([&[], &[(3, 9)], &[]], &[10, 2, 80, 1], Some(10), 1),
            // Nothing of it is left.
            ([&[], &[], &[]], &[4, 20], Some(9), 5),
            // The clock was set back: what this day has was numbered after days to come.
            ([&[], &[(8, 9)], &[]], &[5, 8, 30], Some(10), 0),
            ([&[], &[(8, 9)], &[]], &[5, 30], Some(12), 5),
        ] {
            // Of days that have nothing.
            let of = Some(Counted { end, others: others.iter().map(|count| (Day::of(u64::MAX), *count)).collect() });
            assert_eq!(missing_of(&days, of), missing, "{days:?} {others:?} {end:?}");
        }
    }

    #[test]
    fn what_a_day_has_that_a_clock_went_to_and_came_back_from_is_not_missing() {
        let far = Day::of(0).next().next().next().next().next();
        let counted = |days: &[(Day, u64)]| Some(Counted { end: Some(12), others: days.to_vec() });
        let none: &[(u64, u64)] = &[];
        let days = [none, &[(0, 6), (8, 8)], none, none, &[(9, 9)], &[(10, 10)], &[(11, 11)], none];
        for (others, missing) in [
            (&[][..], 4),
            (&[(far, 12)], 1),
            (&[(far, 11), (Day::of(0), 12)], 1),
            // Counted before this day's own, and after them.
            (&[(far, 0)], 4),
            (&[(far, 13)], 4),
            // As before, but the clock was set back since.
            (&[(far, 13), (far.next().next(), 5)], 1),
        ] {
            assert_eq!(missing_of(&days, counted(others)), missing, "{others:?}");
        }
    }
}
