//! Files that secrets were read from, so that a changed one is noticed.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use weir_types::regular_file;

/// The largest file that a secret is read from.
pub(crate) const MAX_SECRET_FILE_BYTES: u64 = 64 << 10;

/// A file that a secret was to be read from, with a digest of what it held then.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretFile {
    /// The file, as the configuration names it, from the configuration's folder.
    pub path: PathBuf,
    /// The SHA-256 of its bytes; `None` if it could not be read. It is never printed: a short secret could be found by
    /// it.
    pub digest: Option<[u8; 32]>,
}

impl SecretFile {
    pub(crate) fn new(path: PathBuf, bytes: Option<&[u8]>) -> Self {
        Self { path, digest: bytes.map(|bytes| Sha256::digest(bytes).into()) }
    }

    /// The digest of what the file of a secret holds now; `None` if it cannot be read. Of a file that is too large for
    /// a secret, as much is read as shows that.
    pub fn digest_now(path: &Path) -> Option<[u8; 32]> {
        read(path).ok().map(|bytes| Sha256::digest(bytes).into())
    }
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The bytes of a file; one more than [`MAX_SECRET_FILE_BYTES`] if it has more than that.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    regular_file::read(path, MAX_SECRET_FILE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_follows_the_file_and_is_not_printed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert_eq!(SecretFile::digest_now(&path), None);
        std::fs::write(&path, "one").unwrap();
        let file = SecretFile::new(path.clone(), Some(b"one"));
        assert_eq!(SecretFile::digest_now(&path), file.digest);
        std::fs::write(&path, "two").unwrap();
        assert_ne!(SecretFile::digest_now(&path), file.digest);
        assert!(!format!("{file:?}").contains("digest"));
    }
}
