//! The files of an uncompressed tar archive (POSIX.1-2017, pax interchange format), as far as fixtures need it: regular
//! files with names of up to 255 bytes.

const BLOCK: usize = 512;

/// Name and content of each regular file.
pub(super) fn files(archive: &[u8]) -> Result<Vec<(String, &[u8])>, String> {
    let broken = || "the archive is cut short or no tar archive".to_owned();
    let mut files = Vec::new();
    let mut rest = archive;
    while let Some((header, behind)) = rest.split_at_checked(BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            return Ok(files);
        }
        let length = octal(header.get(124..136).unwrap_or_default()).ok_or_else(broken)?;
        let sum = octal(header.get(148..156).unwrap_or_default()).ok_or_else(broken)?;
        if sum != checksum(header) {
            return Err(broken());
        }
        let (content, after) = behind.split_at_checked(length).ok_or_else(broken)?;
        if matches!(header.get(156), Some(b'0' | 0)) {
            files.push((name(header), content));
        }
        rest = after.get(length.next_multiple_of(BLOCK) - length..).unwrap_or_default();
    }
    if rest.is_empty() && !files.is_empty() { Ok(files) } else { Err(broken()) }
}

fn name(header: &[u8]) -> String {
    let text = |range: std::ops::Range<usize>| {
        let bytes = header.get(range).unwrap_or_default();
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
    };
    let prefix = if header.get(257..262) == Some(b"ustar") { text(345..500) } else { String::new() };
    if prefix.is_empty() { text(0..100) } else { format!("{prefix}/{}", text(0..100)) }
}

fn octal(field: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches([' ', '\0']);
    if digits.is_empty() { Some(0) } else { usize::from_str_radix(digits, 8).ok() }
}

/// The sum of the header's bytes, those of the sum itself taken as spaces.
fn checksum(header: &[u8]) -> usize {
    let byte = |(at, byte): (usize, &u8)| if (148..156).contains(&at) { usize::from(b' ') } else { usize::from(*byte) };
    header.iter().enumerate().map(byte).sum()
}
