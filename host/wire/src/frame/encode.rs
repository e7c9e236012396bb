//! Encodes frames in all framings.

use memchr::memchr2;
use weir_types::contract::types::{Frame, Framing};

/// Encodes the frames of one stream.
#[derive(Debug)]
pub struct Encoder {
    framing: Framing,
    array: Array,
}

/// What was written last of a JSON array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Array {
    Nothing,
    BracketOrComma,
    Element,
}

impl Encoder {
    /// Creates an encoder for the start of a stream.
    pub const fn new(framing: Framing) -> Self {
        Self { framing, array: Array::Nothing }
    }

    /// Creates an encoder for the rest of a JSON array, of which this was written last.
    pub(super) const fn of_array(array: Array) -> Self {
        Self { framing: Framing::JsonArray, array }
    }

    /// Appends one frame to `out`. A frame without data is skipped in NDJSON and JSON arrays, which cannot represent
    /// one.
    pub fn push(&mut self, frame: &Frame, out: &mut Vec<u8>) {
        match self.framing {
            Framing::Sse => sse(frame, out),
            Framing::Ndjson => line(frame.data.trim_ascii(), out),
            Framing::JsonArray => self.element(frame.data.trim_ascii(), out),
            Framing::EventStream => message(frame, out),
        }
    }

    /// Appends the end of the stream: the closing bracket of a JSON array (`[]` if there was no frame).
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.framing == Framing::JsonArray {
            out.extend_from_slice(if self.array == Array::Nothing { b"[]" } else { b"]" });
        }
    }

    /// Bytes to send between frames as a sign of life that no reader takes for a frame. Only SSE has them.
    pub const fn keep_alive(&self) -> Option<&'static [u8]> {
        match self.framing {
            Framing::Sse => Some(b": keep-alive\n\n"),
            _ => None,
        }
    }

    /// A note for people who read the bytes: another target continues the stream. Only SSE has room for it.
    pub const fn resumed(&self) -> Option<&'static [u8]> {
        match self.framing {
            Framing::Sse => Some(b": resumed\n\n"),
            _ => None,
        }
    }

    fn element(&mut self, data: &str, out: &mut Vec<u8>) {
        if data.is_empty() {
            return;
        }
        match self.array {
            Array::Nothing => out.push(b'['),
            Array::BracketOrComma => {}
            Array::Element => out.extend_from_slice(b",\n"),
        }
        self.array = Array::Element;
        out.extend_from_slice(data.as_bytes());
    }
}

/// Writes every line of the data as its own `data:` line, whichever line end it had, because a bare carriage return
/// would end the line for the reader, too. A frame without data gets an empty `data:` line, or readers would drop it.
fn sse(frame: &Frame, out: &mut Vec<u8>) {
    if let Some(name) = frame.event.as_deref().map(first_line).filter(|name| !name.is_empty()) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name);
        out.push(b'\n');
    }
    let mut rest = frame.data.as_bytes();
    loop {
        let line = first_line(rest);
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
        rest = match rest.get(line.len()..).unwrap_or_default() {
            [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
            [] => break,
        };
    }
    out.push(b'\n');
}

fn first_line<T: AsRef<[u8]> + ?Sized>(text: &T) -> &[u8] {
    let text = text.as_ref();
    text.get(..memchr2(b'\n', b'\r', text).unwrap_or(text.len())).unwrap_or(text)
}

/// Writes a JSON value as one line. Line ends within it are outside of its strings, so they become spaces.
fn line(data: &str, out: &mut Vec<u8>) {
    if data.is_empty() {
        return;
    }
    let mut rest = data.as_bytes();
    loop {
        let line = first_line(rest);
        out.extend_from_slice(line);
        let Some((_, after)) = rest.get(line.len()..).and_then(<[u8]>::split_first) else { break };
        out.push(b' ');
        rest = after;
    }
    out.push(b'\n');
}

/// Writes an event-stream message. Names that end in `Exception` are sent as exceptions: the media type distinguishes
/// two kinds of messages where a frame has only a name, and services that use it name their exceptions so. As an event,
/// it would be skipped by readers as unknown.
fn message(frame: &Frame, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 12]);
    let name = frame.event.as_deref().unwrap_or_default();
    let (kind, name_header) =
        if name.ends_with("Exception") { ("exception", ":exception-type") } else { ("event", ":event-type") };
    header(":message-type", kind, out);
    if !name.is_empty() {
        header(name_header, name, out);
    }
    header(":content-type", "application/json", out);
    let headers = out.len() - start - 12;
    out.extend_from_slice(frame.data.as_bytes());
    let total = out.len() - start + 4;
    put(out, start, total as u32);
    put(out, start + 4, headers as u32);
    let prelude = crc32fast::hash(out.get(start..start + 8).unwrap_or_default());
    put(out, start + 8, prelude);
    let whole = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&whole.to_be_bytes());
}

/// Writes a text header. Values are cut at 32767 bytes, the format's limit, which no event's name comes near.
fn header(name: &str, value: &str, out: &mut Vec<u8>) {
    let value = value.get(..value.floor_char_boundary(usize::from(u16::MAX >> 1))).unwrap_or_default();
    out.push(name.len() as u8);
    out.extend_from_slice(name.as_bytes());
    out.push(7);
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value.as_bytes());
}

fn put(out: &mut [u8], at: usize, number: u32) {
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&number.to_be_bytes());
    }
}
