//! Detects HTTP/2 streams whose client takes nothing. The socket stays writable while a client withholds the
//! flow-control window of one stream, so the socket's own timer does not fire.
//!
//! A stream waits for its client if its body returned a frame and was not polled again: hyper holds that frame until
//! there is room for it. A body that waits itself (for a quiet provider) was polled last. The task that polls the
//! stream distinguishes the two by a thread-local mark, which costs one store for each poll; a timer runs only while a
//! client stalls.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::sync::watch;
use tokio::time::sleep;

use super::activity::Exchange;
use super::final_poll;
use weir_types::deferred_write;

/// Result of a body's last poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastPoll {
    /// It returned a frame.
    Gave,
    /// It is pending or has ended.
    Waited,
}

thread_local! {
    /// Result of the body that was polled within the current poll of its stream; `None` if none was polled.
    static LAST: Cell<Option<LastPoll>> = const { Cell::new(None) };
}

/// A body that marks the result of each poll. Its exchange is in flight until it is dropped.
///
/// Its failure comes one poll later: hyper cuts the connection at once, and writes what the body gave before only while
/// the body waits.
pub(super) struct Marked<B: Body> {
    body: B,
    exchange: Exchange,
    failure: Option<B::Error>,
}

impl<B: Body> Marked<B> {
    pub(super) fn new(body: B, exchange: Exchange) -> Self {
        if body.size_hint().exact().is_none() {
            exchange.streams();
        }
        Self { body, exchange, failure: None }
    }
}

// Nothing in it is pinned where it stands.
impl<B: Body + Unpin> Unpin for Marked<B> {}

impl<B: Body<Data = Bytes> + Unpin> Body for Marked<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if let Some(failure) = self.failure.take() {
            return Poll::Ready(Some(Err(failure)));
        }
        let is_final = self.exchange.has_final_poll();
        let mut polled = final_poll::within(is_final, || Pin::new(&mut self.body).poll_frame(cx));
        if let Poll::Ready(Some(Err(failure))) = polled {
            self.failure = Some(failure);
            deferred_write::last_write_follows();
            cx.waker().wake_by_ref();
            polled = Poll::Pending;
        }
        let did = if matches!(polled, Poll::Ready(Some(Ok(_)))) { LastPoll::Gave } else { LastPoll::Waited };
        LAST.set(Some(did));
        polled
    }

    fn is_end_stream(&self) -> bool {
        // A body that ends here counts as whole.
        self.failure.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Spawns the streams of HTTP/2 connections. A stream whose client takes nothing for `send_timeout` is reset, and its
/// body dropped. All are polled again when `final_poll` becomes true: the task of their connection does not poll them.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    pub(super) send_timeout: Duration,
    pub(super) final_poll: watch::Receiver<bool>,
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(drive_stream(stream, self.send_timeout, self.final_poll.clone()));
    }
}

async fn drive_stream(stream: impl Future<Output = ()>, send_timeout: Duration, mut final_poll: watch::Receiver<bool>) {
    let (mut stream, mut timer) = (pin!(stream), pin!(None));
    let (mut called, mut is_listening) = (pin!(final_poll.wait_for(|given| *given)), false);
    std::future::poll_fn(|cx| {
        LAST.set(None);
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        // Once is enough: the call wakes this task, and then the stream finds out by itself.
        if !std::mem::replace(&mut is_listening, true) && called.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        match LAST.take() {
            Some(LastPoll::Gave) => timer.set(Some(sleep(send_timeout))),
            Some(LastPoll::Waited) => timer.set(None),
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
