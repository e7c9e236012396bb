//! Answers to clients of a protocol that carries the unified model, kept for requests of all clients that mean the
//! same: whole ones, and streams, whose events are copied while they pass.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;

use super::keepable::portable;
use super::reply::ReplyBody;
use super::unified_reply::Closing;
use crate::accounting::captured::{CaptureRoom, RoomShare};
use crate::json_size::json_size;
use weir_cache::entry::TOO_LARGE;
use weir_cache::{Cache, Entry, Moment, Place, Sharing};
use weir_ledger::Nano;
use weir_translate::fold::fold;
use weir_types::contract::types::{ChatEvent, ChatResponse};

/// What is known of an answer before it is complete.
#[derive(Debug)]
pub(crate) struct CallKeeping {
    /// Where it is kept in this process.
    pub(crate) cache: Arc<Cache>,
    /// How the answer is shared with other nodes.
    pub(crate) sharing: Option<Sharing>,
    /// The tenant, the key and the model's alias of the answer.
    pub(crate) place: Place,
    /// The format of the client, as kept answers name it.
    pub(crate) format: String,
    /// How long the answer may be used.
    pub(crate) lifetime: Duration,
    /// When its request began, in the order of removals.
    pub(crate) begun: Moment,
}

impl CallKeeping {
    /// Keeps a whole answer, if it is complete and nothing of it was lost.
    pub(crate) fn keep(self, chat: &ChatResponse, closing: &Closing) {
        let Self { cache, sharing, place: Place { key, model, .. }, format, lifetime, begun } = self;
        let portable = portable(&format, chat).filter(|_| closing.losses.is_empty());
        let Some(json) = portable.and_then(|portable| serde_json::to_vec(&portable).ok()) else { return };
        if json.len() >= TOO_LARGE {
            return;
        }
        let (body, stored, cost) = (Bytes::from(json), Instant::now(), closing.cost.map(Nano::get));
        let entry = Arc::new(Entry { model, headers: HeaderMap::new(), body, stored, lifetime, cost, origin: None });
        if let Some(sharing) = sharing {
            sharing.put(key, &entry, None, None);
        }
        cache.put(key, &entry, begun);
    }
}

/// A stream with the copy of its events.
#[derive(Debug)]
pub struct KeptEvents {
    pub(super) body: ReplyBody,
    copy: Option<CopiedEvents>,
}

#[derive(Debug)]
struct CopiedEvents {
    keeping: CallKeeping,
    events: Vec<ChatEvent>,
    share: RoomShare,
}

impl KeptEvents {
    /// Copies the events of a stream, as far as there is room.
    pub(crate) fn new(body: ReplyBody, keeping: CallKeeping, room: &Arc<CaptureRoom>) -> Self {
        let share = RoomShare::new(Arc::clone(room), TOO_LARGE);
        Self { body, copy: Some(CopiedEvents { keeping, events: Vec::new(), share }) }
    }

    pub(super) fn poll_events(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<ChatEvent>>> {
        let events = ready!(self.body.poll_events(cx));
        match &events {
            Some(events) => {
                let has_room = self.copy.as_mut().is_some_and(|copy| copy.take(events));
                if !has_room {
                    self.copy = None;
                }
            }
            None => self.end(),
        }
        Poll::Ready(events)
    }

    /// Ends the copy; a complete answer is kept.
    fn end(&mut self) {
        let Some(CopiedEvents { keeping, events, share }) = self.copy.take() else { return };
        let folded = fold(&events);
        // A stream that broke off ends with a failure, and its last events with it.
        if folded.failure.is_none() && self.body.may_be_kept() {
            keeping.keep(&folded.response, &self.body.closing());
        }
        drop(share);
    }
}

impl CopiedEvents {
    /// Copies events. Returns whether all of them have a place in an answer for other clients, and there is room.
    fn take(&mut self, events: &[ChatEvent]) -> bool {
        for event in events {
            let bytes = json_size(event).unwrap_or_default() + size_of::<ChatEvent>();
            if matches!(event, ChatEvent::Opaque(_)) || !self.share.grow(bytes) {
                return false;
            }
            self.events.push(event.clone());
        }
        true
    }
}
