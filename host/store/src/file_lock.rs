//! Locks of files, by which processes take turns.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a lock that another process has is tried.
const PAUSE: Duration = Duration::from_millis(5);

/// Locks a file, which is made if there is none, once no other process has it locked. The lock ends with the value, and
/// with the process.
///
/// # Errors
///
/// [`io::ErrorKind::WouldBlock`] if another process has it locked for longer than `wait`;
/// [`io::ErrorKind::Unsupported`] where files have no locks.
pub fn lock_file(path: &Path, wait: Duration) -> io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if begun.elapsed() >= wait => return Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
        }
    }
}
