//! Plays back the pieces of a recorded body at their pace.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Sleep;

/// One piece of a recorded body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Delay after the previous piece.
    pub(super) after: Duration,
    /// Never empty.
    pub(super) bytes: Bytes,
}

/// A recorded body that is being played back.
#[derive(Debug)]
pub struct Playback {
    pieces: Arc<[Piece]>,
    next: usize,
    /// Overrides the pieces' own delays.
    pace: Option<Duration>,
    /// Whether the length is announced, as for bodies that are not streams.
    whole: bool,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whether the next piece has waited for its turn already.
    waited: bool,
}

impl Playback {
    pub(super) fn new(pieces: Arc<[Piece]>, pace: Option<Duration>, whole: bool) -> Self {
        Self { pieces, next: 0, pace, whole, sleep: None, waited: false }
    }

    pub(super) fn whole(bytes: Bytes) -> Self {
        let piece = Piece { after: Duration::ZERO, bytes };
        Self::new(Arc::new([piece]), None, true)
    }

    /// The next piece, once its delay is over.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(piece) = self.pieces.get(self.next) else { return Poll::Ready(None) };
        let after = self.pace.unwrap_or(piece.after);
        if !after.is_zero() && !self.waited {
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
            ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        } else if !self.whole && self.next > 0 && !self.waited {
            // Without a delay, each piece is still sent by itself, as if it came from a network.
            self.waited = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.waited = false;
        self.next += 1;
        Poll::Ready(Some(piece.bytes.clone()))
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.next >= self.pieces.len()
    }

    /// The bytes that are left, if the length is announced.
    pub(crate) fn left(&self) -> Option<u64> {
        let left = self.pieces.iter().skip(self.next).map(|piece| piece.bytes.len() as u64);
        self.whole.then(|| left.sum())
    }
}

/// Cuts a streamed text at the ends of its frames: after each blank line, or after each line if there are none.
pub(super) fn cut_text(text: &str) -> Vec<Bytes> {
    let whole = Bytes::copy_from_slice(text.as_bytes());
    let blank = ["\r\n\r\n", "\n\n", "\r\r"].into_iter().find(|blank| text.contains(blank)).unwrap_or("\n");
    let mut pieces = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(blank) {
        pieces.push(whole.slice(start..at + blank.len()));
        start = at + blank.len();
    }
    pieces.push(whole.slice(start..));
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Cuts streamed bytes at any place; readers must cope with that.
pub(super) fn cut_bytes(bytes: Vec<u8>, size: usize) -> Vec<Bytes> {
    let whole = Bytes::from(bytes);
    (0..whole.len()).step_by(size.max(1)).map(|start| whole.slice(start..whole.len().min(start + size))).collect()
}
