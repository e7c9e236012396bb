//! Containers: descends into those that a pointer passes through, and skips all others.

use super::{Peek, State};
use crate::frame::nest::{Nest, TooDeep};
use crate::peek::PeekError;
use crate::peek::found::{Object, Scalar};
use crate::peek::pointer::{NodeId, ROOT};
use crate::peek::text::decode;

/// A container that some pointer passes through or ends at.
#[derive(Debug)]
pub(super) struct Level {
    node: NodeId,
    array: bool,
    /// Index of the current element.
    index: u32,
    /// Bit set of the node's members seen so far; those beyond the 64th count as seen.
    seen: u64,
    /// The hits for this container itself.
    own: std::ops::Range<usize>,
    /// Index of the first hit within the container.
    inside: usize,
    empty: bool,
}

impl Peek {
    /// Reads the opening bracket of a container.
    pub(super) fn open(&mut self, array: bool, offset: usize) -> Result<(), PeekError> {
        let top = self.levels.is_empty();
        if top && !array {
            self.found.object = Some(Object { inside: offset + 1, empty: true });
        }
        if self.levels.len() >= self.limits.depth {
            return Err(PeekError::TooDeep { limit: self.limits.depth });
        }
        let Some(node) = self.next else {
            self.nest = Nest::inside();
            self.state = State::Skipped;
            return Ok(());
        };
        let first = self.found.hits.len();
        let value = if array { Scalar::Array { empty: false } } else { Scalar::Object { empty: false } };
        self.hit(offset..offset, value)?;
        let inside = self.found.hits.len();
        self.levels.push(Level { node, array, index: 0, seen: 0, own: first..inside, inside, empty: true });
        self.state = if array { State::First } else { State::FirstName };
        Ok(())
    }

    pub(super) fn closes(&self, byte: u8) -> bool {
        self.levels.last().is_some_and(|level| level.array == (byte == b']'))
    }

    /// Closes the innermost container, which ends before this offset.
    pub(super) fn close(&mut self, end: usize) {
        let Some(level) = self.levels.pop() else { return };
        for hit in self.found.hits.get_mut(level.own).unwrap_or_default() {
            hit.range.end = end;
            let empty = level.empty;
            hit.value = if level.array { Scalar::Array { empty } } else { Scalar::Object { empty } };
        }
        if self.levels.is_empty()
            && let Some(object) = &mut self.found.object
        {
            object.empty = level.empty;
        }
        self.after_value();
    }

    /// Marks the innermost container as not empty. If no pointer goes further down, skips the rest of it and returns
    /// true.
    pub(super) fn skips_rest(&mut self) -> bool {
        let Some(level) = self.levels.last_mut() else { return false };
        level.empty = false;
        let Some(node) = self.pointers.node(level.node) else { return false };
        let goes_on = if level.array { node.has_elements() } else { !node.members.is_empty() };
        if goes_on {
            return false;
        }
        self.nest = Nest::inside();
        self.state = State::Rest;
        true
    }

    pub(super) fn comma(&mut self) {
        let Some(level) = self.levels.last_mut() else { return };
        if !level.array {
            self.state = State::Name;
            return;
        }
        level.index = level.index.saturating_add(1);
        self.enter_element();
    }

    pub(super) fn enter_element(&mut self) {
        let Some(level) = self.levels.last() else { return };
        self.next = self.pointers.node(level.node).and_then(|node| node.element(level.index));
        self.state = State::Value;
    }

    /// Reads the name before the next value, in its raw form.
    pub(super) fn enter_member(&mut self, raw: &[u8], at: usize) -> Result<(), PeekError> {
        self.next = None;
        if raw.len() > self.name_limit() {
            return Ok(());
        }
        if raw.contains(&b'\\') {
            let name = decode(raw).ok_or(PeekError::Malformed { offset: self.offset + at })?;
            self.enter_named(name.as_bytes(), raw);
        } else {
            self.enter_named(raw, raw);
        }
        Ok(())
    }

    /// Reads a name without escapes.
    #[inline]
    pub(super) fn enter_plain_member(&mut self, name: &[u8]) {
        self.next = None;
        self.enter_named(name, name);
    }

    /// Enters the member of this name, if a pointer selects it; `raw` is the name as it is written.
    #[inline]
    fn enter_named(&mut self, name: &[u8], raw: &[u8]) {
        let Some(level) = self.levels.last_mut() else { return };
        let Some(node) = self.pointers.node(level.node) else { return };
        let Some((position, id)) = node.member(name) else {
            let parent = level.node;
            if self.limits.variants && (parent == ROOT || self.has_inner_variants) {
                self.note_variant(parent, raw);
            }
            return;
        };
        let bit = 1_u64.checked_shl(position as u32).unwrap_or(0);
        if level.seen & bit != 0 || bit == 0 {
            for &pointer in self.pointers.node(id).map(|node| node.below.as_slice()).unwrap_or_default() {
                self.found.supersede(pointer, level.inside);
            }
        }
        level.seen |= bit;
        self.next = Some(id);
    }

    /// Records a member of this node that case-insensitive readers take for a wanted one.
    fn note_variant(&mut self, parent: NodeId, raw: &[u8]) {
        let Some(node) = self.pointers.node(parent) else { return };
        if !node.has_length(raw.len()) && raw.iter().all(|byte| byte.is_ascii() && *byte != b'\\') {
            return;
        }
        let Some(name) = decode(raw) else { return };
        let like = node.members.iter().find(|(known, _)| is_variant(&name, known));
        if let Some((known, _)) = like {
            let known = String::from_utf8_lossy(known).into_owned();
            self.found.add_variant(name.into_owned(), known);
        }
    }

    pub(super) fn skipped(&mut self, rest: &[u8], at: usize) -> Result<usize, PeekError> {
        let limit = self.limits.depth;
        // If the rest of a container is skipped, the innermost level is already included in the count.
        let above = self.levels.len() - usize::from(self.state == State::Rest);
        let end = self.nest.advance(rest, limit - above).map_err(|TooDeep| PeekError::TooDeep { limit })?;
        let Some(length) = end else { return Ok(rest.len()) };
        if self.state == State::Rest {
            self.close(self.offset + at + length);
        } else {
            self.after_value();
        }
        Ok(length)
    }
}

/// Whether a name equals a known one except for case, including the non-ASCII characters that some readers fold.
fn is_variant(name: &str, known: &[u8]) -> bool {
    if name.is_ascii() {
        return name.as_bytes().eq_ignore_ascii_case(known);
    }
    let folded = name.chars().map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    });
    folded.eq(known.iter().map(|byte| char::from(byte.to_ascii_lowercase())))
}
