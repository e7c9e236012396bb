//! Undoes the coding of a body that is all there, by reading: no more comes out at once than is asked for, however much a few
//! bytes stand for.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, BufRead, Read};

use brotli::Decompressor;
use bytes::{Buf as _, Bytes};
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use zstd::stream::read::Decoder as ZstdDecoder;

use super::engine::{BUFFER, ZSTD_WINDOW, is_zlib};
use super::{Coding, DecodeError};

/// A coded body that is read piece by piece.
pub struct CodedBody {
    coding: Coding,
    decoder: Box<dyn Read + Send>,
}

impl CodedBody {
    /// A body of these pieces. One without bytes is complete in every coding.
    pub fn new(coding: Coding, pieces: Vec<Bytes>) -> Result<Self, DecodeError> {
        let pieces = Pieces(pieces.into_iter().filter(|piece| !piece.is_empty()).collect());
        let decoder = decoder(coding, pieces).map_err(|_| DecodeError::Broken(coding))?;
        Ok(Self { coding, decoder })
    }

    /// Reads until `room` is full or the body ends. Returns how many bytes were read.
    pub fn fill(&mut self, room: &mut [u8]) -> Result<usize, DecodeError> {
        let mut filled = 0;
        while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.decoder.read(rest) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(DecodeError::Truncated(self.coding));
                }
                Err(_) => return Err(DecodeError::Broken(self.coding)),
            }
        }
        Ok(filled)
    }
}

fn decoder(coding: Coding, pieces: Pieces) -> io::Result<Box<dyn Read + Send>> {
    if pieces.0.is_empty() {
        return Ok(Box::new(io::empty()));
    }
    Ok(match coding {
        Coding::Identity => Box::new(pieces),
        Coding::Gzip => Box::new(MultiGzDecoder::new(pieces)),
        Coding::Deflate if pieces.begin_as_zlib() => Box::new(ZlibDecoder::new(pieces)),
        Coding::Deflate => Box::new(DeflateDecoder::new(pieces)),
        Coding::Brotli => Box::new(Decompressor::new(pieces, BUFFER)),
        Coding::Zstd => {
            let mut decoder = ZstdDecoder::with_buffer(pieces)?;
            decoder.window_log_max(ZSTD_WINDOW)?;
            Box::new(decoder)
        }
    })
}

impl fmt::Debug for CodedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodedBody").field("coding", &self.coding).finish_non_exhaustive()
    }
}

/// The pieces that are left to read, none of them empty.
struct Pieces(VecDeque<Bytes>);

impl Pieces {
    fn begin_as_zlib(&self) -> bool {
        let mut first = self.0.iter().flatten();
        matches!((first.next(), first.next()), (Some(method), Some(flags)) if is_zlib(*method, *flags))
    }
}

impl Read for Pieces {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(room)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.0.front().map_or(&[], |piece| piece))
    }

    fn consume(&mut self, amount: usize) {
        let Some(first) = self.0.front_mut() else { return };
        first.advance(amount.min(first.len()));
        if first.is_empty() {
            self.0.pop_front();
        }
    }
}
