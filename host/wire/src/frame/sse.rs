//! Server-sent events, after the WHATWG HTML standard, section 9.2.6, with two differences:
//!
//! - An event that lacks its blank line at the regular end of a stream is emitted, where a browser would drop it:
//!   providers leave out the last blank line, and the last event is the one that completes the answer.
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
    Ignored,
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
            after_cr: false,
            comments: 0,
        }
    }

    pub(super) fn comments(&self) -> u64 {
        self.comments
    }

    pub(super) fn is_within_event(&self) -> bool {
        self.bom.is_within() || !self.line.is_empty() || !self.event.is_empty() || self.has_data
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
            Line::Ignored => {}
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
            Line::Ignored => {}
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

    fn dispatch(&mut self, open: &mut Open<'_>, each: &mut Each<'_>) {
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
        [b'd', b'a', b't', b'a', rest @ ..] => value(rest).map_or(Line::Ignored, Line::Data),
        [b'e', b'v', b'e', b'n', b't', rest @ ..] => value(rest).map_or(Line::Ignored, Line::Event),
        _ => Line::Ignored,
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
