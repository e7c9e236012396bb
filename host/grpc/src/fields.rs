//! Counts the fields of a message before it is decoded. A part that takes two bytes on the wire takes hundreds in memory, so
//! the bytes of a body do not bound what it becomes.

/// The most fields of a message, in all its parts. Each takes some hundred bytes at most, besides its text.
const MOST: usize = 256 << 10;
/// How deep messages are looked into. The decoder refuses deeper ones.
const DEPTH: u8 = 100;

/// More fields than a request may have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has more than {MOST} fields")]
pub(crate) struct TooMany;

/// Checks the number of fields. Which of the values are messages is not written in them: each that reads as one counts as
/// one, which texts practically never do.
pub(crate) fn check(message: &[u8]) -> Result<(), TooMany> {
    let mut left = MOST;
    walk(message, DEPTH, &mut left).map(drop)
}

/// Whether the bytes read as a message.
fn walk(mut bytes: &[u8], depth: u8, left: &mut usize) -> Result<bool, TooMany> {
    while !bytes.is_empty() {
        let Some((value, rest)) = field(bytes) else { return Ok(false) };
        *left = left.checked_sub(1).ok_or(TooMany)?;
        if depth > 0 {
            walk(value, depth - 1, left)?;
        }
        bytes = rest;
    }
    Ok(true)
}

/// The bytes of the first field, if they may be a message, and what follows it.
/// Source: <https://protobuf.dev/programming-guides/encoding/>.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (tag, rest) = varint(bytes)?;
    if tag >> 3 == 0 {
        return None;
    }
    match tag & 7 {
        0 => Some((&[], varint(rest)?.1)),
        1 => Some((&[], rest.get(8..)?)),
        2 => {
            let (length, rest) = varint(rest)?;
            rest.split_at_checked(usize::try_from(length).ok()?)
        }
        5 => Some((&[], rest.get(4..)?)),
        _ => None,
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field with a value of these bytes.
    fn holding(inner: &[u8]) -> Vec<u8> {
        let mut out = vec![0x0a];
        let mut length = inner.len();
        while length > 0x7f {
            out.push(length.to_le_bytes()[0] | 0x80);
            length >>= 7;
        }
        out.push(length.to_le_bytes()[0]);
        out.extend_from_slice(inner);
        out
    }

    #[test]
    fn fields_count_however_deep_they_are() {
        let empty = [0x12, 0].repeat(MOST);
        assert_eq!(check(&empty), Ok(()));
        assert_eq!(check(&[&empty[..], &[0x12, 0]].concat()), Err(TooMany));
        assert_eq!(check(&holding(&empty)), Err(TooMany));
        assert_eq!(check(&holding(&holding(&holding(&empty)))), Err(TooMany));
    }

    #[test]
    fn texts_and_what_is_no_message_count_as_one() {
        let text = "The quick brown fox jumps over the lazy dog. ".repeat(100_000);
        assert_eq!(check(&holding(text.as_bytes())), Ok(()));
        assert_eq!(check(&holding(&vec![0xff; 1 << 20])), Ok(()));
        for broken in [&[0x0a][..], &[0x0a, 5, 1], &[0x00], &[0x0b], &[0xff; 11], &[0x09, 1]] {
            assert_eq!(check(broken), Ok(()));
        }
    }

    #[test]
    fn deep_nests_end() {
        let mut nest = Vec::new();
        for _ in 0..2_000 {
            nest = holding(&nest);
        }
        assert_eq!(check(&nest), Ok(()));
    }
}
