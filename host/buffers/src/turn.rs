//! How much a task reads before the other tasks of its worker have their turn.
//!
//! tokio ends a task's turn after 128 operations, however many bytes each of them moves. A client or a provider that
//! always has bytes to read, and says nothing by them, would hold a worker for 16 MiB at a time.

use std::task::{Context, Poll};

use tokio::task::coop::{has_budget_remaining, poll_proceed};

/// The bytes that count as one operation, so that a turn is over after 2 MiB.
const OPERATION: usize = 16 << 10;

/// Counts a read of this many bytes as more than one operation of the task's turn, if it is long.
#[inline]
pub fn count_read(cx: &mut Context<'_>, bytes: usize) {
    for _ in 0..bytes / OPERATION {
        // Without any left, the task would be woken once more for nothing.
        if !has_budget_remaining() {
            return;
        }
        if let Poll::Ready(operation) = poll_proceed(cx) {
            operation.made_progress();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many such reads, which count as one operation in any case, a task does in one turn.
    async fn reads_of_a_turn(bytes: usize) -> usize {
        let mut reads = 0;
        let mut is_over = false;
        std::future::poll_fn(|cx| {
            if is_over {
                return Poll::Ready(reads);
            }
            while let Poll::Ready(operation) = poll_proceed(cx) {
                operation.made_progress();
                count_read(cx, bytes);
                reads += 1;
            }
            is_over = true;
            Poll::Pending
        })
        .await
    }

    #[tokio::test]
    async fn a_turn_has_some_two_megabytes_however_they_are_read() {
        for (bytes, reads) in [(0, 128), (8 << 10, 128), (OPERATION, 64), (128 << 10, 15), (4 << 20, 1)] {
            let counted = tokio::spawn(reads_of_a_turn(bytes)).await.unwrap();
            assert!(counted.abs_diff(reads) <= 1, "{bytes}: {counted}");
        }
    }
}
