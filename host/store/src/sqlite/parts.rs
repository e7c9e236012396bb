//! The parts of a day. A day on which more is written than may be kept goes on in a new file when the first is full; when that
//! one is full too, it takes the first one's place. So a day is bounded without a deletion of rows, and its newest stay.

use rusqlite::Connection;

use super::connection::{self, Lite, Purpose, transact};
use super::{Open, Sqlite, locked};
use crate::erase::{Erasure, ErasureSubject};
use crate::error::StoreError;
use crate::id::Day;
use crate::parts::most_bytes;
use crate::retention::Retention;
use crate::sql::Sql;

impl Sqlite {
    /// Reads each part of a day, the newest first; none if the day has none.
    pub(super) fn read_day<T>(
        &self,
        day: Day,
        mut run: impl FnMut(&mut dyn Sql) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        for path in self.files.parts(day) {
            let connection = match connection::open_to_read(&path) {
                Ok(connection) => connection,
                // The day may have ended in the meantime.
                Err(_) if !path.exists() => continue,
                Err(error) => return Err(error),
            };
            if connection::has_tables(&connection)? {
                found.push(run(&mut Lite(&connection))?);
            }
        }
        Ok(found)
    }

    /// Begins a new part of today if its file has half of all bytes that may be kept.
    pub(super) fn bound_today(&self, today: Day, retention: &Retention) -> Result<(), StoreError> {
        let most = most_bytes(retention);
        if self.files.size_of(today) <= most {
            return Ok(());
        }
        let mut days = locked(&self.days);
        let path = self.files.day(today);
        let open = match days.remove(&today).filter(|open| open.is_current(&path)) {
            Some(open) => open,
            None => self.open_day(today, &path)?,
        };
        // Without its write-ahead log, which has pages more than once. While the file is read, the next time will do.
        if !connection::empty_log(&open.open.connection)? || self.files.size_of(today) <= most {
            days.insert(today, open);
            return Ok(());
        }
        drop(open);
        let had_earlier = self.files.earlier(today).exists();
        self.files.make_earlier(today)?;
        tracing::warn!(day = %today, had_earlier, "today's request log is full: its older half ends before the day does");
        Ok(())
    }

    /// Removes what a day's earlier part has of a user or a key.
    pub(super) fn erase_earlier(&self, day: Day, subject: &ErasureSubject) -> Result<u64, StoreError> {
        let path = self.files.earlier(day);
        // So that no other thread makes another file the earlier part.
        let _days = locked(&self.days);
        if !path.exists() {
            return Ok(0);
        }
        let Open { mut connection, .. } = Open::new(&path, Purpose::Day, self.options)?;
        let removed = transact(&mut connection, |lite| erase(lite, day, subject))?;
        if removed > 0 {
            connection::truncate_log(&connection)?;
        }
        close(connection);
        Ok(removed)
    }
}

/// Removes what one part of a day has of a user or a key.
pub(super) fn erase(lite: &mut Lite<'_>, day: Day, subject: &ErasureSubject) -> Result<u64, StoreError> {
    // What is removed is overwritten, not only forgotten.
    lite.0.pragma_update(None, "secure_delete", true).map_err(connection::failed)?;
    Erasure::new(day, subject.clone()).run(lite)
}

/// The last connection of a file moves its write-ahead log into it when it is closed. If that fails, the log stays, and is
/// read by the next connection.
fn close(connection: Connection) {
    let _closed = connection.close();
}
