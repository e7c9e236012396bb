//! The body of an answer, with the connection that it arrives on.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::connection::{Carrier, Http1};
use super::multiplexed::Seat;
use super::pool::Pool;
use weir_types::turn::{Turn, quietly};

/// The body of an answer. When it has been read to its end, its connection returns to the pool; if it is dropped
/// before, the connection is closed. Dropping it frees its place on a shared connection in any case.
pub(super) struct AnswerBody {
    incoming: Incoming,
    has_ended: bool,
    driven: Option<Driven>,
    /// Its place on a shared connection.
    seat: Option<Seat>,
    /// Whether an end must be one that the provider has written.
    is_checked: bool,
}

/// Why the body of an answer cannot be read further.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyFailure {
    /// The connection failed, or what arrived is not valid.
    #[error(transparent)]
    Connection(#[from] hyper::Error),
    /// A stream of HTTP/2 was closed before its end, without an error.
    #[error("the stream was closed before the answer's end")]
    Unfinished,
}

struct Driven {
    connection: Box<Http1>,
    /// Whether a piece may have arrived with the head.
    may_hold: bool,
    /// The turn of the task in which it waited last.
    waited: Option<Turn>,
    pool: Pool,
    origin: Arc<str>,
}

impl AnswerBody {
    /// The body of an answer; a connection that has to be driven returns to `pool`.
    /// That of a failure may be cut: a provider that refuses a request need not read the rest of it, and closes the
    /// stream.
    pub(super) fn new(incoming: Incoming, carrier: Carrier, pool: &Pool, origin: &Arc<str>, is_failure: bool) -> Self {
        let (driven, seat) = match carrier {
            Carrier::Driven(connection) => (Some(Driven::new(connection, pool, origin)), None),
            Carrier::Shared(seat) => (None, Some(seat)),
        };
        let is_checked = seat.is_some() && !is_failure;
        Self { incoming, has_ended: false, driven, seat, is_checked }
    }

    /// Polls for the next frame; `None` at the end.
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        let polled = match &mut self.driven {
            None => Pin::new(&mut self.incoming).poll_frame(cx),
            Some(driven) => driven.poll_frame(&mut self.incoming, cx),
        };
        let Poll::Ready(frame) = polled else { return Poll::Pending };
        if let Some(seat) = &self.seat {
            seat.moved();
        }
        if frame.is_none() && !std::mem::replace(&mut self.has_ended, true) && self.is_cut() {
            return Poll::Ready(Some(Err(BodyFailure::Unfinished)));
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BodyFailure::from)))
    }

    /// Whether the body ended before its end: hyper takes a stream that is reset without an error for one that has
    /// ended.
    fn is_cut(&self) -> bool {
        self.is_checked && !self.incoming.is_end_stream()
    }

    /// Whether nothing more will arrive.
    pub(super) fn is_end_stream(&self) -> bool {
        self.has_ended || self.incoming.is_end_stream()
    }

    /// What is known of the length that is left.
    pub(super) fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Driven {
    fn new(connection: Box<Http1>, pool: &Pool, origin: &Arc<str>) -> Self {
        Self { connection, may_hold: true, waited: None, pool: pool.clone(), origin: Arc::clone(origin) }
    }

    fn poll_frame(
        &mut self,
        incoming: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let turn = Turn::now(cx);
        // Whatever happens to the connection now begins another turn.
        if turn.is_some() && self.waited == turn {
            return Poll::Pending;
        }
        // Pieces arrive only while the connection is driven, so the body needs no waker of its own. Nor does the
        // connection need to be woken when a piece was taken: it is driven again before the next one.
        let mut take = || {
            let mut still = Context::from_waker(Waker::noop());
            quietly(|| Pin::new(&mut *incoming).poll_frame(&mut still))
        };
        let held = if std::mem::take(&mut self.may_hold) { take() } else { Poll::Pending };
        if held.is_ready() {
            return held;
        }
        self.connection.drive(cx);
        let taken = take();
        self.waited = turn.filter(|_| taken.is_pending());
        taken
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        if self.is_end_stream()
            && let Some(Driven { mut connection, pool, origin, .. }) = self.driven.take()
            && connection.has_ended_exchange()
        {
            pool.put(&origin, connection);
        }
    }
}

impl fmt::Debug for AnswerBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerBody").field("has_ended", &self.has_ended).finish_non_exhaustive()
    }
}
