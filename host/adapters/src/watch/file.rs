//! Files of the plugins directory: listing, change detection, and reading.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::super::sign::SIGNATURE_FILE;

/// Detects changes. Equal stamps only mean that there is no reason to read the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The path with links resolved.
    path: PathBuf,
    length: u64,
    modified: Option<SystemTime>,
    /// Device and inode.
    identity: (u64, u64),
}

impl Stamp {
    fn of(path: PathBuf, about: &Metadata) -> Self {
        Self { path, length: about.len(), modified: about.modified().ok(), identity: identity(about) }
    }

    /// The path with links resolved.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Time since it was written.
    pub(super) fn age(&self) -> Option<Duration> {
        SystemTime::now().duration_since(self.modified?).ok()
    }
}

/// A component's file and its signature file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ComponentFile {
    pub(super) stamp: Stamp,
    /// `NAME.wasm.sig`.
    pub(super) signature: Option<Stamp>,
}

/// Lists the components in a directory, by the name before `.wasm`. Hidden files are ignored, and so are the temporary
/// files of editors and copy programs, which have other extensions.
pub(super) fn list(dir: &Path) -> io::Result<BTreeMap<String, ComponentFile>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Some(name) = name.strip_suffix(".wasm").filter(|name| !name.is_empty() && !name.starts_with('.')) else {
            continue;
        };
        // A file that goes away meanwhile is noticed at the next scan.
        let Some(stamp) = stamp_of(&path) else { continue };
        let signature = stamp_of(&path.with_extension("wasm.sig"));
        found.insert(name.to_owned(), ComponentFile { stamp, signature });
    }
    Ok(found)
}

/// The stamp of a path, if it is a regular file.
fn stamp_of(path: &Path) -> Option<Stamp> {
    let target = std::fs::canonicalize(path).ok()?;
    let about = std::fs::metadata(&target).ok()?;
    about.is_file().then(|| Stamp::of(target, &about))
}

/// The text of the signature next to a component's file.
pub fn signature_beside(file: &Path) -> Option<String> {
    read_signature(&stamp_of(&file.with_extension("wasm.sig"))?)
}

/// The text of a signature file; `None` if it cannot be read, is not text, or is too long.
pub(super) fn read_signature(stamp: &Stamp) -> Option<String> {
    let bytes = read(stamp, SIGNATURE_FILE).ok()??;
    String::from_utf8(bytes).ok().filter(|text| text.len() <= SIGNATURE_FILE)
}

/// The identity of a directory, to notice its replacement.
pub(super) fn directory(dir: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(dir).ok().map(|about| identity(&about))
}

/// Reads a file; `None` if it does not match the stamp before and after. It is opened once, so the bytes are those of
/// one file. At most `limit` bytes and one more are read, so that the size check fails for a larger file.
pub(super) fn read(stamp: &Stamp, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut file = std::fs::File::open(&stamp.path)?;
    let is_the_same =
        |file: &std::fs::File| file.metadata().map(|about| Stamp::of(stamp.path.clone(), &about) == *stamp);
    if !is_the_same(&file)? {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(stamp.length).unwrap_or(limit).min(limit) + 1);
    file.by_ref().take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(is_the_same(&file)?.then_some(bytes))
}

#[cfg(unix)]
fn identity(about: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (about.dev(), about.ino())
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> (u64, u64) {
    (0, 0)
}
