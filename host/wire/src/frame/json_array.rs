//! A JSON array whose elements arrive one by one; each becomes a frame with its last byte.
//!
//! A single object instead of an array is one frame, because providers send one when they fail. Elements are found by a
//! scanner that knows strings and brackets; their reader checks that they are valid JSON.

use super::bom::Bom;
use super::encode::Array;
use super::nest::{Nest, TooDeep};
use super::{Each, FrameError, FrameRef, Limits, reset};

#[derive(Debug)]
pub(super) struct JsonArray {
    limits: Limits,
    bom: Bom,
    state: State,
    /// Whether a single object replaces the array.
    bare: bool,
    nest: Nest,
    /// The start of an incomplete element.
    held: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    /// After the opening bracket.
    First,
    /// After a comma.
    Next,
    /// After an element.
    After,
    /// In a string, array or object.
    Nested,
    /// In a number, `true`, `false` or `null`.
    Scalar,
    /// After the closing bracket.
    Done,
}

impl JsonArray {
    pub(super) fn new(limits: Limits) -> Self {
        let state = State::Start;
        Self { limits, bom: Bom::default(), state, bare: false, nest: Nest::new(), held: Vec::new() }
    }

    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// What was read last, if another element can follow.
    pub(super) fn progress(&self) -> Option<Array> {
        match self.state {
            _ if self.bom.is_within() => None,
            State::Start => Some(Array::Nothing),
            State::First | State::Next => Some(Array::BracketOrComma),
            State::After => Some(Array::Element),
            State::Nested | State::Scalar | State::Done => None,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8], each: &mut Each<'_>) -> Result<(), FrameError> {
        let (early, mut rest) = self.bom.strip(bytes);
        if !early.is_empty() {
            return Err(unexpected("another byte", "an array"));
        }
        while !rest.is_empty() {
            rest = match self.state {
                State::Nested => self.nested(rest, each)?,
                State::Scalar => self.scalar(rest, each)?,
                _ => self.between(rest)?,
            };
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<(), FrameError> {
        if self.state == State::Done { Ok(()) } else { Err(FrameError::Truncated) }
    }

    /// Reads between elements: one byte, unless an element begins with it.
    fn between<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], FrameError> {
        let [byte, rest @ ..] = bytes else { return Ok(bytes) };
        match (self.state, byte) {
            (_, b' ' | b'\t' | b'\r' | b'\n') => {}
            (State::Start, b'[') => self.state = State::First,
            (State::Start, b'{') => {
                self.bare = true;
                return Ok(self.begin(bytes, State::Nested));
            }
            (State::Start, _) => return Err(unexpected("another byte", "an array")),
            (State::First | State::After, b']') => self.state = State::Done,
            (State::After, b',') => self.state = State::Next,
            (State::First | State::Next, b'{' | b'[' | b'"') => return Ok(self.begin(bytes, State::Nested)),
            (State::First | State::Next, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                return Ok(self.begin(bytes, State::Scalar));
            }
            (State::First | State::Next, _) => return Err(unexpected("another byte", "an element")),
            (State::Done, _) => return Err(unexpected("more", "its end")),
            _ => return Err(unexpected("another byte", "a comma or the closing bracket")),
        }
        Ok(rest)
    }

    fn begin<'a>(&mut self, bytes: &'a [u8], state: State) -> &'a [u8] {
        self.state = state;
        self.nest = Nest::new();
        bytes
    }

    fn nested<'a>(&mut self, bytes: &'a [u8], each: &mut Each<'_>) -> Result<&'a [u8], FrameError> {
        let depth = self.limits.depth;
        let end = self.nest.advance(bytes, depth).map_err(|TooDeep| FrameError::TooDeep { limit: depth })?;
        self.element(bytes, end, each)
    }

    fn scalar<'a>(&mut self, bytes: &'a [u8], each: &mut Each<'_>) -> Result<&'a [u8], FrameError> {
        let end = bytes.iter().position(|byte| matches!(byte, b',' | b']' | b' ' | b'\t' | b'\r' | b'\n'));
        self.element(bytes, end, each)
    }

    /// Emits the element if it ends here; otherwise keeps its bytes.
    fn element<'a>(
        &mut self,
        bytes: &'a [u8],
        end: Option<usize>,
        each: &mut Each<'_>,
    ) -> Result<&'a [u8], FrameError> {
        let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        if self.held.len() + part.len() > self.limits.frame_bytes {
            return Err(FrameError::TooLarge { limit: self.limits.frame_bytes });
        }
        if end.is_none() {
            self.held.extend_from_slice(part);
            return Ok(rest);
        }
        if self.held.is_empty() {
            each(FrameRef { event: None, data: part });
        } else {
            self.held.extend_from_slice(part);
            each(FrameRef { event: None, data: &self.held });
            reset(&mut self.held);
        }
        self.state = if self.bare { State::Done } else { State::After };
        Ok(rest)
    }
}

fn unexpected(found: &'static str, expected: &'static str) -> FrameError {
    FrameError::Malformed { found, expected }
}
