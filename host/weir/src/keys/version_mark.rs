//! The newest version of the store's documents that this node has known, an entry of the audit log, and whether there
//! were keys, in a file beside the store or the configuration. A store that is behind it at the next start was put back
//! to an older state: keys that were revoked since are valid again, and where it is empty, requests would need no key.

use std::fmt::Display;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::known_entry::KnownEntry;
use super::warnings;
use weir_adapters::atomic_file::{self, Readers};

/// The last word of the file if there were keys.
const KEYED: &str = "keyed";

/// The file with the version and the entry, and what it says.
#[derive(Debug, Default)]
pub(super) struct VersionMark {
    /// None where nothing can be written: then nothing is remembered.
    path: Option<PathBuf>,
    written: u64,
    is_keyed: bool,
}

impl VersionMark {
    /// Reads the mark, and the entry that was known then; there is none before the first change. Where it cannot be
    /// read, there may have been keys.
    pub(super) fn read(path: Option<&Path>) -> (Self, Option<KnownEntry>) {
        let text = match path.map(std::fs::read) {
            Some(Ok(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            Some(Err(error)) if !is_absent(&error) => return Self::damaged(path, &error),
            Some(Err(_)) | None => "0".to_owned(),
        };
        let mut words = text.split_whitespace();
        let Some(written) = words.next().and_then(|version| version.parse().ok()) else {
            return Self::damaged(path, &"it does not begin with a number");
        };
        let entry = words.next().zip(words.next()).and_then(|(sequence, hash)| KnownEntry::read(sequence, hash));
        let is_keyed = text.split_whitespace().next_back() == Some(KEYED);
        (Self { path: path.map(Path::to_owned), written, is_keyed }, entry)
    }

    /// A mark of which nothing can be read.
    fn damaged(path: Option<&Path>, problem: &dyn Display) -> (Self, Option<KnownEntry>) {
        const LOST: &str = "which state of the store this node knew";
        if let Some(path) = path {
            warnings::damaged_file(path, problem, LOST);
        }
        (Self { path: path.map(Path::to_owned), written: 0, is_keyed: true }, None)
    }

    /// Takes note of the version that the store has now, and of whether it has or had keys. Returns the newer version
    /// that this node knew before, once.
    pub(super) fn note(&mut self, version: u64, entry: Option<&KnownEntry>, is_keyed: bool) -> Option<u64> {
        if version == self.written && is_keyed == self.is_keyed {
            return None;
        }
        self.is_keyed = is_keyed;
        let before = std::mem::replace(&mut self.written, version);
        self.write(version, entry);
        (before > version).then_some(before)
    }

    /// The version that was noted last.
    pub(super) fn version(&self) -> u64 {
        self.written
    }

    /// Whether the store had keys when it was noted last.
    pub(super) fn is_keyed(&self) -> bool {
        self.is_keyed
    }

    /// Where it is kept, if it is.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    fn write(&mut self, version: u64, entry: Option<&KnownEntry>) {
        let Some(path) = &self.path else { return };
        let entry = entry.map(KnownEntry::written).unwrap_or_default();
        let keyed = if self.is_keyed { KEYED } else { "" };
        let text = format!("{version} {entry}").trim_end().to_owned();
        let text = format!("{text} {keyed}").trim_end().to_owned() + "\n";
        let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let put = |()| atomic_file::put(path, text.as_bytes(), Readers::All);
        if let Err(error) = folder.and_then(put) {
            if is_lasting(&error) {
                self.path = None;
            } else {
                tracing::warn!(path = %path.display(), %error, "the version of the keys is not remembered");
            }
        }
    }
}

/// Whether there is no file.
pub(super) fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Whether a file cannot be written at all, as in a container whose folders are read-only: that is usual, and not tried
/// with every change. A disk that is full may have room again.
pub(super) fn is_lasting(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_behind_what_was_known_is_noticed_once_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.db.version");
        let read = || VersionMark::read(Some(&path));
        let (mut mark, entry) = read();
        assert_eq!(entry, None);
        let notes = [0, 3, 7, 7].map(|version| mark.note(version, None, false));
        assert_eq!(notes, [None, None, None, None]);
        let (mut mark, _) = read();
        assert_eq!((mark.version(), mark.note(7, None, false)), (7, None));
        let (mut mark, _) = read();
        let entry = KnownEntry::read("9", "ab");
        let notes = [4, 4, 5].map(|version| mark.note(version, entry.as_ref(), true));
        assert_eq!(notes, [Some(7), None, None]);
        let (mut mark, known) = read();
        assert_eq!((known, mark.is_keyed()), (entry, true));
        assert_eq!(mark.note(6, None, true), None, "what is noted is not noted again");
    }

    #[test]
    fn that_there_were_keys_is_remembered_without_an_entry_and_where_an_earlier_release_did_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.db.version");
        let read = || VersionMark::read(Some(&path));
        for (text, is_keyed) in [("7\n", false), ("7 9 ab\n", false), ("7 keyed\n", true), ("7 9 ab keyed\n", true)] {
            std::fs::write(&path, text).unwrap();
            let (mut mark, entry) = read();
            assert_eq!(
                (mark.version(), mark.is_keyed(), entry.is_some()),
                (7, is_keyed, text.contains("ab")),
                "{text}"
            );
            assert_eq!(mark.note(7, entry.as_ref(), true), None);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text.replace(" keyed", "").replace('\n', " keyed\n"));
        }
    }

    #[test]
    fn a_mark_that_cannot_be_read_opens_nothing_and_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.db.version");
        for damaged in [&b""[..], b"\xff\xfe", b"keyed 7\n"] {
            std::fs::write(&path, damaged).unwrap();
            let (mut mark, entry) = VersionMark::read(Some(&path));
            assert_eq!((mark.version(), mark.is_keyed(), entry), (0, true, None), "{damaged:?}");
            assert_eq!(mark.note(7, None, true), None);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "7 keyed\n");
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(VersionMark::read(Some(&path)).0.is_keyed());
    }

    #[test]
    fn where_nothing_can_be_written_nothing_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let (mut mark, _) = VersionMark::read(Some(&folder.path().join("file/weir.db.version")));
        assert_eq!((mark.note(4, None, false), mark.note(2, None, false)), (None, Some(4)));
        assert_eq!(VersionMark::read(None).0.note(1, None, false), None);
    }
}
