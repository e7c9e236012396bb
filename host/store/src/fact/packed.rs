//! Facts on their way to the store, each as its row in one piece of memory: a record with texts of its own takes five times as
//! much, in twenty pieces that another thread frees.
//!
//! The form is that of a row of PostgreSQL's `COPY` (binary): the number of columns, and for each its length and its bytes.

use bytes::BufMut;

use super::Fact;
use super::columns::{self, COLUMNS, COUNT, Values};
use crate::error::StoreError;
use crate::id::RequestId;
use crate::sql::{Row, Value};

/// Where the id is: after the number of columns and its own length.
const ID: std::ops::Range<usize> = 6..22;
const PROCESS: usize = columns::place("process");
const SEQUENCE: usize = columns::place("sequence");

/// What a column holds.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Int,
    Text,
    Blob,
}

const KINDS: [Kind; COUNT] = kinds();

const fn kinds() -> [Kind; COUNT] {
    let (mut at, mut kinds) = (0, [Kind::Blob; COUNT]);
    while at < COUNT {
        match COLUMNS[at].1.as_bytes() {
            b"bigint" => kinds[at] = Kind::Int,
            b"text" => kinds[at] = Kind::Text,
            _ => {}
        }
        at += 1;
    }
    kinds
}

/// A fact as its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedFact(Box<[u8]>);

impl<T: AsRef<str>> From<&Fact<T>> for PackedFact {
    fn from(fact: &Fact<T>) -> Self {
        Self::of(&columns::values(fact))
    }
}

impl PackedFact {
    /// The fact as one of a process, with its number there.
    pub(crate) fn numbered<T: AsRef<str>>(fact: &Fact<T>, process: i64, sequence: u64) -> Self {
        let mut values = columns::values(fact);
        values[PROCESS] = Value::Int(process);
        values[SEQUENCE] = Value::count(sequence);
        Self::of(&values)
    }

    fn of(values: &Values<'_>) -> Self {
        let length: usize = values.iter().map(|value| 4 + length_of(value)).sum();
        let mut row = Vec::with_capacity(2 + length);
        row.put_i16(COUNT as i16);
        for value in values {
            match value {
                Value::Null => row.put_i32(-1),
                Value::Int(number) => {
                    row.put_i32(8);
                    row.put_i64(*number);
                }
                Value::Text(text) => put_bytes(&mut row, text.as_bytes()),
                Value::Blob(bytes) => put_bytes(&mut row, bytes),
            }
        }
        Self(row.into_boxed_slice())
    }

    /// The request's id.
    pub fn id(&self) -> RequestId {
        let id = self.0.get(ID).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
        RequestId::from_bytes(id.unwrap_or_default())
    }

    /// The fact itself.
    pub fn unpack(&self) -> Result<Fact, StoreError> {
        columns::read(&mut Row::new(self.values().map(Value::into_owned).into()))
    }

    /// Bytes that it takes in memory, about.
    pub fn weight(&self) -> usize {
        size_of::<Self>() + self.0.len()
    }

    /// The row in the form of `COPY`.
    pub(crate) fn row(&self) -> &[u8] {
        &self.0
    }

    /// The values of the columns.
    pub(crate) fn values(&self) -> Values<'_> {
        let mut rest = self.0.get(2..).unwrap_or_default();
        KINDS.map(|kind| read(&mut rest, kind).unwrap_or(Value::Null))
    }
}

fn length_of(value: &Value<'_>) -> usize {
    match value {
        Value::Null => 0,
        Value::Int(_) => 8,
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    // Texts of facts are bounded, far below this.
    out.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
    out.put_slice(bytes);
}

/// Reads the next column; none for null.
fn read<'a>(rest: &mut &'a [u8], kind: Kind) -> Option<Value<'a>> {
    let length = i32::from_be_bytes(*rest.split_off(..4)?.first_chunk()?);
    let bytes = rest.split_off(..usize::try_from(length).ok()?)?;
    match kind {
        Kind::Int => Some(Value::Int(i64::from_be_bytes(*bytes.first_chunk()?))),
        Kind::Text => std::str::from_utf8(bytes).ok().map(Value::text),
        Kind::Blob => Some(Value::blob(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{MOST_ERROR_TEXT, MOST_JSON, MOST_NAME, MOST_TAGS};

    #[test]
    fn a_fact_is_unpacked_as_it_was() {
        let mut fact = Fact::of(RequestId::new(1_795_219_200_000, [7; 10]));
        let packed = PackedFact::from(&fact);
        assert_eq!((packed.id(), packed.unpack().unwrap()), (fact.id, fact.clone()));
        (fact.key, fact.error_text, fact.status) = ("kéy".to_owned(), "no\n".repeat(500), 503);
        (fact.sequence, fact.cost_nano, fact.similarity_millionths) = (u64::MAX >> 1, Some(-3), Some(i64::MAX));
        (fact.tokens.output, fact.batch, fact.estimated) = (Some(0), true, true);
        fact.tags.insert("project".to_owned(), "a".to_owned());
        let packed = PackedFact::from(&fact);
        assert_eq!((packed.id(), packed.unpack().unwrap()), (fact.id, fact.clone()));
        assert_eq!(packed.values(), columns::values(&fact));
        assert_eq!(PackedFact::numbered(&fact, 9, 4).unpack().unwrap(), Fact { process: 9, sequence: 4, ..fact });
    }

    #[test]
    fn texts_of_any_length_are_cut_at_a_character() {
        let mut fact = Fact { error_text: "ä".repeat(MOST_ERROR_TEXT), key: "k\0ey".to_owned(), ..Fact::default() };
        fact.model_asked = format!("x{}", "ß".repeat(MOST_NAME));
        fact.attempts = "[".repeat(MOST_JSON + 1);
        fact.tags = (0..100).map(|number| (format!("{number:03}"), "v\0".repeat(MOST_NAME))).collect();
        let stored = PackedFact::from(&fact).unpack().unwrap();
        assert_eq!(stored.error_text.len(), MOST_ERROR_TEXT);
        assert_eq!((stored.key.as_str(), stored.model_asked.len()), ("key", MOST_NAME - 1));
        assert_eq!(stored.attempts, "\"too long\"");
        assert_eq!((stored.tags.len(), stored.tags["031"].len()), (MOST_TAGS, MOST_NAME));
        assert_eq!(PackedFact::from(&stored).unpack().unwrap(), stored);
    }
}
