//! Server-sent events, after the WHATWG HTML standard, section 9.2.6, with three differences:
//!
//! - An event that lacks its blank line at the regular end of a stream is emitted, where a browser would drop it:
//!   providers leave out the last blank line, and the last event is the one that completes the answer.
//! - JSON without a field's name is a frame: lines outside of any event, the first of which begins with a bracket, up
//!   to a blank line or the regular end. A browser would ignore them, but servers that fail within a stream send the
//!   error so.
//! - `id:` and `retry:` are ignored, because there are no reconnections here.
//!
//! As the standard demands, an event without any `data` line is dropped together with its name, and one with an empty
//! `data` line is an event with empty data.

use super::bom::Bom;
use super::{Each, FrameError, FrameRef, reset};
use memchr::memchr2;

/// How a line of data usually begins.
const DATA: &[u8] = b"data: ";
/// How the line with an event's name usually begins.
const EVENT: &[u8] = b"event: ";

#[derive(Debug)]
pub(super) struct Sse {
    limit: usize,
    bom: Bom,
    /// The start of an incomplete line.
    line: Vec<u8>,
    /// Name and data of the open event, unless they can be borrowed from the current read.
    event: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    /// The lines of JSON that stand outside of any event.
    bare: Vec<u8>,
    /// Whether the last byte was a carriage return; a line feed after it belongs to the same line end.
    after_cr: bool,
    comments: u64,
}

/// The event that is being read, borrowed from the read if possible.
#[derive(Default, Clone, Copy)]
struct Open<'a> {
    event: Slot<'a>,
    data: Slot<'a>,
}

#[derive(Default, Clone, Copy)]
enum Slot<'a> {
    #[default]
    Absent,
    Borrowed(&'a [u8]),
    /// In the decoder's own buffer.
    Kept,
}

enum Line<'a> {
    Blank,
    Comment,
    Event(&'a [u8]),
    Data(&'a [u8]),
    /// No field that is read here, or none at all.
    Other,
}

impl Sse {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            bom: Bom::default(),
            line: Vec::new(),
            event: Vec::new(),
            data: Vec::new(),
            has_data: false,
            bare: Vec::new(),
            after_cr: false,
            comments: 0,
        }
    }

    pub(super) fn comments(&self) -> u64 {
        self.comments
    }

    pub(super) fn held(&self) -> usize {
        self.line.len() + self.event.len() + self.data.len() + self.bare.len()
    }

    pub(super) fn is_within_event(&self) -> bool {
        self.bom.is_within()
            || !self.line.is_empty()
            || !self.event.is_empty()
            || self.has_data
            || !self.bare.is_empty()
    }

    /// The event at the start of these bytes if it is whole, has one line of data, and `end` finds where these end.
    #[inline]
    pub(super) fn take_like<'b>(
        &self,
        bytes: &'b [u8],
        end: impl FnOnce(&[u8]) -> Option<usize>,
    ) -> Option<(FrameRef<'b>, usize)> {
        if self.after_cr || !self.bom.has_passed() || self.is_within_event() {
            return None;
        }
        let (event, rest) = match bytes.strip_prefix(EVENT) {
            Some(named) => {
                let (name, rest) = named.split_at_checked(memchr2(b'\n', b'\r', named)?)?;
                (Some(name).filter(|name| !name.is_empty()), rest.strip_prefix(b"\n")?)
            }
            None => (None, bytes),
        };
        let rest = rest.strip_prefix(DATA)?;
        let (data, rest) = rest.split_at_checked(end(rest)?)?;
        let rest = rest.strip_prefix(b"\n\n")?;
        let lines = [DATA.len() + data.len(), event.map_or(0, |name| EVENT.len() + name.len())];
        lines.iter().all(|length| *length <= self.limit).then(|| (FrameRef { event, data }, bytes.len() - rest.len()))
    }

    pub(super) fn push(&mut self, bytes: &[u8], each: &mut Each<'_>) -> Result<(), FrameError> {
        let (early, rest) = self.bom.strip(bytes);
        if !early.is_empty() {
            self.lines(early, each)?;
        }
        self.lines(rest, each)
    }

    pub(super) fn finish(&mut self, each: &mut Each<'_>) -> Result<(), FrameError> {
        let early = self.bom.finish();
        self.lines(early, each)?;
        self.after_cr = false;
        if !self.line.is_empty() {
            self.lines(b"\n", each)?;
        }
        self.lines(b"\n", each)
    }

    fn lines(&mut self, mut rest: &[u8], each: &mut Each<'_>) -> Result<(), FrameError> {
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        let mut open = Open { event: kept(!self.event.is_empty()), data: kept(self.has_data) };
        while let Some(at) = memchr2(b'\n', b'\r', rest) {
            let (line, tail) = rest.split_at(at);
            if self.line.is_empty() {
                self.line(line, &mut open, each)?;
            } else {
                self.joined_line(line, &mut open, each)?;
            }
            rest = self.after_line_end(tail);
        }
        self.keep(rest, open)
    }

    /// Returns the bytes after the line end at the start of `tail`.
    fn after_line_end<'a>(&mut self, tail: &'a [u8]) -> &'a [u8] {
        match tail {
            [b'\r'] => {
                self.after_cr = true;
                &[]
            }
            [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
            [] => &[],
        }
    }

    /// Processes a line that lies whole within the read.
    fn line<'a>(&mut self, line: &'a [u8], open: &mut Open<'a>, each: &mut Each<'_>) -> Result<(), FrameError> {
        if line.len() > self.limit {
            return Err(FrameError::TooLarge { limit: self.limit });
        }
        match parse(line) {
            Line::Blank => self.dispatch(open, each),
            Line::Comment => self.comments += 1,
            Line::Event(name) => open.event = Slot::Borrowed(name),
            Line::Data(value) if matches!(open.data, Slot::Absent) => open.data = Slot::Borrowed(value),
            Line::Data(value) => self.append(value, open)?,
            Line::Other => self.keep_bare(line, open)?,
        }
        Ok(())
    }

    /// Processes a line that began in an earlier read.
    fn joined_line(&mut self, end: &[u8], open: &mut Open<'_>, each: &mut Each<'_>) -> Result<(), FrameError> {
        let mut line = std::mem::take(&mut self.line);
        line.extend_from_slice(end);
        if line.len() > self.limit {
            return Err(FrameError::TooLarge { limit: self.limit });
        }
        match parse(&line) {
            Line::Blank => self.dispatch(open, each),
            Line::Comment => self.comments += 1,
            Line::Event(name) => self.keep_event(name, open),
            Line::Data(value) => self.append(value, open)?,
            Line::Other => self.keep_bare(&line, open)?,
        }
        reset(&mut line);
        self.line = line;
        Ok(())
    }

    fn keep_event(&mut self, name: &[u8], open: &mut Open<'_>) {
        self.event.clear();
        self.event.extend_from_slice(name);
        open.event = Slot::Kept;
    }

    /// Appends one more line of data to the decoder's own buffer.
    fn append(&mut self, value: &[u8], open: &mut Open<'_>) -> Result<(), FrameError> {
        let before = match open.data {
            Slot::Absent => None,
            Slot::Borrowed(first) => {
                self.data.clear();
                self.data.extend_from_slice(first);
                Some(first.len())
            }
            Slot::Kept => Some(self.data.len()),
        };
        if before.map_or(0, |length| length + 1) + value.len() > self.limit {
            return Err(FrameError::TooLarge { limit: self.limit });
        }
        if before.is_some() {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
        open.data = Slot::Kept;
        Ok(())
    }

    /// Keeps a line of JSON outside of any event; other lines without a known field mean nothing.
    fn keep_bare(&mut self, line: &[u8], open: &Open<'_>) -> Result<(), FrameError> {
        let is_first = self.bare.is_empty();
        if self.has_begun(open) || (is_first && !matches!(line, [b'{' | b'[', ..])) {
            return Ok(());
        }
        if self.bare.len() + usize::from(!is_first) + line.len() > self.limit {
            return Err(FrameError::TooLarge { limit: self.limit });
        }
        if !is_first {
            self.bare.push(b'\n');
        }
        self.bare.extend_from_slice(line);
        Ok(())
    }

    /// Whether an event has a name or data.
    fn has_begun(&self, open: &Open<'_>) -> bool {
        let has_name = match open.event {
            Slot::Absent => false,
            Slot::Borrowed(name) => !name.is_empty(),
            Slot::Kept => !self.event.is_empty(),
        };
        has_name || !matches!(open.data, Slot::Absent)
    }

    /// Emits the lines of JSON that were kept, if they are one value.
    #[cold]
    fn dispatch_bare(&mut self, each: &mut Each<'_>) {
        let data = self.bare.trim_ascii();
        if serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok() {
            each(FrameRef { event: None, data });
        }
        reset(&mut self.bare);
    }

    fn dispatch(&mut self, open: &mut Open<'_>, each: &mut Each<'_>) {
        if !self.bare.is_empty() {
            self.dispatch_bare(each);
        }
        let event = match open.event {
            Slot::Absent => None,
            Slot::Borrowed(name) => Some(name),
            Slot::Kept => Some(self.event.as_slice()),
        };
        let data = match open.data {
            Slot::Absent => None,
            Slot::Borrowed(data) => Some(data),
            Slot::Kept => Some(self.data.as_slice()),
        };
        if let Some(data) = data {
            each(FrameRef { event: event.filter(|name| !name.is_empty()), data });
        }
        self.event.clear();
        reset(&mut self.data);
        *open = Open::default();
    }

    /// Keeps the unfinished parts of a read: an open event, and the start of a line.
    fn keep(&mut self, rest: &[u8], open: Open<'_>) -> Result<(), FrameError> {
        if self.line.len() + rest.len() > self.limit {
            return Err(FrameError::TooLarge { limit: self.limit });
        }
        self.line.extend_from_slice(rest);
        if let Slot::Borrowed(name) = open.event {
            self.event.clear();
            self.event.extend_from_slice(name);
        }
        if let Slot::Borrowed(data) = open.data {
            self.data.clear();
            self.data.extend_from_slice(data);
        }
        self.has_data = !matches!(open.data, Slot::Absent);
        Ok(())
    }
}

fn kept(present: bool) -> Slot<'static> {
    if present { Slot::Kept } else { Slot::Absent }
}

fn parse(line: &[u8]) -> Line<'_> {
    match line {
        [] => Line::Blank,
        [b':', ..] => Line::Comment,
        [b'd', b'a', b't', b'a', rest @ ..] => value(rest).map_or(Line::Other, Line::Data),
        [b'e', b'v', b'e', b'n', b't', rest @ ..] => value(rest).map_or(Line::Other, Line::Event),
        _ => Line::Other,
    }
}

/// The value after a field's name: empty without a colon; one space after the colon is not part of it. `None` if the
/// name continues, so that it is a different one.
fn value(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [] | [b':'] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{cut, data, frame, frames};
    use super::super::{Decoder, Limits};
    use super::*;
    use weir_types::contract::types::Framing;

    const ERROR: &str = "{\n  \"error\": {\n    \"code\": 503,\n    \"status\": \"UNAVAILABLE\"\n  }\n}";

    #[test]
    fn an_error_without_a_fields_name_is_a_frame() {
        let behind = [data(&["{\"a\":1}"]), data(&[ERROR])].concat();
        for end in ["", "\n", "\n\n"] {
            assert_eq!(frames(Framing::Sse, format!("data: {{\"a\":1}}\n\n{ERROR}{end}").as_bytes()), behind);
            assert_eq!(frames(Framing::Sse, format!("{ERROR}{end}").as_bytes()), data(&[ERROR]));
        }
        let with_carriage_returns = format!("{ERROR}\n\n[{ERROR}]\n").replace('\n', "\r\n");
        assert_eq!(frames(Framing::Sse, with_carriage_returns.as_bytes()), data(&[ERROR, &format!("[{ERROR}]")]));
    }

    #[test]
    fn what_is_no_json_or_stands_within_an_event_means_nothing() {
        for stream in ["{\n", "[note] a\n\n", "{}{}\n", "\"text\"\n", "1\n", " {}\n", "{\n\n}\n"] {
            assert_eq!(frames(Framing::Sse, stream.as_bytes()), [], "{stream:?}");
        }
        assert_eq!(
            frames(Framing::Sse, b"data: 1\n{}\n\nevent: x\n{}\ndata: 2\n\n"),
            [frame("", "1"), frame("x", "2")]
        );
        assert_eq!(frames(Framing::Sse, b"{}\nevent: x\n{}\ndata: 2\n\n"), [frame("", "{}"), frame("x", "2")]);
    }

    #[test]
    fn json_without_a_fields_name_has_the_bound_of_a_frame() {
        let limits = Limits { frame_bytes: 20, ..Limits::default() };
        assert_eq!(
            cut(Framing::Sse, limits, &[b"[1,\n1111111111,\n11111]"]).1,
            Err(FrameError::TooLarge { limit: 20 })
        );
        assert_eq!(
            cut(Framing::Sse, limits, &[b"[1,\n1111111111,\n111]"]),
            (data(&["[1,\n1111111111,\n111]"]), Ok(()))
        );
    }

    #[test]
    fn no_frame_goes_on_within_json_without_a_fields_name() {
        let mut decoder = Decoder::new(Framing::Sse, Limits::default());
        decoder.push(b"data: 1\n\n{\n", &mut |_| ()).unwrap();
        assert!(!decoder.is_between() && decoder.take_like(b"data: 2\n\n", |_| Some(1)).is_none());
        decoder.push(b"}\n\n", &mut |_| ()).unwrap();
        assert!(decoder.is_between());
    }
}
