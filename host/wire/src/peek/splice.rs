//! Replaces values and sets members, without copying the rest.

use super::found::{Found, Hit, Scalar};
use super::pointer::segments;
use bytes::Bytes;
use std::ops::Range;

/// One replacement. With an empty range it is an insertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Range of the body to remove, in bytes.
    pub range: Range<usize>,
    /// The bytes to put there.
    pub replacement: Bytes,
}

impl Edit {
    /// Replaces a value by a string.
    pub fn text(range: Range<usize>, text: &str) -> Self {
        let mut replacement = String::with_capacity(text.len() + 2);
        quote(text, &mut replacement);
        Self { range, replacement: replacement.into() }
    }
}

/// Why a body cannot be edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpliceError {
    /// Two edits overlap, or one reaches beyond the body.
    #[error("the edit of bytes {} to {} does not fit the body or another edit", .range.start, .range.end)]
    Range {
        /// The edit's range.
        range: Range<usize>,
    },
    /// The body is not an object, so it has no members.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// The body was not scanned for this pointer, or the pointer is invalid.
    #[error("the body was not scanned for {pointer:?}")]
    NotScanned {
        /// The pointer as it was asked for.
        pointer: String,
    },
}

/// Replaces some ranges of a body. Kept bytes share memory with the given chunks.
///
/// Edits may be given in any order; those at the same place are applied in the given order.
pub fn splice(chunks: &[Bytes], edits: &[Edit]) -> Result<Vec<Bytes>, SpliceError> {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    let mut body = Body { chunks, within: 0, offset: 0, out: Vec::with_capacity(chunks.len() + 2 * edits.len()) };
    for edit in edits {
        let fits = edit.range.start <= edit.range.end && body.pass(edit.range.start, true);
        if !fits {
            return Err(SpliceError::Range { range: edit.range.clone() });
        }
        if !edit.replacement.is_empty() {
            body.out.push(edit.replacement.clone());
        }
        if !body.pass(edit.range.end, false) {
            return Err(SpliceError::Range { range: edit.range.clone() });
        }
    }
    body.pass(usize::MAX, true);
    Ok(body.out)
}

/// The chunks that are being copied over.
struct Body<'a> {
    /// Chunks not yet passed completely.
    chunks: &'a [Bytes],
    /// Bytes of the first of them that have been passed.
    within: usize,
    /// Bytes of the body that have been passed.
    offset: usize,
    out: Vec<Bytes>,
}

impl Body<'_> {
    /// Advances to `target` and takes or omits the bytes before it. Returns false if `target` is past the body's end or
    /// before the current position.
    fn pass(&mut self, target: usize, take: bool) -> bool {
        while self.offset < target
            && let Some((chunk, rest)) = self.chunks.split_first()
        {
            let end = chunk.len().min(self.within + (target - self.offset));
            if take && end > self.within {
                self.out.push(chunk.slice(self.within..end));
            }
            self.offset += end - self.within;
            self.within = end;
            if end == chunk.len() {
                self.chunks = rest;
                self.within = 0;
            }
        }
        self.offset == target
    }
}

/// The pointers to scan for before a member can be set: its own, and those of all its ancestors.
pub fn prefixes(pointer: &str) -> Vec<String> {
    beginnings(pointer).map(str::to_owned).collect()
}

fn beginnings(pointer: &str) -> impl Iterator<Item = &str> {
    let ends = pointer.match_indices('/').map(|(at, _)| at).skip(1).chain([pointer.len()]);
    ends.filter_map(|end| pointer.get(..end)).filter(|prefix| !prefix.is_empty())
}

/// The edits that set the value at a pointer to this JSON; none if it has that value already.
///
/// A missing member becomes the first of its object, missing objects are created, and another value in an object's
/// place (null, for instance) is replaced. The body must have been scanned for the pointer's [`prefixes`].
pub fn set_member(found: &Found, pointer: &str, json: &str) -> Result<Vec<Edit>, SpliceError> {
    let not_scanned = || SpliceError::NotScanned { pointer: pointer.to_owned() };
    let names = segments(pointer).map_err(|_| not_scanned())?;
    let body = found.object().ok_or(SpliceError::NotAnObject)?;
    let (mut inside, mut empty) = (body.inside, body.empty);
    for (depth, prefix) in beginnings(pointer).enumerate() {
        let place = found.pointers().position(prefix).ok_or_else(not_scanned)?;
        let below = names.get(depth + 1..).unwrap_or_default();
        let Some(hit) = found.last(place) else {
            return Ok(vec![insertion(inside, empty, names.get(depth..).unwrap_or_default(), json)]);
        };
        match hit.value {
            Scalar::Object { empty: none } if !below.is_empty() => (inside, empty) = (hit.range.start + 1, none),
            _ => return Ok(replacement(hit, below, json)),
        }
    }
    Err(not_scanned())
}

/// Inserts a first member into the object whose content starts at `inside`.
fn insertion(inside: usize, empty: bool, names: &[String], json: &str) -> Edit {
    let object = nested(names, json);
    let member = object.get(1..object.len().saturating_sub(1)).unwrap_or_default();
    let comma = if empty { "" } else { "," };
    Edit { range: inside..inside, replacement: format!("{member}{comma}").into() }
}

fn replacement(hit: &Hit, below: &[String], json: &str) -> Vec<Edit> {
    let same = below.is_empty() && Scalar::of(json).is_some_and(|wanted| wanted.is_same(&hit.value));
    if same {
        return Vec::new();
    }
    vec![Edit { range: hit.range.clone(), replacement: nested(below, json).into() }]
}

/// Wraps a value in objects of these names: `{"a":{"b":json}}`.
fn nested(names: &[String], json: &str) -> String {
    let names_length: usize = names.iter().map(|name| name.len() + "{\"\":}".len()).sum();
    let mut out = String::with_capacity(names_length + json.len());
    for name in names {
        out.push('{');
        quote(name, &mut out);
        out.push(':');
    }
    out.push_str(json);
    out.extend(names.iter().map(|_| '}'));
    out
}

fn quote(text: &str, out: &mut String) {
    if text.bytes().any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\')) {
        out.push_str(&serde_json::Value::from(text).to_string());
        return;
    }
    out.push('"');
    out.push_str(text);
    out.push('"');
}
