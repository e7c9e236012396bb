//! The layout of a day's facts in its file. What requests repeat is stored once: the names of callers in `callers`,
//! those of models and providers in `routes`. A request's row has their numbers and its own values, less than half of
//! the whole. The view `facts` shows whole facts, so that searches need not know the layout.
//!
//! A file that an earlier version began has a table `facts` of whole rows, and keeps it until its day ends.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rusqlite::{Connection, ErrorCode, Statement};

use super::connection::{Lite, failed};
use crate::batch::{self, KEY, KeyUse};
use crate::error::StoreError;
use crate::fact::columns::{self, DependsOn, Values};
use crate::fact::packed::{self, PackedFact, Parts};
use crate::schema;
use crate::sql::{Sql as _, Value, placeholders};

/// The version of a day's tables that this program makes.
pub(super) const VERSION: i64 = 7;

/// The version from which on what repeats stands once.
const SPLIT_SINCE: i64 = 5;

/// The texts that later versions added to `routes`, each with its version.
const ADDED_TO_ROUTES: [(i64, &str); 2] = [(6, "region"), (7, "model_named")];

/// Most bytes of the callers, and of the routes, whose numbers are remembered. One that is forgotten gets another row.
const MAX_KNOWN: usize = 2 << 20;

/// Facts that one statement inserts.
const TOGETHER: usize = 16;

const REQUEST: usize = columns::count(DependsOn::Request);
const CALLER: usize = columns::count(DependsOn::Caller);
const ROUTE: usize = columns::count(DependsOn::Route);
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

/// The statements that bring a day's file of this version up to [`VERSION`].
pub(super) fn upgrade_from(version: i64) -> String {
    if version < SPLIT_SINCE {
        return schema::upgrade_from(version);
    }
    let added = ADDED_TO_ROUTES.iter().filter(|(added, _)| *added > version);
    let columns: Vec<_> = added.map(|(_, column)| format!("alter table routes add column {column} text;")).collect();
    // Its trigger goes with the view.
    format!("{} drop view facts;\n{}", columns.join(" "), view())
}

/// The view of whole facts, from which they are deleted as from a table.
fn view() -> String {
    format!(
        "create view facts as select {} from requests
  cross join callers on callers.number = requests.caller cross join routes on routes.number = requests.route;
create trigger facts_deleted instead of delete on facts begin delete from requests where id = old.id; end;\n",
        columns::names(),
    )
}

/// The statements that make the tables of a day.
pub(super) fn tables() -> String {
    let mut text = format!(
        "create table callers (number integer primary key, {});
create table routes (number integer primary key, {});
create table requests (caller bigint not null, route bigint not null, {}, primary key (id)) without rowid;
create index facts_failed on requests (id) where error_kind is not null;
{}",
        definitions(DependsOn::Caller),
        definitions(DependsOn::Route),
        definitions(DependsOn::Request),
        view(),
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

fn names(kind: DependsOn) -> String {
    columns::of(kind).map(|(name, _)| name).collect::<Vec<_>>().join(",")
}

fn definitions(kind: DependsOn) -> String {
    columns::of(kind).map(|(name, kind)| format!("{name} {kind}")).collect::<Vec<_>>().join(",")
}

/// What is known of a day's file while it is open for writing.
#[derive(Debug)]
pub(super) struct Layout {
    /// Whether its facts are whole rows.
    is_whole: bool,
    /// Inserts one fact, and takes no notice of one that is there.
    insert: String,
    /// Inserts [`TOGETHER`] facts, none of which may be there.
    insert_together: String,
    callers: Rows,
    routes: Rows,
}

impl Layout {
    /// That of a file which has its tables.
    pub(super) fn of(connection: &Connection) -> Result<Self, StoreError> {
        let is_whole = kind_of_facts(connection)?.is_some_and(|kind| kind == "table");
        let into = format!("insert into requests (caller,route,{}) values ", names(DependsOn::Request));
        let insert = if is_whole {
            batch::insert_fact()
        } else {
            format!("{into}({}) on conflict (id) do nothing", placeholders(1, REQUEST + 2))
        };
        // Without numbers, which SQLite would look up as names.
        let insert_together = into + &[format!("(?{})", ",?".repeat(REQUEST + 1)).as_str(); TOGETHER].join(",");
        let (callers, routes) = (Rows::new("callers", DependsOn::Caller), Rows::new("routes", DependsOn::Route));
        Ok(Self { is_whole, insert, insert_together, callers, routes })
    }

    /// Forgets what rows there are: those of a transaction that failed are not.
    pub(super) fn forget(&mut self) {
        self.callers.forget();
        self.routes.forget();
    }

    /// Removes the callers that no request has any more: after an erasure, nothing is left of who asked.
    pub(super) fn remove_unused_callers(&mut self, lite: &mut Lite<'_>) -> Result<(), StoreError> {
        if !self.is_whole {
            lite.execute("delete from callers where number not in (select caller from requests)", &[])?;
            self.callers.forget();
        }
        Ok(())
    }

    /// Inserts facts and returns what those that were not there add to the sums of their keys.
    pub(super) fn insert<'f>(
        &mut self,
        lite: &Lite<'_>,
        facts: &[&'f PackedFact],
    ) -> Result<Vec<KeyUse<'f>>, StoreError> {
        if self.is_whole {
            let mut statement = lite.0.prepare_cached(&self.insert).map_err(failed)?;
            return insert_whole(&mut statement, facts);
        }
        let rows = self.rows(lite, facts)?;
        let mut new = Vec::with_capacity(rows.len());
        let (groups, rest) = rows.as_chunks::<TOGETHER>();
        if !groups.is_empty() {
            self.insert_groups(lite, groups, &mut new)?;
        }
        self.insert_singly(lite, rest, &mut new)?;
        Ok(new)
    }

    /// The facts' rows of `requests`. The rows that they refer to are made.
    fn rows<'f>(&mut self, lite: &Lite<'_>, facts: &[&'f PackedFact]) -> Result<Vec<RequestRow<'f>>, StoreError> {
        let mut rows = Vec::<RequestRow<'f>>::with_capacity(facts.len());
        for fact in facts {
            let (parts, before) = (fact.parts(), rows.last());
            let caller = match before.filter(|before| before.parts.caller == parts.caller) {
                Some(before) => before.caller,
                None => self.callers.row_of::<CALLER>(lite, parts.caller, REQUEST)?,
            };
            let route = match before.filter(|before| before.parts.route == parts.route) {
                Some(before) => before.route,
                None => self.routes.row_of::<ROUTE>(lite, parts.route, REQUEST + CALLER)?,
            };
            rows.push(RequestRow { fact, caller, route, parts });
        }
        Ok(rows)
    }

    /// Inserts groups of rows with one statement each, since beginning and ending a statement costs a third of its row.
    /// A group with rows that exist already is inserted row by row.
    fn insert_groups<'f>(
        &self,
        lite: &Lite<'_>,
        groups: &[[RequestRow<'f>; TOGETHER]],
        new: &mut Vec<KeyUse<'f>>,
    ) -> Result<(), StoreError> {
        let mut statement = lite.0.prepare_cached(&self.insert_together).map_err(failed)?;
        let mut before: Option<&[RequestRow<'f>; TOGETHER]> = None;
        for group in groups {
            for (at, row) in group.iter().enumerate() {
                let before = before.and_then(|before| before.get(at));
                row.bind(&mut statement, at * (REQUEST + 2) + 1, before)?;
            }
            match statement.raw_execute() {
                Ok(_) => new.extend(group.iter().map(RequestRow::key_use)),
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                    self.insert_singly(lite, group, new)?;
                }
                Err(error) => return Err(failed(error)),
            }
            before = Some(group);
        }
        Ok(())
    }

    fn insert_singly<'f>(
        &self,
        lite: &Lite<'_>,
        rows: &[RequestRow<'f>],
        new: &mut Vec<KeyUse<'f>>,
    ) -> Result<(), StoreError> {
        let mut statement = lite.0.prepare_cached(&self.insert).map_err(failed)?;
        let mut before = None;
        for row in rows {
            row.bind(&mut statement, 1, before)?;
            if statement.raw_execute().map_err(failed)? > 0 {
                new.push(row.key_use());
            }
            before = Some(row);
        }
        Ok(())
    }
}

/// A fact as a row of `requests`.
#[derive(Debug)]
struct RequestRow<'f> {
    fact: &'f PackedFact,
    caller: i64,
    route: i64,
    parts: Parts<'f>,
}

impl<'f> RequestRow<'f> {
    /// Binds its values from a parameter on, of a statement whose parameters there have the values of the row before.
    fn bind(&self, statement: &mut Statement<'_>, first: usize, before: Option<&Self>) -> Result<(), StoreError> {
        if before.is_none_or(|before| before.caller != self.caller) {
            statement.raw_bind_parameter(first, self.caller).map_err(failed)?;
        }
        if before.is_none_or(|before| before.route != self.route) {
            statement.raw_bind_parameter(first + 1, self.route).map_err(failed)?;
        }
        bind_changes(statement, first + 2, before.map(|before| &before.parts.request[..]), &self.parts.request)
    }

    /// What it adds to the sums of its key.
    fn key_use(&self) -> KeyUse<'f> {
        let [key] = packed::columns_of(&mut { self.parts.caller }, KEY);
        batch::use_of(self.fact, &key, &self.parts.request)
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

/// Binds the values of a row that differ from those of the row before, which are still bound: most of a fact's values
/// are those of the fact before, and each that is bound is copied.
fn bind_changes(
    statement: &mut Statement<'_>,
    first: usize,
    before: Option<&[Value<'_>]>,
    values: &[Value<'_>],
) -> Result<(), StoreError> {
    let mut before = before.unwrap_or_default().iter();
    for (number, value) in (first..).zip(values) {
        // A statement that is taken from the cache has no values: all are null.
        if before.next().unwrap_or(&Value::Null) != value {
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
    fn new(table: &str, kind: DependsOn) -> Self {
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
        if self.bytes > MAX_KNOWN {
            self.forget();
        }
        self.bytes += columns.len() + size_of::<(Box<[u8]>, i64)>();
        self.known.insert(columns.into(), row);
        Ok(row)
    }
}

#[cfg(test)]
mod tests;
