//! The connections that read the main file. They are kept: opening one takes more than most questions do, and changes
//! are asked for some times a second.

use std::path::Path;
use std::sync::Mutex;

use rusqlite::Connection;

use super::connection::{self, Lite};
use super::files::Identity;
use super::{Open, locked};
use crate::error::StoreError;

/// Most connections that wait for the next question.
const MAX_IDLE: usize = 2;

/// Connections that no question uses now.
#[derive(Debug, Default)]
pub(super) struct Readers(Mutex<Vec<Open>>);

impl Readers {
    /// Reads the file that has this name now.
    pub(super) fn read<T>(
        &self,
        path: &Path,
        run: impl FnOnce(&mut Lite<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let kept = self.idle(path).map(|open| (open.connection, Some(open.identity)));
        let (connection, identity) = kept.map_or_else(|| open(path), Ok)?;
        let result = run(&mut Lite(&connection));
        // After a failure, the next question has another one.
        if let (Ok(_), Some(identity)) = (&result, identity) {
            self.keep(Open { connection, identity });
        }
        result
    }

    /// A kept connection; those of another file are closed.
    fn idle(&self, path: &Path) -> Option<Open> {
        let mut idle = locked(&self.0);
        while let Some(open) = idle.pop() {
            if open.is_current(path) {
                return Some(open);
            }
        }
        None
    }

    fn keep(&self, open: Open) {
        let mut idle = locked(&self.0);
        if idle.len() < MAX_IDLE {
            idle.push(open);
        }
    }
}

/// Opens a file, and tells which one if the connection may be kept: one that reads it as unchanging would never show
/// what others write.
fn open(path: &Path) -> Result<(Connection, Option<Identity>), StoreError> {
    // Before it is opened: the connection of one that is replaced in between is not used again.
    let identity = Identity::of(path).ok();
    match connection::open_to_follow(path) {
        Ok(connection) => Ok((connection, identity)),
        Err(error) => Ok((connection::open_as_unchanging(path, error)?, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(readers: &Readers, path: &Path) -> Result<i64, StoreError> {
        let sql = "select count(*) from counters where name = 'a'";
        readers.read(path, |lite| lite.0.query_row(sql, [], |row| row.get(0)).map_err(connection::failed))
    }

    #[test]
    fn a_kept_connection_shows_what_is_written_later_and_ends_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("main.db");
        let readers = Readers::default();
        assert!(count(&readers, &path).is_err());
        let make = || connection::open(&path, connection::Purpose::Main, None).unwrap();
        let writer = make();
        assert_eq!(count(&readers, &path).unwrap(), 0);
        writer.execute_batch("insert into counters (name, value) values ('a', 1)").unwrap();
        assert_eq!((count(&readers, &path).unwrap(), locked(&readers.0).len()), (1, 1));
        drop(writer);
        for name in ["main.db", "main.db-wal", "main.db-shm"] {
            let _gone = std::fs::remove_file(folder.path().join(name));
        }
        assert!(count(&readers, &path).is_err());
        let _writer = make();
        assert_eq!(count(&readers, &path).unwrap(), 0);
    }
}
