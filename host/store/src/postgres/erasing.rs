//! Erasures, with a transaction for each step: a call may take so long and no longer, and what it has removed stays
//! removed.

use super::connection::Pg;
use super::sessions::Sessions;
use super::{partitions, parts};
use crate::erase::{Erasure, ErasureSubject};
use crate::error::StoreError;
use crate::id::{Day, RequestId};
use crate::sql::{Row, Sql, Value};

/// A part of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Newest,
    Earlier,
}

/// Removes what a day has of a user or a key. What becomes the day's earlier part on the way is found there.
pub(super) fn erase(log: &Sessions, day: Day, subject: &ErasureSubject) -> Result<u64, StoreError> {
    let mut removed = 0;
    for part in [Part::Newest, Part::Earlier] {
        let begun = log.run(|connection| connection.transact(true, now))?;
        let mut erasure = Erasure::new(day, subject.clone());
        loop {
            let (after, goes_on) = log.run(move |connection| {
                let goes_on = connection.transact(false, |pg| step(pg, &mut erasure, day, part, begun))?;
                Ok((erasure, goes_on))
            })?;
            erasure = after;
            if !goes_on {
                break;
            }
        }
        removed += erasure.removed();
    }
    Ok(removed)
}

/// The first transaction that is not over yet.
fn now(pg: &mut Pg<'_, '_>) -> Result<i64, StoreError> {
    let rows = pg.query("select txid_snapshot_xmin(txid_current_snapshot())", &[])?;
    rows.into_iter().next().map_or(Ok(0), |mut row| row.int())
}

fn step(pg: &mut Pg<'_, '_>, erasure: &mut Erasure, day: Day, part: Part, begun: i64) -> Result<bool, StoreError> {
    // No part begins before the transaction ends.
    let has_earlier = parts::days(pg)?.contains(&day);
    if part == Part::Earlier {
        if !has_earlier {
            return Ok(false);
        }
        parts::look_in_earlier(pg)?;
    }
    erasure.step(pg, &mut |sql| written_since(sql, day, begun))
}

/// The ids and recipes of a day's bodies of this transaction and later ones. No other is written before the transaction
/// ends.
fn written_since(sql: &mut dyn Sql, day: Day, begun: i64) -> Result<Vec<Row>, StoreError> {
    let table = partitions::partition("bodies", day);
    sql.execute(&format!("lock table {table} in share row exclusive mode"), &[])?;
    // A row has the lower half of its transaction's number.
    let query = format!("select id,recipe from {table} where id >= $1 and age(xmin) <= age($2::text::xid)");
    let (first, begun) = (RequestId::first_of(day.start_ms()), begun.rem_euclid(1 << 32).to_string());
    sql.query(&query, &[Value::blob(first.as_bytes()), Value::text(&begun)])
}
