//! Joins the pieces of a body.

use bytes::{Bytes, BytesMut};

/// The pieces so far. A single piece is not copied.
#[derive(Debug, Default)]
pub(super) struct WholeBody {
    first: Bytes,
    rest: BytesMut,
}

/// The body exceeds its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

impl WholeBody {
    /// Adds a piece; fails if the body would exceed `limit` bytes.
    pub(super) fn push(&mut self, piece: Bytes, limit: usize) -> Result<(), TooLong> {
        if self.first.len().max(self.rest.len()).saturating_add(piece.len()) > limit {
            return Err(TooLong);
        }
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = piece;
            return Ok(());
        }
        if !self.first.is_empty() {
            self.rest.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.rest.extend_from_slice(&piece);
        Ok(())
    }

    /// The whole body.
    pub(super) fn finish(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.freeze() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_joined_within_the_limit() {
        let one = Bytes::from(vec![b'a'; 10]);
        let mut whole = WholeBody::default();
        assert_eq!(whole.push(one.clone(), 9), Err(TooLong));
        whole.push(one.clone(), 10).unwrap();
        assert_eq!(whole.push(Bytes::from_static(b"b"), 10), Err(TooLong));
        assert_eq!(whole.finish().as_ptr(), one.as_ptr());
        let mut whole = WholeBody::default();
        for piece in ["a", "", "b", "c"] {
            whole.push(Bytes::from_static(piece.as_bytes()), 3).unwrap();
        }
        assert_eq!(whole.push(Bytes::from_static(b"d"), 3), Err(TooLong));
        assert_eq!(whole.finish(), "abc");
    }
}
