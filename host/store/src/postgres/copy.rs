//! Facts by `COPY`, in its binary form.

use std::io::Write;

use bytes::BufMut;
use postgres::error::SqlState;

use super::connection::{Pg, failed};
use crate::batch;
use crate::error::StoreError;
use crate::fact::{Fact, columns};
use crate::sql::{Sql, Value};

/// What the binary form begins with: a signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Bytes that are sent at a time.
const PIECE: usize = 256 << 10;

impl Pg<'_, '_> {
    /// Inserts facts and returns those that were not there. `COPY` takes all or none: if one of them is there already, as
    /// after a commit whose answer was lost, they are inserted one by one.
    pub(super) fn insert_facts<'f>(&mut self, facts: &[&'f Fact]) -> Result<Vec<&'f Fact>, StoreError> {
        if facts.is_empty() {
            return Ok(Vec::new());
        }
        match self.copy(facts) {
            Ok(()) => Ok(facts.to_vec()),
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => self.insert_each(facts),
            Err(error) => Err(failed(error)),
        }
    }

    fn copy(&mut self, facts: &[&Fact]) -> Result<(), postgres::Error> {
        let mut savepoint = self.transaction.savepoint("copied")?;
        let mut writer = savepoint.copy_in(&format!("copy facts ({}) from stdin binary", columns::names()))?;
        let mut rows = HEADER.to_vec();
        for fact in facts {
            put_row(&mut rows, fact);
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

    fn insert_each<'f>(&mut self, facts: &[&'f Fact]) -> Result<Vec<&'f Fact>, StoreError> {
        let insert = batch::insert_fact();
        let mut new = Vec::new();
        for fact in facts {
            if self.execute(&insert, &columns::values(fact))? > 0 {
                new.push(*fact);
            }
        }
        Ok(new)
    }
}

fn put_row(out: &mut Vec<u8>, fact: &Fact) {
    let values = columns::values(fact);
    out.put_i16(i16::try_from(values.len()).unwrap_or(i16::MAX));
    for value in &values {
        match value {
            Value::Null => out.put_i32(-1),
            Value::Int(number) => {
                out.put_i32(8);
                out.put_i64(*number);
            }
            Value::Text(text) => put_bytes(out, text.as_bytes()),
            Value::Blob(bytes) => put_bytes(out, bytes),
        }
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    // Texts of facts are bounded, far below this.
    out.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
    out.put_slice(bytes);
}
