//! Connections to files: how they are opened, what their errors mean, and [`Sql`] on them.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::layout;
use crate::documents::{self, Document, MAX_DOCUMENTS};
use crate::error::StoreError;
use crate::schema;
use crate::sql::{Row, Sql, Value};
use crate::stored_row::{self, StoredRow};

/// How long a statement waits for another connection's transaction.
const BUSY: Duration = Duration::from_secs(5);
/// Bytes of a write-ahead log that stay after a checkpoint.
const MAX_LOG: u32 = 64 << 20;
/// Pages of a day's write-ahead log that are moved into the file at once: half a millisecond's work, for which requests
/// wait on a core that is fully used. The usual thousand take two.
const CHECKPOINT_PAGES: u32 = 256;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Money, keys, audit: every commit is on the disk before it returns.
    Main,
    /// Facts and bodies of a day: a loss of power may cost the last commits, a kill costs none.
    Day,
}

impl Purpose {
    /// The version of the tables that this program makes.
    fn version(self) -> i64 {
        match self {
            Self::Main => schema::VERSION,
            Self::Day => layout::VERSION,
        }
    }
}

/// Opens a file for writing and makes its tables.
pub(super) fn open(path: &Path, purpose: Purpose, most_pages: Option<u32>) -> Result<Connection, StoreError> {
    begin(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(64);
    let set = |name: &str, value: &dyn rusqlite::ToSql| {
        connection.pragma_update_and_check(None, name, value, |_| Ok(())).or_else(nothing_returned).map_err(failed)
    };
    set("journal_mode", &"wal")?;
    set("synchronous", if purpose == Purpose::Main { &"full" } else { &"normal" })?;
    set("journal_size_limit", &MAX_LOG)?;
    if purpose == Purpose::Day {
        set("wal_autocheckpoint", &CHECKPOINT_PAGES)?;
    }
    if let Some(pages) = most_pages {
        set("max_page_count", &pages)?;
    }
    make_tables(&mut connection, purpose)?;
    Ok(connection)
}

/// Makes the file if there is none, so that other users of the machine do not read what clients said: SQLite would let
/// them. What it puts beside the file has the same rights. A file that cannot be made is reported when it is opened.
#[cfg(unix)]
fn begin(path: &Path) {
    use std::os::unix::fs::OpenOptionsExt as _;
    const OWNER_AND_GROUP: u32 = 0o640;
    // Only a new file: closing one that is open here would end the locks that SQLite has on it.
    drop(std::fs::File::options().write(true).create_new(true).mode(OWNER_AND_GROUP).open(path));
}

#[cfg(not(unix))]
fn begin(_: &Path) {}

/// Some pragmas answer with a row and some do not.
fn nothing_returned(error: rusqlite::Error) -> rusqlite::Result<()> {
    if matches!(error, rusqlite::Error::QueryReturnedNoRows) { Ok(()) } else { Err(error) }
}

/// Whether a file has its tables; one that was just made has none yet.
pub(super) fn has_tables(connection: &Connection) -> Result<bool, StoreError> {
    Ok(version_of(connection)? > 0)
}

/// Opens a file for reading, with what others write into it later.
pub(super) fn open_to_follow(path: &Path) -> Result<Connection, StoreError> {
    open_named(path, path, OpenFlags::empty())
}

/// Opens a file that could not be opened to be followed, as one that does not change; fails with that error if this is
/// not possible either.
pub(super) fn open_as_unchanging(path: &Path, error: StoreError) -> Result<Connection, StoreError> {
    let Some(name) = path.to_str().filter(|_| error.is_transient() && path.exists()) else { return Err(error) };
    let name = name.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let uri = format!("file:{name}?immutable=1");
    open_named(path, Path::new(&uri), OpenFlags::SQLITE_OPEN_URI).map_err(|_| error)
}

fn open_named(path: &Path, name: &Path, more: OpenFlags) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(name, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    // The version first: with it come the tables, while those of a file that is just made are not there yet.
    let version = version_of(&connection)?;
    let has_facts = layout::has_facts(&connection)?;
    check_version(version, if has_facts { Purpose::Day } else { Purpose::Main })?;
    if has_facts && (1..layout::VERSION).contains(&version) {
        // Where that is not possible, the first query reports what the facts lack.
        let _is_newest = open_day(path);
    }
    Ok(connection)
}

/// Opens a day's file for writing, which brings its tables up to date.
fn open_day(path: &Path) -> Result<(), StoreError> {
    open(path, Purpose::Day, None).map(drop)
}

/// Whether a main file has the sums of days; one that an earlier version writes has none yet.
pub(super) fn has_days(connection: &Connection) -> Result<bool, StoreError> {
    Ok(version_of(connection)? >= schema::DAYS_SINCE)
}

/// Whether a main file keeps the end of the audit log apart; one that an earlier version writes does not yet.
pub(super) fn has_audit_head(connection: &Connection) -> Result<bool, StoreError> {
    Ok(version_of(connection)? >= schema::HEAD_SINCE)
}

fn version_of(connection: &Connection) -> Result<i64, StoreError> {
    connection.query_row("pragma user_version", [], |row| row.get(0)).map_err(failed)
}

fn check_version(version: i64, purpose: Purpose) -> Result<i64, StoreError> {
    if version > purpose.version() {
        return Err(StoreError::Settings(format!("its tables are of version {version}, which a newer program made")));
    }
    Ok(version)
}

fn make_tables(connection: &mut Connection, purpose: Purpose) -> Result<(), StoreError> {
    if check_version(version_of(connection)?, purpose)? == purpose.version() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Another process may have made them meanwhile.
    let before = version_of(&transaction)?;
    if before == purpose.version() {
        return Ok(());
    }
    let text = match purpose {
        Purpose::Main => {
            schema::main_tables(schema::SQLITE) + schema::SQLITE_TRIGGERS + schema::upgrade_main_from(before)
        }
        Purpose::Day if before == 0 => layout::tables(),
        Purpose::Day => layout::upgrade_from(before),
    };
    transaction.execute_batch(&text).map_err(failed)?;
    transaction.pragma_update(None, "user_version", purpose.version()).map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// What an error of SQLite means for the caller.
#[expect(clippy::needless_pass_by_value, reason = "it maps errors, which are passed by value")]
pub(super) fn failed(error: rusqlite::Error) -> StoreError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StoreError::Damaged(text),
        None | Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig) => {
            StoreError::Refused(text)
        }
        Some(_) => StoreError::Unavailable(text),
    }
}

/// A transaction, or a connection that only reads, as [`Sql`].
#[derive(Debug)]
pub(super) struct Lite<'a>(pub(super) &'a Connection);

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) | Self::Damaged(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Sql for Lite<'_> {
    fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        let mut statement = self.0.prepare_cached(sql).map_err(failed)?;
        let changed = statement.execute(rusqlite::params_from_iter(values)).map_err(failed)?;
        Ok(changed as u64)
    }

    fn query(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let mut statement = self.0.prepare_cached(sql).map_err(failed)?;
        let columns = statement.column_count();
        let mut rows = statement.query(rusqlite::params_from_iter(values)).map_err(failed)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            found.push(owned(row, columns)?);
        }
        Ok(found)
    }
}

fn owned(row: &rusqlite::Row<'_>, columns: usize) -> Result<Row, StoreError> {
    let value = |at| {
        Ok(match row.get_ref(at).map_err(failed)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Int(number),
            ValueRef::Text(text) => Value::text_of(text.to_vec()),
            ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec().into()),
            ValueRef::Real(number) => Value::Damaged(number.to_string().into_bytes().into()),
        })
    };
    (0..columns).map(value).collect::<Result<_, _>>().map(Row::new)
}

impl Lite<'_> {
    /// Hands over all documents as they are now, in parts, until `take` refuses one. In the order in which they are
    /// stored: by their revisions, each would be looked up.
    pub(super) fn all_documents(&self, take: &mut dyn FnMut(Vec<Document>) -> bool) -> Result<(), StoreError> {
        let mut statement = self.0.prepare_cached("select kind,id,revision,body from documents").map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        let mut part = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            part.push(documents::read(&mut owned(row, documents::COLUMNS)?));
            if part.len() >= MAX_DOCUMENTS && !take(std::mem::replace(&mut part, Vec::with_capacity(MAX_DOCUMENTS))) {
                return Ok(());
            }
        }
        take(part);
        Ok(())
    }
}

impl Lite<'_> {
    /// Hands over all rows of documents, whatever their names are.
    pub(super) fn each_row(&self, take: &mut dyn FnMut(StoredRow)) -> Result<(), StoreError> {
        let text = format!("select {} from documents", stored_row::SQLITE.columns);
        let mut statement = self.0.prepare(&text).map_err(failed)?;
        let columns = statement.column_count();
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            take(stored_row::read(&mut owned(row, columns)?)?.0);
        }
        Ok(())
    }
}

/// Runs something in a transaction, and rolls back if it fails.
pub(super) fn transact<T>(
    connection: &mut Connection,
    run: impl FnOnce(&mut Lite<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let value = run(&mut Lite(&transaction))?;
    transaction.commit().map_err(failed)?;
    Ok(value)
}

/// Moves the write-ahead log into the file and empties it; false if a reader keeps it from being emptied.
pub(super) fn empty_log(connection: &Connection) -> Result<bool, StoreError> {
    let is_busy: i64 = connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0)).map_err(failed)?;
    Ok(is_busy == 0)
}

/// Moves the write-ahead log into the file and empties it.
pub(super) fn truncate_log(connection: &Connection) -> Result<(), StoreError> {
    connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(())).map_err(failed)
}
