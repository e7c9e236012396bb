//! The parts of a day. When today's partitions are full, they become the day's earlier part, in the place of the one
//! that it has, and empty ones take their place. So a day is bounded without a deletion of rows, and its newest stay.
//!
//! Earlier parts are tables of the same names in a schema beside, under parents of the same names. What reads a day
//! reads an earlier part by the same statements.

use std::collections::BTreeSet;

use postgres::Transaction;
use postgres::error::SqlState;

use super::connection::{Pg, failed};
use super::partitions;
use crate::error::StoreError;
use crate::id::Day;
use crate::schema;

/// Whether a new part was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NewPart {
    New,
    /// The day was not full: another node has begun one.
    No,
    /// The tables were in use.
    Busy,
}

/// The name of the schema of earlier parts.
pub(super) fn earlier(schema: &str) -> String {
    format!("{schema}_earlier")
}

/// Makes a day's partitions its earlier part if they have more bytes than these, and makes new ones.
pub(super) fn begin_part(pg: &mut Pg<'_, '_>, day: Day, most: u64) -> Result<NewPart, StoreError> {
    partitions::lock(pg)?;
    if partitions::size(pg, day)? <= most {
        return Ok(NewPart::No);
    }
    let (schema, earlier) = (pg.schema, earlier(pg.schema));
    let tables = schema::day_tables(schema::POSTGRES);
    let names: Vec<&str> = tables.iter().map(|(table, _)| *table).collect();
    // Whatever is under way with these tables ends in time, or is not waited for: it would hold up all writes.
    let lock = format!("set local lock_timeout = '800ms'; lock table {} in access exclusive mode", names.join(", "));
    match pg.transaction.batch_execute(&lock) {
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => return Ok(NewPart::Busy),
        locked => locked.map_err(failed)?,
    }
    let mut run = |text: &str| pg.transaction.batch_execute(text).map_err(failed);
    run(&format!("create schema if not exists {earlier}"))?;
    for table in names {
        let part = partitions::partition(table, day);
        run(&format!(
            "create table if not exists {earlier}.{table} (like {schema}.{table}); \
             drop table if exists {earlier}.{part}; \
             alter table {schema}.{table} detach partition {schema}.{part}; \
             alter table {schema}.{part} set schema {earlier}; \
             alter table {earlier}.{part} inherit {earlier}.{table}"
        ))?;
    }
    partitions::make_day(pg, day)?;
    Ok(NewPart::New)
}

/// Adds to earlier parts what later versions have.
pub(super) fn upgrade(transaction: &mut Transaction<'_>, schema: &str, statements: &str) -> Result<(), StoreError> {
    let earlier = earlier(schema);
    let facts = format!("{earlier}.facts");
    let row = transaction.query_one("select to_regclass($1) is not null", &[&facts]).map_err(failed)?;
    if !row.try_get::<_, bool>(0).map_err(failed)? {
        return Ok(());
    }
    let text = format!("set local search_path = {earlier}; {statements}; set local search_path = {schema}");
    transaction.batch_execute(&text).map_err(failed)
}

/// The days that have an earlier part. None begins before the transaction ends, so that no fact is missed by it.
pub(super) fn days(pg: &mut Pg<'_, '_>) -> Result<BTreeSet<Day>, StoreError> {
    pg.transaction.batch_execute("lock table facts in access share mode").map_err(failed)?;
    let facts = format!("{}.facts", earlier(pg.schema));
    Ok(partitions::days_of(pg, &facts)?.into_iter().collect())
}

/// The days that have nothing but an earlier part.
pub(super) fn left_over(pg: &mut Pg<'_, '_>) -> Result<Vec<Day>, StoreError> {
    let earlier = days(pg)?;
    let names = partitions::names(pg)?;
    Ok(earlier.into_iter().filter(|day| !names.contains(day)).collect())
}

/// Reads or changes each part of a day, the newest first. The days that have an earlier part are those of [`days`].
pub(super) fn each<T>(
    pg: &mut Pg<'_, '_>,
    day: Day,
    have_earlier: &BTreeSet<Day>,
    mut run: impl FnMut(&mut Pg<'_, '_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut found = vec![run(pg)?];
    if have_earlier.contains(&day) {
        look_in(pg, &earlier(pg.schema))?;
        found.push(run(pg)?);
        look_in(pg, pg.schema)?;
    }
    Ok(found)
}

/// Lets the following statements of the transaction mean the tables of earlier parts.
pub(super) fn look_in_earlier(pg: &mut Pg<'_, '_>) -> Result<(), StoreError> {
    look_in(pg, &earlier(pg.schema))
}

/// Lets the following statements of the transaction mean the tables of a schema.
fn look_in(pg: &mut Pg<'_, '_>, schema: &str) -> Result<(), StoreError> {
    pg.transaction.batch_execute(&format!("set local search_path = {schema}")).map_err(failed)
}
