//! The body of an answer to the client, from either lane.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};

use super::captured_reply::CapturedReply;
use super::kept_events::KeptEvents;
use super::kept_reply::KeptReply;
use super::relay_body::Relayed;
use super::resume::ResumeContext;
use super::translated_body::Translated;
use super::unified_reply::{Closing, HandedBody, UnifiedReply};
use crate::accounting::Account;
use crate::provenance::ProvenanceRecorder;
use weir_translate::dialect::reply::insert_made;
use weir_translate::unified::Answer;
use weir_types::contract::types::{ChatEvent, ChatResponse};
use weir_types::headers;
use weir_wire::swap::StringSwap;

/// The most bytes of a whole answer handed to the connection at once; those are held until the client has read them.
const PIECE: usize = 64 << 10;

/// A response body.
#[derive(Debug)]
pub enum ReplyBody {
    /// A whole body in memory. The account, if any, is closed when the body has been read.
    Whole(Option<Bytes>, Option<Box<Account>>),
    /// A body from the relay lane.
    Relayed(Box<Relayed>),
    /// A stream from the translate lane.
    Translated(Box<Translated>),
    /// A body for a program in this process, which takes it as values and not as bytes.
    Program(Box<HandedBody>),
    /// A body that is copied to be kept for equal requests.
    Kept(Box<KeptReply>),
    /// Events for a client of the unified model, copied to be kept.
    KeptEvents(Box<KeptEvents>),
    /// A body whose content is captured. It wraps all others, and only its bytes are polled.
    Captured(Box<CapturedReply>),
    /// A body that is made elsewhere: by the admin endpoints, or by a protocol that carries the unified model.
    Other(axum::body::Body),
}

/// The body cannot continue: the connection is cut, so that the client does not take the answer for complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer broke off")]
pub struct BodyError;

impl ReplyBody {
    /// Whether another target could continue the body if it breaks.
    pub(crate) fn can_be_resumed(&self) -> bool {
        matches!(self, Self::Translated(body) if body.can_be_resumed())
    }

    /// Prepares the body to be resumed by another target if it breaks. Returns whether that is possible.
    pub fn resumable(&mut self, onward: impl FnOnce() -> ResumeContext) -> bool {
        match self {
            Self::Translated(body) if body.can_be_resumed() => {
                body.resumable(Box::new(onward()));
                true
            }
            _ => false,
        }
    }

    /// Passes the answer's bytes to a recorder; `is_plain` means that they are uncompressed.
    pub fn learn(&mut self, mut recorder: Box<ProvenanceRecorder>, is_plain: bool) {
        match self {
            Self::Whole(Some(bytes), _) if is_plain => recorder.see(bytes),
            Self::Relayed(body) => body.learn(recorder, is_plain),
            Self::Translated(body) => body.learn(recorder),
            Self::Program(body) => body.learn(&mut recorder),
            Self::Whole(..) | Self::Kept(_) | Self::KeptEvents(_) | Self::Captured(_) | Self::Other(_) => {}
        }
    }

    /// Replaces strings in a relayed answer, whose length is then unknown. Returns whether the answer is a relayed one.
    pub(crate) fn swap_strings(&mut self, swap: StringSwap) -> bool {
        let Self::Relayed(body) = self else { return false };
        body.swap_strings(swap)
    }

    /// Whether a program gets the answer as a whole, and not as events.
    pub fn has_answer(&self) -> bool {
        matches!(self, Self::Program(body) if body.has_answer())
    }

    /// The whole answer to a program's chat; `None` for a stream.
    pub(crate) fn chat(&self) -> Option<&ChatResponse> {
        let Self::Program(body) = self else { return None };
        body.chat()
    }

    /// Takes the whole answer for a program, which counts as delivered; `None` if the answer is a stream, or was taken.
    pub fn take_answer(&mut self) -> Option<Answer> {
        let answer = self.take_to_send();
        self.arrived();
        answer
    }

    /// Takes the whole answer to send it. Its account, with what is held for it, stays open until [`Self::arrived`].
    pub fn take_to_send(&mut self) -> Option<Answer> {
        let Self::Program(body) = self else { return None };
        match body.take()? {
            UnifiedReply::Answer(answer) => Some(*answer),
            UnifiedReply::Events(_) => None,
        }
    }

    /// Notes that the whole answer that was taken has arrived, and closes its account.
    pub fn arrived(&mut self) {
        if let Self::Program(body) = self {
            body.arrived();
        }
    }

    /// Polls for the next events of a stream to a program; `None` at the end, once all of them have arrived.
    pub fn poll_events(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<ChatEvent>>> {
        match self {
            Self::Program(body) => Poll::Ready(match body.take() {
                Some(UnifiedReply::Events(events)) => Some(events),
                Some(UnifiedReply::Answer(_)) | None => {
                    body.arrived();
                    None
                }
            }),
            Self::Translated(body) => body.poll_events(cx),
            Self::KeptEvents(body) => body.poll_events(cx),
            Self::Whole(..) | Self::Relayed(_) | Self::Kept(_) | Self::Captured(_) | Self::Other(_) => {
                Poll::Ready(None)
            }
        }
    }

    /// The losses, the usage and the cost of an answer to a program; complete once its last event was taken.
    pub fn closing(&self) -> Closing {
        match self {
            Self::Program(body) => body.closing().clone(),
            Self::Translated(body) => body.closing().clone(),
            Self::KeptEvents(kept) => kept.body.closing(),
            Self::Whole(..) | Self::Relayed(_) | Self::Kept(_) | Self::Captured(_) | Self::Other(_) => {
                Closing::default()
            }
        }
    }

    /// Whether the translation of an ended stream lost anything after its head was sent.
    pub(super) fn has_late_losses(&self) -> bool {
        matches!(self, Self::Translated(body) if body.has_late_losses())
    }

    /// Whether an ended answer may be kept: not if it is a translated stream that another model continued, or that
    /// lacks an end of its own.
    pub(super) fn may_be_kept(&self) -> bool {
        !matches!(self, Self::Translated(body) if !body.may_be_kept())
    }

    /// Closes this account when the body has been read.
    #[must_use]
    pub fn attach(mut self, account: Box<Account>) -> Self {
        match &mut self {
            Self::Whole(_, place) => *place = Some(account),
            Self::Relayed(body) => body.attach(account),
            Self::Translated(body) => body.attach(account),
            Self::Program(body) => body.attach(account),
            Self::Kept(_) | Self::KeptEvents(_) | Self::Captured(_) | Self::Other(_) => {}
        }
        self
    }
}

/// Reads a relayed whole answer of a bounded length before its head is sent, and sets its cost as a header.
pub(crate) async fn with_cost(mut response: Response<ReplyBody>) -> Response<ReplyBody> {
    if let ReplyBody::Relayed(body) = response.body_mut()
        && body.can_gather()
        && let Some(cost) = Box::pin(body.gather()).await
    {
        insert_made(response.headers_mut(), &headers::COST_USD, cost.to_string());
    }
    response
}

/// Reads the answer to a request that begins work at a provider before its head is sent: its id is needed even if the
/// client leaves.
pub(crate) async fn with_work(mut response: Response<ReplyBody>) -> Response<ReplyBody> {
    if let ReplyBody::Relayed(body) = response.body_mut()
        && body.begins_work()
    {
        Box::pin(body.gather()).await;
    }
    response
}

impl From<Bytes> for ReplyBody {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes), None)
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Whole(bytes, account) => {
                let mut rest = bytes.take().filter(|bytes| !bytes.is_empty());
                let piece = rest.as_mut().map(|rest| rest.split_to(rest.len().min(PIECE)));
                if let (Some(account), Some(piece)) = (account.as_mut(), &piece) {
                    account.add_bytes_out(piece.len());
                }
                *bytes = rest.filter(|rest| !rest.is_empty());
                if bytes.is_none()
                    && let Some(mut account) = account.take()
                {
                    account.complete();
                }
                Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
            }
            Self::Relayed(body) => body.poll(cx),
            Self::Translated(body) => body.poll(cx),
            Self::Program(_) | Self::KeptEvents(_) => Poll::Ready(None),
            Self::Kept(body) => body.poll(cx),
            Self::Captured(body) => body.poll(cx),
            Self::Other(body) => Pin::new(body).poll_frame(cx).map_err(|_| BodyError),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes, account) => bytes.as_ref().is_none_or(Bytes::is_empty) && account.is_none(),
            Self::Relayed(body) => body.is_end_stream(),
            Self::Translated(_) => false,
            Self::Program(_) | Self::KeptEvents(_) => true,
            Self::Kept(kept) => kept.body.is_end_stream(),
            Self::Captured(captured) => captured.body.is_end_stream(),
            Self::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes, _) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Relayed(body) => body.size_hint(),
            Self::Translated(_) => SizeHint::default(),
            Self::Program(_) | Self::KeptEvents(_) => SizeHint::with_exact(0),
            Self::Kept(kept) => kept.body.size_hint(),
            Self::Captured(captured) => captured.body.size_hint(),
            Self::Other(body) => body.size_hint(),
        }
    }
}
