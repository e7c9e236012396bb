//! Compiled components on disk, so that a start costs milliseconds.
//!
//! Native code runs unchecked, so write access to this directory means control of the process. The directory therefore
//! belongs to Weir's user alone (mode 0700, checked on opening) and is never the plugins directory, and a file that
//! differs in any bit from what was written counts as absent. Several Weirs may share it: an entry is one file,
//! `KEY.cwasm`, which gets its name once it is complete. The key covers component, engine, machine and policy. If an
//! entry cannot be stored, its adapter serves nevertheless.
//!
//! The code of an entry is mapped, so that it takes memory only where it runs, and once for several Weirs. Entries are
//! therefore replaced and removed by name, never changed in place.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmtime::component::Component;

use super::decisions;
use entry::Entry;
use weir_sandbox::digest::Digest;
use weir_sandbox::engine::Engine;
use weir_sandbox::guard::GuardManifest;
use weir_sandbox::native::{deserialise, map};
use weir_sandbox::shape::Shape;
use weir_types::contract::about::Manifest;

mod entry;

/// Part of every key. Raise it when the checks before an entry is written become stricter.
const POLICY: &str = "weir-4";

/// Maximum number of entries, and their maximum total size in bytes; the newest are kept.
const ENTRIES: usize = 128;
const BYTES: u64 = 1 << 30;
/// Maximum number of plugins folders whose decisions ([`decisions`]) are kept here.
const FOLDERS: usize = 64;
/// Age from which a temporary file may be removed; a younger one may belong to a writer that has just begun.
const LEFT_BEHIND: Duration = Duration::from_mins(1);
/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The directory cannot be created or read.
    #[error("cannot use the compile cache {}: {source}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another user may write to the directory.
    #[error("the compile cache {} must belong to Weir's user alone: {reason}", path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// Who else may write there.
        reason: &'static str,
    },
}

/// The metadata of a component, stored beside its code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Described {
    pub(super) shape: Shape,
    pub(super) manifest: Manifest,
    /// For a guard: what it says about itself besides.
    pub(super) guard: Option<GuardManifest>,
}

/// Compiled components on disk, by digest.
#[derive(Debug, Clone)]
pub struct Cache {
    dir: PathBuf,
    engine: Engine,
    fingerprint: Digest,
}

impl Cache {
    /// Opens the cache in this directory, which is created if it is missing.
    pub fn open(dir: &Path, engine: &Engine) -> Result<Self, CacheError> {
        let io = |source| CacheError::Io { path: dir.to_owned(), source };
        make_private(dir).map_err(io)?;
        check_private(dir)?;
        tidy(dir).map_err(io)?;
        Ok(Self { dir: dir.to_owned(), engine: engine.clone(), fingerprint: engine.fingerprint() })
    }

    /// Returns the same cache for another engine of the same sandbox. Components with grants have separate entries,
    /// because their manifests may depend on the grants.
    pub(super) fn on(&self, engine: &Engine) -> Self {
        Self { dir: self.dir.clone(), engine: engine.clone(), fingerprint: engine.fingerprint() }
    }

    /// The directory of the cache.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The component with this digest, if it was compiled before for an equal engine.
    pub(super) fn get(&self, digest: Digest) -> Option<(Component, Described)> {
        let path = self.file(digest);
        let file = File::open(&path).ok()?;
        let Some(entry) = Entry::read(&file) else {
            tracing::warn!(%digest, "a damaged entry of the compile cache is left aside");
            return None;
        };
        // Where code cannot be mapped from files (`noexec`), it is copied.
        let component = map(&self.engine, &path).or_else(|_| deserialise(&self.engine, &entry.code(&file)?));
        match component {
            Ok(component) => Some((component, entry.described)),
            Err(error) => {
                tracing::warn!(%digest, error = %format!("{error:#}"), "an entry of the compile cache cannot be used");
                None
            }
        }
    }

    /// Stores a component. A failure is logged and does no other harm.
    pub(super) fn put(&self, digest: Digest, component: &Component, described: &Described) {
        if let Err(error) = self.write(digest, component, described) {
            tracing::warn!(%digest, %error, "a compiled component could not be kept in the cache; it serves all the same");
        }
    }

    fn write(&self, digest: Digest, component: &Component, described: &Described) -> io::Result<()> {
        let code = component.serialize().map_err(|error| io::Error::other(format!("{error:#}")))?;
        let described = serde_json::to_vec(described)?;
        self.write_atomically(&self.file(digest), &[&code, &described, &entry::seal(&code, &described)?])?;
        tidy(&self.dir)
    }

    /// Writes to a temporary file and renames it, so that another process (or the next one, after a crash) never sees
    /// an incomplete entry.
    fn write_atomically(&self, file: &Path, parts: &[&[u8]]) -> io::Result<()> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let temporary = self.dir.join(format!("{:016x}.tmp", u64::from_ne_bytes(random)));
        let written = File::create_new(&temporary).and_then(|mut out| {
            // The lock shows that the writer is still alive.
            out.lock()?;
            parts.iter().try_for_each(|part| out.write_all(part))?;
            out.sync_data()?;
            std::fs::rename(&temporary, file)
        });
        if written.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        written
    }

    fn file(&self, digest: Digest) -> PathBuf {
        let structure = &self.engine.limits().structure;
        let granted = if self.engine.is_for_grants() { " granted" } else { "" };
        let key = format!("{POLICY} {digest} {} {structure:?}{granted}", self.fingerprint);
        self.dir.join(format!("{}.cwasm", Digest::of(key.as_bytes()).hex()))
    }
}

/// Removes files of crashed writers and other versions, and the oldest entries if there are too many.
fn tidy(dir: &Path) -> io::Result<()> {
    let (mut entries, mut decided, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for file in std::fs::read_dir(dir)? {
        let file = file?;
        // Another process may be tidying up at the same time.
        let Ok(about) = file.metadata() else { continue };
        let Ok(written) = about.modified() else { continue };
        let path = file.path();
        let is_entry = path.extension().is_some_and(|extension| extension == "cwasm");
        let kind = match is_entry {
            true => &mut entries,
            false if decisions::is_file(&path) => &mut decided,
            false => &mut others,
        };
        kind.push((written, about.len(), path));
    }
    decided.sort();
    for (_, _, path) in decided.into_iter().rev().skip(FOLDERS) {
        let _ = std::fs::remove_file(path);
    }
    entries.sort();
    let (mut count, mut bytes) = (0, 0);
    for (_, length, path) in entries.into_iter().rev() {
        (count, bytes) = (count + 1, bytes + length);
        if count > ENTRIES || bytes > BYTES {
            let _ = std::fs::remove_file(path);
        }
    }
    for (written, _, path) in others {
        if written.elapsed().is_ok_and(|age| age > LEFT_BEHIND) && is_deserted(&path) {
            let _ = std::fs::remove_file(path);
        }
    }
    Ok(())
}

/// Whether no process is writing this file.
fn is_deserted(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_ok())
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
    let is_ours = about.uid() == rustix::process::geteuid().as_raw();
    if is_ours { Ok(()) } else { Err(not_ours("it belongs to another user")) }
}

#[cfg(not(unix))]
fn check_private(_: &Path) -> Result<(), CacheError> {
    Ok(())
}

#[cfg(test)]
mod tests;
