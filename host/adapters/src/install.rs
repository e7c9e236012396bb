//! Files put in place in one step: who looks sees the former one or the new one, whole, and so does who looks after a
//! crash.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// As the system usually lets.
    All,
    /// Its owner alone.
    Owner,
}

/// Writes beside the path under a name that nobody looks at, and renames.
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
    // The name lasts once the folder is on disk; where folders cannot be synced, it lasts soon.
    let _ = File::open(dir).and_then(|dir| dir.sync_all());
    Ok(())
}

/// Waits until nobody else changes the file, as long as what is returned is held.
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
