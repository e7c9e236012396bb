//! The little of SQL that both databases share: values, rows and a connection. What is written once for both is written
//! against [`Sql`]; parameters are `$1`, `$2` … and appear in this order.

use std::borrow::Cow;

use crate::error::StoreError;

/// A value of a column: what both databases store alike.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Text(Cow<'a, str>),
    Blob(Cow<'a, [u8]>),
    /// What nothing of this program wrote: bytes that are no text where one should be, or a fraction.
    Damaged(Cow<'a, [u8]>),
}

impl<'a> Value<'a> {
    pub(crate) fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    pub(crate) fn blob(bytes: &'a [u8]) -> Self {
        Self::Blob(Cow::Borrowed(bytes))
    }

    /// A count; one beyond the range of databases is stored as the largest.
    pub(crate) fn count(count: u64) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// The value with a text or bytes of its own.
    pub(crate) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Int(number) => Value::Int(number),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Blob(bytes) => Value::Blob(Cow::Owned(bytes.into_owned())),
            Self::Damaged(bytes) => Value::Damaged(Cow::Owned(bytes.into_owned())),
        }
    }

    /// The text of these bytes, or the bytes as damaged if they are not UTF-8.
    pub(crate) fn text_of(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text.into()),
            Err(error) => Self::Damaged(error.into_bytes().into()),
        }
    }
}

/// One row of an answer, read from its first column to its last.
#[derive(Debug)]
pub(crate) struct Row(std::vec::IntoIter<Value<'static>>);

impl Row {
    pub(crate) fn new(values: Vec<Value<'static>>) -> Self {
        Self(values.into_iter())
    }

    /// The next column, whatever it holds.
    pub(crate) fn value(&mut self) -> Value<'static> {
        self.0.next().unwrap_or(Value::Null)
    }

    pub(crate) fn maybe_int(&mut self) -> Result<Option<i64>, StoreError> {
        match self.0.next() {
            Some(Value::Null) => Ok(None),
            Some(Value::Int(number)) => Ok(Some(number)),
            other => Err(unexpected("a number", other.as_ref())),
        }
    }

    pub(crate) fn int(&mut self) -> Result<i64, StoreError> {
        self.maybe_int()?.ok_or_else(|| unexpected("a number", Some(&Value::Null)))
    }

    pub(crate) fn maybe_count(&mut self) -> Result<Option<u64>, StoreError> {
        Ok(self.maybe_int()?.map(|number| u64::try_from(number).unwrap_or(0)))
    }

    pub(crate) fn count(&mut self) -> Result<u64, StoreError> {
        Ok(u64::try_from(self.int()?).unwrap_or(0))
    }

    /// A text; an empty one for null.
    pub(crate) fn text(&mut self) -> Result<String, StoreError> {
        Ok(self.maybe_text()?.unwrap_or_default())
    }

    pub(crate) fn maybe_text(&mut self) -> Result<Option<String>, StoreError> {
        match self.0.next() {
            Some(Value::Null) => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.into_owned())),
            Some(Value::Damaged(bytes)) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            other => Err(unexpected("a text", other.as_ref())),
        }
    }

    pub(crate) fn blob(&mut self) -> Result<Vec<u8>, StoreError> {
        match self.0.next() {
            Some(Value::Blob(bytes)) => Ok(bytes.into_owned()),
            other => Err(unexpected("bytes", other.as_ref())),
        }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let bytes = self.blob()?;
        <[u8; N]>::try_from(bytes).map_err(|bytes| StoreError::Unreadable(format!("{} bytes for {N}", bytes.len())))
    }
}

fn unexpected(what: &str, found: Option<&Value<'_>>) -> StoreError {
    let found = match found {
        None => "no column",
        Some(Value::Null) => "null",
        Some(Value::Int(_)) => "a number",
        Some(Value::Text(_)) => "a text",
        Some(Value::Blob(_)) => "bytes",
        Some(Value::Damaged(_)) => "something that is not written there",
    };
    StoreError::Unreadable(format!("{found} where {what} should be"))
}

/// A connection within a transaction, of either database.
pub(crate) trait Sql {
    /// Runs a statement and returns the number of rows that it changed.
    fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError>;

    /// Runs a query and returns all of its rows.
    fn query(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError>;
}

/// Inserts many rows in few statements: `insert` up to the word before `values`, `tail` for what follows it. Rows are
/// grouped by powers of two, so that only few statements have to be prepared.
pub(crate) fn insert_many(
    sql: &mut dyn Sql,
    insert: &str,
    columns: usize,
    values: &[Value<'_>],
    tail: &str,
) -> Result<(), StoreError> {
    let mut rest = values;
    while !rest.is_empty() && columns > 0 {
        let rows = (rest.len() / columns).clamp(1, 64);
        let rows = 1 << rows.ilog2();
        let (now, later) = rest.split_at((rows * columns).min(rest.len()));
        let mut text = format!("{insert} values ");
        for row in 0..rows {
            text.push_str(if row == 0 { "(" } else { ",(" });
            text.push_str(&placeholders(row * columns + 1, columns));
            text.push(')');
        }
        text.push_str(tail);
        sql.execute(&text, now)?;
        rest = later;
    }
    Ok(())
}

/// The items of a list, the last one again and again up to a power of two: so few statements have to be prepared.
pub(crate) fn padded<T>(items: &[T]) -> impl Iterator<Item = &T> {
    let more = items.len().next_power_of_two() - items.len();
    items.iter().chain(items.last().into_iter().flat_map(move |last| std::iter::repeat_n(last, more)))
}

/// `$3,$4,$5`: so many parameters from a number on.
pub(crate) fn placeholders(from: usize, count: usize) -> String {
    let texts: Vec<String> = (from..from + count).map(|number| format!("${number}")).collect();
    texts.join(",")
}
