//! The body of a client's request, read as fast as the provider takes it and no faster.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep};

use weir_buffers::joined::Joined;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_upstream::UploadError;

/// The bytes for which a client may make one more pause.
const EARNS: u64 = 64 << 10;

/// Looks at a body before it is sent.
pub(crate) trait Watch: Send {
    /// Looks at a piece, the last one or not. Returns whether to look at the next one.
    ///
    /// # Errors
    ///
    /// The piece must not be sent.
    fn passes(&mut self, piece: &[u8], is_last: bool) -> Result<bool, UploadError>;
}

/// A body that arrives. Trailers are left out.
pub(crate) struct ClientBody {
    incoming: Incoming,
    /// What was read of it before it is sent.
    ahead: Joined,
    ahead_len: u64,
    has_ended: bool,
    /// Looks at all that was not read ahead before it goes on.
    watch: Option<Box<dyn Watch>>,
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
        Self {
            incoming,
            ahead: Joined::default(),
            ahead_len: 0,
            has_ended: false,
            watch: None,
            pause,
            sleep,
            waits_since: None,
            waited: Duration::ZERO,
            most,
            arrived: Arc::default(),
        }
    }

    /// Reads a piece before the body is sent; `None` at its end. It goes on before all else.
    pub(crate) async fn read_ahead(&mut self) -> Result<Option<Bytes>, UploadError> {
        let piece = poll_fn(|cx| self.poll_incoming(cx)).await.transpose()?;
        self.has_ended = piece.is_none();
        if let Some(piece) = &piece {
            self.ahead_len += piece.len() as u64;
            self.ahead.push(piece.clone());
        }
        Ok(piece)
    }

    /// The bytes that were read ahead.
    pub(crate) fn ahead(&self) -> u64 {
        self.ahead_len
    }

    /// Whether all of it has arrived.
    pub(crate) fn has_arrived(&self) -> bool {
        self.has_ended || self.incoming.is_end_stream() || self.incoming.size_hint().exact() == Some(0)
    }

    /// Has what is still to come looked at before it is sent.
    pub(crate) fn watch(&mut self, watch: impl Watch + 'static) {
        self.watch = Some(Box::new(watch));
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
        // Whatever else the task has done in this turn: bytes that are always there would put it off for ever.
        pin!(unconstrained(self.sleep.as_mut())).poll(cx)
    }

    /// Notes the end of a wait. A client that sends byte by byte never pauses for long, but holds its place all the
    /// same: each piece of [`EARNS`] bytes earns one more pause.
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

impl ClientBody {
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UploadError>>> {
        loop {
            let frame = match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Pending => {
                    return match self.poll_pause(cx) {
                        Poll::Ready(()) => Poll::Ready(Some(Err(UploadError::Slow))),
                        Poll::Pending => Poll::Pending,
                    };
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Some(Err(UploadError::Broken))),
                Poll::Ready(Some(Ok(frame))) => frame,
            };
            if self.is_too_slow() {
                return Poll::Ready(Some(Err(UploadError::Slow)));
            }
            if let Ok(piece) = frame.into_data() {
                return Poll::Ready(Some(self.count(&piece).map(|()| piece)));
            }
        }
    }

    /// Has a piece looked at, and the end, if this is the last one: a provider may begin once it has all bytes.
    fn check(&mut self, piece: &Bytes, is_last: bool) -> Result<(), UploadError> {
        let Some(watch) = &mut self.watch else { return Ok(()) };
        if !watch.passes(piece, is_last)? {
            self.watch = None;
        }
        Ok(())
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let this = self.get_mut();
        if let Some(piece) = this.ahead.pop() {
            let is_last = this.ahead.is_empty() && this.has_arrived();
            let checked = if is_last { this.check(&Bytes::new(), true) } else { Ok(()) };
            return Poll::Ready(Some(checked.map(|()| Frame::data(piece))));
        }
        if this.has_ended {
            return Poll::Ready(None);
        }
        let polled = match std::task::ready!(this.poll_incoming(cx)) {
            Some(Ok(piece)) => Some(this.check(&piece, this.has_arrived()).map(|()| Frame::data(piece))),
            Some(Err(error)) => Some(Err(error)),
            None => this.check(&Bytes::new(), true).err().map(Err),
        };
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && (self.has_ended || self.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.ahead.len() as u64;
        self.incoming.size_hint().exact().map_or_else(SizeHint::default, |rest| SizeHint::with_exact(ahead + rest))
    }
}

/// The fault for a body that could not be sent on.
pub(crate) fn fault(error: UploadError) -> Fault {
    match error {
        UploadError::Broken => Fault::invalid("the request's body broke off"),
        UploadError::Slow => too_slow(),
        UploadError::TooLarge(most) => too_large(most),
        UploadError::Refused(why) => Fault::invalid(why),
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
