//! Removes what is kept of a user's or a key's requests of a day. In steps, each of which leaves the day in order if it
//! is the last one: a request's fact goes with its bodies and their pieces, and is what names them to another attempt.

use std::collections::BTreeSet;

use crate::body::{self, recipe::Hash};
use crate::error::StoreError;
use crate::fact::owner_name;
use crate::id::{Day, RequestId};
use crate::query::search::HOUR_MS;
use crate::sql::{Row, Sql, Value, padded, placeholders};

/// Requests that a step removes.
const REMOVED: usize = 256;
/// Bodies of others that a step looks at.
const COMPARED: usize = 256;
/// Requests that one statement names.
const NAMED: usize = 64;

/// Whose requests are erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErasureSubject {
    /// The requests of this user.
    User(String),
    /// The requests with this [`key`](crate::Fact::key): of a key, a client, or the account that a token names.
    Key(String),
}

/// Reads the ids and recipes of bodies that were written since the erasure of the day began, and maybe of some that
/// were written before; it keeps others from being written up to the transaction's end.
pub(crate) type Later<'a> = dyn FnMut(&mut dyn Sql) -> Result<Vec<Row>, StoreError> + 'a;

/// The erasure of one part of a day.
#[derive(Debug)]
pub(crate) struct Erasure {
    day: Day,
    subject: ErasureSubject,
    ids: BTreeSet<RequestId>,
    /// What the bodies of others need.
    needed: BTreeSet<Hash>,
    next: Step,
    removed: u64,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Finds the requests of an hour of the day.
    Find(u64),
    /// Looks at others' bodies after this one.
    Compare(RequestId, i64),
    Remove,
}

impl Erasure {
    pub(crate) fn new(day: Day, subject: ErasureSubject) -> Self {
        let (ids, needed) = (BTreeSet::new(), BTreeSet::new());
        Self { day, subject, ids, needed, next: Step::Find(0), removed: 0 }
    }

    /// Takes all steps in one transaction, beside which nothing is written. Returns how many facts it removes.
    pub(crate) fn run(mut self, sql: &mut dyn Sql) -> Result<u64, StoreError> {
        while self.step(sql, &mut |_| Ok(Vec::new()))? {}
        Ok(self.removed)
    }

    /// How many facts the steps so far removed.
    pub(crate) fn removed(&self) -> u64 {
        self.removed
    }

    /// Takes the next step; false if it was the last one.
    pub(crate) fn step(&mut self, sql: &mut dyn Sql, later: &mut Later<'_>) -> Result<bool, StoreError> {
        self.next = match self.next {
            Step::Find(hour) => self.find(sql, hour)?,
            Step::Compare(id, side) => self.compare(sql, id, side)?,
            Step::Remove => self.remove(sql, later)?,
        };
        Ok(!(self.ids.is_empty() && matches!(self.next, Step::Remove)))
    }

    fn find(&mut self, sql: &mut dyn Sql, hour: u64) -> Result<Step, StoreError> {
        let from = RequestId::first_of(self.day.start_ms() + hour * HOUR_MS);
        let is_last = hour + 1 == 24;
        let end = if is_last { self.day.next().start_ms() } else { self.day.start_ms() + (hour + 1) * HOUR_MS };
        let end = RequestId::first_of(end);
        let (column, name) = match &self.subject {
            ErasureSubject::User(user) => ("user_id", owner_name(user)),
            ErasureSubject::Key(key) => ("api_key", owner_name(key)),
        };
        let found = sql.query(
            &format!("select id from facts where id >= $1 and id < $2 and {column} = $3"),
            &[Value::blob(from.as_bytes()), Value::blob(end.as_bytes()), Value::Text(name)],
        )?;
        for mut row in found {
            self.ids.insert(RequestId::from_bytes(row.array()?));
        }
        Ok(match (is_last, self.ids.is_empty()) {
            (false, _) => Step::Find(hour + 1),
            (true, true) => Step::Remove,
            (true, false) => Step::Compare(RequestId::first_of(self.day.start_ms()), -1),
        })
    }

    fn compare(&mut self, sql: &mut dyn Sql, id: RequestId, side: i64) -> Result<Step, StoreError> {
        let end = RequestId::first_of(self.day.next().start_ms());
        let rows = sql.query(
            &format!(
                "select id,side,recipe from bodies where (id,side) > ($1,$2) and id < $3 order by id,side limit {COMPARED}"
            ),
            &[Value::blob(id.as_bytes()), Value::Int(side), Value::blob(end.as_bytes())],
        )?;
        let is_last = rows.len() < COMPARED;
        let mut next = Step::Remove;
        for mut row in rows {
            let (id, side) = (RequestId::from_bytes(row.array()?), row.int()?);
            if !self.ids.contains(&id) {
                body::collect(sql, self.day, &row.blob()?, &mut self.needed)?;
            }
            next = Step::Compare(id, side);
        }
        Ok(if is_last { Step::Remove } else { next })
    }

    fn remove(&mut self, sql: &mut dyn Sql, later: &mut Later<'_>) -> Result<Step, StoreError> {
        let ids: Vec<RequestId> = self.ids.iter().take(REMOVED).copied().collect();
        let (mut pieces, mut removed) = (BTreeSet::new(), 0);
        for some in ids.chunks(NAMED) {
            let named: Vec<Value<'_>> = padded(some).map(|id| Value::blob(id.as_bytes())).collect();
            let list = placeholders(1, named.len());
            removed += sql.query(&format!("select id from facts where id in ({list})"), &named)?.len() as u64;
            // What a view's rows are removed from counts none of them.
            sql.execute(&format!("delete from facts where id in ({list})"), &named)?;
            for mut row in sql.query(&format!("select recipe from bodies where id in ({list})"), &named)? {
                body::collect(sql, self.day, &row.blob()?, &mut pieces)?;
            }
        }
        if !pieces.is_empty() {
            for mut row in later(sql)? {
                if !self.ids.contains(&RequestId::from_bytes(row.array()?)) {
                    body::collect(sql, self.day, &row.blob()?, &mut self.needed)?;
                }
            }
        }
        body::remove(sql, self.day, &ids, &pieces.difference(&self.needed).copied().collect::<Vec<_>>())?;
        self.ids.retain(|id| ids.last().is_some_and(|last| id > last));
        self.removed += removed;
        Ok(Step::Remove)
    }
}
