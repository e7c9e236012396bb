//! What the writer hands to a store at once.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::body::{self, Body};
use crate::error::StoreError;
use crate::fact::columns;
use crate::fact::packed::PackedFact;
use crate::id::Day;
use crate::query::KeySum;
use crate::query::search::HOUR_MS;
use crate::sql::{Sql, Value, insert_many};

/// The place of the key's id.
pub(crate) const KEY: usize = columns::place("api_key");

/// Facts and bodies that are written together. Those of one day are written all or none. What is stored already is not
/// stored again, so that a batch may be repeated if it is not known whether it was written.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// One fact for each request that has ended.
    pub facts: Vec<PackedFact>,
    /// Bodies to keep beside the facts.
    pub bodies: Vec<Body>,
}

/// The part of a batch that belongs to one day.
#[derive(Debug, Default)]
pub(crate) struct DayBatch<'a> {
    pub(crate) facts: Vec<&'a PackedFact>,
    pub(crate) bodies: Vec<&'a Body>,
}

impl Batch {
    /// The batch's parts by day: a batch may hold requests from before and after midnight, and of any clock.
    pub(crate) fn by_day(&self) -> BTreeMap<Day, DayBatch<'_>> {
        let mut days = BTreeMap::<Day, DayBatch<'_>>::new();
        for fact in &self.facts {
            days.entry(fact.id().day()).or_default().facts.push(fact);
        }
        for body in &self.bodies {
            days.entry(body.id.day()).or_default().bodies.push(body);
        }
        for day in days.values_mut() {
            // In the order of the table, which is the cheapest to write. Of two facts with one id, the first counts.
            day.facts.sort_by_key(|fact| fact.id());
            day.facts.dedup_by_key(|fact| fact.id());
        }
        days
    }
}

/// What a fact adds to the sums of its key, in which hour.
pub(crate) type KeyUse<'a> = ((Cow<'a, str>, u64), KeySum);

/// What a fact with these values adds to the sums of its key. Those of the request's own columns are enough.
pub(crate) fn use_of<'a>(fact: &PackedFact, key: &Value<'a>, values: &[Value<'a>]) -> KeyUse<'a> {
    let key = match key {
        Value::Text(key) => key.clone(),
        _ => Cow::Borrowed(""),
    };
    ((key, fact.id().time_ms() / HOUR_MS), KeySum::of(values))
}

/// Writes one day's part of a batch: facts, the sums of their keys and bodies. `insert` writes the facts and returns
/// what those that were new add to these sums.
pub(crate) fn write_day<'a, S: Sql>(
    sql: &mut S,
    day: Day,
    batch: &DayBatch<'a>,
    insert: impl FnOnce(&mut S, &[&'a PackedFact]) -> Result<Vec<KeyUse<'a>>, StoreError>,
) -> Result<(), StoreError> {
    let new = insert(sql, &batch.facts)?;
    write_sums(sql, day, new)?;
    body::write(sql, &batch.bodies)
}

fn write_sums(sql: &mut dyn Sql, day: Day, uses: Vec<KeyUse<'_>>) -> Result<(), StoreError> {
    let mut sums = BTreeMap::<(Cow<'_, str>, u64), KeySum>::new();
    for (key, sum) in uses {
        sums.entry(key).or_default().merge(&sum);
    }
    let values: Vec<Value<'_>> = sums.iter().flat_map(|((key, hour), sum)| sum_values(day, key, *hour, sum)).collect();
    insert_many(
        sql,
        "insert into key_hours (day,api_key,hour,requests,failed,unpriced,input,output,cost_nano)",
        9,
        &values,
        " on conflict (day,api_key,hour) do update set requests = key_hours.requests + excluded.requests, \
         failed = key_hours.failed + excluded.failed, unpriced = key_hours.unpriced + excluded.unpriced, \
         input = key_hours.input + excluded.input, output = key_hours.output + excluded.output, \
         cost_nano = key_hours.cost_nano + excluded.cost_nano",
    )
}

fn sum_values<'a>(day: Day, key: &'a str, hour: u64, sum: &KeySum) -> [Value<'a>; 9] {
    [
        Value::Int(day.number().into()),
        Value::text(key),
        Value::count(hour),
        Value::count(sum.requests),
        Value::count(sum.failed),
        Value::count(sum.unpriced),
        Value::count(sum.input),
        Value::count(sum.output),
        Value::Int(sum.cost_nano),
    ]
}

/// The statement that inserts one fact and takes no notice of one that is there.
pub(crate) fn insert_fact() -> String {
    format!(
        "insert into facts ({}) values ({}) on conflict (id) do nothing",
        columns::names(),
        crate::sql::placeholders(1, columns::COUNT)
    )
}
