//! Captures an exchange: bodies pass at once, and copies of their pieces are kept within a limit.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::writer::WriteQueue;
use weir_fixtures::fixture::{Exchange, Piece};

/// Maximum number of pieces that are kept, because each costs more than its bytes.
const PIECES: usize = 64 * 1024;

/// An exchange that is being captured.
#[derive(Debug)]
pub(super) struct Capture {
    captured: Mutex<CaptureState>,
    limit: u64,
    queue: WriteQueue,
    number: usize,
    /// Released when both bodies are finished.
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct CaptureState {
    exchange: Exchange,
    /// Size of the kept bodies, in bytes.
    size: u64,
    is_too_large: bool,
    /// When the last piece arrived, or the exchange began.
    last: Instant,
}

/// One of the exchanges that are recorded at the same time.
#[derive(Debug)]
pub(super) struct ExchangeSlot {
    pub(super) permit: OwnedSemaphorePermit,
    /// Number of the exchange, for the log.
    pub(super) number: usize,
}

/// How an answer's body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Broken,
}

impl Capture {
    pub(super) fn new(exchange: Exchange, limit: u64, queue: WriteQueue, slot: ExchangeSlot) -> Arc<Self> {
        let heard = CaptureState { exchange, size: 0, is_too_large: false, last: Instant::now() };
        Arc::new(Self { captured: Mutex::new(heard), limit, queue, number: slot.number, _permit: slot.permit })
    }

    /// Records that the answer's head has arrived.
    pub(super) fn answered(&self, status: u16, headers: Vec<(String, String)>) {
        self.with(|heard| {
            heard.exchange.status = status;
            heard.exchange.response_headers = headers;
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut CaptureState) -> T) -> T {
        act(&mut self.captured.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn sent(&self, bytes: &Bytes) {
        self.with(|heard| {
            if heard.has_room(bytes.len() as u64, self.limit) {
                heard.exchange.request_body.extend_from_slice(bytes);
            }
        });
    }

    fn came(&self, bytes: &Bytes) {
        self.with(|heard| {
            let now = Instant::now();
            let after = Some(now.duration_since(heard.last));
            heard.last = now;
            let limit = if heard.exchange.pieces.len() < PIECES { self.limit } else { 0 };
            if heard.has_room(bytes.len() as u64, limit) {
                // Copied, because the piece keeps the whole read buffer alive.
                heard.exchange.pieces.push(Piece { after, bytes: bytes.to_vec() });
            }
        });
    }

    fn ended(&self, end: End) {
        let (exchange, is_too_large) = self.with(|heard| (std::mem::take(&mut heard.exchange), heard.is_too_large));
        let path = exchange.path_and_query.split('?').next().unwrap_or_default();
        let line = format!("{} {path} {}", exchange.method, exchange.status);
        if is_too_large {
            let limit = self.limit;
            tracing::warn!(number = self.number, limit, "{line}: not recorded, it is larger than the limit");
        } else if end == End::Broken {
            tracing::warn!(number = self.number, "{line}: not recorded, the answer broke off");
        } else {
            self.queue.put(line, exchange);
        }
    }
}

impl CaptureState {
    /// Reserves space for more bytes; drops the captured bodies if the limit is exceeded.
    fn has_room(&mut self, more: u64, limit: u64) -> bool {
        self.size = self.size.saturating_add(more);
        if self.size > limit && !self.is_too_large {
            self.is_too_large = true;
            self.exchange.request_body = Vec::new();
            self.exchange.pieces = Vec::new();
        }
        !self.is_too_large
    }
}

/// A body that is captured while it passes.
pub(super) struct Tapped<B: Body> {
    body: B,
    capture: Arc<Capture>,
    side: Side,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Response,
    /// A response whose end has been reported.
    LimitStatus,
}

impl<B: Body> Tapped<B> {
    pub(super) fn of_request(body: B, capture: Arc<Capture>) -> Self {
        Self { body, capture, side: Side::Request }
    }

    pub(super) fn of_response(body: B, capture: Arc<Capture>) -> Self {
        Self { body, capture, side: Side::Response }
    }

    fn record(&mut self, end: End) {
        if self.side == Side::Response {
            self.side = Side::LimitStatus;
            self.capture.ended(end);
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Tapped<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        match &frame {
            None => this.record(End::Whole),
            Some(Err(_)) => this.record(End::Broken),
            Some(Ok(frame)) => match (frame.data_ref(), this.side) {
                (Some(bytes), Side::Request) => this.capture.sent(bytes),
                (Some(bytes), Side::Response) => this.capture.came(bytes),
                _ => {}
            },
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: Body> Drop for Tapped<B> {
    /// A body of known length is dropped after its last byte, without another poll for its end.
    fn drop(&mut self) {
        let end = if self.body.is_end_stream() { End::Whole } else { End::Broken };
        self.record(end);
    }
}
