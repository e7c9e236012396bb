//! Folders of adapters.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the repository").to_owned()
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The component of an adapter of `plugins/` or of `tests/adapters/`.
///
/// # Panics
///
/// If it has not been built.
pub fn component(name: &str) -> PathBuf {
    let places = [root().join("plugins"), target().join("test-adapters")];
    let found = places.iter().map(|place| place.join(format!("{name}.wasm"))).find(|file| file.exists());
    found.unwrap_or_else(|| panic!("{name}.wasm is not there: run `cargo xtask plugins`"))
}

/// More time for guests than usual: a busy machine must not stop those that only wait for their turn. A configuration
/// that has a deadline keeps it.
pub(crate) fn patience(config: &str) -> Option<(&'static str, String)> {
    (!config.contains("deadline = ")).then(|| ("WEIR_PLUGINS__DEADLINE", "10s".to_owned()))
}

/// A folder of adapters that a gateway serves with. It is removed with its last clone.
#[derive(Debug, Clone)]
pub struct Folder(Arc<TempDir>);

impl Folder {
    /// A folder with these adapters.
    pub fn with(names: &[&str]) -> Self {
        let folder = Self(Arc::new(tempfile::tempdir().unwrap()));
        for name in names {
            fs::copy(component(name), folder.file(name)).unwrap();
            age(&folder.file(name));
        }
        folder
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of an adapter's component.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(format!("{name}.wasm"))
    }

    /// Replaces an adapter's component with these bytes, in one step.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let beside = self.0.path().join(format!(".{name}.new"));
        fs::write(&beside, bytes).unwrap();
        age(&beside);
        fs::rename(beside, self.file(name)).unwrap();
    }

    /// Puts the fixtures of a folder beside an adapter.
    pub fn put_fixtures(&self, name: &str, from: &Path) {
        let place = self.0.path().join(format!("{name}.fixtures"));
        fs::create_dir_all(&place).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let file = entry.unwrap().path();
            fs::copy(&file, place.join(file.file_name().unwrap())).unwrap();
        }
    }

    /// Takes an adapter away.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.file(name)).unwrap();
    }
}

/// Sets a file's time far back: a young file is watched for a while before it is read.
fn age(file: &Path) {
    let opened = fs::File::options().write(true).open(file).unwrap();
    opened.set_modified(SystemTime::now() - Duration::from_hours(1)).unwrap();
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

/// The adapter zeta with a bug: `border`, `memory` or `parallel`, which its `src/lib.rs` describes.
pub fn zeta_with_fault(fault: &str) -> Vec<u8> {
    let mut bytes = fs::read(component("zeta")).unwrap();
    let (from, to) = (b"zeta-fault-none----", format!("{:-<19}", format!("zeta-fault-{fault}")));
    let at = bytes.windows(from.len()).position(|window| window == from).expect("zeta has a place for mistakes");
    bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
    bytes
}

/// Fixtures of the adapter zeta.
pub fn zeta_fixtures() -> PathBuf {
    root().join("tests/adapters/zeta/fixtures")
}

/// Another build of an adapter with the same behaviour: with a meaningless section at its end.
pub fn twin(name: &str, mark: u8) -> Vec<u8> {
    let mut bytes = fs::read(component(name)).unwrap();
    // A custom section of five bytes: a name of three letters, and one byte of content.
    bytes.extend([0, 5, 3, b't', b'w', b'n', mark]);
    bytes
}

/// The adapter zeta with one more import, of this name, at its end.
pub fn zeta_that_imports(interface: &str) -> Vec<u8> {
    let mut bytes = fs::read(component("zeta")).unwrap();
    let types = component_types(&bytes);
    let wanting = format!("(component (import \"{interface}\" (instance (export \"open\" (func (result u32))))))");
    let wanting = wat::parse_str(wanting).unwrap();
    // After the preamble: a section with the type, then one with the import, which ends with the type's index.
    for section in sections(&wanting[8..]) {
        let (id, mut content) = section;
        if id == IMPORTS {
            assert_eq!(content.pop(), Some(0), "the import is of the first type");
            leb(types, &mut content);
        }
        if id == TYPES || id == IMPORTS {
            bytes.push(id);
            leb(u32::try_from(content.len()).unwrap(), &mut bytes);
            bytes.extend(content);
        }
    }
    bytes
}

const TYPES: u8 = 7;
const IMPORTS: u8 = 10;

/// The number of types that a component already has.
fn component_types(bytes: &[u8]) -> u32 {
    let mut validator = wasmparser::Validator::new();
    let mut count = 0;
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        let payload = payload.unwrap();
        // Sections of inner modules and components have separate indices.
        validator.payload(&payload).unwrap();
        if let Some(types) = validator.types(0) {
            count = types.component_type_count();
        }
    }
    count
}

/// The sections of a binary without its preamble.
fn sections(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut all = Vec::new();
    while let [id, rest @ ..] = bytes {
        let end = rest.iter().position(|byte| byte & 0x80 == 0).unwrap();
        let len = rest[..=end].iter().rev().fold(0, |len, byte| len << 7 | usize::from(byte & 0x7f));
        let (content, after) = rest[end + 1..].split_at(len);
        all.push((*id, content.to_vec()));
        bytes = after;
    }
    all
}

/// An unsigned number in LEB128.
fn leb(mut value: u32, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}
