//! Copies of the parts of an exchange: an answer's body as it passes, a request to a provider.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::super::captured::{CapturedSide, RoomShare};
use weir_upstream::{BodyObserver, UpstreamRequest};

/// The most pieces whose times are kept. Later pieces count as part of the last.
const PIECES: usize = 64 << 10;

/// A request's head and body. The body shares the bytes of the original.
#[derive(Debug)]
pub(in crate::accounting) struct RequestCopy {
    pub(super) method: Method,
    pub(super) path_and_query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<Bytes>,
}

/// An answer, copied while it passes.
#[derive(Debug)]
pub(in crate::accounting) struct AnswerCopy {
    share: Arc<RoomShare>,
    received: Mutex<Received>,
}

#[derive(Debug)]
struct Received {
    status: u16,
    headers: HeaderMap,
    bytes: Vec<u8>,
    pieces: Vec<(usize, Duration)>,
    /// When the last piece arrived, or the request was sent.
    last: Instant,
    is_whole: bool,
}

impl AnswerCopy {
    pub(super) fn new(share: Arc<RoomShare>) -> Self {
        let received = Received {
            status: 0,
            headers: HeaderMap::new(),
            bytes: Vec::new(),
            pieces: Vec::new(),
            last: Instant::now(),
            is_whole: false,
        };
        Self { share, received: Mutex::new(received) }
    }

    fn received(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begins(&self, status: u16, headers: &HeaderMap) {
        let mut received = self.received();
        received.status = status;
        received.headers.clone_from(headers);
    }

    /// One side of the exchange, with the answer as far as it has arrived.
    pub(super) fn take_with(&self, request: &RequestCopy) -> CapturedSide {
        let mut received = self.received();
        CapturedSide {
            method: request.method.clone(),
            path_and_query: request.path_and_query.clone(),
            request_headers: request.headers.clone(),
            request_body: request.body.clone(),
            status: received.status,
            response_headers: std::mem::take(&mut received.headers),
            answer: std::mem::take(&mut received.bytes),
            pieces: std::mem::take(&mut received.pieces),
            is_whole: received.is_whole,
        }
    }
}

impl BodyObserver for AnswerCopy {
    fn piece(&self, bytes: &Bytes) {
        let mut received = self.received();
        if !self.share.grow(bytes.len()) {
            received.bytes = Vec::new();
            received.pieces = Vec::new();
            return;
        }
        // The bytes are copied, because a piece keeps the whole buffer alive that it was read into.
        received.bytes.extend_from_slice(bytes);
        let now = Instant::now();
        let (end, after) = (received.bytes.len(), now.duration_since(received.last));
        received.last = now;
        if received.pieces.len() >= PIECES {
            received.pieces.pop();
        }
        received.pieces.push((end, after));
    }

    fn ended(&self, is_whole: bool) {
        self.received().is_whole = is_whole;
    }
}

/// A request to a provider, with its answer.
#[derive(Debug)]
pub struct SentCopy {
    request: RequestCopy,
    answer: Arc<AnswerCopy>,
}

impl SentCopy {
    /// Copies a request that is about to be sent. `known` is the client's body, whose bytes it may share.
    pub(super) fn new(request: &UpstreamRequest<'_>, known: &[Bytes], share: &Arc<RoomShare>) -> Option<Self> {
        let body: Vec<Bytes> = request.body.pieces().cloned().collect();
        let new = body.iter().filter(|piece| !known.iter().any(|known| is_part(piece, known)));
        if !share.grow(new.map(Bytes::len).sum()) {
            return None;
        }
        let request = RequestCopy {
            method: request.method.clone(),
            path_and_query: request.address.path_and_query().to_owned(),
            headers: request.headers.clone(),
            body,
        };
        Some(Self { request, answer: Arc::new(AnswerCopy::new(Arc::clone(share))) })
    }

    /// Notes the head of the answer. Returns the copy that takes the body.
    pub fn answered(&self, status: u16, headers: &HeaderMap) -> Arc<dyn BodyObserver> {
        self.answer.begins(status, headers);
        Arc::clone(&self.answer) as Arc<dyn BodyObserver>
    }

    pub(super) fn take(&self) -> CapturedSide {
        self.answer.take_with(&self.request)
    }
}

/// Whether a piece is a part of other bytes, in the same memory.
fn is_part(piece: &Bytes, of: &Bytes) -> bool {
    of.as_ptr_range().contains(&piece.as_ptr())
}
