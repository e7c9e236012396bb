//! Decodes streams into frames and encodes them, incrementally, however the network cuts them.
//!
//! A [`Decoder`] takes the bytes of one stream as they arrive and emits [`FrameRef`]s, borrowed from the read if a
//! frame lies whole within it. An [`Encoder`] does the reverse. Bytes are not decoded as text before a frame is
//! complete, so a character cut in two by the network is whole again in its frame.
//!
//! | file | framing |
//! |---|---|
//! | `sse` | `text/event-stream`, after the WHATWG HTML standard, section 9.2 |
//! | `lines` | one JSON value per line |
//! | `json_array` | one JSON array whose elements arrive one by one |
//! | `event_stream` | `application/vnd.amazon.eventstream`, binary, with checksums |
//! | `encode` | writes all of them |
//! | `nest` | finds the end of a JSON value |
//! | `bom` | skips the byte order mark that some servers send before a stream |

pub(crate) mod bom;
mod encode;
mod event_stream;
mod json_array;
mod lines;
pub(crate) mod nest;
#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod recordings;
mod sse;
#[cfg(test)]
mod tests;

pub use encode::Encoder;

use event_stream::EventStream;
use json_array::JsonArray;
use lines::Lines;
use sse::Sse;
use weir_types::contract::types::{Frame, Framing};

/// Limits of one frame. Exceeding one is an error; nothing is cut silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of one frame in bytes: its data, any of its lines, or a whole event-stream message.
    pub frame_bytes: usize,
    /// Size of the headers of one event-stream message, in bytes.
    pub header_bytes: usize,
    /// Nesting depth of the elements of a JSON array.
    pub depth: usize,
}

impl Default for Limits {
    /// 16 MiB per frame (an image in base64 fits), 128 KiB of headers (the format's own limit), 256 levels.
    fn default() -> Self {
        Self { frame_bytes: 16 << 20, header_bytes: 128 << 10, depth: 256 }
    }
}

/// Why a stream cannot be decoded into frames. The decoder is of no further use afterwards.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame, or something within it, is larger than the limit.
    #[error("a frame of the stream exceeds {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The headers of an event-stream message are larger than the limit.
    #[error("the headers of an event-stream message exceed {limit} bytes")]
    HeadersTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// An element of a JSON array is nested more deeply than the limit.
    #[error("an element of the stream is nested more than {limit} levels deep")]
    TooDeep {
        /// The limit in levels.
        limit: usize,
    },
    /// The stream ends inside a frame, or before its closing bracket.
    #[error("the stream ends within a frame")]
    Truncated,
    /// A checksum of an event-stream message does not match.
    #[error("the {part} checksum of an event-stream message does not match")]
    Checksum {
        /// `prelude` or `message`.
        part: &'static str,
    },
    /// The bytes do not match the framing.
    #[error("the stream has {found} where {expected} belongs")]
    Malformed {
        /// What was found.
        found: &'static str,
        /// What the framing requires.
        expected: &'static str,
    },
}

/// One complete frame, borrowed from the decoder for the duration of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRef<'a> {
    /// The event's name: SSE's `event:`, the event-stream's `:event-type` or `:exception-type`. Never empty.
    pub event: Option<&'a [u8]>,
    /// SSE: the `data:` lines joined by line feeds. NDJSON and JSON array: one JSON value. Event-stream: the payload.
    pub data: &'a [u8],
}

impl FrameRef<'_> {
    /// The frame as the contract's type; invalid UTF-8 becomes U+FFFD.
    pub fn to_owned(&self) -> Frame {
        // The check alone is much cheaper than the search for what to replace.
        let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => String::from_utf8_lossy(bytes).into_owned(),
        };
        Frame { event: self.event.map(text), data: text(self.data) }
    }
}

impl<'a> From<&'a Frame> for FrameRef<'a> {
    fn from(frame: &'a Frame) -> Self {
        Self { event: frame.event.as_deref().map(str::as_bytes), data: frame.data.as_bytes() }
    }
}

/// Callback for the frames that a read completes.
type Each<'e> = dyn FnMut(FrameRef<'_>) + 'e;

/// Decodes the bytes of one stream into frames.
#[derive(Debug)]
pub struct Decoder(Kind);

#[derive(Debug)]
enum Kind {
    Sse(Sse),
    Lines(Lines),
    JsonArray(JsonArray),
    EventStream(EventStream),
}

impl Decoder {
    /// Creates a decoder for the start of a stream.
    pub fn new(framing: Framing, limits: Limits) -> Self {
        Self(match framing {
            Framing::Sse => Kind::Sse(Sse::new(limits.frame_bytes)),
            Framing::Ndjson => Kind::Lines(Lines::new(limits.frame_bytes)),
            Framing::JsonArray => Kind::JsonArray(JsonArray::new(limits)),
            Framing::EventStream => Kind::EventStream(EventStream::new(limits)),
        })
    }

    /// The frame that is whole at the start of these bytes, with its length, if `end` finds where its data end: without
    /// line ends, at whatever comes behind them. It counts as read. `None` means that the bytes have to be pushed.
    #[inline]
    pub fn take_like<'b>(
        &self,
        bytes: &'b [u8],
        end: impl FnOnce(&[u8]) -> Option<usize>,
    ) -> Option<(FrameRef<'b>, usize)> {
        match &self.0 {
            Kind::Sse(sse) => sse.take_like(bytes, end),
            Kind::Lines(_) | Kind::JsonArray(_) | Kind::EventStream(_) => None,
        }
    }

    /// Takes the bytes of one read and emits every frame that they complete, at once.
    pub fn push(&mut self, bytes: &[u8], each: &mut Each<'_>) -> Result<(), FrameError> {
        match &mut self.0 {
            Kind::Sse(sse) => sse.push(bytes, each),
            Kind::Lines(lines) => lines.push(bytes, each),
            Kind::JsonArray(array) => array.push(bytes, each),
            Kind::EventStream(stream) => stream.push(bytes, each),
        }
    }

    /// Ends a stream that ended regularly; a stream that broke off must be reported as broken instead.
    ///
    /// Emits a last frame that lacks only its end: an SSE event without its blank line, a JSON line without its line
    /// feed. Anything else that is incomplete is [`FrameError::Truncated`].
    pub fn finish(&mut self, each: &mut Each<'_>) -> Result<(), FrameError> {
        match &mut self.0 {
            Kind::Sse(sse) => sse.finish(each),
            Kind::Lines(lines) => lines.finish(each),
            Kind::JsonArray(array) => array.finish(),
            Kind::EventStream(stream) => stream.finish(),
        }
    }

    /// Number of bytes that are kept of what has not ended yet.
    pub fn held(&self) -> usize {
        match &self.0 {
            Kind::Sse(sse) => sse.held(),
            Kind::Lines(lines) => lines.held(),
            Kind::JsonArray(array) => array.held(),
            Kind::EventStream(stream) => stream.held(),
        }
    }

    /// Whether the bytes so far end between two frames, so that they are complete frames.
    pub fn is_between(&self) -> bool {
        match &self.0 {
            Kind::Sse(sse) => !sse.is_within_event(),
            Kind::Lines(lines) => !lines.is_within_line(),
            Kind::JsonArray(array) => array.progress().is_some(),
            Kind::EventStream(stream) => !stream.is_within_message(),
        }
    }

    /// An encoder that goes on behind the bytes so far, if they end between two frames.
    pub fn encoder(&self) -> Option<Encoder> {
        match &self.0 {
            Kind::Sse(_) => self.is_between().then(|| Encoder::new(Framing::Sse)),
            Kind::Lines(_) => self.is_between().then(|| Encoder::new(Framing::Ndjson)),
            Kind::JsonArray(array) => array.progress().map(Encoder::of_array),
            Kind::EventStream(_) => self.is_between().then(|| Encoder::new(Framing::EventStream)),
        }
    }

    /// Number of SSE comments so far: signs of life that are not frames. Always 0 in the other framings.
    pub fn comments(&self) -> u64 {
        match &self.0 {
            Kind::Sse(sse) => sse.comments(),
            _ => 0,
        }
    }
}

/// The content type under which a stream of this framing is sent.
pub const fn content_type(framing: Framing) -> &'static str {
    match framing {
        Framing::Sse => "text/event-stream",
        Framing::Ndjson => "application/x-ndjson",
        Framing::JsonArray => "application/json",
        Framing::EventStream => "application/vnd.amazon.eventstream",
    }
}

/// The framing of a streamed answer with this content type, if the type determines one.
///
/// `application/json` means a JSON array here: call this for streams only.
pub fn from_content_type(value: &str) -> Option<Framing> {
    const TYPES: [(&str, Framing); 8] = [
        ("text/event-stream", Framing::Sse),
        ("application/x-ndjson", Framing::Ndjson),
        ("application/ndjson", Framing::Ndjson),
        ("application/jsonl", Framing::Ndjson),
        ("application/x-jsonlines", Framing::Ndjson),
        ("application/stream+json", Framing::Ndjson),
        ("application/json", Framing::JsonArray),
        ("application/vnd.amazon.eventstream", Framing::EventStream),
    ];
    let essence = value.split(';').next().unwrap_or_default().trim();
    TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(essence)).map(|&(_, framing)| framing)
}

/// Clears a buffer for the next frame, and frees the memory of one very large frame.
fn reset(buffer: &mut Vec<u8>) {
    const KEPT: usize = 64 << 10;
    if buffer.capacity() > KEPT {
        *buffer = Vec::new();
    } else {
        buffer.clear();
    }
}
