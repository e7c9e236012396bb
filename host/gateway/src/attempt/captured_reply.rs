//! An answer whose content is captured while it goes to the client.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body::{Body as _, Frame};

use super::reply::{BodyError, ReplyBody};
use crate::accounting::capture::Capture;

/// An answer's body with the capture that it is shown to.
#[derive(Debug)]
pub struct CapturedReply {
    pub(super) body: ReplyBody,
    capture: Arc<Capture>,
}

/// Shows an answer to a capture.
pub fn captured(response: Response<ReplyBody>, capture: Arc<Capture>) -> Response<ReplyBody> {
    capture.answers(response.status().as_u16(), response.headers());
    response.map(|body| {
        if body.is_end_stream() {
            capture.answered(true);
        }
        ReplyBody::Captured(Box::new(CapturedReply { body, capture }))
    })
}

impl CapturedReply {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.capture.answered(true),
            Some(Err(_)) => self.capture.answered(false),
            Some(Ok(frame)) => {
                if let Some(bytes) = frame.data_ref() {
                    self.capture.piece(bytes);
                }
                // A reader that knows the length does not poll past the last byte.
                if self.body.is_end_stream() {
                    self.capture.answered(true);
                }
            }
        }
        Poll::Ready(frame)
    }
}
