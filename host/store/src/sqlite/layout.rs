//! How the file of a day keeps facts. What repeats from request to request stands once: the names of who asks in `callers`, those
//! of what is asked and of who answers in `routes`. A request's row has their numbers and what is its own, which is a quarter of
//! the whole. The view `facts` shows whole facts, so that searches need not know.
//!
//! A file that an earlier version began has a table `facts` of whole rows, and goes on with it until its day ends.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rusqlite::{Connection, Statement};

use super::connection::{Lite, failed};
use crate::batch::{self, KeyUse};
use crate::error::StoreError;
use crate::fact::columns::{self, COLUMNS, COUNT, Of, Values};
use crate::fact::packed::PackedFact;
use crate::schema;
use crate::sql::{Value, placeholders};

/// The version of a day's tables that this program makes.
pub(super) const VERSION: i64 = 5;

/// Most bytes of the callers, and of the routes, whose numbers are remembered. One that is forgotten gets another row.
const MOST_KNOWN: usize = 2 << 20;

const REQUEST: [usize; count(Of::Request)] = places(Of::Request);
const CALLER: [usize; count(Of::Caller)] = places(Of::Caller);
const ROUTE: [usize; count(Of::Route)] = places(Of::Route);
const WHOLE: [usize; COUNT] = every();

const fn is(kind: Of, other: Of) -> bool {
    kind as u8 == other as u8
}

const fn count(kind: Of) -> usize {
    let (mut at, mut found) = (0, 0);
    while at < COUNT {
        found += is(COLUMNS[at].2, kind) as usize;
        at += 1;
    }
    found
}

/// The places of the columns of a kind.
const fn places<const N: usize>(kind: Of) -> [usize; N] {
    let (mut at, mut found, mut places) = (0, 0, [0; N]);
    while at < COUNT {
        if is(COLUMNS[at].2, kind) {
            places[found] = at;
            found += 1;
        }
        at += 1;
    }
    places
}

const fn every() -> [usize; COUNT] {
    let (mut at, mut places) = (0, [0; COUNT]);
    while at < COUNT {
        places[at] = at;
        at += 1;
    }
    places
}

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
        definitions(&CALLER),
        definitions(&ROUTE),
        definitions(&REQUEST),
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

fn names(places: &[usize]) -> String {
    let names: Vec<&str> = places.iter().filter_map(|at| COLUMNS.get(*at)).map(|(name, _, _)| *name).collect();
    names.join(",")
}

fn definitions(places: &[usize]) -> String {
    let columns = places.iter().filter_map(|at| COLUMNS.get(*at));
    columns.map(|(name, kind, _)| format!("{name} {kind}")).collect::<Vec<_>>().join(",")
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
            let (names, all) = (names(&REQUEST), placeholders(1, REQUEST.len() + 2));
            format!("insert into requests (caller,route,{names}) values ({all}) on conflict (id) do nothing")
        };
        Ok(Self { is_whole, insert, callers: Rows::new("callers", &CALLER), routes: Rows::new("routes", &ROUTE) })
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
        let mut new = Vec::with_capacity(facts.len());
        let mut before: Option<Values<'f>> = None;
        for fact in facts {
            let values = fact.values();
            if self.is_whole {
                bind_changes(&mut statement, 1, &WHOLE, before.as_ref(), &values)?;
            } else {
                for (number, rows) in [(1, &mut self.callers), (2, &mut self.routes)] {
                    if let Some(row) = rows.row_of(lite, before.as_ref(), &values)? {
                        statement.raw_bind_parameter(number, row).map_err(failed)?;
                    }
                }
                bind_changes(&mut statement, 3, &REQUEST, before.as_ref(), &values)?;
            }
            if statement.raw_execute().map_err(failed)? > 0 {
                new.push(batch::use_of(fact, &values));
            }
            before = Some(values);
        }
        Ok(new)
    }
}

/// Binds the values of a row that differ from those of the row before, which are still bound: most of a fact's names are those
/// of the fact before, and each that is bound is copied.
fn bind_changes(
    statement: &mut Statement<'_>,
    first: usize,
    places: &[usize],
    before: Option<&Values<'_>>,
    values: &Values<'_>,
) -> Result<(), StoreError> {
    for (number, at) in (first..).zip(places) {
        if before.and_then(|before| before.get(*at)) != values.get(*at) {
            statement.raw_bind_parameter(number, values.get(*at)).map_err(failed)?;
        }
    }
    Ok(())
}

/// The rows of a table that other rows refer to.
#[derive(Debug)]
struct Rows {
    places: &'static [usize],
    insert: String,
    /// The numbers of rows, by their values.
    known: HashMap<Box<[u8]>, i64, RandomState>,
    /// Bytes that these values take.
    bytes: usize,
    /// Room for the values that are looked up.
    key: Vec<u8>,
}

impl Rows {
    fn new(table: &str, places: &'static [usize]) -> Self {
        let (names, all) = (names(places), placeholders(1, places.len()));
        let insert = format!("insert into {table} ({names}) values ({all})");
        Self { places, insert, known: HashMap::default(), bytes: 0, key: Vec::new() }
    }

    /// The number of the row with these values, which is made if it is not known; none if it is that of the row before.
    fn row_of(
        &mut self,
        lite: &Lite<'_>,
        before: Option<&Values<'_>>,
        values: &Values<'_>,
    ) -> Result<Option<i64>, StoreError> {
        let is_same = |before: &Values<'_>| self.places.iter().all(|at| before.get(*at) == values.get(*at));
        if before.is_some_and(is_same) {
            return Ok(None);
        }
        self.key.clear();
        for value in self.places.iter().filter_map(|at| values.get(*at)) {
            write_key(&mut self.key, value);
        }
        if let Some(row) = self.known.get(&*self.key) {
            return Ok(Some(*row));
        }
        let row = self.make(lite, values)?;
        if self.bytes > MOST_KNOWN {
            self.forget();
        }
        self.bytes += self.key.len() + size_of::<(Box<[u8]>, i64)>();
        self.known.insert(self.key.as_slice().into(), row);
        Ok(Some(row))
    }

    fn forget(&mut self) {
        self.known.clear();
        self.bytes = 0;
    }

    fn make(&self, lite: &Lite<'_>, values: &Values<'_>) -> Result<i64, StoreError> {
        let mut statement = lite.0.prepare_cached(&self.insert).map_err(failed)?;
        let values = self.places.iter().filter_map(|at| values.get(*at));
        statement.insert(rusqlite::params_from_iter(values)).map_err(failed)
    }
}

/// Writes a value so that no two different lists of them are written alike.
fn write_key(out: &mut Vec<u8>, value: &Value<'_>) {
    let mut bytes = |kind: u8, bytes: &[u8]| {
        out.push(kind);
        out.extend_from_slice(&bytes.len().to_le_bytes());
        out.extend_from_slice(bytes);
    };
    match value {
        Value::Null => out.push(0),
        Value::Int(number) => bytes(1, &number.to_le_bytes()),
        Value::Text(text) => bytes(2, text.as_bytes()),
        Value::Blob(blob) => bytes(3, blob),
    }
}

#[cfg(test)]
mod tests;
