//! Gathers pieces of a stream that follow each other closely, so that guards judge them together.
//!
//! Text that a guard holds back reaches the client late anyway, so a short wait is not noticed, and reading, judging
//! and sending several pieces takes hardly more time than one.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep};

/// The most bytes that wait, including the overhead of each piece: a provider may send them byte by byte.
const MAX_GATHERED_BYTES: usize = 16 * 1024;

/// The pieces of a stream that wait to be judged.
pub(super) struct Gathered {
    every: Duration,
    /// When the waiting pieces are judged.
    due: Instant,
    pieces: Vec<Bytes>,
    bytes: usize,
    /// The timer, created when pieces wait for the first time.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Gathered {
    /// Gathers pieces for this long after a judgement. The first pieces have just been judged.
    pub(super) fn new(every: Duration) -> Self {
        Self { every, due: Instant::now() + every, pieces: Vec::new(), bytes: 0, sleep: None }
    }

    /// Adds a piece. Returns whether those that wait are to be judged now.
    pub(super) fn add(&mut self, piece: Bytes) -> bool {
        self.bytes = self.bytes.saturating_add(piece.len()).saturating_add(size_of::<Bytes>());
        self.pieces.push(piece);
        self.bytes >= MAX_GATHERED_BYTES || Instant::now() >= self.due
    }

    /// Ready when pieces that wait are to be judged.
    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.pieces.is_empty() {
            return Poll::Pending;
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(self.due)));
        if sleep.deadline() != self.due {
            sleep.as_mut().reset(self.due);
        }
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(())
    }

    /// Takes the pieces that wait, which are judged now.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        self.due = Instant::now() + self.every;
        self.bytes = 0;
        std::mem::take(&mut self.pieces)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const PIECE: Bytes = Bytes::from_static(b"piece");

    #[tokio::test(start_paused = true)]
    async fn pieces_wait_for_no_longer_than_the_time_between_two_judgements() {
        let every = Duration::from_millis(40);
        let mut gathered = Gathered::new(every);
        let judged = Instant::now();
        assert!(!gathered.add(PIECE) && !gathered.add(PIECE));
        poll_fn(|cx| gathered.poll_due(cx)).await;
        assert!(judged.elapsed() >= every && judged.elapsed() < every * 2);
        assert_eq!(gathered.take().len(), 2);
        tokio::time::advance(every).await;
        assert!(gathered.add(PIECE), "one that comes later is judged at once");
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_bytes_wait_and_without_any_nothing_is_due() {
        let mut gathered = Gathered::new(Duration::from_secs(1));
        assert!(!gathered.add(PIECE));
        assert!(gathered.add(Bytes::from(vec![0; MAX_GATHERED_BYTES])));
        gathered.take();
        let small = (1..=MAX_GATHERED_BYTES).find(|_| gathered.add(Bytes::from_static(b"x"))).unwrap();
        assert!(small <= MAX_GATHERED_BYTES / size_of::<Bytes>(), "{small} pieces of one byte wait");
        gathered.take();
        let due = tokio::time::timeout(Duration::from_secs(5), poll_fn(|cx| gathered.poll_due(cx)));
        assert!(due.await.is_err());
    }
}
