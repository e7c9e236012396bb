//! Gives memory back that only the start needed: pages of code and constants that are mapped from files.
//!
//! A start runs through most of the program and of each adapter's compiled code, while a request needs little of both.
//! The system keeps such pages mapped while it has memory, and counts them as Weir's. What is needed later is mapped
//! again from the system's file cache, some sixteen pages at a time.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::adapter::Adapter;

/// Unmaps the pages of the program's and of these adapters' code. Returns the bytes that were mapped. Does nothing
/// where the system is not Linux, where alone it is known whether a mapping differs from its file.
pub fn release(adapters: &[Arc<Adapter>]) -> io::Result<usize> {
    if !cfg!(target_os = "linux") {
        return Ok(0);
    }
    let program = std::env::current_exe()?;
    let mappings = std::fs::read_to_string("/proc/self/smaps")?;
    // Kept until the end: the code of an adapter that is replaced meanwhile stays where it is.
    let templates: Vec<_> = adapters.iter().map(|adapter| adapter.pool.template()).collect();
    let code: Vec<Range<usize>> = templates.iter().map(|template| template.code()).collect();
    let is_ours = |mapping: &Mapping<'_>| {
        let within = |code: &Range<usize>| code.start <= mapping.addresses.start && mapping.addresses.end <= code.end;
        Path::new(mapping.file) == program || code.iter().any(within)
    };
    let mut released = 0;
    for mapping in unchanged(&mappings).filter(is_ours) {
        if forget(&mapping.addresses).is_ok() {
            released += mapping.resident;
        }
    }
    Ok(released)
}

/// Memory that is mapped from a file.
#[derive(Debug, PartialEq, Eq)]
struct Mapping<'a> {
    addresses: Range<usize>,
    file: &'a str,
    /// The bytes that are in memory.
    resident: usize,
}

/// The mappings of files that cannot be written to, and of which no page was changed. Source: `proc_pid_smaps(5)`.
fn unchanged(smaps: &str) -> impl Iterator<Item = Mapping<'_>> {
    let mut lines = smaps.lines().peekable();
    std::iter::from_fn(move || {
        let mut mapping = head(lines.next()?);
        let mut is_unchanged = false;
        while let Some(line) = lines.next_if(|line| !is_head(line)) {
            match (line.split_once(':'), &mut mapping) {
                (Some(("Anonymous", bytes)), _) => is_unchanged = kilobytes(bytes) == Some(0),
                (Some(("Rss", bytes)), Some(mapping)) => mapping.resident = kilobytes(bytes).unwrap_or(0) << 10,
                _ => {}
            }
        }
        Some(mapping.filter(|_| is_unchanged))
    })
    .flatten()
}

/// Whether a line begins a mapping: only such lines begin with a number, in lower-case hexadecimal.
fn is_head(line: &str) -> bool {
    line.as_bytes().first().is_some_and(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
}

/// `ADDRESS-ADDRESS PERMISSIONS OFFSET DEVICE INODE FILE`, of a file that is only read or run.
fn head(line: &str) -> Option<Mapping<'_>> {
    let (addresses, rest) = line.split_once(' ')?;
    let (start, end) = addresses.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let file = rest.find('/').and_then(|at| rest.get(at..))?;
    let is_only_read = ["r--p ", "r-xp "].iter().any(|permissions| rest.starts_with(permissions));
    is_only_read.then_some(Mapping { addresses: address(start)?..address(end)?, file, resident: 0 })
}

fn kilobytes(text: &str) -> Option<usize> {
    text.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn forget(_: &Range<usize>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "an idle Weir with all bundled adapters takes half the memory (docs/performance.md)")]
fn forget(addresses: &Range<usize>) -> io::Result<()> {
    let start = std::ptr::with_exposed_provenance_mut(addresses.start);
    // SAFETY: the range is of the program, which stays mapped, or of a template that the caller holds, so nothing else
    // is mapped there. It cannot be written to and none of its pages differs from the file, so a page that is read
    // again has the same bytes: a program is replaced by name while it runs, and entries of the compile cache are never
    // changed in place.
    Ok(unsafe { rustix::mm::madvise(start, addresses.len(), rustix::mm::Advice::LinuxDontNeed) }?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
5581a000-5581c000 r-xp 00001000 fd:00 77                         /opt/a weir
Size:                  8 kB
Rss:                   4 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
5581c000-5581d000 r--p 00003000 fd:00 77                         /opt/weir
Rss:                   4 kB
Anonymous:             4 kB
5581d000-5581e000 rw-p 00004000 fd:00 77                         /opt/weir
Rss:                   4 kB
Anonymous:             0 kB
7f000000-7f100000 r--p 00000000 00:00 0
Rss:                   4 kB
Anonymous:             0 kB
7f200000-7f300000 r--s 00000000 fd:00 9                          /opt/shared
Rss:                   4 kB
Anonymous:             0 kB
7f400000-7f401000 r-xp 00000000 00:00 0                          [vdso]
Rss:                   4 kB
Anonymous:             0 kB
7f500000-7f501000 r--p 00000000 fd:00 9                          /opt/unknown
Rss:                   4 kB
";

    #[test]
    fn only_pages_that_equal_their_file_are_let_go() {
        let found: Vec<_> = unchanged(SMAPS).collect();
        assert_eq!(found, [Mapping { addresses: 0x5581_a000..0x5581_c000, file: "/opt/a weir", resident: 4096 }]);
        assert_eq!(unchanged("").count(), 0);
        assert_eq!(unchanged("zz-1 r-xp / /\n\nAnonymous: 0 kB\n").count(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_program_goes_on_without_its_pages() {
        assert!(release(&[]).unwrap() > 0);
        assert!(std::fs::read_to_string("/proc/self/smaps").is_ok_and(|text| unchanged(&text).count() > 0));
    }
}
