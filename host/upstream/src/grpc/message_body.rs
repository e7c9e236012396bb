//! The body that a caller reads of a gRPC method's answer: JSON, or server-sent events of JSON.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::SizeHint;

use super::super::body::Pieces;
use super::super::error::UpstreamError;
use super::messages::{Messages, Next};
use weir_buffers::Held;

/// The answer of a gRPC method as JSON. What is complete comes first, then the messages that are still to arrive.
pub(super) struct MessageBody {
    ready: Option<Bytes>,
    coming: Option<Messages>,
    /// Holds what is complete until it is read.
    held: Option<Held>,
}

impl MessageBody {
    /// A body of this text.
    pub(super) fn whole(json: String) -> Self {
        Self { ready: Some(json.into()).filter(|json: &Bytes| !json.is_empty()), coming: None, held: None }
    }

    /// The body, whose bytes are held until they are read.
    pub(super) fn holding(self, held: Held) -> Self {
        Self { held: Some(held), ..self }
    }

    /// A stream of events, of which the first is known.
    pub(super) fn stream(first: &str, messages: Messages) -> Self {
        Self { ready: Some(event(first)), coming: Some(messages), held: None }
    }
}

impl Pieces for MessageBody {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        if let Some(piece) = self.ready.take() {
            // From here on the reader holds them.
            self.held = None;
            return Poll::Ready(Some(Ok(piece)));
        }
        let Some(messages) = &mut self.coming else { return Poll::Ready(None) };
        let next = ready!(messages.poll_next(cx));
        if !matches!(next, Ok(Next::Message(_))) {
            self.coming = None;
        }
        Poll::Ready(match next {
            Ok(Next::Message(message)) => Some(Ok(event(&message))),
            Ok(Next::End(status)) if status.is_ok() => None,
            Ok(Next::End(status)) => Some(Ok(format!("event: error\ndata: {}\n\n", status.json()).into())),
            Err(error) => Some(Err(error)),
        })
    }

    fn is_finished(&self) -> bool {
        self.ready.is_none() && self.coming.is_none()
    }

    fn left(&self) -> SizeHint {
        let ready = self.ready.as_ref().map_or(0, Bytes::len) as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(ready);
        if self.coming.is_none() {
            hint.set_upper(ready);
        }
        hint
    }
}

/// An event with this data, which is one line.
fn event(json: &str) -> Bytes {
    format!("data: {json}\n\n").into()
}
