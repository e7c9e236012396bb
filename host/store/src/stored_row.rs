//! Rows of documents as they stand in their table. A kind or an id that is damaged names no document, so that nothing
//! else finds such a row.

use sha2::{Digest, Sha256};

use crate::audit::AuditEvent;
use crate::documents::{self, Change, Document};
use crate::error::StoreError;
use crate::hex;
use crate::sql::{Row, Sql, Value};

/// Rows that PostgreSQL hands over at a time.
pub(crate) const PART: usize = 1_000;

/// A row of documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow {
    /// What can be read of it: see [`Document::body`].
    pub document: Document,
    /// The text of its body, whatever its kind and its id are.
    pub text: Option<String>,
    kind: Cell,
    id: Cell,
}

/// What stands in a column: its type, and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cell {
    kind: String,
    bytes: Option<Vec<u8>>,
}

/// How a database gives and finds what stands in the columns of a name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowWords {
    /// Everything that is read of a row, the revision twice.
    pub(crate) columns: &'static str,
    remove: &'static str,
}

pub(crate) const SQLITE: RowWords = RowWords {
    columns: "kind,id,revision,body,typeof(kind),cast(kind as blob),typeof(id),cast(id as blob),revision",
    remove: "delete from documents where typeof(kind) = $1 and cast(kind as blob) is $2 and typeof(id) = $3 \
             and cast(id as blob) is $4",
};
pub(crate) const POSTGRES: RowWords = RowWords {
    columns: "kind,id,revision,body,'text'::text,textsend(kind),'text'::text,textsend(id),revision",
    remove: "delete from documents where $1 = 'text' and textsend(kind) = $2 and $3 = 'text' and textsend(id) = $4",
};

impl StoredRow {
    /// Whether its kind and its id are texts.
    pub fn is_named(&self) -> bool {
        [&self.kind, &self.id].into_iter().all(Cell::is_text)
    }

    /// A short text that names this row, whatever its kind and its id are.
    pub fn mark(&self) -> String {
        let mut hash = Sha256::new();
        for Cell { kind, bytes } in [&self.kind, &self.id] {
            let bytes = bytes.as_deref().unwrap_or_default();
            hash.update(kind.as_bytes());
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        }
        hex::encode(hash.finalize().first_chunk::<8>().map_or(&[][..], |start| &start[..]))
    }
}

impl Cell {
    fn read(row: &mut Row) -> Result<Self, StoreError> {
        let kind = row.text()?;
        let bytes = match row.value() {
            Value::Blob(bytes) => Some(bytes.into_owned()),
            _ => None,
        };
        Ok(Self { kind, bytes })
    }

    fn is_text(&self) -> bool {
        self.kind == "text" && self.bytes.as_deref().is_some_and(|bytes| std::str::from_utf8(bytes).is_ok())
    }

    fn value(&self) -> Value<'_> {
        self.bytes.as_deref().map_or(Value::Null, Value::blob)
    }
}

/// A row of its columns, with its revision.
pub(crate) fn read(row: &mut Row) -> Result<(StoredRow, Option<i64>), StoreError> {
    let (document, text) = documents::read_with_text(row);
    let (kind, id) = (Cell::read(row)?, Cell::read(row)?);
    let revision = if let Value::Int(number) = row.value() { Some(number) } else { None };
    Ok((StoredRow { document, text, kind, id }, revision))
}

/// The rows after a revision, by their revisions, with the last of these.
pub(crate) fn part(
    sql: &mut dyn Sql,
    after: i64,
    words: RowWords,
) -> Result<Vec<(StoredRow, Option<i64>)>, StoreError> {
    let text = format!("select {} from documents where revision > $1 order by revision limit {PART}", words.columns);
    sql.query(&text, &[Value::Int(after)])?.iter_mut().map(read).collect()
}

/// Removes a row as it stands, makes those of the changes that are possible, and records the event. Returns whether the
/// row was there.
pub(crate) fn remove(
    sql: &mut dyn Sql,
    row: &StoredRow,
    changes: &[Change],
    event: &AuditEvent,
    words: RowWords,
) -> Result<bool, StoreError> {
    let StoredRow { kind, id, .. } = row;
    let name = [Value::text(&kind.kind), kind.value(), Value::text(&id.kind), id.value()];
    let is_removed = sql.execute(words.remove, &name)? > 0;
    if is_removed {
        let possible = documents::possible(sql, changes)?;
        documents::change(sql, &possible, Some(event))?;
    }
    Ok(is_removed)
}
