//! Messages with their prefix: a byte that says whether they are compressed, and their length in four bytes.

use bytes::{Buf as _, Bytes, BytesMut};

/// The length of the prefix.
const PREFIX: usize = 5;

/// Why the bytes are no messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// The message is compressed, which was not offered.
    #[error("a compressed message, which the request did not offer to take")]
    Compressed,
    /// The first byte is no flag.
    #[error("no message of gRPC")]
    Flag,
    /// The message is longer than the bound.
    #[error("a message of {0} bytes")]
    TooLarge(usize),
}

/// Finds the messages in the bytes of an answer. It holds one message of at most `limit` bytes, and the piece that came last.
#[derive(Debug)]
pub struct MessageReader {
    buffer: BytesMut,
    limit: usize,
}

impl MessageReader {
    /// A reader of messages of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), limit }
    }

    /// Takes the next piece. All messages that are complete must be taken out before the next piece comes.
    pub fn push(&mut self, piece: &Bytes) {
        self.buffer.extend_from_slice(piece);
    }

    /// Takes out the next message, if it is complete.
    ///
    /// # Errors
    ///
    /// [`PrefixError`]; nothing that follows can be read.
    pub fn take(&mut self) -> Result<Option<Bytes>, PrefixError> {
        let Some((&[flag, a, b, c, d], _)) = self.buffer.split_first_chunk::<PREFIX>() else { return Ok(None) };
        match flag {
            0 => {}
            1 => return Err(PrefixError::Compressed),
            _ => return Err(PrefixError::Flag),
        }
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > self.limit {
            return Err(PrefixError::TooLarge(length));
        }
        if self.buffer.len() - PREFIX < length {
            return Ok(None);
        }
        self.buffer.advance(PREFIX);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// Whether the last message was complete.
    pub fn is_between(&self) -> bool {
        self.buffer.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
        let framed = |message: &Vec<u8>| {
            let length = u32::try_from(message.len()).unwrap().to_be_bytes();
            [&[0][..], &length, message].concat()
        };
        messages.iter().flat_map(framed).collect()
    }

    proptest! {
        #[test]
        fn messages_are_the_same_however_the_bytes_are_cut(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
            cut in 1_usize..30,
        ) {
            let mut reader = MessageReader::new(40);
            let mut read = Vec::new();
            for piece in framed(&messages).chunks(cut) {
                reader.push(&Bytes::copy_from_slice(piece));
                while let Some(message) = reader.take().unwrap() {
                    read.push(message.to_vec());
                }
            }
            prop_assert!(reader.is_between());
            prop_assert_eq!(read, messages);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = MessageReader::new(64);
            reader.push(&Bytes::from(bytes));
            while let Ok(Some(message)) = reader.take() {
                prop_assert!(message.len() <= 64);
            }
        }
    }

    #[test]
    fn a_prefix_is_judged_before_its_message_arrives() {
        let of = |prefix: [u8; 5]| {
            let mut reader = MessageReader::new(16);
            reader.push(&Bytes::copy_from_slice(&prefix));
            reader.take()
        };
        assert_eq!(of([0, 0, 0, 0, 17]), Err(PrefixError::TooLarge(17)));
        assert_eq!(of([0, 255, 255, 255, 255]), Err(PrefixError::TooLarge(u32::MAX as usize)));
        assert_eq!(of([1, 0, 0, 0, 1]), Err(PrefixError::Compressed));
        assert_eq!(of(*b"<html"), Err(PrefixError::Flag));
        assert_eq!(of([0, 0, 0, 0, 16]), Ok(None));
    }
}
