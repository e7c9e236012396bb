//! Finds messages with their prefixes in bytes that arrive in pieces.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::prefix::{PREFIX_BYTES, PrefixError, read_prefix};

/// Finds the messages in the bytes of an answer. It holds one message of at most `limit` bytes, and the piece that came
/// last.
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
        let Some(length) = read_prefix(&self.buffer, self.limit)? else { return Ok(None) };
        if self.buffer.len() - PREFIX_BYTES < length {
            return Ok(None);
        }
        self.buffer.advance(PREFIX_BYTES);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// The bytes that were not taken out yet.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
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
    use crate::prefix::prefix_of;

    fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
        let framed = |message: &Vec<u8>| [&prefix_of(message.len()).unwrap(), &message[..]].concat();
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
}
