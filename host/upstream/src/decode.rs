//! Undoes content codings piece by piece: what one piece decodes to is out before the next one is looked at.
//!
//! Only where bytes are read here: in the translate lane, and beside a relayed stream for its tap. The decoders are
//! synchronous, so that both can use them; the cost is that a piece is decoded in one go, which `Bound::piece`
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

/// A content coding that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// None.
    Identity,
    /// `gzip`, also `x-gzip`; several members in a row are one body.
    Gzip,
    /// `deflate`: zlib as the standard says, or bare deflate as some servers send.
    Deflate,
    /// `br`.
    Brotli,
    /// `zstd`.
    Zstd,
}

/// Bounds against bodies that grow out of proportion when they are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What a whole body may come to, in bytes.
    pub total: u64,
    /// What one piece of it may come to, in bytes.
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
    /// An unknown coding, or several on top of each other.
    #[error("the content-encoding is unknown")]
    Unknown,
    /// Not what the coding says it is.
    #[error("the {0:?} coding is broken")]
    Broken(Coding),
    /// It ends in the middle.
    #[error("the {0:?} coding ends too early")]
    Truncated(Coding),
    /// It grows beyond its bound.
    #[error("the decoded body is larger than allowed")]
    TooLarge,
}

impl Coding {
    /// What a message's headers say.
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

/// Undoes one coding. Bytes go in as they come, decoded ones come out at once.
pub struct Decoder {
    coding: Coding,
    engine: Engine,
    /// Nothing has come yet. A body of no bytes at all is complete in every coding: answers without a body carry the
    /// header now and then.
    is_fresh: bool,
}

impl Decoder {
    /// A decoder at the beginning of a body.
    pub fn new(coding: Coding, bound: Bound) -> Result<Self, DecodeError> {
        let engine = Engine::new(coding, Sink::new(bound)).map_err(|_| DecodeError::Broken(coding))?;
        Ok(Self { coding, engine, is_fresh: true })
    }

    /// Decodes the next bytes of the body. May return nothing yet. After an error there is nothing more to be had.
    pub fn push(&mut self, input: &[u8]) -> Result<Bytes, DecodeError> {
        self.is_fresh &= input.is_empty();
        self.engine.push(input).map_err(|error| self.failed(&error))?;
        Ok(self.engine.sink().take())
    }

    /// The body has ended. Returns what was still held back.
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

/// The body of an answer with its content coding undone; as it is where it has none.
#[derive(Debug)]
pub struct Decoded {
    body: UpstreamBody,
    /// None where there is nothing to decode, and after the end.
    decoder: Option<Decoder>,
    /// Hides the credential in what was decoded.
    screen: Option<Screen>,
}

impl Decoded {
    /// Looks at the headers for what is to be undone. They are left as they are: whoever passes the decoded bytes on must
    /// leave `content-encoding` and `content-length` behind.
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

    /// The whole decoded body, which may have `limit` bytes at the most.
    pub async fn collect(self, limit: usize) -> Result<Bytes, UpstreamError> {
        if self.decoder.is_none() {
            return self.body.collect(limit).await;
        }
        let origin = self.body.origin().clone();
        body::collect(self, limit, &origin).await
    }

    /// The next decoded piece, or none at the end.
    pub async fn next_piece(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        body::next_piece(self).await
    }

    /// The error of a body that is longer than it may be.
    pub fn is_too_large(&self) -> UpstreamError {
        UpstreamError::new(UpstreamErrorKind::BodyTooLarge, self.body.origin())
    }

    /// A decoded piece with the credential hidden in it; with the last one comes what waited.
    fn screened(&mut self, piece: Bytes, is_end: bool) -> Bytes {
        let Some(screen) = &mut self.screen else { return piece };
        // What is decoded can always be changed.
        let passed = screen.pass(piece).unwrap_or_default();
        if is_end { Bytes::from([passed, screen.end()].concat()) } else { passed }
    }

    /// Ends the exchange: what comes after a broken piece is of no use.
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
