//! What the log says of a store that is not what this node knew.

use std::fmt::Display;
use std::path::Path;

/// The store was put back while this node ran.
pub(super) fn put_back(version: u64, known: u64) {
    tracing::error!(
        version,
        known,
        "the store was put back to an older state; keys revoked since then stay refused on this node"
    );
}

/// The store was put back before this node was started.
pub(super) fn older(version: u64, known: u64) {
    tracing::error!(
        version,
        known,
        "the store is older than what this node knew: if a backup was restored, keys that were revoked since stay refused \
         here as far as this node knew them, and all others are valid as they were then, also on other nodes. Disable them \
         again (`weir keys list`, `weir keys disable ID`)"
    );
}

/// The store has no keys any more. `mark` is the file by which this node knows that there were some.
pub(super) fn lost_keys(mark: Option<&Path>) {
    let mark = mark.map_or_else(String::new, |path| path.display().to_string());
    tracing::error!(
        mark,
        "the store has no keys, although this node knew some: requests still need one. Restore the store from a backup, or \
         if it was emptied on purpose, stop weir, remove the file that `mark` names, and start it"
    );
}

/// A file of this node, by which it knows what the store had, cannot be read, or has something else in it.
pub(super) fn damaged_file(path: &Path, problem: &dyn Display, lost: &str) {
    tracing::error!(
        path = %path.display(),
        %problem,
        lost,
        "a file of this node cannot be read as it was written. It is written anew; where the store was put back to an older state \
         meanwhile, stop weir, put the file back from a backup, and start it"
    );
}
