//! Tables and their partitions by day.

use postgres::{Client, Transaction};

use super::connection::{Pg, failed};
use super::parts;
use crate::error::StoreError;
use crate::id::{Day, RequestId};
use crate::retention::DaySize;
use crate::schema;
use crate::sql::{Sql, Value};

/// The lock under which tables are made, by all nodes of all schemas: "weir" in letters.
const LOCK: i64 = 0x7765_6972;

/// How a table is divided.
fn division(table: &str) -> &'static str {
    match table {
        "facts" | "bodies" => "range (id)",
        _ => "list (day)",
    }
}

/// Makes the tables if they are missing. Nodes that start together do so one after the other; where they are there,
/// nothing is locked that others use.
pub(super) fn make_tables(client: &mut Client, schema: &str) -> Result<(), StoreError> {
    let mut transaction = client.transaction().map_err(failed)?;
    transaction.batch_execute(&format!("select pg_advisory_xact_lock({LOCK})")).map_err(failed)?;
    match version(&mut transaction, schema)? {
        Some(version) if version > schema::VERSION => {
            let text = format!("its tables are of version {version}, which a newer program made");
            return Err(StoreError::Settings(text));
        }
        Some(schema::VERSION) => {}
        Some(version) => upgrade(&mut transaction, schema, version)?,
        None => make_first_tables(&mut transaction, schema)?,
    }
    transaction.commit().map_err(failed)
}

/// The version of the tables; none if there are none.
fn version(transaction: &mut Transaction<'_>, schema: &str) -> Result<Option<i64>, StoreError> {
    let table = format!("{schema}.schema_version");
    let row = transaction.query_one("select to_regclass($1) is not null", &[&table]).map_err(failed)?;
    if !row.try_get::<_, bool>(0).map_err(failed)? {
        return Ok(None);
    }
    let row = transaction.query_one("select max(version) from schema_version", &[]).map_err(failed)?;
    row.try_get(0).map_err(failed)
}

/// Adds what later versions have; the partitions get it with their table.
fn upgrade(transaction: &mut Transaction<'_>, schema: &str, from: i64) -> Result<(), StoreError> {
    let mut run = |text: &str| transaction.batch_execute(text).map_err(failed);
    // A long history takes longer than a call may: callers that wait for the tables give up, and find them later.
    run("set local statement_timeout = 0")?;
    run(&schema::upgrade_from(from))?;
    parts::upgrade(transaction, schema, &schema::upgrade_from(from))?;
    let mut run = |text: &str| transaction.batch_execute(text).map_err(failed);
    if from < schema::DAYS_SINCE {
        run(&schema::main_tables(schema::POSTGRES))?;
        // Making the trigger waits for the writes that are under way and holds up those that follow, so that no sum is
        // put into the days twice or never.
        run(schema::POSTGRES_TRIGGERS)?;
        run(schema::upgrade_main_from(from))?;
    }
    if from < schema::COUNTS_SINCE {
        run(&schema::budget_counts(schema::POSTGRES))?;
    }
    if from < schema::WORK_SINCE {
        run(&schema::open_work(schema::POSTGRES))?;
    }
    if from < schema::HEAD_SINCE {
        run(&schema::audit_head(schema::POSTGRES))?;
    }
    if from < schema::FILES_SINCE {
        run(&schema::request_files(schema::POSTGRES))?;
    }
    if from < schema::OWNERS_SINCE {
        run(&schema::object_owners(schema::POSTGRES))?;
    }
    let text = format!("insert into schema_version (version) values ({})", schema::VERSION);
    transaction.batch_execute(&text).map_err(failed)
}

fn make_first_tables(transaction: &mut Transaction<'_>, schema: &str) -> Result<(), StoreError> {
    let mut run = |text: &str| transaction.batch_execute(text).map_err(failed);
    run(&format!("create schema if not exists {schema}"))?;
    run(&schema::main_tables(schema::POSTGRES))?;
    run(schema::POSTGRES_TRIGGERS)?;
    for (table, columns) in schema::day_tables(schema::POSTGRES) {
        run(&format!("create table if not exists {table} ({columns}) partition by {}", division(table)))?;
    }
    run("create index if not exists facts_failed on facts (id) where error_kind is not null")?;
    // The pieces of bodies are compressed already.
    run("alter table chunks alter column data set storage external")?;
    run(&format!("insert into schema_version (version) values ({})", schema::VERSION))
}

/// Waits until no other node makes tables, up to the transaction's end.
pub(super) fn lock(pg: &mut Pg<'_, '_>) -> Result<(), StoreError> {
    pg.transaction.batch_execute(&format!("select pg_advisory_xact_lock({LOCK})")).map_err(failed)
}

/// Makes a day's partitions. They are made apart and then attached, which does not stop reads and writes.
pub(super) fn make_day(pg: &mut Pg<'_, '_>, day: Day) -> Result<(), StoreError> {
    lock(pg)?;
    let schema = pg.schema;
    let mut run = |text: &str| pg.transaction.batch_execute(text).map_err(failed);
    for (table, _) in schema::day_tables(schema::POSTGRES) {
        let name = partition(table, day);
        let values = match division(table) {
            "list (day)" => format!("in ({})", day.number()),
            _ => format!("from ({}) to ({})", bound(day), bound(day.next())),
        };
        // Rows of a day lie apart in a database: without this, the day of a rare key or team is read as a whole.
        let indexes =
            format!("create index on {name} (api_key, id); create index on {name} (team, id) where team is not null; ");
        let indexes = if table == "facts" { indexes.as_str() } else { "" };
        let make = format!(
            "do $$ begin if to_regclass('{schema}.{name}') is null then \
             create table {name} (like {table} including all); {indexes}\
             alter table {table} attach partition {name} for values {values}; end if; end $$"
        );
        run(&make)?;
    }
    Ok(())
}

/// The first id of a day as a bound of a partition.
fn bound(day: Day) -> String {
    if day.start_ms() > crate::id::LAST_MS {
        return "maxvalue".to_owned();
    }
    let id = RequestId::first_of(day.start_ms());
    format!("'\\x{}'", crate::hex::encode(id.as_bytes()))
}

pub(super) fn partition(table: &str, day: Day) -> String {
    format!("{table}_{}", day.to_string().replace('-', "_"))
}

/// Removes a day. Reads that are under way are waited for, but not for long: the day ends at the next look otherwise.
pub(super) fn drop_day(pg: &mut Pg<'_, '_>, day: Day) -> Result<(), StoreError> {
    let names: Vec<String> = names_of(pg.schema, day).collect();
    let text = format!("set local lock_timeout = '2s'; drop table if exists {}", names.join(", "));
    pg.transaction.batch_execute(&text).map_err(failed)
}

/// The tables of a day, those of its earlier part too, whether they exist or not.
fn names_of(schema: &str, day: Day) -> impl Iterator<Item = String> {
    [schema.to_owned(), parts::earlier(schema)].into_iter().flat_map(move |schema| {
        let tables = schema::day_tables(schema::POSTGRES).into_iter();
        tables.map(move |(table, _)| format!("{schema}.{}", partition(table, day)))
    })
}

/// The days that have partitions, oldest first.
pub(super) fn names(pg: &mut Pg<'_, '_>) -> Result<Vec<Day>, StoreError> {
    days_of(pg, "facts")
}

/// The days of the tables that belong to a table of facts, oldest first; none if there is no such table.
pub(super) fn days_of(pg: &mut Pg<'_, '_>, facts: &str) -> Result<Vec<Day>, StoreError> {
    let rows = pg.query(
        "select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid \
         where i.inhparent = to_regclass($1)",
        &[Value::text(facts)],
    )?;
    let mut days = Vec::new();
    for mut row in rows {
        days.extend(day_of(&row.text()?));
    }
    days.sort_unstable();
    Ok(days)
}

fn day_of(name: &str) -> Option<Day> {
    name.strip_prefix("facts_")?.replace('_', "-").parse().ok()
}

/// The days with the bytes of their partitions, those of earlier parts too, oldest first.
pub(super) fn sizes(pg: &mut Pg<'_, '_>) -> Result<Vec<DaySize>, StoreError> {
    let mut sizes = Vec::new();
    for day in names(pg)? {
        let bytes = bytes(pg, names_of(pg.schema, day))?;
        sizes.push(DaySize { day, bytes });
    }
    Ok(sizes)
}

/// The bytes of a day's partitions, without those of its earlier part.
pub(super) fn size(pg: &mut Pg<'_, '_>, day: Day) -> Result<u64, StoreError> {
    let tables = schema::day_tables(schema::POSTGRES);
    bytes(pg, tables.iter().map(|(table, _)| partition(table, day)))
}

/// The bytes of those of these tables that exist, with their indexes.
fn bytes(pg: &mut Pg<'_, '_>, tables: impl Iterator<Item = String>) -> Result<u64, StoreError> {
    let mut bytes = 0;
    for name in tables {
        let rows =
            pg.query("select coalesce(pg_total_relation_size(to_regclass($1)), 0)::bigint", &[Value::text(&name)])?;
        for mut row in rows {
            bytes += row.count()?;
        }
    }
    Ok(bytes)
}
