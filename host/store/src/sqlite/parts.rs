//! The parts of a day. A day on which more is written than may be kept goes on in a new file when the first is full;
//! when that one is full too, it takes the first one's place. So a day is bounded without a deletion of rows, and its
//! newest stay.

use std::path::Path;

use rusqlite::Connection;

use super::connection::{self, Lite, Purpose, transact};
use super::files::{self, Identity};
use super::layout::Layout;
use super::{Open, Sqlite, locked};
use crate::erase::{Erasure, ErasureSubject};
use crate::error::StoreError;
use crate::id::Day;
use crate::parts::most_bytes;
use crate::retention::{DaySize, Retention};
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
            let identity = Identity::of(&path);
            match read_part(&path, &mut run) {
                // The day may have ended in the meantime.
                Err(_) if !path.exists() => {}
                Err(StoreError::Damaged(reason)) => {
                    self.put_aside_if_still(day, &path, identity.ok(), &reason);
                    return Err(StoreError::Damaged(reason));
                }
                part => found.extend(part?),
            }
        }
        Ok(found)
    }

    /// Puts a file aside that was found damaged when it was read, unless another file has its name by now. So a damaged
    /// file of one day delays reading the others by one call at most. Does nothing if another process writes the files.
    fn put_aside_if_still(&self, day: Day, path: &Path, found: Option<Identity>, reason: &str) {
        let mut days = locked(&self.days);
        if self.lock.is_none() || found.is_none() || Identity::of(path).ok() != found {
            return;
        }
        days.remove(&day);
        put_aside(path, reason);
    }

    /// Begins a new part of each day whose file has half of all bytes that may be kept: of today, and of days that a
    /// clock which is ahead takes for today.
    pub(super) fn bound_days(&self, days: &[DaySize], today: Day, retention: &Retention) -> Result<(), StoreError> {
        days.iter().filter(|size| size.day >= today).try_for_each(|size| self.bound_day(size.day, retention))
    }

    fn bound_day(&self, day: Day, retention: &Retention) -> Result<(), StoreError> {
        let most = most_bytes(retention);
        if self.files.size_of(day) <= most {
            return Ok(());
        }
        let mut days = locked(&self.days);
        let path = self.files.day(day);
        let open = match days.remove(&day).filter(|open| open.is_current(&path)) {
            Some(open) => open,
            None => self.open_day(&path)?,
        };
        // Without its write-ahead log, which has pages more than once. While the file is read, the next time will do.
        if !connection::empty_log(&open.open.connection)? || self.files.size_of(day) <= most {
            days.insert(day, open);
            return Ok(());
        }
        drop(open);
        let had_earlier = self.files.earlier(day).exists();
        self.files.make_earlier(day)?;
        tracing::warn!(%day, had_earlier, "the day's request log is full: its older half ends before the day does");
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
        let erased = self.erase_part(day, &path, subject);
        if let Err(StoreError::Damaged(reason)) = &erased {
            put_aside(&path, reason);
        }
        erased
    }

    fn erase_part(&self, day: Day, path: &Path, subject: &ErasureSubject) -> Result<u64, StoreError> {
        let Open { mut connection, .. } = Open::new(path, Purpose::Day, self.options)?;
        let mut layout = Layout::of(&connection)?;
        let removed = transact(&mut connection, |lite| erase(lite, &mut layout, day, subject))?;
        if removed > 0 {
            connection::truncate_log(&connection)?;
        }
        close(connection);
        Ok(removed)
    }
}

/// Puts a damaged file of a day aside, since no other facts should depend on what happened to those in it. While this
/// is done, the days are locked.
pub(super) fn put_aside(path: &Path, reason: &str) -> bool {
    match files::put_aside(path) {
        Ok(aside) => {
            tracing::error!(
                reason,
                file = %aside.display(),
                "a damaged file of the request log was put aside, and ends with its day: `sqlite3 FILE .recover` shows what is \
                 left in it"
            );
            true
        }
        Err(error) => {
            let file = path.display();
            tracing::error!(reason, %file, %error, "a damaged file of the request log cannot be put aside: move it away");
            false
        }
    }
}

/// Reads a part of a day; none if it has no tables yet.
fn read_part<T>(
    path: &Path,
    run: &mut impl FnMut(&mut dyn Sql) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut read = |connection: &Connection| {
        if connection::has_tables(connection)? { run(&mut Lite(connection)).map(Some) } else { Ok(None) }
    };
    match connection::open_to_follow(path) {
        Ok(connection) => read(&connection),
        Err(error @ StoreError::Damaged(_)) => Err(error),
        // What changes in a file that is read as unchanging looks like damage.
        Err(error) => read(&connection::open_as_unchanging(path, error)?).map_err(|error| match error {
            StoreError::Damaged(reason) => StoreError::Unavailable(reason),
            error => error,
        }),
    }
}

/// Removes what one part of a day has of a user or a key.
pub(super) fn erase(
    lite: &mut Lite<'_>,
    layout: &mut Layout,
    day: Day,
    subject: &ErasureSubject,
) -> Result<u64, StoreError> {
    // What is removed is overwritten, not only forgotten.
    lite.0.pragma_update(None, "secure_delete", true).map_err(connection::failed)?;
    let removed = Erasure::new(day, subject.clone()).run(lite)?;
    if removed > 0 {
        layout.remove_unused_callers(lite)?;
    }
    Ok(removed)
}

/// The last connection of a file moves its write-ahead log into it when it is closed. If that fails, the log stays, and
/// is read by the next connection.
fn close(connection: Connection) {
    let _closed = connection.close();
}
