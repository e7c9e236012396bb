//! The body of an answer with its content coding undone.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::body::{self, UpstreamBody};
use super::decode::{Bound, Coding, DecodeError, Decoder};
use super::error::{UpstreamError, UpstreamErrorKind};
use super::stream_redactor::StreamRedactor;

/// The body of an answer with its content coding undone, or unchanged if it has none.
#[derive(Debug)]
pub struct Decoded {
    body: Box<UpstreamBody>,
    /// `None` if there is nothing to decode, and after the end.
    decoder: Option<Decoder>,
    /// Hides the credential in the decoded bytes.
    redactor: Option<StreamRedactor>,
}

impl Decoded {
    /// Reads the coding from the headers and leaves them unchanged: a caller that forwards the decoded bytes must drop
    /// `content-encoding` and `content-length`.
    pub fn new(headers: &HeaderMap, mut body: Box<UpstreamBody>, bound: Bound) -> Result<Self, UpstreamError> {
        let decoder = match Coding::of(headers) {
            Ok(Coding::Identity) => Ok(None),
            Ok(coding) => Decoder::new(coding, bound).map(Some),
            Err(error) => Err(error),
        };
        let decoder = decoder.map_err(|error| failure(&body, &error))?;
        let redactor = decoder.as_ref().and_then(|_| body.take_redactor()).map(|redactor| redactor.decoded());
        Ok(Self { body, decoder, redactor })
    }

    /// The provider has said in the answer that it is complete; see [`UpstreamBody::expect_end`].
    pub fn expect_end(&mut self) {
        self.body.expect_end();
    }

    /// Reads the whole decoded body, up to `limit` bytes.
    pub async fn collect(self, limit: usize) -> Result<Bytes, UpstreamError> {
        if self.decoder.is_none() {
            return self.body.collect(limit).await;
        }
        let origin = self.body.origin().clone();
        body::collect(self, limit, &origin).await
    }

    /// Reads the next decoded piece; `None` at the end.
    pub async fn next_piece(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        body::next_piece(self).await
    }

    /// The error of a body that exceeds its limit.
    pub fn is_too_large(&self) -> UpstreamError {
        UpstreamError::new(UpstreamErrorKind::BodyTooLarge, self.body.origin())
    }

    /// Screens a decoded piece; the last one is followed by the bytes that the redactor held back.
    fn screened(&mut self, piece: Bytes, is_end: bool) -> Bytes {
        let Some(redactor) = &mut self.redactor else { return piece };
        // Infallible: decoded bytes can always be changed.
        let passed = redactor.pass(piece).unwrap_or_default();
        if is_end { Bytes::from([passed, redactor.end()].concat()) } else { passed }
    }

    /// Ends the exchange: data after a broken piece are useless.
    fn fail(&mut self, error: &DecodeError) -> UpstreamError {
        self.decoder = None;
        self.body.close();
        failure(&self.body, error)
    }
}

impl Body for Decoded {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.get_mut();
        loop {
            let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
            let Some(decoder) = &mut this.decoder else { return Poll::Ready(frame) };
            let (decoded, is_end) = match frame {
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => (decoder.push(frame.data_ref().map_or(&[][..], |piece| piece)), false),
                None => (decoder.finish(), true),
            };
            let decoded = match decoded {
                // Only the end of the coding is missing.
                Err(DecodeError::Truncated(_)) if is_end && this.body.is_complete() => Ok(Bytes::new()),
                decoded => decoded,
            };
            let decoded = match decoded {
                Ok(decoded) => this.screened(decoded, is_end),
                Err(error) => return Poll::Ready(Some(Err(this.fail(&error)))),
            };
            if is_end {
                this.decoder = None;
            }
            if !decoded.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(decoded))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.decoder.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.decoder.is_none() { self.body.size_hint() } else { SizeHint::default() }
    }
}

fn failure(body: &UpstreamBody, error: &DecodeError) -> UpstreamError {
    let kind = match error {
        DecodeError::TooLarge => UpstreamErrorKind::BodyTooLarge,
        DecodeError::Truncated(_) => UpstreamErrorKind::Cut,
        DecodeError::Unknown | DecodeError::Stacked | DecodeError::Broken(_) => UpstreamErrorKind::Encoding,
    };
    UpstreamError::because(kind, body.origin(), error)
}
