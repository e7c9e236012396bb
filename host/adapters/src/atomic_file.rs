//! Replaces files atomically: readers see the former file or the new one, complete, even after a crash.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// The group and others, too (mode 0644).
    All,
    /// Only the owner (mode 0600).
    Owner,
}

/// Writes a hidden temporary file in the same folder, and renames it.
pub fn put(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let dir = folder(path);
    let name = path.file_name().ok_or_else(|| io::Error::other("it has no name"))?.to_string_lossy();
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let temporary = dir.join(format!(".{name}.{:016x}.tmp", u64::from_ne_bytes(random)));
    let written = create(&temporary, readers).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
        return written;
    }
    // The rename is durable once the folder is synced; where folders cannot be synced, it is soon after.
    let _ = File::open(dir).and_then(|dir| dir.sync_all());
    Ok(())
}

/// Waits for other writers of the file, and excludes them while the returned lock is held.
pub(super) fn turn(path: &Path) -> io::Result<File> {
    let dir = folder(path);
    std::fs::create_dir_all(dir)?;
    let dir = File::open(dir)?;
    dir.lock()?;
    Ok(dir)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(unix)]
fn create(path: &Path, readers: Readers) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mode = if readers == Readers::Owner { 0o600 } else { 0o644 };
    File::options().write(true).create_new(true).mode(mode).open(path)
}

#[cfg(not(unix))]
fn create(path: &Path, _: Readers) -> io::Result<File> {
    File::create_new(path)
}
