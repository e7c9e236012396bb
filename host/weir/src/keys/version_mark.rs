//! The newest version of the store's documents that this node has known, in a file beside the store or the configuration. A
//! store that is behind it at the next start was put back to an older state: keys that were revoked since are valid again.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use weir_adapters::install::{self, Readers};

/// The file with the version, and what it says.
#[derive(Debug, Default)]
pub(super) struct VersionMark {
    /// None where nothing can be written: then nothing is remembered.
    path: Option<PathBuf>,
    written: u64,
}

impl VersionMark {
    /// Reads the mark; there is none before the first change.
    pub(super) fn read(path: Option<&Path>) -> Self {
        let text = path.map(std::fs::read_to_string);
        let written = text.and_then(Result::ok).and_then(|text| text.trim().parse().ok()).unwrap_or_default();
        Self { path: path.map(Path::to_owned), written }
    }

    /// Takes note of the version that the store has now. Returns the newer one that this node knew before, once.
    pub(super) fn note(&mut self, version: u64) -> Option<u64> {
        if version == self.written {
            return None;
        }
        let before = std::mem::replace(&mut self.written, version);
        self.write(version);
        (before > version).then_some(before)
    }

    fn write(&mut self, version: u64) {
        let Some(path) = &self.path else { return };
        if let Err(error) = install::put(path, format!("{version}\n").as_bytes(), Readers::All) {
            let is_usual = matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem);
            if !is_usual {
                tracing::warn!(path = %path.display(), %error, "the version of the keys is not remembered");
            }
            // A folder that cannot be written now is not tried with every change.
            self.path = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_behind_what_was_known_is_noticed_once_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.db.version");
        let mut mark = VersionMark::read(Some(&path));
        assert_eq!((mark.note(0), mark.note(3), mark.note(7), mark.note(7)), (None, None, None, None));
        let mut mark = VersionMark::read(Some(&path));
        assert_eq!(mark.note(7), None);
        let mut mark = VersionMark::read(Some(&path));
        assert_eq!((mark.note(4), mark.note(4), mark.note(5)), (Some(7), None, None));
        let mut mark = VersionMark::read(Some(&path));
        assert_eq!(mark.note(6), None, "what is noted is not noted again");
    }

    #[test]
    fn where_nothing_can_be_written_nothing_is_remembered() {
        let mut mark = VersionMark::read(Some(Path::new("/no/such/folder/weir.db.version")));
        assert_eq!((mark.note(4), mark.note(2)), (None, Some(4)));
        assert_eq!(VersionMark::read(None).note(1), None);
    }
}
