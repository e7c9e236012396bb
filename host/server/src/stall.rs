//! Streams of HTTP/2 whose client takes nothing. The socket stays writable while a client withholds the flow-control
//! window of one stream, so the socket's own timer does not see them.
//!
//! A stream waits for its client where its body gave a frame and was not polled again: hyper holds that frame until there
//! is room for it. A body that is waiting itself (for a quiet provider) was polled last. Either is seen by whoever polls
//! the stream: the two talk by a mark of the thread, which costs a store a poll, and a timer only where a client stalls.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::time::sleep;

use super::activity::Exchange;

/// What a body did when it was polled last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Did {
    /// It gave a frame.
    Gave,
    /// It has none yet, or none any more.
    Waited,
}

thread_local! {
    /// Of the body that was polled last within the poll of its stream; none where it was not polled.
    static LAST: Cell<Option<Did>> = const { Cell::new(None) };
}

/// A body that marks what it does. Its exchange lasts as long as it does.
#[derive(Debug)]
pub(super) struct Marked<B> {
    body: B,
    _exchange: Exchange,
}

impl<B> Marked<B> {
    pub(super) fn new(body: B, exchange: Exchange) -> Self {
        Self { body, _exchange: exchange }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Marked<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let did = if matches!(polled, Poll::Ready(Some(Ok(_)))) { Did::Gave } else { Did::Waited };
        LAST.set(Some(did));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Runs the streams of HTTP/2 connections, each as long as its client takes something of it now and then. One that is
/// given up is reset, and its body dropped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Streams {
    pub(super) patience: Duration,
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(patiently(stream, self.patience));
    }
}

async fn patiently(stream: impl Future<Output = ()>, patience: Duration) {
    let (mut stream, mut timer) = (pin!(stream), pin!(None));
    std::future::poll_fn(|cx| {
        LAST.set(None);
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match LAST.take() {
            Some(Did::Gave) => timer.set(Some(sleep(patience))),
            Some(Did::Waited) => timer.set(None),
            None => {}
        }
        let Some(timer) = timer.as_mut().as_pin_mut() else { return Poll::Pending };
        if timer.poll(cx).is_pending() {
            return Poll::Pending;
        }
        tracing::debug!("a client takes nothing of a stream, which is reset");
        Poll::Ready(())
    })
    .await;
}
