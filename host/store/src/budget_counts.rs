//! What budgets have counted, by all nodes together: one row for each window of a budget. A node adds what it has
//! counted since, and learns what the others have counted meanwhile.

use std::collections::BTreeMap;

use crate::audit;
use crate::error::StoreError;
use crate::ledger::claim;
use crate::sql::{Row, Sql, Value, insert_many};

/// The counter of exchanges.
const COUNTER: &str = "budgets";
/// The largest amount, which leaves room for another one beside it.
const MOST: i64 = 4_000_000_000_000_000_000;
/// How long the counts of a window are kept after another one of its length, in seconds: a clock that is set back finds
/// them again.
const KEPT_FOR: i64 = 3_600;

/// A window of a budget. A budget that counts in another unit or by other windows is another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BudgetWindow {
    /// The budget's name.
    pub budget: String,
    /// What it counts and by which windows, as a text.
    pub shape: String,
    /// The first second of the window.
    pub start: i64,
}

/// What is booked and reserved in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetCount {
    /// Which budget's use it is, and of which time.
    pub window: BudgetWindow,
    /// The second after its last; none for a window without end.
    pub end: Option<i64>,
    /// Booked and reserved by all nodes, in the budget's measure: nano-dollars, tokens or requests.
    pub used: i64,
}

/// What a node has counted since its last exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetChange {
    /// All that it knows of in the window: what the window is written with if it is not there.
    pub count: BudgetCount,
    /// What it adds; less than 0 if reservations were returned.
    pub added: i64,
}

/// A node's counts of its budgets, and the question for those of the others.
#[derive(Debug, Clone, Default)]
pub struct BudgetExchange {
    /// The process that reports.
    pub process: i64,
    /// The number of this exchange in its process, from 1. What was added under it already is not added again.
    pub number: u64,
    /// The version of the counts that the node knows; 0 for none.
    pub since: u64,
    /// What it has counted.
    pub changes: Vec<BudgetChange>,
    /// Budgets whose shapes are written in another way now: what was counted under the former text goes on under the
    /// new one.
    pub renamed: Vec<RenamedShape>,
    /// Whether the store is to have at least what the node knows, in place of what it adds: after a backup was
    /// restored.
    pub at_least: bool,
}

/// A budget whose shape is written in another way now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenamedShape {
    /// The budget's name.
    pub budget: String,
    /// The text before.
    pub from: String,
    /// The text now.
    pub to: String,
}

/// What a store has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BudgetAnswer {
    /// The windows that changed since the version that the node knew, with its own changes.
    Counts {
        /// The version of the counts now.
        version: u64,
        /// What changed.
        counts: Vec<BudgetCount>,
    },
    /// The store has an older version than the node knew: it was put back. Nothing was added.
    PutBack,
}

/// Adds what a node has counted, and reads what has changed. Durable when it returns.
pub(crate) fn exchange(sql: &mut dyn Sql, exchange: &BudgetExchange) -> Result<BudgetAnswer, StoreError> {
    let version = version(sql)?;
    if version < exchange.since {
        return Ok(BudgetAnswer::PutBack);
    }
    let mut known = version;
    if !exchange.changes.is_empty() || !exchange.renamed.is_empty() {
        // The counter first: its row is locked, so that versions become visible in their order.
        known = audit::advance(sql, COUNTER, 1)?;
        for renamed in &exchange.renamed {
            rename(sql, renamed, known)?;
        }
        if !exchange.changes.is_empty() && claim(sql, exchange.process, exchange.number)? {
            write(sql, exchange, known)?;
        }
    }
    if known == exchange.since {
        return Ok(BudgetAnswer::Counts { version: known, counts: Vec::new() });
    }
    Ok(BudgetAnswer::Counts { version: known, counts: read(sql, exchange.since)? })
}

/// Gives the windows of a budget its shape of now, where there is none of it yet.
fn rename(sql: &mut dyn Sql, RenamedShape { budget, from, to }: &RenamedShape, version: u64) -> Result<(), StoreError> {
    sql.execute(
        // SQLite numbers the parameters in the order in which they occur first.
        "update budget_counts set shape = $1, version = $2 where budget = $3 and shape = $4 and not exists (select 1 from \
         budget_counts as own where own.budget = $3 and own.shape = $1 and own.first_second = budget_counts.first_second)",
        &[Value::text(to), Value::count(version), Value::text(budget), Value::text(from)],
    )?;
    Ok(())
}

fn version(sql: &mut dyn Sql) -> Result<u64, StoreError> {
    let rows = sql.query("select value from counters where name = $1", &[Value::text(COUNTER)])?;
    rows.into_iter().next().map_or(Ok(0), |mut row| row.count())
}

fn write(sql: &mut dyn Sql, exchange: &BudgetExchange, version: u64) -> Result<(), StoreError> {
    // A multi-row insert must not meet one row twice.
    let changes: BTreeMap<&BudgetWindow, &BudgetChange> =
        exchange.changes.iter().map(|change| (&change.count.window, change)).collect();
    let values: Vec<Value<'_>> = changes.values().flat_map(|change| values(change, version)).collect();
    let sum = "budget_counts.used + excluded.added";
    let used = if exchange.at_least {
        "case when budget_counts.used < excluded.used then excluded.used else budget_counts.used end".to_owned()
    } else {
        format!("case when {sum} < 0 then 0 when {sum} > {MOST} then {MOST} else {sum} end")
    };
    insert_many(
        sql,
        "insert into budget_counts (budget,shape,first_second,end_second,used,added,version)",
        7,
        &values,
        &format!(
            " on conflict (budget,shape,first_second) do update set used = {used}, added = excluded.added, \
             version = excluded.version"
        ),
    )
}

fn values(change: &BudgetChange, version: u64) -> [Value<'_>; 7] {
    let BudgetCount { window, end, used } = &change.count;
    [
        Value::text(&window.budget),
        Value::text(&window.shape),
        Value::Int(window.start),
        end.map_or(Value::Null, Value::Int),
        Value::Int((*used).clamp(0, MOST)),
        Value::Int(change.added.clamp(-MOST, MOST)),
        Value::count(version),
    ]
}

fn read(sql: &mut dyn Sql, since: u64) -> Result<Vec<BudgetCount>, StoreError> {
    let text = "select budget,shape,first_second,end_second,used from budget_counts where version > $1";
    sql.query(text, &[Value::count(since)])?.iter_mut().map(read_count).collect()
}

fn read_count(row: &mut Row) -> Result<BudgetCount, StoreError> {
    let window = BudgetWindow { budget: row.text()?, shape: row.text()?, start: row.int()? };
    Ok(BudgetCount { window, end: row.maybe_int()?, used: row.int()? })
}

/// Removes the counts of windows that ended long ago.
pub(crate) fn end(sql: &mut dyn Sql, now_ms: u64) -> Result<(), StoreError> {
    let before = i64::try_from(now_ms / 1_000).unwrap_or(i64::MAX) - KEPT_FOR;
    sql.execute(
        "delete from budget_counts where end_second is not null and end_second + (end_second - first_second) < $1",
        &[Value::Int(before)],
    )?;
    Ok(())
}
