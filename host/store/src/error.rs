//! What can go wrong with a store.

use std::path::PathBuf;

/// A failure of a store. None of them is the fault of a request, and none may fail one.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file or the database cannot be used now: full, read-only, gone, hanging. Trying later may help.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The database refuses this data: trying again would not help.
    #[error("the store refuses the data: {0}")]
    Refused(String),
    /// What was read is not what this version writes.
    #[error("the store holds what this version cannot read: {0}")]
    Unreadable(String),
    /// A file is damaged. A day's file is put aside, and the next call makes a new one.
    #[error("a file of the store is damaged: {0}")]
    Damaged(String),
    /// Another process has this store open for writing.
    #[error("{} is in use by another process; stop it, or give this one a file of its own", .0.display())]
    InUse(PathBuf),
    /// A document is not at the revision that the change expects.
    #[error("{kind} {id} has changed: {}", found_text(*found))]
    Conflict {
        /// The document's kind.
        kind: String,
        /// The document's id.
        id: String,
        /// The revision that it has; none if it does not exist.
        found: Option<u64>,
    },
    /// A cursor that no page of this store returned.
    #[error("the cursor is none that a page returned")]
    Cursor,
    /// A setting of the store that cannot be used, such as an address that does not parse.
    #[error("the store cannot be opened as configured: {0}")]
    Settings(String),
}

impl StoreError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Damaged(_) | Self::InUse(_))
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

fn found_text(found: Option<u64>) -> String {
    found.map_or_else(|| "it does not exist".to_owned(), |revision| format!("it is at revision {revision}"))
}
