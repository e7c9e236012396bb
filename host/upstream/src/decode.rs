//! Undoes content codings piece by piece: the output of one piece is returned before the next one is read.
//!
//! Used only where the gateway reads the bytes: in the translate lane, and next to a relayed stream for its tap. The
//! decoders are synchronous, so that both can use them. A piece is therefore decoded in one go, which `Bound::piece`
//! keeps short. A client's body is all there before it is decoded ([`CodedBody`]).

mod coded_body;
mod engine;

use std::fmt;
use std::io;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HeaderMap};

pub use self::coded_body::{CodedBody, Filled};
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
    /// Zstandard, `zstd`.
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

/// The most bytes of a coding in a row that may stand for nothing: members without content, say, or what follows the
/// end.
const BARREN: usize = 256 << 10;

/// The most bytes of a coding that are decoded in one turn of a task where they stand for little. A few bytes make a
/// member of gzip or an empty frame of zstd, for which a decoder is reset all the same.
pub(crate) const TURN: usize = 16 << 10;

/// Why a body cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The coding is unknown.
    #[error("the content-encoding is unknown")]
    Unknown,
    /// Several codings are applied in sequence.
    #[error("the content is encoded more than once")]
    Stacked,
    /// The data do not match the coding.
    #[error("the {0:?} coding is broken")]
    Broken(Coding),
    /// The data end too early.
    #[error("the {0:?} coding ends too early")]
    Truncated(Coding),
    /// Many bytes in a row stand for nothing, which no encoder writes.
    #[error("the {0:?} coding goes on without any content")]
    Barren(Coding),
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
                    return Err(DecodeError::Stacked);
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
    /// How many bytes have arrived since the last that was decoded.
    barren: usize,
}

impl Decoder {
    /// Creates a decoder for the start of a body.
    pub fn new(coding: Coding, bound: Bound) -> Result<Self, DecodeError> {
        let engine = Engine::new(coding, Sink::new(bound)).map_err(|_| DecodeError::Broken(coding))?;
        Ok(Self { coding, engine, is_fresh: true, barren: 0 })
    }

    /// Decodes the next bytes of the body. May return nothing yet. After an error the decoder is of no further use.
    pub fn push(&mut self, input: &[u8]) -> Result<Bytes, DecodeError> {
        self.is_fresh &= input.is_empty();
        self.engine.push(input).map_err(|error| self.failed(&error))?;
        let decoded = self.engine.sink().take();
        self.barren = if decoded.is_empty() { self.barren.saturating_add(input.len()) } else { 0 };
        if self.barren > BARREN { Err(DecodeError::Barren(self.coding)) } else { Ok(decoded) }
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

#[cfg(test)]
mod tests;
