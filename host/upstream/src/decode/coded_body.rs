//! Undoes the coding of a body that is all there, by reading: no more comes out at once than is asked for, however much
//! a few bytes stand for, and no more is read at once than others can wait for, however little many bytes stand for.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use brotli::Decompressor;
use bytes::{Buf as _, Bytes};
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use zstd::stream::read::Decoder as ZstdDecoder;

use super::engine::{BUFFER, ZSTD_WINDOW, is_zlib};
use super::{Coding, DecodeError, TURN};

/// A coded body that is read piece by piece.
pub struct CodedBody {
    coding: Coding,
    decoder: Box<dyn Read + Send>,
    /// What is left of the turn.
    turn: Arc<AtomicUsize>,
}

/// What one turn has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filled {
    /// How many bytes.
    pub bytes: usize,
    /// Whether nothing follows.
    pub is_all: bool,
}

impl CodedBody {
    /// A body of these pieces. One without bytes is complete in every coding.
    pub fn new(coding: Coding, pieces: Vec<Bytes>) -> Result<Self, DecodeError> {
        let turn = Arc::new(AtomicUsize::new(TURN));
        let left = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        let decoder = decoder(coding, Pieces { left, turn: Arc::clone(&turn) });
        Ok(Self { coding, decoder: decoder.map_err(|_| DecodeError::Broken(coding))?, turn })
    }

    /// Reads until `room` is full, the body ends, or the turn is over.
    pub fn fill(&mut self, room: &mut [u8]) -> Result<Filled, DecodeError> {
        self.turn.store(TURN, Relaxed);
        let mut bytes = 0;
        while let Some(rest) = room.get_mut(bytes..).filter(|rest| !rest.is_empty()) {
            match self.decoder.read(rest) {
                Ok(0) => return Ok(Filled { bytes, is_all: true }),
                Ok(read) => bytes += read,
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => break,
                    io::ErrorKind::UnexpectedEof => return Err(DecodeError::Truncated(self.coding)),
                    _ => return Err(DecodeError::Broken(self.coding)),
                },
            }
        }
        Ok(Filled { bytes, is_all: false })
    }
}

fn decoder(coding: Coding, pieces: Pieces) -> io::Result<Box<dyn Read + Send>> {
    if pieces.left.is_empty() {
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

/// What is read of a body, until the turn is over: then there is nothing for now.
struct Pieces {
    /// The pieces that are left, none of them empty.
    left: VecDeque<Bytes>,
    turn: Arc<AtomicUsize>,
}

impl Pieces {
    fn begin_as_zlib(&self) -> bool {
        let mut first = self.left.iter().flatten();
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
        let Some(first) = self.left.front() else { return Ok(&[]) };
        match self.turn.load(Relaxed).min(first.len()) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            length => Ok(first.get(..length).unwrap_or(first)),
        }
    }

    fn consume(&mut self, amount: usize) {
        let Some(first) = self.left.front_mut() else { return };
        let amount = amount.min(first.len());
        first.advance(amount);
        if first.is_empty() {
            self.left.pop_front();
        }
        self.turn.store(self.turn.load(Relaxed).saturating_sub(amount), Relaxed);
    }
}
