//! Tells how much room the disk has: steps on a full one fail in ways that do not say so.

use std::path::Path;
use std::process::Command;

use crate::process;

/// What all steps write in a clean clone, in megabytes.
const CLEAN_RUN: u64 = 10 << 10;
/// With less than this, in megabytes, the servers that tests start cannot write.
const FULL: u64 = 1 << 10;

/// What to say before all steps run.
pub(super) fn before(folder: &Path) -> Option<String> {
    let free = free(folder)?;
    (free < CLEAN_RUN).then(|| {
        format!("note: the disk has {} left; all steps write some {} in a clean clone", size(free), size(CLEAN_RUN))
    })
}

/// What to add where steps failed.
pub(super) fn after(folder: &Path) -> Option<String> {
    let free = free(folder)?;
    (free < FULL).then(|| format!(": the disk has {} left, which may be why", size(free)))
}

/// The free megabytes of the disk that holds a folder; none where `df` does not say.
fn free(folder: &Path) -> Option<u64> {
    of_table(&process::read(Command::new("df").arg("-Pk").arg(folder)).ok()?)
}

/// The free megabytes in the output of `df -Pk`: a head, and a line of the disk's name and its size, used and free
/// kilobytes. Source: POSIX, `df`.
fn of_table(table: &str) -> Option<u64> {
    let kilobytes: u64 = table.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kilobytes >> 10)
}

fn size(megabytes: u64) -> String {
    if megabytes < 1 << 10 { format!("{megabytes} MB") } else { format!("{} GB", megabytes >> 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_space_is_read_from_the_table() {
        let table =
            "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 263948324 40000000 5872026 94% /\n";
        assert_eq!(of_table(table), Some(5734));
        assert_eq!((size(5734), size(1023)), ("5 GB".to_owned(), "1023 MB".to_owned()));
        assert_eq!(of_table("Filesystem\n"), None);
    }

    #[cfg(unix)]
    #[test]
    fn this_disk_has_some_room() {
        assert!(free(Path::new(".")).is_some_and(|free| free > 0));
    }
}
