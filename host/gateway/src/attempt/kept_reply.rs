//! An answer that is copied while it goes to the client, to be kept for equal requests.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName};
use http::{Response, StatusCode};
use http_body::{Body as _, Frame};

use super::InboundRequest;
use super::keepable::AnswerReader;
use super::reply::{BodyError, ReplyBody};
use crate::accounting::CostCell;
use crate::accounting::captured::{CaptureRoom, RoomShare};
use weir_cache::entry::TOO_LARGE;
use weir_cache::similar::PendingQuestion;
use weir_cache::{Entry, Key, Leader, Sharing};
use weir_ledger::Nano;
use weir_types::headers as own;
use weir_wire::frame;

/// The headers that are kept. All others describe one exchange.
static KEPT: [HeaderName; 4] =
    [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CACHE_CONTROL, header::CONTENT_LANGUAGE];

/// An answer's body with the copy of it.
#[derive(Debug)]
pub struct KeptReply {
    pub(super) body: ReplyBody,
    copy: Option<Box<Copied>>,
}

/// What is known of an answer before it is complete.
#[derive(Debug)]
pub(crate) struct Keeping {
    /// The request that others wait for.
    pub(crate) leader: Leader,
    /// The alias of the model.
    pub(crate) model: Arc<str>,
    /// How long the answer may be used.
    pub(crate) lifetime: Duration,
    /// What it costs.
    pub(crate) cost: CostCell,
    /// The key of the same answer for clients of other formats, if they may have it.
    pub(crate) origin: Option<Key>,
    /// How the answer is shared with other nodes.
    pub(crate) sharing: Option<Sharing>,
    /// The request's question, for later ones that mean nearly the same.
    pub(crate) question: Option<Box<PendingQuestion>>,
    /// Memory for the copy.
    pub(crate) room: Arc<CaptureRoom>,
}

#[derive(Debug)]
struct Copied {
    keeping: Keeping,
    headers: HeaderMap,
    reader: AnswerReader,
    /// Whether the answer's translation lost anything.
    has_losses: bool,
    bytes: BytesMut,
    share: RoomShare,
}

/// Copies an answer while it passes. An error is not kept.
pub(crate) fn kept(
    response: Response<ReplyBody>,
    inbound: &InboundRequest,
    keeping: Keeping,
    frame_bytes: usize,
) -> Response<ReplyBody> {
    if response.status() != StatusCode::OK {
        keeping.leader.give_up();
        return response;
    }
    let from = response.headers();
    let mut headers = HeaderMap::new();
    for name in KEPT.iter().chain([&own::LOSSES, &own::DROPPED_PARAMS]) {
        if let Some(value) = from.get(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    let kind = from.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_stream = inbound.peek.stream && kind.and_then(frame::from_content_type).is_some();
    let share = RoomShare::new(Arc::clone(&keeping.room), TOO_LARGE);
    let reader = AnswerReader::of(inbound, is_stream, frame_bytes);
    let has_losses = headers.contains_key(&own::LOSSES);
    let copy = Box::new(Copied { keeping, headers, reader, has_losses, bytes: BytesMut::new(), share });
    response.map(|body| {
        let mut reply = KeptReply { body, copy: Some(copy) };
        if reply.body.is_end_stream() {
            reply.end();
        }
        ReplyBody::Kept(Box::new(reply))
    })
}

impl KeptReply {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(piece) = frame.data_ref() {
                    self.copy(piece);
                }
                // A reader that knows the length does not read past the last byte.
                if self.body.is_end_stream() {
                    self.end();
                }
            }
            Some(Err(_)) => self.give_up(),
            None => self.end(),
        }
        Poll::Ready(frame)
    }

    fn copy(&mut self, piece: &Bytes) {
        let Some(copy) = &mut self.copy else { return };
        if copy.bytes.len() + piece.len() >= TOO_LARGE || !copy.share.grow(piece.len()) {
            return self.give_up();
        }
        copy.bytes.extend_from_slice(piece);
    }

    fn give_up(&mut self) {
        if let Some(copy) = self.copy.take() {
            copy.keeping.leader.give_up();
        }
    }

    /// Keeps the whole answer, if it turns out to be keepable. A task of its own finds that out: the client does not
    /// wait for it.
    fn end(&mut self) {
        if !self.body.may_be_kept() {
            return self.give_up();
        }
        if let Some(mut copy) = self.copy.take() {
            copy.has_losses |= self.body.has_late_losses();
            tokio::spawn(copy.settle());
        }
    }
}

impl Copied {
    async fn settle(self: Box<Self>) {
        let Self { keeping, headers, reader, has_losses, bytes, share } = *self;
        let body = bytes.freeze();
        let Some(answer) = reader.read(&headers, &body).await else { return keeping.leader.give_up() };
        let Keeping { leader, model, lifetime, cost, origin, sharing, question, .. } = keeping;
        let cost = cost.get().copied().flatten().map(Nano::get);
        let stored = Instant::now();
        let of =
            |headers, body, origin| Entry { model: Arc::clone(&model), headers, body, stored, lifetime, cost, origin };
        // The unified model always has a JSON form.
        let portable = answer.portable.filter(|_| !has_losses).and_then(|chat| serde_json::to_vec(&chat).ok());
        let portable = origin.zip(portable).map(|(key, json)| (key, of(HeaderMap::new(), json.into(), None)));
        let (origin, portable) = portable.map(|(key, entry)| (key, Arc::new(entry))).unzip();
        let entry = Arc::new(of(headers, body, origin));
        if let Some(sharing) = sharing {
            let question = question.as_ref().and_then(|question| question.shared());
            sharing.put(leader.key(), &entry, portable.as_ref(), question);
        }
        leader.fill(entry, portable.as_ref());
        if let Some((question, key)) = question.zip(origin) {
            question.answered(key);
        }
        drop(share);
    }
}
