//! Where a store of a test is, so that it can be opened again.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use weir_store::{Sqlite, Store};

/// A place that a store can be opened at, again and again.
pub(crate) trait Place {
    fn open(&self) -> Arc<dyn Store>;
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
}
