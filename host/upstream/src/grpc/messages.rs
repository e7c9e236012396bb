//! The messages of an answer, as JSON, up to its status.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http_body::Body as _;

use super::super::body::UpstreamBody;
use super::super::error::{UpstreamError, UpstreamErrorKind};
use super::super::redactor::Redactor;
use weir_transcoding::{MESSAGE_BYTES, MessageError, MessageReader, Method, PrefixError, Status};

/// What comes next of an answer.
pub(super) enum Next {
    /// A message as JSON on one line.
    Message(String),
    /// The answer is complete.
    End(Status),
}

/// The messages of an answer. The body hides the credential in their bytes.
pub(super) struct Messages {
    body: Box<UpstreamBody>,
    reader: MessageReader,
    method: Arc<Method>,
    redactor: Redactor,
    /// The status of an answer that has no messages.
    early: Option<Status>,
}

impl Messages {
    pub(super) fn new(body: Box<UpstreamBody>, method: Arc<Method>, redactor: Redactor, early: Option<Status>) -> Self {
        Self { body, reader: MessageReader::new(MESSAGE_BYTES), method, redactor, early }
    }

    /// Polls for the next message. An answer that ends without a status has broken off.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, UpstreamError>> {
        loop {
            match self.reader.take() {
                Ok(Some(message)) => {
                    let json = self.method.answer(message);
                    let json = json.map_err(|error| {
                        let is_too_large = error == MessageError::TooMany;
                        let kind = if is_too_large { UpstreamErrorKind::BodyTooLarge } else { UpstreamErrorKind::Grpc };
                        self.because(kind, &error)
                    });
                    return Poll::Ready(json.map(Next::Message));
                }
                Ok(None) => {}
                Err(error) => {
                    let kind = match error {
                        PrefixError::TooLarge(_) => UpstreamErrorKind::BodyTooLarge,
                        PrefixError::Compressed => UpstreamErrorKind::Encoding,
                        PrefixError::Flag => UpstreamErrorKind::Grpc,
                    };
                    return Poll::Ready(Err(self.because(kind, &error)));
                }
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => self.reader.push(&frame.into_data().unwrap_or_default()),
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(self.end()),
            }
        }
    }

    fn end(&mut self) -> Result<Next, UpstreamError> {
        let trailers = self.body.take_trailers();
        let status = trailers.and_then(|trailers| Status::read(&trailers, |text| self.redactor.redact(text)));
        match status.or_else(|| self.early.take()) {
            // A failure may cut a message short.
            Some(status) if self.reader.is_between() || !status.is_ok() => Ok(Next::End(status)),
            _ => Err(UpstreamError::new(UpstreamErrorKind::Cut, self.body.origin())),
        }
    }

    fn because(&self, kind: UpstreamErrorKind, error: &(dyn std::error::Error + 'static)) -> UpstreamError {
        UpstreamError::because(kind, self.body.origin(), error)
    }
}
