//! Use in sums by the hour: small tables that money depends on, apart from the log of requests.

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::open_work::{self, Holding, WorkChanges};
use crate::query::gaps::{self, FactCount};
use crate::span::{self, DAY_HOURS};
use crate::sql::{Row, Sql, Value, insert_many};

/// What a sum is about. The number of sums is bounded by hours, subjects and prices, not by requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LedgerKey {
    /// Hours since 1970.
    pub hour: u64,
    /// Whose use it is: `key:ID`, `team:ID`.
    pub subject: String,
    /// The provider that was used.
    pub provider: String,
    /// The model that answered.
    pub served: String,
    /// The circumstances that decide the price, such as `batch` or `over_200k`; empty for the usual ones.
    pub price_dim: String,
    /// The bucket or unit that was used: `input`, `searches`.
    pub bucket: String,
}

/// What a request adds to the sums of one model of a provider.
#[derive(Debug, Clone, Copy)]
pub struct Use<'a> {
    /// Hours since 1970.
    pub hour: u64,
    /// Whose use it is, each as a kind and an id: `("key:", "ID")`.
    pub subjects: &'a [(&'static str, &'a str)],
    /// The provider that was used.
    pub provider: &'a str,
    /// The model that answered.
    pub served: &'a str,
    /// What is added.
    pub rows: &'a [UseRow<'a>],
}

/// What a request adds to one sum of each of its first subjects.
#[derive(Debug, Clone, Copy)]
pub struct UseRow<'a> {
    /// How many subjects these are.
    pub subjects: usize,
    /// The circumstances that decide the price.
    pub price_dim: &'a str,
    /// The bucket or unit that was used.
    pub bucket: &'static str,
    /// What is added to each.
    pub sums: LedgerSums,
}

impl Use<'_> {
    /// How many sums it adds to.
    pub(crate) fn count(&self) -> usize {
        self.rows.iter().map(|row| row.subjects.min(self.subjects.len())).sum()
    }
}

/// The sums of one [`LedgerKey`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LedgerSums {
    /// Tokens or units.
    pub units: i64,
    /// Requests that used any.
    pub requests: i64,
    /// Requests among them whose count is an estimate.
    pub estimated: i64,
    /// What they cost, in nano-dollars, by the prices of then.
    pub cost_nano: i64,
}

impl LedgerSums {
    /// Adds others.
    pub fn merge(&mut self, other: &Self) {
        self.units = self.units.saturating_add(other.units);
        self.requests = self.requests.saturating_add(other.requests);
        self.estimated = self.estimated.saturating_add(other.estimated);
        self.cost_nano = self.cost_nano.saturating_add(other.cost_nano);
    }
}

/// Sums that are written together, once.
#[derive(Debug, Clone, Default)]
pub struct MoneyFlush {
    /// The process that writes.
    pub process: i64,
    /// The number of this flush in its process, from 1. A flush that is written already is not added again.
    pub number: u64,
    /// What is to be added.
    pub sums: Vec<(LedgerKey, LedgerSums)>,
    /// How many facts the process has numbered, if that is to be kept: so it shows which of the last ones were lost.
    pub facts: Option<FactCount>,
    /// Work whose use is still to be booked, and work whose use is in these sums.
    pub work: WorkChanges,
}

/// Which sums are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerQuery {
    /// From this hour on, in hours since 1970.
    pub from_hour: u64,
    /// To this hour, which is excluded.
    pub to_hour: u64,
    /// Only use of this subject.
    pub subject: Option<String>,
}

/// Marks a flush as written; false if it was before.
pub(crate) fn claim(sql: &mut dyn Sql, process: i64, number: u64) -> Result<bool, StoreError> {
    let changed = sql.execute(
        "insert into flushes (process, number) values ($1, $2) on conflict (process) \
         do update set number = excluded.number where flushes.number < excluded.number",
        &[Value::Int(process), Value::count(number)],
    )?;
    Ok(changed > 0)
}

/// Adds sums.
pub(crate) fn write(sql: &mut dyn Sql, flush: &MoneyFlush, holding: Holding) -> Result<(), StoreError> {
    if !claim(sql, flush.process, flush.number)? {
        return Ok(());
    }
    open_work::write(sql, flush.process, &flush.work, holding)?;
    // A multi-row insert must not meet one row twice, and an order that all nodes share keeps locks from crossing. It
    // is that of the days, whose rows are locked with those of the hours.
    let mut sums =
        std::collections::BTreeMap::<(u64, &str, &str, &str, &str, &str, u64), (&LedgerKey, LedgerSums)>::new();
    for (key, sum) in &flush.sums {
        let LedgerKey { hour, subject, provider, served, price_dim, bucket } = key;
        let place = (hour / DAY_HOURS, &**subject, &**provider, &**served, &**price_dim, &**bucket, *hour);
        sums.entry(place).or_insert_with(|| (key, LedgerSums::default())).1.merge(sum);
    }
    let values: Vec<Value<'_>> = sums.values().flat_map(|(key, sum)| sum_values(key, sum)).collect();
    insert_many(
        sql,
        "insert into ledger (hour,subject,provider,served,price_dim,bucket,units,requests,estimated,cost_nano)",
        10,
        &values,
        " on conflict (hour,subject,provider,served,price_dim,bucket) do update set \
         units = ledger.units + excluded.units, requests = ledger.requests + excluded.requests, \
         estimated = ledger.estimated + excluded.estimated, cost_nano = ledger.cost_nano + excluded.cost_nano",
    )?;
    flush.facts.map_or(Ok(()), |count| gaps::write_count(sql, flush.process, count))
}

fn sum_values<'a>(key: &'a LedgerKey, sum: &LedgerSums) -> [Value<'a>; 10] {
    [
        Value::count(key.hour),
        Value::text(&key.subject),
        Value::text(&key.provider),
        Value::text(&key.served),
        Value::text(&key.price_dim),
        Value::text(&key.bucket),
        Value::Int(sum.units),
        Value::Int(sum.requests),
        Value::Int(sum.estimated),
        Value::Int(sum.cost_nano),
    ]
}

/// The sums that a query asks for, in their order.
pub(crate) fn read(sql: &mut dyn Sql, query: &LedgerQuery) -> Result<Vec<(LedgerKey, LedgerSums)>, StoreError> {
    let Some(hours) = span::hours(query.from_hour, query.to_hour, query.subject.is_some()) else {
        return Ok(Vec::new());
    };
    let mut text = format!(
        "select hour,subject,provider,served,price_dim,bucket,units,requests,estimated,cost_nano \
         from ledger where {hours}"
    );
    if query.subject.is_some() {
        text.push_str(" and subject = $1");
    }
    let values: Vec<Value<'_>> = query.subject.iter().map(|subject| Value::text(subject)).collect();
    text.push_str(" order by hour,subject,provider,served,price_dim,bucket");
    sql.query(&text, &values)?.iter_mut().map(read_sums).collect()
}

fn read_sums(row: &mut Row) -> Result<(LedgerKey, LedgerSums), StoreError> {
    let key = LedgerKey {
        hour: row.count()?,
        subject: row.text()?,
        provider: row.text()?,
        served: row.text()?,
        price_dim: row.text()?,
        bucket: row.text()?,
    };
    let sums = LedgerSums { units: row.int()?, requests: row.int()?, estimated: row.int()?, cost_nano: row.int()? };
    Ok((key, sums))
}
