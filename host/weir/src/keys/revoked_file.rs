//! The keys that this node has known as disabled or deleted, in a file beside the store or the configuration: they stay
//! refused if a node starts with a store that was put back to when they were valid.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::version_mark::{is_absent, is_lasting};
use super::warnings;
use weir_adapters::atomic_file::{self, Readers};
use weir_identity::KeyId;

/// What a file has.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Revoked {
    /// Keys that were disabled or deleted.
    pub(super) keys: HashSet<KeyId>,
    /// Changes up to this version come from a store that was put back: they revive no key.
    pub(super) put_back: u64,
    /// Whether this changed since it was kept last.
    pub(super) is_new: bool,
}

/// What is not known any more where a part of the file is damaged.
const LOST: &str = "some of the keys that were disabled or deleted";

/// The file: the version on the first line, and a key's id on each other one.
#[derive(Debug, Default)]
pub(super) struct RevokedFile {
    /// None where nothing can be written: then nothing is remembered.
    path: Option<PathBuf>,
}

impl RevokedFile {
    /// The file beside the one with the version.
    pub(super) fn beside(mark: Option<&Path>) -> Self {
        Self { path: mark.map(|mark| mark.with_extension("revoked")) }
    }

    /// What was known; nothing before the first key was revoked.
    pub(super) fn read(&self) -> Revoked {
        let Some(path) = &self.path else { return Revoked::default() };
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if is_absent(&error) => return Revoked::default(),
            Err(error) => {
                warnings::damaged_file(path, &error, LOST);
                return Revoked::default();
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.lines();
        let put_back = lines.next().and_then(|line| line.parse().ok());
        let (keys, others): (Vec<_>, Vec<_>) = lines.map(KeyId::parse).partition(Result::is_ok);
        if put_back.is_none() || !others.is_empty() {
            warnings::damaged_file(path, &"a line of it is damaged", LOST);
        }
        Revoked { keys: keys.into_iter().flatten().collect(), put_back: put_back.unwrap_or_default(), is_new: false }
    }

    /// Keeps this. Returns whether it need not be tried again.
    pub(super) fn write(&mut self, revoked: &Revoked) -> bool {
        let Some(path) = &self.path else { return true };
        let mut lines: Vec<String> = revoked.keys.iter().map(|key| format!("{key}\n")).collect();
        lines.sort_unstable();
        let text = format!("{}\n{}", revoked.put_back, lines.concat());
        let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        match folder.and_then(|()| atomic_file::put(path, text.as_bytes(), Readers::All)) {
            Ok(()) => true,
            Err(error) if is_lasting(&error) => {
                tracing::debug!(path = %path.display(), %error, "revoked keys are not remembered");
                self.path = None;
                true
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "revoked keys are not remembered yet");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_no_key_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("weir.db.version");
        let revoked = Revoked { keys: [1, 2].map(KeyId::from_bits).into(), put_back: 7, is_new: false };
        assert_eq!(RevokedFile::beside(Some(&mark)).read(), Revoked::default());
        RevokedFile::beside(Some(&mark)).write(&revoked);
        assert_eq!(RevokedFile::beside(Some(&mark)).read(), revoked);
        let path = folder.path().join("weir.db.revoked");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text + "no key\n").unwrap();
        assert_eq!(RevokedFile::beside(Some(&mark)).read(), revoked);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.push(0xff);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(RevokedFile::beside(Some(&mark)).read(), revoked, "what is no text takes no key away");
        assert!(RevokedFile::beside(None).write(&revoked), "there is no place for it");
    }

    #[test]
    fn what_cannot_be_written_now_is_to_be_written_later() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("weir.db.version");
        let revoked = Revoked { keys: [1].map(KeyId::from_bits).into(), put_back: 0, is_new: true };
        let mut file = RevokedFile::beside(Some(&mark));
        let path = folder.path().join("weir.db.revoked");
        std::fs::create_dir(&path).unwrap();
        assert!(!file.write(&revoked), "a folder stands in its place");
        std::fs::remove_dir(&path).unwrap();
        assert!(file.write(&revoked));
        assert_eq!(file.read().keys, revoked.keys);
    }
}
