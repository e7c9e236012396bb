//! Counts the values of a message before it is decoded. A value that takes a byte or two on the wire takes forty in
//! memory, so the bytes of a message do not bound what it becomes.

use prost_reflect::{Cardinality, FieldDescriptor, Kind, MessageDescriptor};

/// The most values within a message, each item of a list by itself.
pub(crate) const MAX_VALUES: usize = 512 << 10;
/// How deep messages are looked into. The decoder refuses deeper ones.
const DEPTH: u8 = 100;

/// A message has more values than are decoded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

/// Checks the number of values in a message of this kind.
pub(crate) fn check(kind: &MessageDescriptor, message: &[u8]) -> Result<(), TooMany> {
    walk(kind, message, DEPTH, &mut { MAX_VALUES })
}

/// Counts up to the end, or to what the decoder will refuse. Fields that the kind does not have count too: they are
/// kept.
fn walk(kind: &MessageDescriptor, mut bytes: &[u8], depth: u8, left: &mut usize) -> Result<(), TooMany> {
    while let Some(Field { number, value, rest }) = next(bytes) {
        bytes = rest;
        let known = kind.get_field(number);
        let items = match (&known, value) {
            (Some(field), Some(value)) if field.cardinality() == Cardinality::Repeated => items(field, value),
            _ => 1,
        };
        *left = left.checked_sub(items).ok_or(TooMany)?;
        if depth > 0
            && let (Some(field), Some(value)) = (&known, value)
            && let Kind::Message(inner) = field.kind()
        {
            walk(&inner, value, depth - 1, left)?;
        }
    }
    Ok(())
}

/// How many items a field of a list adds: numbers may be packed.
fn items(field: &FieldDescriptor, value: &[u8]) -> usize {
    match field.kind() {
        Kind::Message(_) | Kind::String | Kind::Bytes => 1,
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => value.len() / 8,
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => value.len() / 4,
        _ => value.iter().filter(|byte| **byte < 0x80).count(),
    }
}

/// A field as it stands in a message.
struct Field<'a> {
    number: u32,
    /// Its bytes, if it has a length of its own.
    value: Option<&'a [u8]>,
    /// What follows it.
    rest: &'a [u8],
}

/// The first field. Source: <https://protobuf.dev/programming-guides/encoding/>.
fn next(bytes: &[u8]) -> Option<Field<'_>> {
    let (tag, rest) = varint(bytes)?;
    let number = u32::try_from(tag >> 3).ok()?;
    let (value, rest) = match tag & 7 {
        0 => (None, varint(rest)?.1),
        1 => (None, rest.get(8..)?),
        2 => {
            let (length, rest) = varint(rest)?;
            let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            (Some(value), rest)
        }
        // Of a group, the fields are counted as if they stood beside it.
        3 | 4 => (None, rest),
        5 => (None, rest.get(4..)?),
        _ => return None,
    };
    Some(Field { number, value, rest })
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().take(10).position(|byte| *byte < 0x80)?;
    let (number, rest) = bytes.split_at_checked(end + 1)?;
    let sum = number.iter().rev().fold(0_u64, |sum, byte| sum << 7 | u64::from(*byte & 0x7f));
    Some((sum, rest))
}
