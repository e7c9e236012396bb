//! JSON pointers (RFC 6901), compiled into one tree, so that a scan follows all of them at once.
//!
//! A segment `*` matches every element of an array, and nothing in an object. A number matches both an array's index
//! and an object's member.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Limits of the tree, because pointers come from manifests and `*` beside indices can make it grow fast.
const MAX_NODES: usize = 4096;
const MAX_SEGMENTS: usize = 32;

/// Why pointers cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// The text is not a JSON pointer.
    #[error("{pointer:?} is not a JSON pointer")]
    Invalid {
        /// The text.
        pointer: String,
    },
    /// A pointer is too long, or there are too many.
    #[error("the pointers, with {pointer:?} among them, are too many or too long")]
    TooMany {
        /// A pointer for the message: the one that is too long, or the last of the list.
        pointer: String,
    },
}

/// Compiled pointers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pointers(Arc<Tree>);

#[derive(Debug)]
struct Tree {
    texts: Vec<String>,
    nodes: Vec<Node>,
    longest_name: usize,
}

/// A position in documents that some pointer passes through or ends at.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Pointers that end here.
    pub(super) ends: Vec<u16>,
    /// Pointers that end here or below.
    pub(super) below: Vec<u16>,
    /// Children for the members of an object.
    pub(super) members: Vec<(Box<[u8]>, NodeId)>,
    /// Bit set of the lengths of the members' names; the last bit stands for 63 and more.
    lengths: u64,
    /// Children for single elements of an array; each includes the pointers for every element.
    elements: Vec<(u32, NodeId)>,
    /// Child for every other element.
    every: Option<NodeId>,
}

/// Number of a node.
pub(super) type NodeId = u16;

/// The node of the whole body.
pub(super) const ROOT: NodeId = 0;

impl Pointers {
    /// Compiles pointers; each is identified by its index in this list. Duplicates are allowed.
    pub fn compile<T: AsRef<str>>(pointers: &[T]) -> Result<Self, PointerError> {
        let texts: Vec<String> = pointers.iter().map(|pointer| pointer.as_ref().to_owned()).collect();
        let split = texts.iter().map(|text| segments(text)).collect::<Result<Vec<_>, _>>()?;
        let all = split.iter().zip(0_u16..).map(|(segments, number)| (segments.as_slice(), number)).collect();
        let too_many = || PointerError::TooMany { pointer: texts.last().cloned().unwrap_or_default() };
        if texts.len() > MAX_NODES {
            return Err(too_many());
        }
        let mut nodes = Vec::new();
        grow(&mut nodes, all).ok_or_else(too_many)?;
        let longest_name = split.iter().flatten().map(String::len).max().unwrap_or(0);
        Ok(Self(Arc::new(Tree { texts, nodes, longest_name })))
    }

    /// Number of pointers.
    pub fn len(&self) -> usize {
        self.0.texts.len()
    }

    /// Whether there are no pointers.
    pub fn is_empty(&self) -> bool {
        self.0.texts.is_empty()
    }

    /// The pointer at this index of the compiled list.
    pub fn text(&self, place: usize) -> Option<&str> {
        self.0.texts.get(place).map(String::as_str)
    }

    /// The index of this pointer in the compiled list.
    pub fn position(&self, pointer: &str) -> Option<usize> {
        self.0.texts.iter().position(|text| text == pointer)
    }

    #[inline]
    pub(super) fn node(&self, id: NodeId) -> Option<&Node> {
        self.0.nodes.get(usize::from(id))
    }

    /// Length of the longest name that can match, in bytes.
    pub(super) fn longest_name(&self) -> usize {
        self.0.longest_name
    }
}

impl Node {
    #[inline]
    pub(super) fn element(&self, index: u32) -> Option<NodeId> {
        self.elements.iter().find(|(at, _)| *at == index).map(|(_, id)| *id).or(self.every)
    }

    /// The member of this name, with its place among the members. Most names of a body have another length than any
    /// that is wanted.
    #[inline]
    pub(super) fn member(&self, name: &[u8]) -> Option<(usize, NodeId)> {
        if !self.has_length(name.len()) {
            return None;
        }
        // Names of one length mostly differ in their first letters.
        let is_it = |known: &[u8]| known.len() == name.len() && known.first() == name.first() && *known == *name;
        let place = self.members.iter().position(|(known, _)| is_it(known))?;
        self.members.get(place).map(|(_, id)| (place, *id))
    }

    /// Whether some member's name may have this length in bytes.
    #[inline]
    pub(super) fn has_length(&self, length: usize) -> bool {
        self.lengths & length_bit(length) != 0
    }

    pub(super) fn has_elements(&self) -> bool {
        self.every.is_some() || !self.elements.is_empty()
    }
}

/// Collects pointers without duplicates.
#[derive(Debug, Default, Clone)]
pub struct Wanted(Vec<String>);

impl Wanted {
    /// Adds a pointer and returns the index of its hits.
    pub fn add(&mut self, pointer: &str) -> usize {
        if let Some(at) = self.0.iter().position(|known| known == pointer) {
            return at;
        }
        self.0.push(pointer.to_owned());
        self.0.len() - 1
    }

    /// Compiles the collected pointers.
    pub fn compile(&self) -> Result<Pointers, PointerError> {
        Pointers::compile(&self.0)
    }
}

/// The decoded segments of a pointer.
pub(super) fn segments(pointer: &str) -> Result<Vec<String>, PointerError> {
    let invalid = || PointerError::Invalid { pointer: pointer.to_owned() };
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    let parts = pointer.strip_prefix('/').ok_or_else(invalid)?;
    let parts = parts.split('/').map(|part| segment(part).ok_or_else(invalid)).collect::<Result<Vec<_>, _>>()?;
    if parts.len() > MAX_SEGMENTS {
        return Err(PointerError::TooMany { pointer: pointer.to_owned() });
    }
    Ok(parts)
}

fn segment(part: &str) -> Option<String> {
    let mut pieces = part.split('~');
    let mut out = pieces.next()?.to_owned();
    for piece in pieces {
        let rest = piece.strip_prefix('0').map(|rest| ('~', rest)).or(piece.strip_prefix('1').map(|rest| ('/', rest)));
        let (sign, rest) = rest?;
        out.push(sign);
        out.push_str(rest);
    }
    Some(out)
}

/// The remaining segments of some pointers below a node, with the pointers' indices.
type Paths<'a> = Vec<(&'a [String], u16)>;

/// Adds a node for these paths, with all nodes below it; its depth is that of the longest pointer. `None` if there are
/// too many nodes.
fn grow(nodes: &mut Vec<Node>, paths: Paths<'_>) -> Option<NodeId> {
    if nodes.len() >= MAX_NODES {
        return None;
    }
    let id = nodes.len() as NodeId;
    nodes.push(Node::default());
    let mut node = Node { below: paths.iter().map(|(_, number)| *number).collect(), ..Node::default() };
    let mut every = Paths::new();
    let mut members: BTreeMap<&str, Paths<'_>> = BTreeMap::new();
    for (path, number) in paths {
        match path {
            [] => node.ends.push(number),
            [first, rest @ ..] if first == "*" => every.push((rest, number)),
            [first, rest @ ..] => members.entry(first).or_default().push((rest, number)),
        }
    }
    for (name, paths) in members {
        if let Some(index) = index(name) {
            let both = paths.iter().chain(&every).copied().collect();
            node.elements.push((index, grow(nodes, both)?));
        }
        node.lengths |= length_bit(name.len());
        node.members.push((name.as_bytes().into(), grow(nodes, paths)?));
    }
    if !every.is_empty() {
        node.every = Some(grow(nodes, every)?);
    }
    *nodes.get_mut(usize::from(id))? = node;
    Some(id)
}

/// The bit of a name's length.
fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}

/// The array index that a segment denotes; the standard forbids leading zeros.
fn index(segment: &str) -> Option<u32> {
    let number = segment.parse().ok()?;
    (segment == "0" || segment.starts_with(|first: char| matches!(first, '1'..='9'))).then_some(number)
}
