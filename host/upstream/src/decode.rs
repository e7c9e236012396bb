//! Undoes content codings piece by piece: the output of one piece is returned before the next one is read.
//!
//! Used only where the gateway reads the bytes: in the translate lane, and next to a relayed stream for its tap. The
//! decoders are synchronous, so that both can use them. A piece is therefore decoded in one go, which `Bound::piece`
//! keeps short.

mod engine;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HeaderMap};
use http_body::{Body, Frame, SizeHint};

use super::body::{self, UpstreamBody};
use super::error::{UpstreamError, UpstreamErrorKind};
use super::screen::Screen;
use engine::{Engine, Sink};

/// A content coding that can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// No coding.
    Identity,
    /// `gzip`, also `x-gzip`; several members in a row form one body.
    Gzip,
    /// `deflate`: zlib as the standard requires, or raw deflate as some servers send.
    Deflate,
    /// `br`.
    Brotli,
    /// `zstd`.
    Zstd,
}

/// Limits on decoded size, against decompression bombs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Maximum decoded size of a whole body, in bytes.
    pub total: u64,
    /// Maximum decoded size of one piece, in bytes.
    pub piece: usize,
}

impl Default for Bound {
    fn default() -> Self {
        Self { total: u64::MAX, piece: 16 * 1024 * 1024 }
    }
}

/// Why a body cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The coding is unknown, or several are applied in sequence.
    #[error("the content-encoding is unknown")]
    Unknown,
    /// The data do not match the coding.
    #[error("the {0:?} coding is broken")]
    Broken(Coding),
    /// The data end too early.
    #[error("the {0:?} coding ends too early")]
    Truncated(Coding),
    /// The decoded data exceed their limit.
    #[error("the decoded body is larger than allowed")]
    TooLarge,
}

impl Coding {
    /// Reads the coding from a message's headers.
    pub fn of(headers: &HeaderMap) -> Result<Self, DecodeError> {
        let mut coding = Self::Identity;
        for value in headers.get_all(CONTENT_ENCODING) {
            let value = value.to_str().map_err(|_| DecodeError::Unknown)?;
            for name in value.split(',') {
                let next = Self::named(name.trim()).ok_or(DecodeError::Unknown)?;
                if next != Self::Identity && std::mem::replace(&mut coding, next) != Self::Identity {
                    return Err(DecodeError::Unknown);
                }
            }
        }
        Ok(coding)
    }

    fn named(name: &str) -> Option<Self> {
        const NAMES: [(&str, Coding); 7] = [
            ("", Coding::Identity),
            ("identity", Coding::Identity),
            ("gzip", Coding::Gzip),
            ("x-gzip", Coding::Gzip),
            ("deflate", Coding::Deflate),
            ("br", Coding::Brotli),
            ("zstd", Coding::Zstd),
        ];
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, coding)| coding)
    }
}

/// Decodes one coding. The output of each piece is returned at once.
pub struct Decoder {
    coding: Coding,
    engine: Engine,
    /// Whether no input has arrived yet. An empty body is complete in every coding, because some answers without a body
    /// carry the header.
    is_fresh: bool,
}

impl Decoder {
    /// Creates a decoder for the start of a body.
    pub fn new(coding: Coding, bound: Bound) -> Result<Self, DecodeError> {
        let engine = Engine::new(coding, Sink::new(bound)).map_err(|_| DecodeError::Broken(coding))?;
        Ok(Self { coding, engine, is_fresh: true })
    }

    /// Decodes the next bytes of the body. May return nothing yet. After an error the decoder is of no further use.
    pub fn push(&mut self, input: &[u8]) -> Result<Bytes, DecodeError> {
        self.is_fresh &= input.is_empty();
        self.engine.push(input).map_err(|error| self.failed(&error))?;
        Ok(self.engine.sink().take())
    }

    /// Ends the body, and returns the bytes that were held back.
    pub fn finish(&mut self) -> Result<Bytes, DecodeError> {
        if self.is_fresh {
            return Ok(Bytes::new());
        }
        self.engine.finish().map_err(|error| self.failed(&error))?;
        Ok(self.engine.sink().take())
    }

    fn failed(&self, error: &io::Error) -> DecodeError {
        match error.kind() {
            io::ErrorKind::FileTooLarge => DecodeError::TooLarge,
            io::ErrorKind::UnexpectedEof => DecodeError::Truncated(self.coding),
            _ => DecodeError::Broken(self.coding),
        }
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("coding", &self.coding).finish_non_exhaustive()
    }
}

/// The body of an answer with its content coding undone, or unchanged if it has none.
#[derive(Debug)]
pub struct Decoded {
    body: UpstreamBody,
    /// `None` if there is nothing to decode, and after the end.
    decoder: Option<Decoder>,
    /// Hides the credential in the decoded bytes.
    screen: Option<Screen>,
}

impl Decoded {
    /// Reads the coding from the headers and leaves them unchanged: a caller that forwards the decoded bytes must drop
    /// `content-encoding` and `content-length`.
    pub fn new(headers: &HeaderMap, mut body: UpstreamBody, bound: Bound) -> Result<Self, UpstreamError> {
        let decoder = match Coding::of(headers) {
            Ok(Coding::Identity) => Ok(None),
            Ok(coding) => Decoder::new(coding, bound).map(Some),
            Err(error) => Err(error),
        };
        let decoder = decoder.map_err(|error| failure(&body, &error))?;
        let screen = decoder.as_ref().and_then(|_| body.take_screen()).map(|screen| screen.decoded());
        Ok(Self { body, decoder, screen })
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

    /// Screens a decoded piece; the last one is followed by the bytes that the screen held back.
    fn screened(&mut self, piece: Bytes, is_end: bool) -> Bytes {
        let Some(screen) = &mut self.screen else { return piece };
        // Infallible: decoded bytes can always be changed.
        let passed = screen.pass(piece).unwrap_or_default();
        if is_end { Bytes::from([passed, screen.end()].concat()) } else { passed }
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
        DecodeError::Unknown | DecodeError::Broken(_) => UpstreamErrorKind::Encoding,
    };
    UpstreamError::because(kind, body.origin(), error)
}

#[cfg(test)]
mod tests;
