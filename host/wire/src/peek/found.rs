//! The results of a scan.

use super::pointer::Pointers;
use std::ops::Range;

/// A value that one of the pointers selects.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Index of the pointer in the list that was compiled.
    pub pointer: usize,
    /// Range of the value in the body, in bytes; a string includes its quotes.
    pub range: Range<usize>,
    /// The value, if it is small.
    pub value: Scalar,
    /// Whether a later member of the same name, here or further up, replaces it.
    pub superseded: bool,
    /// The previous hit of the same pointer that is not superseded, as its index plus 1; 0 if there is none.
    pub(super) previous: u32,
}

/// A value, or only its kind if it is large.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// The literal `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it is written.
    Number(String),
    /// A string, decoded.
    Text(String),
    /// A string or number that exceeds the limit.
    Long,
    /// A JSON object, without its members.
    Object {
        /// Whether it has no members.
        empty: bool,
    },
    /// A JSON array, without its elements.
    Array {
        /// Whether it has no elements.
        empty: bool,
    },
}

impl Scalar {
    /// Whether the value is something: not null, an empty string, an empty array or an empty object.
    pub(crate) fn is_present(&self) -> bool {
        match self {
            Self::Null | Self::Object { empty: true } | Self::Array { empty: true } => false,
            Self::Text(text) => !text.is_empty(),
            _ => true,
        }
    }

    /// Whether both are the same value; containers compare equal only if both are empty. `1.0` equals `1`.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Object { empty }, Self::Object { empty: other })
            | (Self::Array { empty }, Self::Array { empty: other }) => *empty && *other,
            (Self::Number(one), Self::Number(other)) => one == other || same_number(one, other),
            (Self::Long, Self::Long) => false,
            _ => self == other,
        }
    }

    /// The text, if this is a string.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value, if this is a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, if this is one or a text that spells one.
    pub(crate) fn as_number(&self) -> Option<f64> {
        let (Self::Number(text) | Self::Text(text)) = self else { return None };
        text.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// A count: the number if it is not negative, rounded, at most `u32::MAX`.
    pub fn as_count(&self) -> Option<u32> {
        let Self::Number(text) = self else { return None };
        if let Ok(count) = text.parse::<u64>() {
            return Some(count.try_into().unwrap_or(u32::MAX));
        }
        // The cast saturates.
        text.parse::<f64>().ok().filter(|number| *number >= 0.0).map(|number| number.round() as u32)
    }
}

fn same_number(one: &str, other: &str) -> bool {
    let (one, other) = (one.parse::<f64>().ok(), other.parse::<f64>().ok());
    one.zip(other).and_then(|(one, other)| one.partial_cmp(&other)).is_some_and(std::cmp::Ordering::is_eq)
}

/// The top-level object of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object {
    /// Offset after its opening brace.
    pub inside: usize,
    /// Whether it has no members.
    pub empty: bool,
}

/// The values found, ordered by their start.
#[derive(Debug, Clone)]
pub struct Found {
    pub(super) pointers: Pointers,
    pub(super) hits: Vec<Hit>,
    /// For each pointer, the index of its last hit plus 1 (or 0), and its number of hits.
    last: Vec<(u32, u32)>,
    pub(super) object: Option<Object>,
    variants: Vec<(String, String)>,
}

/// How many values a body usually has, for the initial allocation.
const USUAL_HITS: usize = 12;
/// Maximum number of reported members whose names differ from wanted ones only in case.
const MAX_VARIANTS: usize = 16;

impl Found {
    pub(super) fn new(pointers: Pointers) -> Self {
        let last = vec![(0, 0); pointers.len()];
        Self { pointers, hits: Vec::with_capacity(USUAL_HITS), last, object: None, variants: Vec::new() }
    }

    pub(super) fn clear(&mut self) {
        self.hits.clear();
        self.last.fill((0, 0));
        self.object = None;
        self.variants.clear();
    }

    pub(super) fn add(&mut self, pointer: u16, range: Range<usize>, value: Scalar) {
        let number = self.hits.len() as u32 + 1;
        let Some((last, count)) = self.last.get_mut(usize::from(pointer)) else { return };
        let previous = std::mem::replace(last, number);
        *count += 1;
        self.hits.push(Hit { pointer: usize::from(pointer), range, value, superseded: false, previous });
    }

    pub(super) fn count(&self, pointer: u16) -> usize {
        self.last.get(usize::from(pointer)).map_or(0, |(_, count)| *count as usize)
    }

    /// Marks the hits of a pointer from this one on as superseded. Each is unlinked, so that none is visited twice.
    pub(super) fn supersede(&mut self, pointer: u16, first: usize) {
        let Some((last, _)) = self.last.get_mut(usize::from(pointer)) else { return };
        while *last as usize > first
            && let Some(hit) = self.hits.get_mut(*last as usize - 1)
        {
            hit.superseded = true;
            *last = hit.previous;
        }
    }

    /// All hits, including superseded ones.
    pub fn hits(&self) -> &[Hit] {
        &self.hits
    }

    /// All hits of one pointer, including superseded ones.
    pub fn all(&self, pointer: usize) -> impl Iterator<Item = &Hit> {
        self.hits.iter().filter(move |hit| hit.pointer == pointer)
    }

    /// The last value of one pointer that a full parser would see.
    pub fn last(&self, pointer: usize) -> Option<&Hit> {
        let number = self.last.get(pointer)?.0 as usize;
        self.hits.get(number.checked_sub(1)?)
    }

    /// The values of one pointer that a full parser would see, the last one first.
    pub fn live(&self, pointer: usize) -> impl Iterator<Item = &Hit> {
        let at = |number: u32| self.hits.get((number as usize).checked_sub(1)?);
        std::iter::successors(self.last(pointer), move |hit| at(hit.previous))
    }

    /// The position of the body's members, if it is an object.
    pub fn object(&self) -> Option<Object> {
        self.object
    }

    pub(super) fn add_variant(&mut self, name: String, of: String) {
        if self.variants.len() < MAX_VARIANTS {
            self.variants.push((name, of));
        }
    }

    /// Members of the body whose names differ from wanted ones only in case, each with the wanted name.
    pub fn variants(&self) -> &[(String, String)] {
        &self.variants
    }

    /// The pointers of the scan.
    pub fn pointers(&self) -> &Pointers {
        &self.pointers
    }
}
