//! Files of the plugins directory: which ones count, by what a change is noticed, and how one is read.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::super::sign::SIGNATURE_FILE;

/// By what a change is noticed. Two stamps that are equal say that there is no reason to look, no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Where links lead.
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

    /// Where it is, links followed.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How long ago it was written.
    pub(super) fn age(&self) -> Option<Duration> {
        SystemTime::now().duration_since(self.modified?).ok()
    }
}

/// A component's file and what lies beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) stamp: Stamp,
    /// `NAME.wasm.sig`.
    pub(super) signature: Option<Stamp>,
}

/// The components in a directory, by the name before `.wasm`. Hidden files do not count, nor do the temporary names of
/// editors and copiers, which end otherwise.
pub(super) fn list(dir: &Path) -> io::Result<BTreeMap<String, Found>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Some(name) = name.strip_suffix(".wasm").filter(|name| !name.is_empty() && !name.starts_with('.')) else {
            continue;
        };
        // Whatever goes away in between is seen as gone, or not, the next time.
        let Some(stamp) = stamp_of(&path) else { continue };
        let signature = stamp_of(&path.with_extension("wasm.sig"));
        found.insert(name.to_owned(), Found { stamp, signature });
    }
    Ok(found)
}

/// The stamp of a file, where it is one.
fn stamp_of(path: &Path) -> Option<Stamp> {
    let target = std::fs::canonicalize(path).ok()?;
    let about = std::fs::metadata(&target).ok()?;
    about.is_file().then(|| Stamp::of(target, &about))
}

/// The text of the signature beside a component's file.
pub fn signature_beside(file: &Path) -> Option<String> {
    read_signature(&stamp_of(&file.with_extension("wasm.sig"))?)
}

/// The text of a signature file; none where it cannot be read, is none, or is too long to be one.
pub(super) fn read_signature(stamp: &Stamp) -> Option<String> {
    let bytes = read(stamp, SIGNATURE_FILE).ok()??;
    String::from_utf8(bytes).ok().filter(|text| text.len() <= SIGNATURE_FILE)
}

/// What a directory is, to notice that it was replaced.
pub(super) fn directory(dir: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(dir).ok().map(|about| identity(&about))
}

/// The file's bytes; none if it is not, or does not stay, what the stamp says. It is opened once, so the bytes are those
/// of one file. More than `limit` bytes are not read: one more is, so that the size check fails.
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
