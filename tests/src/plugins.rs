//! Folders of adapters.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the repository").to_owned()
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The component of an adapter of `plugins/` or of `tests/adapters/`.
///
/// # Panics
///
/// When it has not been built.
pub fn component(name: &str) -> PathBuf {
    let places = [root().join("plugins"), target().join("test-adapters")];
    let found = places.iter().map(|place| place.join(format!("{name}.wasm"))).find(|file| file.exists());
    found.unwrap_or_else(|| panic!("{name}.wasm is not there: run `cargo xtask plugins`"))
}

/// A folder of adapters that a house serves with.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// A folder with these adapters.
    pub fn with(names: &[&str]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for name in names {
            fs::copy(component(name), folder.file(name)).unwrap();
            age(&folder.file(name));
        }
        folder
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// An adapter's place.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(format!("{name}.wasm"))
    }

    /// Puts these bytes in an adapter's place, in one step.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let beside = self.0.path().join(format!(".{name}.new"));
        fs::write(&beside, bytes).unwrap();
        age(&beside);
        fs::rename(beside, self.file(name)).unwrap();
    }

    /// Takes an adapter away.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.file(name)).unwrap();
    }
}

/// Makes a file look as if it had been there for long: one that is young is watched for a while before it is read.
fn age(file: &Path) {
    let opened = fs::File::options().write(true).open(file).unwrap();
    opened.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
}

/// A build of the adapter zeta with another version: `1.0.0+zeta-build-0007-…` for 7.
pub fn zeta_build(number: u32) -> Vec<u8> {
    let mut bytes = fs::read(component("zeta")).unwrap();
    let (from, to) = (b"zeta-build-0001", format!("zeta-build-{number:04}"));
    let mut places = 0;
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
            places += 1;
        }
    }
    assert!(places > 0, "the version stands somewhere in the component");
    bytes
}
