//! Facts on their way to the store, each as its row in one piece of memory: a record with texts of its own takes more
//! than twice as much, in twenty pieces that another thread frees.
//!
//! The form is that of a row of PostgreSQL's `COPY` (binary): the number of columns, and for each its length and its
//! bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use bytes::BufMut;

use super::columns::{self, COLUMNS, COUNT, DependsOn, Values};
use super::{Fact, MAX_JSON, MAX_NAME, MAX_TAGS, fitting};
use crate::error::StoreError;
use crate::id::RequestId;
use crate::sql::{Row, Value};

/// Bytes of the number of columns.
const HEAD: usize = 2;
/// Where the id is: after the number of columns and its own length.
const ID: Range<usize> = 6..22;
/// Bytes of a fact of the usual length.
const USUAL: usize = 768;

/// A fact as its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedFact(Box<[u8]>);

/// A fact's row by what its columns depend on.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    /// The values of the request's own columns.
    pub(crate) request: [Value<'a>; columns::count(DependsOn::Request)],
    /// The caller's columns as they stand in the row.
    pub(crate) caller: &'a [u8],
    /// The columns of the route in the same form.
    pub(crate) route: &'a [u8],
}

impl<T: AsRef<str>> From<&Fact<T>> for PackedFact {
    fn from(fact: &Fact<T>) -> Self {
        Self::new(fact, fact.process, fact.sequence)
    }
}

impl PackedFact {
    /// The fact as one of a process, with its number there.
    pub(crate) fn new<T: AsRef<str>>(fact: &Fact<T>, process: i64, sequence: u64) -> Self {
        let mut row = RowWriter(Vec::with_capacity(USUAL));
        row.0.put_i16(i16::try_from(COUNT).unwrap_or(i16::MAX));
        columns::write(fact, process, sequence, &mut row);
        Self(row.0.into())
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

    /// The values of all columns.
    pub(crate) fn values(&self) -> Values<'_> {
        columns_of(&mut self.columns(), 0)
    }

    /// The values of the request's own columns, and the rest as it stands.
    pub(crate) fn parts(&self) -> Parts<'_> {
        let mut rest = self.columns();
        let request = columns_of(&mut rest, 0);
        Parts { request, caller: skip(&mut rest, columns::count(DependsOn::Caller)), route: rest }
    }

    fn columns(&self) -> &[u8] {
        self.0.get(HEAD..).unwrap_or_default()
    }
}

/// The values of so many columns from one on, as they stand in a row.
pub(crate) fn columns_of<'a, const N: usize>(rest: &mut &'a [u8], first: usize) -> [Value<'a>; N] {
    std::array::from_fn(|at| {
        let kind = KINDS.get(first + at).copied().unwrap_or(Kind::Blob);
        read(rest, kind).unwrap_or(Value::Null)
    })
}

/// Takes so many columns off a row, and returns their bytes.
fn skip<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let all = *rest;
    for _ in 0..count {
        read(rest, Kind::Blob);
    }
    all.get(..all.len() - rest.len()).unwrap_or_default()
}

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

/// Writes the columns of a row, one after the other.
#[derive(Debug)]
pub(crate) struct RowWriter(Vec<u8>);

impl RowWriter {
    fn null(&mut self) {
        self.0.put_i32(-1);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        // Texts of facts are bounded, far below this.
        self.0.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        self.0.put_slice(bytes);
    }

    /// A text, cut to so many bytes, without what no database takes; null where it is empty.
    pub(crate) fn text(&mut self, text: &str, most: usize) {
        if text.is_empty() {
            self.null();
        } else {
            self.bytes(fitting(text, most).as_bytes());
        }
    }

    /// A text of JSON, which is not cut.
    pub(crate) fn json(&mut self, json: &str) {
        self.text(if json.len() > MAX_JSON { "\"too long\"" } else { json }, MAX_JSON);
    }

    pub(crate) fn tags(&mut self, tags: &BTreeMap<String, String>) {
        if tags.is_empty() {
            return self.null();
        }
        let tag = |text| -> Cow<'_, str> { fitting(text, MAX_NAME) };
        let tags: BTreeMap<_, _> = tags.iter().take(MAX_TAGS).map(|(name, value)| (tag(name), tag(value))).collect();
        // A map of texts always has a JSON form.
        self.bytes(serde_json::to_string(&tags).unwrap_or_default().as_bytes());
    }

    pub(crate) fn int(&mut self, number: i64) {
        self.0.put_i32(8);
        self.0.put_i64(number);
    }

    /// A count; one beyond the range of databases is stored as the largest.
    pub(crate) fn count(&mut self, count: u64) {
        self.int(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(crate) fn maybe_int(&mut self, number: Option<i64>) {
        match number {
            Some(number) => self.int(number),
            None => self.null(),
        }
    }

    pub(crate) fn maybe(&mut self, count: Option<u64>) {
        match count {
            Some(count) => self.count(count),
            None => self.null(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{MAX_ERROR_TEXT, MAX_NAME};

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
        assert_eq!(PackedFact::new(&fact, 9, 4).unpack().unwrap(), Fact { process: 9, sequence: 4, ..fact });
    }

    #[test]
    fn texts_of_any_length_are_cut_at_a_character() {
        let mut fact = Fact { error_text: "ä".repeat(MAX_ERROR_TEXT), key: "k\0ey".to_owned(), ..Fact::default() };
        fact.model_asked = format!("x{}", "ß".repeat(MAX_NAME));
        fact.attempts = "[".repeat(MAX_JSON + 1);
        fact.tags = (0..100).map(|number| (format!("{number:03}"), "v\0".repeat(MAX_NAME))).collect();
        let stored = PackedFact::from(&fact).unpack().unwrap();
        assert_eq!(stored.error_text.len(), MAX_ERROR_TEXT);
        assert_eq!(
            (stored.key.as_str(), stored.model_asked.len()),
            (&*super::super::owner_name("k\0ey"), MAX_NAME - 1)
        );
        assert_eq!(stored.attempts, "\"too long\"");
        assert_eq!((stored.tags.len(), stored.tags["031"].len()), (MAX_TAGS, MAX_NAME));
        assert_eq!(PackedFact::from(&stored).unpack().unwrap(), stored);
    }
}
