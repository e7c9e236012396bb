//! Where a store of a test is, so that it can be opened again.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use weir_store::{Sqlite, Store};

/// A place that a store can be opened at, again and again.
pub(crate) trait Place {
    fn open(&self) -> Arc<dyn Store>;

    /// Runs statements beside the store, as somebody would who has got at the database.
    fn execute(&self, sql: &str);

    /// Makes the text of the document with this id one that is no UTF-8, as a damaged disk would.
    fn damage(&self, id: &str);

    /// Makes the id of this document one that is no UTF-8.
    fn damage_id(&self, id: &str);

    /// Bytes as the database writes them.
    fn bytes(&self, bytes: &[u8]) -> String;
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

/// A folder of files.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    pub(crate) fn main(&self) -> PathBuf {
        self.0.path().join("weir.db")
    }
}

impl Place for Files {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(Sqlite::open(self.main()).unwrap())
    }

    fn execute(&self, sql: &str) {
        rusqlite::Connection::open(self.main()).unwrap().execute_batch(&format!("begin; {sql}; commit")).unwrap();
    }

    fn damage(&self, id: &str) {
        self.execute(&format!("update documents set body = cast(x'7bff7d' as text) where id = '{id}'"));
    }

    fn damage_id(&self, id: &str) {
        self.execute(&format!("update documents set id = cast(x'7bff7d' as text) where id = '{id}'"));
    }

    fn bytes(&self, bytes: &[u8]) -> String {
        format!("x'{}'", hex(bytes))
    }
}
