//! `application/vnd.amazon.eventstream`: binary messages, each with headers and two checksums.
//!
//! A message consists of: total length, length of the headers, CRC-32 of these two (the prelude), headers, payload,
//! CRC-32 of everything before; numbers are big-endian. The prelude's checksum is verified before its lengths are used.
//! A header is a name (length in one byte), a type and a value. Source: the "event stream encoding" of the Smithy and
//! AWS SDK papers.

use super::{Each, FrameError, FrameRef, Limits, reset};

/// Length of the prelude with its checksum, and of a message without headers and payload, in bytes.
const PRELUDE: usize = 12;
const SMALLEST: usize = 16;

#[derive(Debug)]
pub(super) struct EventStream {
    limits: Limits,
    /// The start of an incomplete message.
    held: Vec<u8>,
    /// Data synthesised from an error's headers.
    error: Vec<u8>,
}

/// The verified lengths of a message.
#[derive(Debug, Clone, Copy)]
struct Prelude {
    total: usize,
    headers: usize,
}

/// The headers that determine the kind of a message.
#[derive(Default)]
struct Kind<'a> {
    message: &'a [u8],
    event: Option<&'a [u8]>,
    exception: Option<&'a [u8]>,
    error_code: Option<&'a [u8]>,
    error_message: Option<&'a [u8]>,
}

impl EventStream {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, held: Vec::new(), error: Vec::new() }
    }

    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    pub(super) fn is_within_message(&self) -> bool {
        !self.held.is_empty()
    }

    pub(super) fn push(&mut self, mut bytes: &[u8], each: &mut Each<'_>) -> Result<(), FrameError> {
        while !bytes.is_empty() {
            bytes = if self.held.is_empty() { self.whole(bytes, each)? } else { self.more(bytes, each)? };
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<(), FrameError> {
        if self.held.is_empty() { Ok(()) } else { Err(FrameError::Truncated) }
    }

    /// A message that begins in this read; decoded in place if it is complete.
    fn whole<'a>(&mut self, bytes: &'a [u8], each: &mut Each<'_>) -> Result<&'a [u8], FrameError> {
        if let Some(prelude) = self.prelude(bytes)?
            && let Some((message, rest)) = bytes.split_at_checked(prelude.total)
        {
            deliver(message, prelude, &mut self.error, each)?;
            return Ok(rest);
        }
        self.held.extend_from_slice(bytes);
        Ok(&[])
    }

    /// Continues a message that began in an earlier read: first its prelude, then the length that it states.
    fn more<'a>(&mut self, bytes: &'a [u8], each: &mut Each<'_>) -> Result<&'a [u8], FrameError> {
        let wanted = self.prelude(&self.held)?.map_or(PRELUDE, |prelude| prelude.total);
        let missing = wanted.saturating_sub(self.held.len()).min(bytes.len());
        let (part, rest) = bytes.split_at(missing);
        self.held.extend_from_slice(part);
        if let Some(prelude) = self.prelude(&self.held)?
            && prelude.total == self.held.len()
        {
            deliver(&self.held, prelude, &mut self.error, each)?;
            reset(&mut self.held);
        }
        Ok(rest)
    }

    /// The lengths in a message's first bytes, once they have arrived.
    fn prelude(&self, bytes: &[u8]) -> Result<Option<Prelude>, FrameError> {
        let (Some(lengths), Some(total), Some(headers), Some(checksum)) =
            (bytes.get(..8), number(bytes, 0), number(bytes, 4), number(bytes, 8))
        else {
            return Ok(None);
        };
        if crc32fast::hash(lengths) != checksum {
            return Err(FrameError::Checksum { part: "prelude" });
        }
        let (total, headers) = (total as usize, headers as usize);
        if headers > self.limits.header_bytes {
            return Err(FrameError::HeadersTooLarge { limit: self.limits.header_bytes });
        }
        if total > self.limits.frame_bytes {
            return Err(FrameError::TooLarge { limit: self.limits.frame_bytes });
        }
        if total < SMALLEST || headers > total - SMALLEST {
            return Err(malformed("lengths that do not fit together", "a prelude"));
        }
        Ok(Some(Prelude { total, headers }))
    }
}

/// Verifies a complete message and emits it.
fn deliver(message: &[u8], prelude: Prelude, error: &mut Vec<u8>, each: &mut Each<'_>) -> Result<(), FrameError> {
    let end = prelude.total - 4;
    let body = message.get(..end).unwrap_or_default();
    if number(message, end) != Some(crc32fast::hash(body)) {
        return Err(FrameError::Checksum { part: "message" });
    }
    let (headers, payload) = body.get(PRELUDE..).unwrap_or_default().split_at(prelude.headers);
    let kind = read_headers(headers)?;
    let event = match kind.message {
        b"exception" => kind.exception,
        b"error" => kind.error_code,
        _ => kind.event,
    };
    let data = match kind.error_message {
        Some(text) if payload.is_empty() => error_data(error, text),
        _ => payload,
    };
    each(FrameRef { event: event.filter(|name| !name.is_empty()), data });
    Ok(())
}

/// Data for an error that the service did not model: it has its message in a header and no payload. The result looks
/// like that of modelled exceptions: `{"message": ...}`.
fn error_data<'a>(buffer: &'a mut Vec<u8>, message: &[u8]) -> &'a [u8] {
    let message = serde_json::Value::from(String::from_utf8_lossy(message));
    buffer.clear();
    buffer.extend_from_slice(format!("{{\"message\":{message}}}").as_bytes());
    buffer
}

fn read_headers(mut rest: &[u8]) -> Result<Kind<'_>, FrameError> {
    let mut kind = Kind::default();
    while !rest.is_empty() {
        let Some(header) = header(rest) else {
            return Err(malformed("a broken header", "an event-stream message"));
        };
        rest = header.rest;
        let text = header.text;
        match header.name {
            b":message-type" => kind.message = text.unwrap_or_default(),
            b":event-type" => kind.event = text,
            b":exception-type" => kind.exception = text,
            b":error-code" => kind.error_code = text,
            b":error-message" => kind.error_message = text,
            _ => {}
        }
    }
    Ok(kind)
}

struct Header<'a> {
    name: &'a [u8],
    /// The value, if it is text.
    text: Option<&'a [u8]>,
    /// The bytes after the header.
    rest: &'a [u8],
}

/// Parses the header at the start; `None` if it is truncated or of an unknown type.
fn header(bytes: &[u8]) -> Option<Header<'_>> {
    let (&length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(length))?;
    let (&kind, rest) = rest.split_first()?;
    let length = match kind {
        0 | 1 => 0, // true, false
        2 => 1,     // byte
        3 => 2,     // 16-bit integer
        4 => 4,     // 32-bit integer
        5 | 8 => 8, // 64-bit integer, timestamp
        9 => 16,    // UUID
        6 | 7 => return long_header(name, kind, rest),
        _ => return None,
    };
    let (_, rest) = rest.split_at_checked(length)?;
    Some(Header { name, text: None, rest })
}

/// Parses a header whose value, bytes (6) or text (7), has an explicit length.
fn long_header<'a>(name: &'a [u8], kind: u8, rest: &'a [u8]) -> Option<Header<'a>> {
    let (length, rest) = rest.split_first_chunk()?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some(Header { name, text: (kind == 7).then_some(value), rest })
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_be_bytes(*four))
}

fn malformed(found: &'static str, expected: &'static str) -> FrameError {
    FrameError::Malformed { found, expected }
}
