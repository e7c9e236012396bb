//! One interface to the libraries' decoders: bytes in, bytes out to a bounded sink.

use std::io::{self, Write};

use brotli::DecompressorWriter;
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, Operation};

use super::{Bound, Coding};

/// The largest window that zstd may use, as a power of two: 8 MiB, the limit of RFC 9659 for HTTP.
pub(super) const ZSTD_WINDOW: u32 = 23;

/// Size of the decoders' output buffer, in bytes.
pub(super) const BUFFER: usize = 4 * 1024;

/// Collects a decoder's output within a bound.
#[derive(Debug)]
pub(super) struct Sink {
    output: Vec<u8>,
    bound: Bound,
    /// Number of bytes taken out so far.
    taken: u64,
}

impl Sink {
    pub(super) fn new(bound: Bound) -> Self {
        Self { output: Vec::new(), bound, taken: 0 }
    }

    pub(super) fn take(&mut self) -> Bytes {
        self.taken = self.taken.saturating_add(self.output.len() as u64);
        std::mem::take(&mut self.output).into()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.output.len().saturating_add(bytes.len());
        if length > self.bound.piece || self.taken.saturating_add(length as u64) > self.bound.total {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A decoder and the sink that it writes to. `UnexpectedEof` means that the end is missing, `FileTooLarge` that the
/// sink is full, and any other error that the input is broken. Data after a complete body are ignored.
pub(super) enum Engine {
    Identity(Sink),
    Gzip(Box<MultiGzDecoder<Sink>>),
    Deflate(Box<Deflate>),
    Brotli(Box<DecompressorWriter<Sink>>),
    Zstd(Box<Zstd>),
}

impl Engine {
    pub(super) fn new(coding: Coding, sink: Sink) -> io::Result<Self> {
        Ok(match coding {
            Coding::Identity => Self::Identity(sink),
            Coding::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(sink))),
            Coding::Deflate => Self::Deflate(Box::new(Deflate { decoder: None, held: None, is_done: false, sink })),
            Coding::Brotli => Self::Brotli(Box::new(DecompressorWriter::new(sink, BUFFER))),
            Coding::Zstd => Self::Zstd(Box::new(Zstd::new(sink)?)),
        })
    }

    pub(super) fn push(&mut self, input: &[u8]) -> io::Result<()> {
        match self {
            Self::Identity(sink) => sink.write_all(input),
            Self::Gzip(decoder) => {
                write_all(decoder, input)?;
                decoder.flush()
            }
            Self::Deflate(deflate) => deflate.push(input),
            Self::Brotli(decoder) => write_all(decoder, input),
            Self::Zstd(zstd) => zstd.push(input),
        }
    }

    pub(super) fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Identity(_) => Ok(()),
            Self::Gzip(decoder) => decoder.try_finish().map_err(at_end),
            Self::Deflate(deflate) => ended(deflate.is_done),
            Self::Brotli(decoder) => decoder.close().map_err(at_end),
            Self::Zstd(zstd) => ended(zstd.is_at_end),
        }
    }

    pub(super) fn sink(&mut self) -> &mut Sink {
        match self {
            Self::Identity(sink) => sink,
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Deflate(deflate) => &mut deflate.sink,
            Self::Brotli(decoder) => decoder.get_mut(),
            Self::Zstd(zstd) => &mut zstd.sink,
        }
    }
}

fn ended(is_complete: bool) -> io::Result<()> {
    if is_complete { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Turns an error at the end into `UnexpectedEof`, because some libraries do not distinguish truncated input.
fn at_end(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::FileTooLarge { error } else { io::ErrorKind::UnexpectedEof.into() }
}

/// Like [`Write::write_all`], but stops when a decoder accepts nothing more because it is done.
fn write_all(decoder: &mut impl Write, mut input: &[u8]) -> io::Result<()> {
    while !input.is_empty() {
        let taken = decoder.write(input)?;
        if taken == 0 {
            break;
        }
        input = input.get(taken..).unwrap_or_default();
    }
    Ok(())
}

/// Whether these are a zlib stream's first bytes. RFC 1950: its header names method 8 and is divisible by 31.
pub(super) fn is_zlib(method: u8, flags: u8) -> bool {
    method & 0x0f == 8 && u16::from_be_bytes([method, flags]).is_multiple_of(31)
}

/// Decodes `deflate`: zlib according to the standard, a raw stream from some servers.
pub(super) struct Deflate {
    /// `None` until the first two bytes show which of the two it is.
    decoder: Option<Decompress>,
    held: Option<u8>,
    is_done: bool,
    sink: Sink,
}

impl Deflate {
    fn push(&mut self, input: &[u8]) -> io::Result<()> {
        if self.decoder.is_some() {
            return self.inflate(input);
        }
        let mut first = self.held.into_iter().chain(input.iter().copied());
        let (Some(method), Some(flags)) = (first.next(), first.next()) else {
            self.held = self.held.or(input.first().copied());
            return Ok(());
        };
        self.decoder = Some(Decompress::new(is_zlib(method, flags)));
        if let Some(held) = self.held.take() {
            self.inflate(&[held])?;
        }
        self.inflate(input)
    }

    fn inflate(&mut self, mut input: &[u8]) -> io::Result<()> {
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        let mut buffer = [0; BUFFER];
        while !self.is_done {
            let (taken, made) = (decoder.total_in(), decoder.total_out());
            let status = decoder.decompress(input, &mut buffer, FlushDecompress::None)?;
            let (taken, made) = (decoder.total_in() - taken, decoder.total_out() - made);
            self.sink.write_all(buffer.get(..made as usize).unwrap_or_default())?;
            input = input.get(taken as usize..).unwrap_or_default();
            self.is_done = status == Status::StreamEnd;
            if taken == 0 && made == 0 {
                break;
            }
        }
        Ok(())
    }
}

/// Decodes one or more zstd frames.
pub(super) struct Zstd {
    decoder: ZstdDecoder<'static>,
    /// Whether the input is between two frames, or before the first.
    is_at_end: bool,
    sink: Sink,
}

impl Zstd {
    fn new(sink: Sink) -> io::Result<Self> {
        let mut decoder = ZstdDecoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW))?;
        Ok(Self { decoder, is_at_end: true, sink })
    }

    fn push(&mut self, mut input: &[u8]) -> io::Result<()> {
        let mut buffer = [0; BUFFER];
        loop {
            if self.is_at_end {
                if input.is_empty() {
                    return Ok(());
                }
                self.decoder.reinit()?;
            }
            let status = self.decoder.run_on_buffers(input, &mut buffer)?;
            self.is_at_end = status.remaining == 0;
            self.sink.write_all(buffer.get(..status.bytes_written).unwrap_or_default())?;
            input = input.get(status.bytes_read..).unwrap_or_default();
            if status.bytes_read == 0 && status.bytes_written == 0 {
                return Ok(());
            }
        }
    }
}
