//! The body of a client's request, read as fast as the provider takes it and no faster.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_upstream::UploadError;

/// The bytes for which a client may make one more pause.
const EARNS: u64 = 64 << 10;

/// A body that arrives. Trailers are left out.
pub(crate) struct ClientBody {
    incoming: Incoming,
    /// How long the client may pause.
    pause: Duration,
    sleep: Pin<Box<Sleep>>,
    /// Since when the client is waited for, if it is.
    waits_since: Option<Instant>,
    /// How long it was waited for before.
    waited: Duration,
    /// The most bytes.
    most: u64,
    arrived: Arc<AtomicU64>,
}

impl ClientBody {
    /// A body of at most so many bytes, between whose pieces the client may pause for so long.
    pub(crate) fn new(incoming: Incoming, most: u64, pause: Duration) -> Self {
        let sleep = Box::pin(tokio::time::sleep(pause));
        Self { incoming, pause, sleep, waits_since: None, waited: Duration::ZERO, most, arrived: Arc::default() }
    }

    /// The bytes that have arrived, as long as anything does.
    pub(crate) fn arrived(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.arrived)
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.waits_since.is_none() {
            let now = Instant::now();
            self.waits_since = Some(now);
            self.sleep.as_mut().reset(now + self.pause);
        }
        self.sleep.as_mut().poll(cx)
    }

    /// Notes the end of a wait. A client that sends byte by byte never pauses for long, but holds its place all the same:
    /// each piece of [`EARNS`] bytes earns one more pause.
    fn is_too_slow(&mut self) -> bool {
        let Some(since) = self.waits_since.take() else { return false };
        self.waited += since.elapsed();
        let earned = self.arrived.load(Ordering::Relaxed) / EARNS;
        let pauses = u32::try_from(earned).unwrap_or(u32::MAX).saturating_add(2);
        self.waited > self.pause.saturating_mul(pauses)
    }

    fn count(&self, piece: &Bytes) -> Result<(), UploadError> {
        let len = piece.len() as u64;
        let arrived = self.arrived.fetch_add(len, Ordering::Relaxed) + len;
        if arrived > self.most { Err(UploadError::TooLarge(self.most)) } else { Ok(()) }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let this = self.get_mut();
        loop {
            let frame = match Pin::new(&mut this.incoming).poll_frame(cx) {
                Poll::Pending => {
                    return match this.poll_pause(cx) {
                        Poll::Ready(()) => Poll::Ready(Some(Err(UploadError::Slow))),
                        Poll::Pending => Poll::Pending,
                    };
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Some(Err(UploadError::Broken))),
                Poll::Ready(Some(Ok(frame))) => frame,
            };
            if this.is_too_slow() {
                return Poll::Ready(Some(Err(UploadError::Slow)));
            }
            if let Ok(piece) = frame.into_data() {
                return Poll::Ready(Some(this.count(&piece).map(|()| Frame::data(piece))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// The fault for a body that could not be sent on.
pub(crate) fn fault(error: UploadError) -> Fault {
    match error {
        UploadError::Broken => Fault::invalid("the request's body broke off"),
        UploadError::Slow => too_slow(),
        UploadError::TooLarge(most) => too_large(most),
    }
}

/// The fault for a body that takes longer than bodies may.
pub(crate) fn too_slow() -> Fault {
    let message = "the request's body did not arrive in time: send it faster, or raise `server.body_timeout`";
    Fault::new(Side::Client, ErrorKind::Timeout, message).with_status(408)
}

/// The fault for a body that is larger than so many bytes.
pub(crate) fn too_large(most: u64) -> Fault {
    let message = format!("the request is larger than {most} bytes; `server.max_upload_bytes` sets the limit");
    Fault::new(Side::Client, ErrorKind::TooLarge, message).with_status(413)
}
