//! `plugins.lock`: the digests of the components that the operator trusts.
//!
//! ```toml
//! [adapters.NAME]
//! digest = "sha256:..."
//! version = "1.2.3"   # nothing older that is signed takes its place unasked
//! source = "oci://registry.example/weir/NAME:1.2"   # where it was installed from, and the manifest that was there
//! manifest = "sha256:..."
//! ```
//!
//! A manifest's suggestions (a url, names of variables that hold keys) are used without asking only for these
//! components. Otherwise a file dropped into the folder could name a well-known variable and its own url, and receive
//! the key.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::atomic_file;
use weir_sandbox::digest::Digest;

/// Why the lock file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The file cannot be read or written.
    #[error("cannot read or write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is not a valid lock file.
    #[error("{} is not a lock file: {}", path.display(), source.message())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The parser's error, with its position.
        source: Box<toml::de::Error>,
    },
}

/// The trusted digests, by adapter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    #[serde(default)]
    adapters: BTreeMap<String, Pin>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    digest: Digest,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    manifest: Option<Digest>,
}

/// An adapter that was installed from a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sourced<'l> {
    /// The adapter's name: the file name in the plugins folder, without `.wasm`.
    pub name: &'l str,
    /// The digest of its component.
    pub digest: Digest,
    /// The digest of the manifest that the registry had.
    pub manifest: Digest,
}

impl Lock {
    /// Reads the file; a missing file trusts nothing.
    pub fn read(path: &Path) -> Result<Self, LockError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(LockError::Io { path: path.to_owned(), source }),
        };
        toml::from_str(&text).map_err(|source| LockError::Syntax { path: path.to_owned(), source: Box::new(source) })
    }

    /// Whether this adapter is trusted with these bytes.
    pub(crate) fn trusts(&self, name: &str, digest: Digest) -> bool {
        self.pinned(name) == Some(digest)
    }

    /// The trusted digest of this name.
    pub fn pinned(&self, name: &str) -> Option<Digest> {
        self.adapters.get(name).map(|pin| pin.digest)
    }

    /// The pinned version of this name, if it is known.
    pub fn version(&self, name: &str) -> Option<&str> {
        self.adapters.get(name)?.version.as_deref()
    }

    /// Trusts these bytes under this name, and no others.
    pub fn pin(&mut self, name: &str, digest: Digest) {
        self.adapters.insert(name.to_owned(), Pin { digest, version: None, source: None, manifest: None });
    }

    /// Pins these bytes in the file, atomically, and returns the previous pin. Concurrent writers wait.
    pub fn pin_in(path: &Path, name: &str, digest: Digest) -> Result<Option<Digest>, LockError> {
        Self::pin_version_in(path, name, digest, None).map(|before| before.map(|(digest, _)| digest))
    }

    /// Pins these bytes and their version, and returns the previous pin.
    pub fn pin_version_in(
        path: &Path,
        name: &str,
        digest: Digest,
        version: Option<&str>,
    ) -> Result<Option<(Digest, Option<String>)>, LockError> {
        let io = |source| LockError::Io { path: path.to_owned(), source };
        let _turn = atomic_file::turn(path).map_err(io)?;
        let mut lock = Self::read(path)?;
        let before = lock.adapters.get(name).map(|pin| (pin.digest, pin.version.clone()));
        let version = version.map(str::to_owned);
        lock.adapters.insert(name.to_owned(), Pin { digest, version, source: None, manifest: None });
        atomic_file::put(path, lock.text().as_bytes(), atomic_file::Readers::All).map_err(io)?;
        Ok(before)
    }

    /// The adapter that was installed from this place in a registry.
    pub fn sourced(&self, source: &str) -> Option<Sourced<'_>> {
        let from_there = |pin: &Pin| pin.source.as_deref() == Some(source);
        let (name, pin) = self.adapters.iter().find(|(_, pin)| from_there(pin))?;
        Some(Sourced { name, digest: pin.digest, manifest: pin.manifest? })
    }

    /// Notes in the file where a pinned adapter was installed from, and the manifest that was there.
    pub fn note_source_in(path: &Path, name: &str, source: &str, manifest: Digest) -> Result<(), LockError> {
        let io = |source| LockError::Io { path: path.to_owned(), source };
        let _turn = atomic_file::turn(path).map_err(io)?;
        let mut lock = Self::read(path)?;
        if let Some(pin) = lock.adapters.get_mut(name) {
            (pin.source, pin.manifest) = (Some(source.to_owned()), Some(manifest));
        }
        atomic_file::put(path, lock.text().as_bytes(), atomic_file::Readers::All).map_err(io)
    }

    /// The contents of the file.
    pub fn text(&self) -> String {
        let mut text = String::from(
            "# Digests of the adapters that this Weir trusts; see docs. Written by tools, kept in version control.\n",
        );
        for (name, pin) in &self.adapters {
            let name = toml::Value::String(name.clone());
            let _ = write!(text, "\n[adapters.{name}]\ndigest = \"{}\"\n", pin.digest);
            if let Some(version) = &pin.version {
                let _ = writeln!(text, "version = {}", toml::Value::String(version.clone()));
            }
            if let Some(source) = &pin.source {
                let _ = writeln!(text, "source = {}", toml::Value::String(source.clone()));
            }
            if let Some(manifest) = &pin.manifest {
                let _ = writeln!(text, "manifest = \"{manifest}\"");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_reads_back_and_trusts_only_its_bytes() {
        let mut lock = Lock::default();
        lock.pin("zeta", Digest::of(b"one"));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plugins.lock");
        assert_eq!(Lock::read(&path).unwrap(), Lock::default());
        std::fs::write(&path, lock.text()).unwrap();
        let read = Lock::read(&path).unwrap();
        assert_eq!(read, lock);
        assert!(read.trusts("zeta", Digest::of(b"one")));
        assert!(!read.trusts("zeta", Digest::of(b"two")) && !read.trusts("other", Digest::of(b"one")));
    }

    #[test]
    fn concurrent_pins_are_all_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plugins.lock");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let path = &path;
                scope.spawn(move || Lock::pin_in(path, &format!("a{number}"), Digest::of(&[number])).unwrap());
            }
        });
        let lock = Lock::read(&path).unwrap();
        assert!((0..8).all(|number| lock.trusts(&format!("a{number}"), Digest::of(&[number]))));
        let before = Lock::pin_version_in(&path, "a0", Digest::of(b"x"), Some("1.2.3")).unwrap();
        assert_eq!(before, Some((Digest::of(&[0]), None)));
        assert_eq!(Lock::read(&path).unwrap().version("a0"), Some("1.2.3"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_source_is_kept_until_something_else_is_pinned() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plugins.lock");
        let (source, manifest) = ("oci://r.example/zeta:1", Digest::of(b"manifest"));
        Lock::pin_in(&path, "zeta", Digest::of(b"one")).unwrap();
        Lock::note_source_in(&path, "zeta", source, manifest).unwrap();
        let lock = Lock::read(&path).unwrap();
        let known = Sourced { name: "zeta", digest: Digest::of(b"one"), manifest };
        assert_eq!((lock.sourced(source), lock.sourced("oci://r.example/zeta:2")), (Some(known), None));
        Lock::pin_in(&path, "zeta", Digest::of(b"two")).unwrap();
        assert_eq!(Lock::read(&path).unwrap().sourced(source), None);
    }

    #[test]
    fn a_broken_file_is_an_error_and_not_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plugins.lock");
        for text in ["[adapters.zeta]\ndigest = \"sha256:1\"\n", "[plugins]\n", "x"] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(Lock::read(&path), Err(LockError::Syntax { .. })), "{text}");
        }
    }
}
