//! Tests of reading ahead.

use std::time::Duration;

use super::*;

/// Pieces of one byte that are there already.
struct Ticks(usize);

impl Pieces for Ticks {
    fn poll_piece(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        if self.0 == 0 {
            return Poll::Ready(None);
        }
        self.0 -= 1;
        Poll::Ready(Some(Ok(Bytes::from_static(b"x"))))
    }

    fn is_finished(&self) -> bool {
        self.0 == 0
    }

    fn left(&self) -> SizeHint {
        SizeHint::with_exact(self.0 as u64)
    }
}

fn ticks(pieces: usize) -> UpstreamBody {
    UpstreamBody::of(Box::new(Ticks(pieces)), Arc::from("http://host.example"))
}

fn later() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

#[tokio::test]
async fn many_small_pieces_are_read_ahead_as_a_few_large_ones() {
    const PIECES: usize = 256 << 10;
    let mut body = ticks(PIECES + 9);
    assert_eq!(body.read_ahead(PIECES, later()).await.unwrap().len(), PIECES);
    assert!(body.held.len() < 10, "{} pieces", body.held.len());
    assert_eq!(body.size_hint().exact(), Some(PIECES as u64 + 9));
    assert_eq!(body.read_ahead(PIECES + 4, later()).await.unwrap().len(), PIECES + 4);
    assert_eq!(body.collect(usize::MAX).await.unwrap(), vec![b'x'; PIECES + 9]);
}

#[tokio::test]
async fn pieces_that_never_end_are_read_ahead_until_the_deadline() {
    let mut body = ticks(usize::MAX);
    let read = body.read_ahead(usize::MAX, Instant::now() + Duration::from_millis(5)).await.unwrap();
    assert!(!read.is_empty());
    assert_eq!(body.next_piece().await.unwrap().unwrap(), "x", "the first of them again");
}

#[tokio::test]
async fn other_tasks_have_their_turns_while_many_small_pieces_are_read() {
    for is_read_ahead in [true, false] {
        let turns = tokio::spawn(async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        });
        let mut body = ticks(100_000);
        let read = if is_read_ahead {
            body.read_ahead(usize::MAX, later()).await.unwrap()
        } else {
            body.collect(usize::MAX).await.unwrap()
        };
        assert_eq!(read.len(), 100_000);
        assert!(turns.is_finished(), "read ahead: {is_read_ahead}");
    }
}
