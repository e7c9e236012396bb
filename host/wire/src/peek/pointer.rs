//! JSON pointers (RFC 6901), compiled into one tree, so that a scan goes down once for all of them.
//!
//! A segment `*` stands for every element of an array, and for nothing in an object. A segment that is a number is an
//! array's index as well as an object's member.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Pointers come from manifests, so their tree is bounded: `*` beside indices can make it grow fast.
const MAX_NODES: usize = 4096;
const MAX_SEGMENTS: usize = 32;

/// Why pointers cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// Not a JSON pointer.
    #[error("{pointer:?} is not a JSON pointer")]
    Invalid {
        /// The text.
        pointer: String,
    },
    /// Too long, or too many together.
    #[error("the pointers, with {pointer:?} among them, are too many or too long")]
    TooMany {
        /// The pointer at which it became too much.
        pointer: String,
    },
}

/// Pointers to look for. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pointers(Arc<Tree>);

#[derive(Debug)]
struct Tree {
    texts: Vec<String>,
    nodes: Vec<Node>,
    longest_name: usize,
}

/// A place in documents that some pointer goes through or ends at.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Pointers that end here.
    pub(super) ends: Vec<u16>,
    /// Pointers that end here or below.
    pub(super) below: Vec<u16>,
    /// Where to go on in an object.
    pub(super) members: Vec<(Box<[u8]>, NodeId)>,
    /// Where to go on in an array, for single elements; what holds for every element is included.
    elements: Vec<(u32, NodeId)>,
    /// Where to go on for every other element.
    every: Option<NodeId>,
}

/// Number of a node.
pub(super) type NodeId = u16;

/// The body itself.
pub(super) const ROOT: NodeId = 0;

impl Pointers {
    /// Compiles pointers; from then on each is known by its place in this list. The same one may occur repeatedly.
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

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.texts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.texts.is_empty()
    }

    /// The pointer at this place in the list that was compiled.
    pub fn text(&self, place: usize) -> Option<&str> {
        self.0.texts.get(place).map(String::as_str)
    }

    /// The place of this pointer in the list that was compiled.
    pub fn position(&self, pointer: &str) -> Option<usize> {
        self.0.texts.iter().position(|text| text == pointer)
    }

    #[inline]
    pub(super) fn node(&self, id: NodeId) -> Option<&Node> {
        self.0.nodes.get(usize::from(id))
    }

    /// Bytes of the longest name that can match.
    pub(super) fn longest_name(&self) -> usize {
        self.0.longest_name
    }
}

impl Node {
    #[inline]
    pub(super) fn element(&self, index: u32) -> Option<NodeId> {
        self.elements.iter().find(|(at, _)| *at == index).map(|(_, id)| *id).or(self.every)
    }

    pub(super) fn has_elements(&self) -> bool {
        self.every.is_some() || !self.elements.is_empty()
    }
}

/// Collects pointers, each once.
#[derive(Debug, Default, Clone)]
pub struct Wanted(Vec<String>);

impl Wanted {
    /// The number under which this pointer's hits will be found.
    pub fn add(&mut self, pointer: &str) -> usize {
        if let Some(at) = self.0.iter().position(|known| known == pointer) {
            return at;
        }
        self.0.push(pointer.to_owned());
        self.0.len() - 1
    }

    /// Compiles what was collected.
    pub fn compile(&self) -> Result<Pointers, PointerError> {
        Pointers::compile(&self.0)
    }
}

/// The segments of a pointer, decoded.
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

/// What is left of some pointers below a node, and their numbers.
type Paths<'a> = Vec<(&'a [String], u16)>;

/// Adds the node for these paths and all below it. No deeper than the longest pointer. None if there are too many.
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
        node.members.push((name.as_bytes().into(), grow(nodes, paths)?));
    }
    if !every.is_empty() {
        node.every = Some(grow(nodes, every)?);
    }
    *nodes.get_mut(usize::from(id))? = node;
    Some(id)
}

/// The array index that a segment spells, without leading zeros as the standard demands.
fn index(segment: &str) -> Option<u32> {
    let number = segment.parse().ok()?;
    (segment == "0" || segment.starts_with(|first: char| matches!(first, '1'..='9'))).then_some(number)
}
