//! Work at providers, such as batches, whose use is not booked yet: one row for each, which outlives the process that
//! had it made.
//!
//! Each row has one holder, a process. It alone books the work, and the row goes in the transaction that writes the
//! sums of use. A process that ends without a word holds its rows until their time is over; then another process takes
//! them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::sql::{Row, Sql, Value, insert_many};

/// For how long a process holds a row that it wrote, unless it renews that.
const FIRST_HOLD_MS: u64 = 60_000;
/// Most bytes of the texts that name a piece of work.
const MAX_KEY: usize = 1_024;

/// Names a piece of work.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WorkKey {
    /// The tenant that had it made.
    pub tenant: String,
    /// The provider's id for it.
    pub id: String,
}

impl WorkKey {
    /// Whether both databases can keep it.
    pub(crate) fn can_be_kept(&self) -> bool {
        let Self { tenant, id } = self;
        tenant.len() + id.len() <= MAX_KEY && ![tenant, id].into_iter().any(|text| text.contains('\0'))
    }
}

/// A piece of work that is not booked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenWork {
    /// What names it.
    pub key: WorkKey,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
    /// What it takes to book it, as JSON.
    pub body: String,
}

/// Work that was made, and work that was booked or given up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkChanges {
    /// What is written, held by the process that writes it.
    pub made: Vec<OpenWork>,
    /// What goes, after that.
    pub ended: Vec<WorkKey>,
}

impl WorkChanges {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.made.len() + self.ended.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A process holds its rows for some time more, and takes those that no other one holds.
#[derive(Debug, Clone, Copy)]
pub struct WorkHold {
    /// Whose rows they are from now on.
    pub process: i64,
    /// For how long, in milliseconds.
    pub for_ms: u64,
    /// The most rows that are taken.
    pub room: usize,
}

/// What a process holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldWork {
    /// What it held before.
    pub kept: Vec<WorkKey>,
    /// What it has taken, oldest first.
    pub taken: Vec<OpenWork>,
}

/// How a database finds the rows that no process holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holding {
    /// The time now, in milliseconds since 1970.
    pub(crate) now: &'static str,
    /// What is so of a row that no process holds; `$1` is the process that asks.
    is_free: &'static str,
}

/// One process writes the files, so that no other one that wrote a row is there any more.
pub(crate) const SQLITE: Holding = Holding { now: "0", is_free: "holder <> $1" };
/// Nodes share a database, and its clock.
pub(crate) const POSTGRES: Holding = Holding {
    now: "(extract(epoch from clock_timestamp()) * 1000)::bigint",
    is_free: "holder <> $1 and held_until_ms <= (extract(epoch from clock_timestamp()) * 1000)::bigint",
};

/// Writes what was made, and removes what has ended.
pub(crate) fn write(
    sql: &mut dyn Sql,
    process: i64,
    changes: &WorkChanges,
    holding: Holding,
) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut rows = sql.query(&format!("select {} + {FIRST_HOLD_MS}", holding.now), &[])?;
    let until = rows.pop().map_or(Ok(0), |mut row| row.int())?;
    // A multi-row insert must not meet one row twice.
    let made: BTreeMap<&WorkKey, &OpenWork> = changes.made.iter().map(|work| (&work.key, work)).collect();
    let values = |work: &'_ &OpenWork| -> [Value<'_>; 6] {
        let OpenWork { key, made_ms, body } = *work;
        let texts = [&key.tenant, &key.id].map(|text| Value::Text(text.clone().into()));
        let [tenant, id] = texts;
        [tenant, id, Value::count(*made_ms), Value::Int(process), Value::Int(until), Value::Text(body.clone().into())]
    };
    let values: Vec<Value<'_>> = made.values().flat_map(values).collect();
    insert_many(
        sql,
        "insert into open_work (tenant,id,made_ms,holder,held_until_ms,body)",
        6,
        &values,
        " on conflict (tenant,id) do nothing",
    )?;
    for WorkKey { tenant, id } in &changes.ended {
        sql.execute("delete from open_work where tenant = $1 and id = $2", &[Value::text(tenant), Value::text(id)])?;
    }
    Ok(())
}

/// Holds the process's rows for some time more, and returns what names them.
pub(crate) fn hold(sql: &mut dyn Sql, hold: WorkHold, holding: Holding) -> Result<Vec<WorkKey>, StoreError> {
    let process = Value::Int(hold.process);
    let until = format!("{} + {}", holding.now, hold.for_ms);
    sql.execute(
        &format!("update open_work set held_until_ms = {until} where holder = $1"),
        std::slice::from_ref(&process),
    )?;
    let rows = sql.query("select tenant,id from open_work where holder = $1", &[process])?;
    rows.into_iter().map(|mut row| Ok(WorkKey { tenant: row.text()?, id: row.text()? })).collect()
}

/// Takes rows that no process holds. Of several processes that see the same one, the first has it.
pub(crate) fn take(sql: &mut dyn Sql, hold: WorkHold, holding: Holding) -> Result<Vec<OpenWork>, StoreError> {
    let process = Value::Int(hold.process);
    let found = format!(
        "select tenant,id,made_ms,body,holder,held_until_ms from open_work where {} order by made_ms,tenant,id limit {}",
        holding.is_free, hold.room
    );
    let take = format!(
        "update open_work set held_until_ms = {} + {}, holder = $1 \
         where tenant = $2 and id = $3 and holder = $4 and held_until_ms = $5",
        holding.now, hold.for_ms
    );
    let mut taken = Vec::new();
    for row in &mut sql.query(&found, std::slice::from_ref(&process))? {
        let work = read(row)?;
        let (holder, until) = (row.int()?, row.int()?);
        let (tenant, id) = (Value::text(&work.key.tenant), Value::text(&work.key.id));
        if sql.execute(&take, &[process.clone(), tenant, id, Value::Int(holder), Value::Int(until)])? > 0 {
            taken.push(work);
        }
    }
    Ok(taken)
}

/// What names the rows with these ids that another process holds.
pub(crate) fn elsewhere(sql: &mut dyn Sql, process: i64, ids: &[String]) -> Result<Vec<WorkKey>, StoreError> {
    let mut found = Vec::new();
    for id in ids.iter().filter(|id| !id.contains('\0')) {
        let asked = [Value::text(id), Value::Int(process)];
        for mut row in sql.query("select tenant,id from open_work where id = $1 and holder <> $2", &asked)? {
            found.push(WorkKey { tenant: row.text()?, id: row.text()? });
        }
    }
    Ok(found)
}

/// Leaves the process's rows to the next process that takes them.
pub(crate) fn leave(sql: &mut dyn Sql, process: i64) -> Result<(), StoreError> {
    sql.execute("update open_work set held_until_ms = 0 where holder = $1", &[Value::Int(process)])?;
    Ok(())
}

fn read(row: &mut Row) -> Result<OpenWork, StoreError> {
    let key = WorkKey { tenant: row.text()?, id: row.text()? };
    Ok(OpenWork { key, made_ms: row.count()?, body: row.text()? })
}
