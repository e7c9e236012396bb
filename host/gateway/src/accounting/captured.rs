//! The content of an exchange as a log takes it, and the memory that all such contents share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::observe::trace::Span;
use weir_config::{Config, Secret};
use weir_types::contract::about::Operation;
use weir_types::uuid::Uuid7;

/// The content of one exchange: what the client sent and got and, if a provider was asked, what the last one was sent
/// and answered. Only headers with credentials have been removed.
#[derive(Debug)]
pub struct CapturedExchange {
    /// Weir's own id of the request.
    pub id: Uuid7,
    /// The configuration that the request was served with, whose secrets have to be removed.
    pub config: Arc<Config>,
    /// The credentials that the client presented.
    pub secrets: Vec<Secret>,
    /// The client's side.
    pub client: CapturedSide,
    /// The operation, if the client's request is the JSON of the unified model: a protocol of its own carried it.
    pub unified: Option<Operation>,
    /// The provider's side.
    pub upstream: Option<CapturedSide>,
    /// The name of the provider that was asked last, if one was.
    pub provider: Option<Arc<str>>,
    /// The ended span that takes the messages; an empty one if spans have no messages.
    pub span: Span,
    /// The content's share of the memory, returned when the content is dropped.
    pub(super) _share: Arc<RoomShare>,
}

/// One side of an exchange.
#[derive(Debug, Default)]
pub struct CapturedSide {
    /// The method that the client or the gateway sent.
    pub method: Method,
    /// The path with its query.
    pub path_and_query: String,
    /// The request's headers, without credentials.
    pub request_headers: HeaderMap,
    /// The body in the pieces in which it was read or sent.
    pub request_body: Vec<Bytes>,
    /// The answer's status; 0 if there was none.
    pub status: u16,
    /// The answer's headers.
    pub response_headers: HeaderMap,
    /// The answer's body, as far as it arrived.
    pub answer: Vec<u8>,
    /// For each piece of the answer, the position of its end and the time since the piece before.
    pub pieces: Vec<(usize, Duration)>,
    /// Whether the answer is complete.
    pub is_whole: bool,
}

/// The memory for contents that are being captured or wait to be written, and counts of those that were given up.
#[derive(Debug)]
pub struct CaptureRoom {
    limit: usize,
    used: AtomicUsize,
    without_room: AtomicU64,
    too_large: AtomicU64,
}

impl CaptureRoom {
    /// Room for this many bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0), without_room: AtomicU64::new(0), too_large: AtomicU64::new(0) }
    }

    /// Exchanges that were given up because there was no room.
    pub fn without_room(&self) -> u64 {
        self.without_room.load(Ordering::Relaxed)
    }

    /// Exchanges that were given up because they were larger than the limit of one.
    pub fn too_large(&self) -> u64 {
        self.too_large.load(Ordering::Relaxed)
    }

    /// The bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// The share of one exchange, which all copies of its parts take from.
#[derive(Debug)]
pub(crate) struct RoomShare {
    room: Arc<CaptureRoom>,
    limit: usize,
    used: AtomicUsize,
    is_given_up: AtomicBool,
}

impl RoomShare {
    pub(crate) fn new(room: Arc<CaptureRoom>, limit: usize) -> Self {
        Self { room, limit, used: AtomicUsize::new(0), is_given_up: AtomicBool::new(false) }
    }

    /// Takes room for more bytes. Without room the exchange is given up, which is counted once.
    pub(crate) fn grow(&self, bytes: usize) -> bool {
        if self.is_given_up() {
            return false;
        }
        let own = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let all = self.room.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if own <= self.limit && all <= self.room.limit {
            return true;
        }
        let count = if own > self.limit { &self.room.too_large } else { &self.room.without_room };
        if !self.is_given_up.swap(true, Ordering::Relaxed) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        false
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.is_given_up.load(Ordering::Relaxed)
    }
}

impl Drop for RoomShare {
    fn drop(&mut self) {
        self.room.used.fetch_sub(*self.used.get_mut(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_beyond_a_limit_is_counted_once_and_its_memory_returned() {
        let room = Arc::new(CaptureRoom::new(100));
        let (large, many, fits) = (70, 60, 30);
        let share = |limit| RoomShare::new(Arc::clone(&room), limit);
        let (first, second, third) = (share(50), share(100), share(100));
        assert!(!first.grow(large) && !first.grow(1));
        drop(first);
        assert!(second.grow(many) && !third.grow(many));
        assert_eq!((room.too_large(), room.without_room(), room.used()), (1, 1, 120));
        drop(third);
        assert!(share(100).grow(fits));
        drop(second);
        assert_eq!(room.used(), 0);
    }
}
