//! Pieces of a body in their order, of which small ones are joined: a body in pieces of one byte takes no more memory
//! than its bytes.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// The least length of a piece that is kept as it is.
const WHOLE: usize = 4 << 10;
/// The length up to which smaller ones are joined.
const JOINED: usize = 64 << 10;

/// Pieces that have been read.
#[derive(Debug, Default)]
pub struct Joined {
    pieces: VecDeque<Bytes>,
    /// Bytes that follow the last of `pieces`, not yet a piece.
    small: BytesMut,
    len: usize,
}

impl Joined {
    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a piece. The first one is kept as it is, since mostly there is no other.
    pub fn push(&mut self, piece: Bytes) {
        let is_first = self.is_empty();
        self.len += piece.len();
        if is_first || piece.len() >= WHOLE {
            self.join();
            self.keep(piece);
            return;
        }
        self.small.extend_from_slice(&piece);
        if self.small.len() >= JOINED {
            self.join();
        }
    }

    /// Takes out the first piece, which is not empty.
    pub fn pop(&mut self) -> Option<Bytes> {
        if self.pieces.is_empty() {
            self.join();
        }
        let first = self.pieces.pop_front()?;
        self.len -= first.len();
        Some(first)
    }

    /// All pieces, of which none is empty.
    pub fn finish(mut self) -> VecDeque<Bytes> {
        self.join();
        self.pieces
    }

    fn join(&mut self) {
        // Splitting takes memory, even if there is nothing to split.
        if !self.small.is_empty() {
            let small = self.small.split().freeze();
            self.keep(small);
        }
    }

    fn keep(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.pieces.push_back(piece);
        }
    }
}

impl From<VecDeque<Bytes>> for Joined {
    fn from(pieces: VecDeque<Bytes>) -> Self {
        let len = pieces.iter().map(Bytes::len).sum();
        Self { pieces, small: BytesMut::new(), len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pieces_are_joined_in_order_and_others_kept() {
        let large = Bytes::from(vec![b'l'; WHOLE]);
        let first = Bytes::from(vec![b'f']);
        let mut joined = Joined::default();
        for piece in [&first, &Bytes::from_static(b"a"), &Bytes::new(), &Bytes::from_static(b"b"), &large] {
            joined.push(piece.clone());
        }
        for _ in 0..=JOINED {
            joined.push(Bytes::from_static(b"s"));
        }
        assert_eq!(joined.len(), 3 + WHOLE + JOINED + 1);
        let pieces = Vec::from(joined.finish());
        assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [1, 2, WHOLE, JOINED, 1]);
        assert_eq!((pieces[0].as_ptr(), pieces[2].as_ptr()), (first.as_ptr(), large.as_ptr()), "not copied");
        assert_eq!(pieces[1], "ab");
    }

    #[test]
    fn pieces_are_taken_out_in_order_while_others_come() {
        let mut joined = Joined::default();
        for piece in ["f", "a", "b"] {
            joined.push(Bytes::from(piece));
        }
        assert_eq!((joined.pop(), joined.len()), (Some(Bytes::from("f")), 2));
        joined.push(Bytes::from("c"));
        assert_eq!((joined.pop(), joined.pop(), joined.len()), (Some(Bytes::from("abc")), None, 0));
        joined.push(Bytes::from("d"));
        assert_eq!(joined.finish(), ["d"]);
    }

    #[test]
    fn a_body_of_no_bytes_has_no_pieces() {
        let mut joined = Joined::default();
        joined.push(Bytes::new());
        assert!(joined.is_empty() && joined.finish().is_empty());
    }
}
