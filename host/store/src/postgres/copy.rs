//! Facts by `COPY`, in its binary form.

use std::io::Write;

use bytes::BufMut;
use postgres::error::SqlState;

use super::connection::{Pg, failed};
use crate::batch::{self, KEY, KeyUse};
use crate::error::StoreError;
use crate::fact::columns::{self, Values};
use crate::fact::packed::PackedFact;
use crate::sql::Sql;

/// What the binary form begins with: a signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Bytes that are sent at a time.
const PIECE: usize = 256 << 10;

impl Pg<'_, '_> {
    /// Inserts facts and returns what those that were not there add to the sums of their keys. `COPY` takes all or
    /// none: if one of them is there already, as after a commit whose answer was lost, they are inserted one by one.
    pub(super) fn insert_facts<'f>(&mut self, facts: &[&'f PackedFact]) -> Result<Vec<KeyUse<'f>>, StoreError> {
        if facts.is_empty() {
            return Ok(Vec::new());
        }
        match self.copy(facts) {
            Ok(()) => Ok(facts.iter().map(|fact| used(fact, &fact.values())).collect()),
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => self.insert_each(facts),
            Err(error) => Err(failed(error)),
        }
    }

    fn copy(&mut self, facts: &[&PackedFact]) -> Result<(), postgres::Error> {
        let mut savepoint = self.transaction.savepoint("copied")?;
        let mut writer = savepoint.copy_in(&format!("copy facts ({}) from stdin binary", columns::names()))?;
        let mut rows = HEADER.to_vec();
        for fact in facts {
            rows.put_slice(fact.row());
            // What goes wrong with the connection shows when the copy is finished.
            if rows.len() > PIECE {
                let _ = writer.write_all(&rows);
                rows.clear();
            }
        }
        rows.put_i16(-1);
        let _ = writer.write_all(&rows);
        writer.finish()?;
        savepoint.commit()
    }

    fn insert_each<'f>(&mut self, facts: &[&'f PackedFact]) -> Result<Vec<KeyUse<'f>>, StoreError> {
        let insert = batch::insert_fact();
        let mut new = Vec::new();
        for fact in facts {
            let values = fact.values();
            if self.execute(&insert, &values)? > 0 {
                new.push(used(fact, &values));
            }
        }
        Ok(new)
    }
}

fn used<'f>(fact: &PackedFact, values: &Values<'f>) -> KeyUse<'f> {
    batch::use_of(fact, &values[KEY], values)
}
