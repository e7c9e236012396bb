//! The scan: one pass over the body, chunk by chunk, without recursion and without keeping unwanted values.

mod levels;
mod members;
mod tokens;

use super::found::{Found, Scalar};
use super::pointer::{NodeId, Pointers, ROOT};
use super::text::Utf8;
use super::{Limits, PeekError};
use crate::frame::bom::Bom;
use crate::frame::nest::{Nest, StringEnd};
use levels::Level;
use tokens::Token;

/// How deep selected values usually are, for the initial allocation.
const USUAL_LEVELS: usize = 6;
/// How much is read at a time, in bytes: its text is checked and then scanned, and in between it stays in a processor's
/// first cache.
const BLOCK: usize = 16 << 10;

/// Scans one body.
#[derive(Debug)]
pub struct Peek {
    pointers: Pointers,
    limits: Limits,
    /// Whether variants of members within the body are reported as well.
    has_inner_variants: bool,
    found: Found,
    error: Option<PeekError>,
    /// Bytes before the current chunk.
    offset: usize,
    bom: Bom,
    utf8: Utf8,
    state: State,
    /// Containers that a pointer passes through or ends at, outermost first. All others are skipped whole.
    levels: Vec<Level>,
    /// The node of the next value in the tree of pointers.
    next: Option<NodeId>,
    nest: Nest,
    string: StringEnd,
    token: Token,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a value.
    Value,
    /// After `[`: a value or the end.
    First,
    /// After `{`: a name or the end.
    FirstName,
    /// After a comma in an object.
    Name,
    /// After a name.
    Colon,
    /// After a value in a container.
    After,
    InName,
    InText,
    InPlain,
    /// In a container that no pointer selects.
    Skipped,
    /// In a container of which only the end is still needed.
    Rest,
    End,
}

impl Peek {
    /// Creates a scan for these pointers, at the start of a body.
    pub fn new(pointers: &Pointers, limits: Limits) -> Self {
        Self {
            pointers: pointers.clone(),
            limits,
            has_inner_variants: false,
            found: Found::new(pointers.clone()),
            error: None,
            offset: 0,
            bom: Bom::default(),
            utf8: Utf8::default(),
            state: State::Value,
            levels: Vec::with_capacity(USUAL_LEVELS),
            next: Some(ROOT),
            nest: Nest::new(),
            string: StringEnd::default(),
            token: Token::default(),
        }
    }

    /// Reports variants of members also within the body, of every object that a pointer passes through.
    #[must_use]
    pub fn with_inner_variants(mut self) -> Self {
        self.has_inner_variants = true;
        self
    }

    /// Takes the next chunk of the body. Does nothing after an error.
    pub fn push(&mut self, chunk: &[u8]) {
        for block in chunk.chunks(BLOCK) {
            if self.error.is_some() {
                return;
            }
            self.error = self.block(block).err();
        }
    }

    /// The error so far, for callers that do not want to read on.
    pub fn error(&self) -> Option<PeekError> {
        self.error
    }

    /// Ends the body and returns the values found.
    pub fn finish(mut self) -> Result<Found, PeekError> {
        self.end()?;
        Ok(self.found)
    }

    /// Ends the body like [`Self::finish`], for a scan that is used again; the values found are borrowed until then.
    pub fn end(&mut self) -> Result<&Found, PeekError> {
        if self.error.is_none() {
            self.error = self.last_token().err();
        }
        match self.error {
            Some(error) => Err(error),
            None => Ok(&self.found),
        }
    }

    /// The values found so far; of a broken body, those before the break. Containers that have not been closed count as
    /// not empty.
    pub fn so_far(&self) -> &Found {
        &self.found
    }

    /// Resets the scan for the next body.
    pub fn reset(&mut self) {
        self.found.clear();
        self.error = None;
        self.offset = 0;
        self.bom = Bom::default();
        self.utf8 = Utf8::default();
        self.state = State::Value;
        self.levels.clear();
        self.next = Some(ROOT);
    }

    fn block(&mut self, block: &[u8]) -> Result<(), PeekError> {
        if self.limits.utf8 {
            self.utf8.push(block).map_err(|at| PeekError::NotUtf8 { offset: self.offset + at })?;
        }
        let (early, rest) = self.bom.strip(block);
        if !early.is_empty() {
            return Err(PeekError::Malformed { offset: 0 });
        }
        self.offset += block.len() - rest.len();
        self.scan(rest)?;
        self.offset += rest.len();
        Ok(())
    }

    fn scan(&mut self, chunk: &[u8]) -> Result<(), PeekError> {
        let mut at = 0;
        while let Some(rest) = chunk.get(at..)
            && !rest.is_empty()
        {
            at += match self.state {
                State::InName => self.in_name(rest, at)?,
                State::InText => self.in_text(rest, at)?,
                State::InPlain => self.in_plain(rest, at)?,
                State::Skipped | State::Rest => self.skipped(rest, at)?,
                _ => self.between(rest, at)?,
            };
        }
        Ok(())
    }

    /// Reads between tokens: white space and one byte. Like the other steps, returns how many bytes were read.
    fn between(&mut self, rest: &[u8], at: usize) -> Result<usize, PeekError> {
        let Some(white) = rest.iter().position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t')) else {
            return Ok(rest.len());
        };
        let byte = rest.get(white).copied().unwrap_or_default();
        let offset = self.offset + at + white;
        match (self.state, byte) {
            (State::Value, _) => return Ok(white + self.value(byte, offset)?),
            (State::FirstName, b'"') if self.skips_rest() => return Ok(white),
            (State::FirstName | State::Name, b'"') => {
                return Ok(white + self.members(rest.get(white..).unwrap_or_default(), at + white)?);
            }
            (State::First, b']') | (State::FirstName, b'}') => self.close(offset + 1),
            (State::First, _) => {
                if !self.skips_rest() {
                    self.enter_element();
                }
                return Ok(white);
            }
            (State::Colon, b':') => self.state = State::Value,
            (State::After, b',') => {
                self.comma();
                // The next name mostly follows at once.
                let next = white + 1;
                if self.state == State::Name && rest.get(next) == Some(&b'"') {
                    return Ok(next + self.members(rest.get(next..).unwrap_or_default(), at + next)?);
                }
            }
            (State::After, b']' | b'}') if self.closes(byte) => self.close(offset + 1),
            (State::End, _) => return Err(PeekError::Trailing { offset }),
            _ => return Err(PeekError::Malformed { offset }),
        }
        Ok(white + 1)
    }

    /// Reads the first byte of a value. Returns 1 if it was consumed, 0 if it belongs to a plain value's token.
    fn value(&mut self, byte: u8, offset: usize) -> Result<usize, PeekError> {
        let wanted = self.is_wanted();
        match byte {
            b'"' => {
                self.string = StringEnd::default();
                self.token.begin(offset + 1, wanted);
                self.state = State::InText;
            }
            b'{' | b'[' => self.open(byte == b'[', offset)?,
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                self.token.begin(offset, wanted);
                self.state = State::InPlain;
                return Ok(0);
            }
            _ => return Err(PeekError::Malformed { offset }),
        }
        Ok(1)
    }

    /// Whether a pointer ends at the next value.
    fn is_wanted(&self) -> bool {
        self.next.and_then(|id| self.pointers.node(id)).is_some_and(|node| !node.ends.is_empty())
    }

    fn after_value(&mut self) {
        self.state = if self.levels.is_empty() { State::End } else { State::After };
    }

    fn hit(&mut self, range: std::ops::Range<usize>, value: Scalar) -> Result<(), PeekError> {
        let Some(node) = self.next.and_then(|id| self.pointers.node(id)) else { return Ok(()) };
        let Some((&last, others)) = node.ends.split_last() else { return Ok(()) };
        // All ends of a node are the same pointer, given several times.
        if self.found.count(last) >= self.limits.hits {
            let error = PeekError::TooManyHits { limit: self.limits.hits };
            return if self.limits.drop_excess { Ok(()) } else { Err(error) };
        }
        for &pointer in others {
            self.found.add(pointer, range.clone(), value.clone());
        }
        self.found.add(last, range, value);
        Ok(())
    }

    /// Ends the last token: a number at the top level ends with the body.
    fn last_token(&mut self) -> Result<(), PeekError> {
        if self.state == State::InPlain && self.levels.is_empty() {
            self.end_plain(&[], self.offset)?;
        }
        if self.state == State::End { Ok(()) } else { Err(PeekError::Truncated { offset: self.offset }) }
    }
}
