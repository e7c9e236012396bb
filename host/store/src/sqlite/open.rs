//! Open files, which may have been removed or replaced since.

use std::path::Path;

use rusqlite::Connection;

use super::SqliteOptions;
use super::connection::{self, Purpose};
use super::files::Identity;
use super::layout::Layout;
use crate::error::StoreError;

/// An open file.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) connection: Connection,
    pub(super) identity: Identity,
}

impl Open {
    pub(super) fn new(path: &Path, purpose: Purpose, options: SqliteOptions) -> Result<Self, StoreError> {
        let connection = connection::open(path, purpose, options.most_pages)?;
        Ok(Self { connection, identity: Identity::of(path)? })
    }

    pub(super) fn is_current(&self, path: &Path) -> bool {
        Identity::of(path).is_ok_and(|identity| identity == self.identity)
    }
}

/// The open file of a day.
#[derive(Debug)]
pub(super) struct OpenDay {
    pub(super) open: Open,
    pub(super) layout: Layout,
}

impl OpenDay {
    pub(super) fn new(path: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
        let open = Open::new(path, Purpose::Day, options)?;
        Ok(Self { layout: Layout::of(&open.connection)?, open })
    }

    pub(super) fn is_current(&self, path: &Path) -> bool {
        self.open.is_current(path)
    }
}
