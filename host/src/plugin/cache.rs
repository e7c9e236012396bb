//! Compiled components on disk, so that a start costs milliseconds.
//!
//! Native code that is loaded runs unchecked: whoever can write here owns the process. So the directory belongs to Weir's
//! user alone (mode 0700, checked on opening), is never the plugins directory, and a file that does not look as it was
//! written counts as absent. An entry is two files: `KEY.cwasm`, the code, and `KEY.json`, what is known about the
//! component, with length and checksum of the code; the second is written last, so an entry is whole or not there.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use wasmtime::component::Component;

use super::digest::Digest;
use super::engine::Engine;
use super::shape::Shape;
use crate::contract::about::exports::weir::adapter::about::Manifest;

/// Part of every key: raise it when what is checked before an entry is written gets stricter.
const POLICY: &str = "weir-1";

/// Entries that are kept, the newest ones.
const ENTRIES: usize = 128;
/// The age of a file that nobody can be writing any more.
const LEFT_BEHIND: Duration = Duration::from_hours(1);

/// The cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The directory cannot be made or read.
    #[error("cannot use the compile cache {}: {source}", path.display())]
    Io {
        /// Which directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Somebody else may write there.
    #[error("the compile cache {} must belong to Weir's user alone: {reason}", path.display())]
    NotOurs {
        /// Which directory.
        path: PathBuf,
        /// Who else may write there.
        reason: &'static str,
    },
}

/// What is known about a component beside its code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Described {
    pub(super) shape: Shape,
    pub(super) manifest: Manifest,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    length: u64,
    crc32: u32,
    described: Described,
}

/// Compiled components, by digest.
#[derive(Debug, Clone)]
pub struct Cache {
    dir: PathBuf,
    engine: Engine,
    fingerprint: Digest,
}

impl Cache {
    /// Uses this directory, which is made where it is missing.
    pub fn open(dir: &Path, engine: &Engine) -> Result<Self, CacheError> {
        let io = |source| CacheError::Io { path: dir.to_owned(), source };
        make_private(dir).map_err(io)?;
        check_private(dir)?;
        tidy(dir).map_err(io)?;
        Ok(Self { dir: dir.to_owned(), engine: engine.clone(), fingerprint: engine.fingerprint() })
    }

    /// The component with these bytes, if it was compiled before by an engine like this one.
    pub(super) fn get(&self, digest: Digest) -> Option<(Component, Described)> {
        let key = self.key(digest);
        let entry: Entry = serde_json::from_slice(&std::fs::read(self.file(&key, "json")).ok()?).ok()?;
        let code = std::fs::read(self.file(&key, "cwasm")).ok()?;
        if code.len() as u64 != entry.length || crc32fast::hash(&code) != entry.crc32 {
            tracing::warn!(%digest, "a damaged entry of the compile cache is left aside");
            return None;
        }
        match deserialise(&self.engine, &code) {
            Ok(component) => Some((component, entry.described)),
            Err(error) => {
                tracing::warn!(%digest, error = %format!("{error:#}"), "an entry of the compile cache cannot be used");
                None
            }
        }
    }

    /// Keeps a component. That it cannot be kept is told in the log and does no other harm.
    pub(super) fn put(&self, digest: Digest, component: &Component, described: &Described) {
        if let Err(error) = self.write(digest, component, described) {
            tracing::warn!(%digest, %error, "a compiled component could not be kept in the cache");
        }
    }

    fn write(&self, digest: Digest, component: &Component, described: &Described) -> io::Result<()> {
        let code = component.serialize().map_err(|error| io::Error::other(format!("{error:#}")))?;
        let described = described.clone();
        let entry = Entry { length: code.len() as u64, crc32: crc32fast::hash(&code), described };
        let key = self.key(digest);
        self.write_atomically(&self.file(&key, "cwasm"), &code)?;
        self.write_atomically(&self.file(&key, "json"), &serde_json::to_vec(&entry)?)
    }

    /// Writes beside the file and renames, so that another process (or the next one, after a crash) never sees half of it.
    fn write_atomically(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let temporary = self.dir.join(format!("{:016x}.tmp", u64::from_ne_bytes(random)));
        let written = std::fs::File::create_new(&temporary).and_then(|mut out| {
            out.write_all(bytes)?;
            out.sync_data()?;
            std::fs::rename(&temporary, file)
        });
        if written.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        written
    }

    fn key(&self, digest: Digest) -> String {
        Digest::of(format!("{POLICY} {digest} {}", self.fingerprint).as_bytes()).hex()
    }

    fn file(&self, key: &str, extension: &str) -> PathBuf {
        self.dir.join(format!("{key}.{extension}"))
    }
}

/// The same component once more, as if it had been loaded from the cache into the current pool.
pub(super) fn twin(engine: &Engine, component: &Component) -> wasmtime::Result<Component> {
    deserialise(engine, &component.serialize()?)
}

/// The only `unsafe` in the project: native code cannot be checked, only its origin can.
#[expect(
    unsafe_code,
    reason = "the bytes come from a directory that only this user can write, and are as this program wrote them"
)]
pub(super) fn deserialise(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` was made by this program, just now (here, or by a child over a pipe that nobody else holds, its digest
    // compared) or before (then the directory is private and the checksum right), for an engine whose settings are part of
    // its key; wasmtime compares those once more.
    unsafe { Component::deserialize(&engine.wasm(), code) }
}

/// Removes what crashed writers left behind, and all but the newest entries.
fn tidy(dir: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for file in std::fs::read_dir(dir)? {
        let file = file?;
        // Another process may tidy up too.
        let Ok(written) = file.metadata().and_then(|about| about.modified()) else { continue };
        files.push((written, file.path()));
    }
    files.sort();
    let has = |path: &Path, wanted: &str| path.extension().is_some_and(|extension| extension == wanted);
    let is_old = |written: &SystemTime| written.elapsed().is_ok_and(|age| age > LEFT_BEHIND);
    let (entries, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|(_, path)| has(path, "json"));
    let surplus = entries.len().saturating_sub(ENTRIES);
    for (_, path) in entries.into_iter().take(surplus) {
        // The code goes with it, or is found to be left behind one day.
        let _ = std::fs::remove_file(path.with_extension("cwasm"));
        let _ = std::fs::remove_file(path);
    }
    let is_orphan = |path: &Path| has(path, "tmp") || has(path, "probe") || !path.with_extension("json").exists();
    for (written, path) in others {
        if is_old(&written) && is_orphan(&path) {
            let _ = std::fs::remove_file(path);
        }
    }
    Ok(())
}

#[cfg(unix)]
fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if dir.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(not(unix))]
fn make_private(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)
}

#[cfg(unix)]
fn check_private(dir: &Path) -> Result<(), CacheError> {
    use std::os::unix::fs::MetadataExt as _;
    let io = |source| CacheError::Io { path: dir.to_owned(), source };
    let not_ours = |reason| CacheError::NotOurs { path: dir.to_owned(), reason };
    let about = std::fs::metadata(dir).map_err(io)?;
    if about.mode() & 0o022 != 0 {
        return Err(not_ours("others may write there (chmod 700 helps)"));
    }
    // A file of our own tells who we are without a system call that the standard library lacks.
    let probe = dir.join(format!("{}.probe", std::process::id()));
    let us = std::fs::File::create(&probe).and_then(|file| file.metadata()).map_err(io)?.uid();
    let _ = std::fs::remove_file(&probe);
    if about.uid() == us { Ok(()) } else { Err(not_ours("it belongs to another user")) }
}

#[cfg(not(unix))]
fn check_private(_: &Path) -> Result<(), CacheError> {
    Ok(())
}

#[cfg(test)]
mod tests;
