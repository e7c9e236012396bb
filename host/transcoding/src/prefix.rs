//! The prefix of each message of gRPC: a byte that says whether the message is compressed, and its length in four bytes
//! ("Length-Prefixed-Message" in gRPC's protocol over HTTP/2).

/// Why the bytes are no messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// The message is compressed, which was not offered.
    #[error("a compressed message, which was not offered to be taken")]
    Compressed,
    /// The first byte is no flag.
    #[error("no message of gRPC")]
    Flag,
    /// The message is longer than the bound.
    #[error("a message of {0} bytes")]
    TooLarge(usize),
}

/// The bytes of a prefix.
pub const PREFIX_BYTES: usize = 5;

/// The prefix of an uncompressed message of this many bytes. `None` if a prefix cannot say that many.
pub fn prefix_of(len: usize) -> Option<[u8; PREFIX_BYTES]> {
    let [a, b, c, d] = u32::try_from(len).ok()?.to_be_bytes();
    Some([0, a, b, c, d])
}

/// Reads the prefix at the front of the bytes: the length of the message behind it. `None` if it is not complete yet.
///
/// # Errors
///
/// The message is compressed or longer than `limit`, or this is no prefix.
pub fn read_prefix(bytes: &[u8], limit: usize) -> Result<Option<usize>, PrefixError> {
    let Some((&[flag, a, b, c, d], _)) = bytes.split_first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
    match flag {
        0 => {}
        1 => return Err(PrefixError::Compressed),
        _ => return Err(PrefixError::Flag),
    }
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if length > limit { Err(PrefixError::TooLarge(length)) } else { Ok(Some(length)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_says_the_length_that_was_written() {
        for len in [0, 1, 255, 256, 1 << 24, u32::MAX as usize] {
            assert_eq!(read_prefix(&prefix_of(len).unwrap(), usize::MAX), Ok(Some(len)));
        }
        assert_eq!(prefix_of(1 << 32), None);
    }

    #[test]
    fn a_prefix_is_judged_before_its_message_arrives() {
        assert_eq!(read_prefix(&[0, 0, 0, 0, 17], 16), Err(PrefixError::TooLarge(17)));
        assert_eq!(read_prefix(&[0, 255, 255, 255, 255], 16), Err(PrefixError::TooLarge(u32::MAX as usize)));
        assert_eq!(read_prefix(&[1, 0, 0, 0, 1], 16), Err(PrefixError::Compressed));
        assert_eq!(read_prefix(b"<html", 16), Err(PrefixError::Flag));
        assert_eq!(read_prefix(&[0, 0, 0, 0, 16], 16), Ok(Some(16)));
        assert_eq!(read_prefix(&[0, 0, 0, 0], 16), Ok(None));
    }
}
