//! What follows the end of an answer that the answer itself has announced.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

use super::super::deadline::poll_sleep;

/// How long a provider may take to end an answer that it has called complete. Most of them end it with the same write
/// or the next one; waiting for that keeps the connection for other exchanges.
const OVERTIME: Duration = Duration::from_millis(100);

/// Whether an answer has been called complete, and how long it has gone on since.
#[derive(Debug, Default)]
pub(super) enum Overtime {
    /// More of the answer may follow.
    #[default]
    Open,
    /// It is complete, and has not been waited for yet.
    Told,
    /// The provider has until then to end it.
    Waits(Pin<Box<Sleep>>),
}

impl Overtime {
    /// The answer is complete.
    pub(super) fn begin(&mut self) {
        if matches!(self, Self::Open) {
            *self = Self::Told;
        }
    }

    /// Whether the answer is complete, so that nothing is missing however it ends.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(self, Self::Open)
    }

    /// Ready when the provider has had its time to end the answer. Must be called whenever the answer is pending.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self, Self::Told) {
            *self = Self::Waits(Box::pin(tokio::time::sleep(OVERTIME)));
        }
        match self {
            Self::Waits(sleep) => poll_sleep(sleep.as_mut(), cx),
            Self::Open | Self::Told => Poll::Pending,
        }
    }
}
