//! The body of an answer with its content coding undone.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::body::{self, UpstreamBody};
use super::decode::{Bound, Coding, DecodeError, Decoder, TURN};
use super::error::{UpstreamError, UpstreamErrorKind};
use super::stream_redactor::StreamRedactor;

/// The body of an answer with its content coding undone, or unchanged if it has none.
#[derive(Debug)]
pub struct Decoded {
    body: Box<UpstreamBody>,
    /// `None` if there is nothing to decode, and after the end.
    decoder: Option<Decoder>,
    /// What is left of a piece of the coding.
    coded: Bytes,
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
        Ok(Self { body, decoder, coded: Bytes::new(), redactor })
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

    /// Polls for the next bytes of the coding, which are no more than one turn has; `None` at the end.
    fn poll_coded(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        if self.coded.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => self.coded = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        Poll::Ready(Some(Ok(self.coded.split_to(self.coded.len().min(TURN)))))
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
        let mut barren = 0;
        loop {
            if this.decoder.is_none() {
                return Pin::new(&mut this.body).poll_frame(cx);
            }
            let coded = ready!(this.poll_coded(cx)).transpose();
            let Some(decoder) = &mut this.decoder else { return Poll::Ready(None) };
            let (decoded, is_end) = match coded {
                Err(error) => return Poll::Ready(Some(Err(error))),
                Ok(Some(coded)) => {
                    barren += coded.len();
                    (decoder.push(&coded), false)
                }
                Ok(None) => (decoder.finish(), true),
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
            if barren >= TURN {
                // More of it may be there already, and others wait.
                cx.waker().wake_by_ref();
                return Poll::Pending;
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
        DecodeError::Unknown | DecodeError::Stacked | DecodeError::Broken(_) | DecodeError::Barren(_) => {
            UpstreamErrorKind::Encoding
        }
    };
    UpstreamError::because(kind, body.origin(), error)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;
    use std::task::Waker;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http::header::CONTENT_ENCODING;

    use super::super::body::Pieces;
    use super::*;

    /// The same piece for ever, which is there already.
    struct Endless(Bytes);

    impl Pieces for Endless {
        fn poll_piece(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
            Poll::Ready(Some(Ok(self.0.clone())))
        }

        fn is_finished(&self) -> bool {
            false
        }

        fn left(&self) -> SizeHint {
            SizeHint::default()
        }
    }

    fn endless(piece: Vec<u8>) -> Decoded {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, "gzip".parse().unwrap())]);
        let body = UpstreamBody::of(Box::new(Endless(piece.into())), Arc::from("http://host.example"));
        Decoded::new(&headers, Box::new(body), Bound::default()).unwrap()
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_coding_without_content_takes_one_turn_after_another_and_ends() {
        for length in [1_000, 1 << 20] {
            let nothing = gzip(b"");
            let mut body = endless(nothing.repeat(length / nothing.len()));
            let mut cx = Context::from_waker(Waker::noop());
            let mut turns = 0;
            let end = loop {
                match Pin::new(&mut body).poll_frame(&mut cx) {
                    Poll::Pending => turns += 1,
                    Poll::Ready(end) => break end,
                }
            };
            assert!((10..20).contains(&turns), "{turns} turns of pieces of {length} bytes");
            let kind = end.and_then(Result::err).map(|error| error.kind);
            assert_eq!(kind, Some(UpstreamErrorKind::Encoding), "pieces of {length} bytes");
        }
    }

    #[tokio::test]
    async fn a_long_piece_comes_whole_and_in_its_order() {
        let text: Vec<u8> =
            (0..200_000_u32).flat_map(|at| (at.wrapping_mul(2_654_435_761) >> 7).to_le_bytes()).collect();
        let coded = gzip(&text);
        assert!(coded.len() > 10 * TURN);
        let mut body = endless(coded);
        let mut read = Vec::new();
        while read.len() < text.len() {
            read.extend_from_slice(&body.next_piece().await.unwrap().unwrap());
        }
        assert!(read.starts_with(&text));
    }
}
