//! How the file of a day keeps facts. What repeats from request to request stands once: the names of who asks in `callers`, those
//! of what is asked and of who answers in `routes`. A request's row has their numbers and what is its own, less than half of
//! the whole. The view `facts` shows whole facts, so that searches need not know.
//!
//! A file that an earlier version began has a table `facts` of whole rows, and goes on with it until its day ends.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rusqlite::{Connection, Statement};

use super::connection::{Lite, failed};
use crate::batch::{self, KEY, KeyUse};
use crate::error::StoreError;
use crate::fact::columns::{self, Of, Values};
use crate::fact::packed::{self, PackedFact, Parts};
use crate::schema;
use crate::sql::{Value, placeholders};

/// The version of a day's tables that this program makes.
pub(super) const VERSION: i64 = 5;

/// Most bytes of the callers, and of the routes, whose numbers are remembered. One that is forgotten gets another row.
const MOST_KNOWN: usize = 2 << 20;

const REQUEST: usize = columns::count(Of::Request);
const CALLER: usize = columns::count(Of::Caller);
const ROUTE: usize = columns::count(Of::Route);
/// The key is the first of the caller's columns.
const _: () = assert!(KEY == REQUEST);

/// Whether a file has facts: it is that of a day.
pub(super) fn has_facts(connection: &Connection) -> Result<bool, StoreError> {
    Ok(kind_of_facts(connection)?.is_some())
}

/// `table` or `view`; none in a file without facts.
fn kind_of_facts(connection: &Connection) -> Result<Option<String>, StoreError> {
    let mut statement =
        connection.prepare_cached("select type from sqlite_master where name = 'facts'").map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    rows.next().map_err(failed)?.map(|row| row.get(0)).transpose().map_err(failed)
}

/// The statements that make the tables of a day.
pub(super) fn tables() -> String {
    let mut text = format!(
        "create table callers (number integer primary key, {});
create table routes (number integer primary key, {});
create table requests (caller bigint not null, route bigint not null, {}, primary key (id)) without rowid;
create index facts_failed on requests (id) where error_kind is not null;
create view facts as select {} from requests
  cross join callers on callers.number = requests.caller cross join routes on routes.number = requests.route;
create trigger facts_deleted instead of delete on facts begin delete from requests where id = old.id; end;\n",
        definitions(Of::Caller),
        definitions(Of::Route),
        definitions(Of::Request),
        columns::names(),
    );
    for (name, columns) in schema::day_tables(schema::SQLITE) {
        // Large values make a poor tree of keys: chunks are found through their index.
        let ordered = if name == "chunks" { "" } else { schema::SQLITE.ordered };
        if name != "facts" {
            text.extend(["create table if not exists ", name, " (", &columns, ")", ordered, ";\n"]);
        }
    }
    text
}

fn names(kind: Of) -> String {
    columns::of(kind).map(|(name, _)| name).collect::<Vec<_>>().join(",")
}

fn definitions(kind: Of) -> String {
    columns::of(kind).map(|(name, kind)| format!("{name} {kind}")).collect::<Vec<_>>().join(",")
}

/// What is known of a day's file while it is open for writing.
#[derive(Debug)]
pub(super) struct Layout {
    /// Whether its facts are whole rows.
    is_whole: bool,
    insert: String,
    callers: Rows,
    routes: Rows,
}

impl Layout {
    /// That of a file which has its tables.
    pub(super) fn of(connection: &Connection) -> Result<Self, StoreError> {
        let is_whole = kind_of_facts(connection)?.is_some_and(|kind| kind == "table");
        let insert = if is_whole {
            batch::insert_fact()
        } else {
            let (names, all) = (names(Of::Request), placeholders(1, REQUEST + 2));
            format!("insert into requests (caller,route,{names}) values ({all}) on conflict (id) do nothing")
        };
        Ok(Self { is_whole, insert, callers: Rows::new("callers", Of::Caller), routes: Rows::new("routes", Of::Route) })
    }

    /// Forgets what rows there are: those of a transaction that failed are not.
    pub(super) fn forget(&mut self) {
        self.callers.forget();
        self.routes.forget();
    }

    /// Inserts facts and returns what those that were not there add to the sums of their keys.
    pub(super) fn insert<'f>(
        &mut self,
        lite: &Lite<'_>,
        facts: &[&'f PackedFact],
    ) -> Result<Vec<KeyUse<'f>>, StoreError> {
        let mut statement = lite.0.prepare_cached(&self.insert).map_err(failed)?;
        if self.is_whole { insert_whole(&mut statement, facts) } else { self.insert_parts(lite, &mut statement, facts) }
    }

    fn insert_parts<'f>(
        &mut self,
        lite: &Lite<'_>,
        statement: &mut Statement<'_>,
        facts: &[&'f PackedFact],
    ) -> Result<Vec<KeyUse<'f>>, StoreError> {
        let mut new = Vec::with_capacity(facts.len());
        let mut before: Option<Parts<'f>> = None;
        for fact in facts {
            let parts = fact.parts();
            if before.as_ref().is_none_or(|before| before.caller != parts.caller) {
                let row = self.callers.row_of::<CALLER>(lite, parts.caller, REQUEST)?;
                statement.raw_bind_parameter(1, row).map_err(failed)?;
            }
            if before.as_ref().is_none_or(|before| before.route != parts.route) {
                let row = self.routes.row_of::<ROUTE>(lite, parts.route, REQUEST + CALLER)?;
                statement.raw_bind_parameter(2, row).map_err(failed)?;
            }
            bind_changes(statement, 3, before.as_ref().map(|before| &before.request[..]), &parts.request)?;
            if statement.raw_execute().map_err(failed)? > 0 {
                let [key] = packed::columns_of(&mut { parts.caller }, KEY);
                new.push(batch::use_of(fact, &key, &parts.request));
            }
            before = Some(parts);
        }
        Ok(new)
    }
}

fn insert_whole<'f>(statement: &mut Statement<'_>, facts: &[&'f PackedFact]) -> Result<Vec<KeyUse<'f>>, StoreError> {
    let mut new = Vec::with_capacity(facts.len());
    let mut before: Option<Values<'f>> = None;
    for fact in facts {
        let values = fact.values();
        bind_changes(statement, 1, before.as_ref().map(|before| &before[..]), &values)?;
        if statement.raw_execute().map_err(failed)? > 0 {
            new.push(batch::use_of(fact, &values[KEY], &values));
        }
        before = Some(values);
    }
    Ok(new)
}

/// Binds the values of a row that differ from those of the row before, which are still bound: most of a fact's values are those
/// of the fact before, and each that is bound is copied.
fn bind_changes(
    statement: &mut Statement<'_>,
    first: usize,
    before: Option<&[Value<'_>]>,
    values: &[Value<'_>],
) -> Result<(), StoreError> {
    let mut before = before.unwrap_or_default().iter();
    for (number, value) in (first..).zip(values) {
        if before.next() != Some(value) {
            statement.raw_bind_parameter(number, value).map_err(failed)?;
        }
    }
    Ok(())
}

/// The rows of a table that other rows refer to.
#[derive(Debug)]
struct Rows {
    insert: String,
    /// The numbers of rows, by their columns as a fact's row has them.
    known: HashMap<Box<[u8]>, i64, RandomState>,
    /// Bytes that these take.
    bytes: usize,
}

impl Rows {
    fn new(table: &str, kind: Of) -> Self {
        let (names, all) = (names(kind), placeholders(1, columns::count(kind)));
        let insert = format!("insert into {table} ({names}) values ({all})");
        Self { insert, known: HashMap::default(), bytes: 0 }
    }

    fn forget(&mut self) {
        self.known.clear();
        self.bytes = 0;
    }

    /// The number of the row of these columns, the first of which has this place. It is made if it is not known.
    fn row_of<const N: usize>(&mut self, lite: &Lite<'_>, columns: &[u8], first: usize) -> Result<i64, StoreError> {
        if let Some(row) = self.known.get(columns) {
            return Ok(*row);
        }
        let values: [Value<'_>; N] = packed::columns_of(&mut { columns }, first);
        let mut statement = lite.0.prepare_cached(&self.insert).map_err(failed)?;
        let row = statement.insert(rusqlite::params_from_iter(&values)).map_err(failed)?;
        if self.bytes > MOST_KNOWN {
            self.forget();
        }
        self.bytes += columns.len() + size_of::<(Box<[u8]>, i64)>();
        self.known.insert(columns.into(), row);
        Ok(row)
    }
}

#[cfg(test)]
mod tests;
