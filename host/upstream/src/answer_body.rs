//! The body of an answer, with the connection that has to be driven for it to arrive.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::connection::Http1;
use super::pool::Pool;

/// The body of an answer. When it has been read to its end, its connection returns to the pool; if it is dropped before,
/// the connection is closed.
pub(super) struct AnswerBody {
    incoming: Incoming,
    has_ended: bool,
    driven: Option<Driven>,
}

struct Driven {
    connection: Box<Http1>,
    pool: Pool,
    origin: Arc<str>,
}

impl AnswerBody {
    /// The body of an answer; `connection` is the one to drive, if any, and returns to `pool`.
    pub(super) fn new(incoming: Incoming, connection: Option<Box<Http1>>, pool: &Pool, origin: &Arc<str>) -> Self {
        let driven = connection.map(|connection| Driven { connection, pool: pool.clone(), origin: Arc::clone(origin) });
        Self { incoming, has_ended: false, driven }
    }

    /// Polls for the next frame; `None` at the end.
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let polled = match &mut self.driven {
            None => Pin::new(&mut self.incoming).poll_frame(cx),
            Some(driven) => {
                // Pieces arrive only while the connection is driven, so the body needs no waker of its own.
                let mut still = Context::from_waker(Waker::noop());
                match Pin::new(&mut self.incoming).poll_frame(&mut still) {
                    Poll::Pending => {
                        driven.connection.drive(cx);
                        Pin::new(&mut self.incoming).poll_frame(&mut still)
                    }
                    ready @ Poll::Ready(_) => ready,
                }
            }
        };
        self.has_ended |= matches!(polled, Poll::Ready(None));
        polled
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

impl Drop for AnswerBody {
    fn drop(&mut self) {
        if self.is_end_stream()
            && let Some(Driven { mut connection, pool, origin }) = self.driven.take()
            && connection.is_idle()
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
