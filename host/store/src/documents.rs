//! Documents: keys, teams, budgets and whatever else is changed while Weir runs, as JSON by kind and id.
//!
//! Every change takes the next number of one log. That number is the document's revision (its `ETag`), and a node that
//! knows the log up to a number gets everything it lacks by asking for what came after.

use serde::{Deserialize, Serialize};

use crate::audit::{self, AuditEvent};
use crate::error::StoreError;
use crate::sql::{Row, Sql, Value};

/// Most documents of a page.
pub const MAX_DOCUMENTS: usize = 10_000;

/// The counter of changes.
const COUNTER: &str = "documents";
/// Most bytes of a document's id.
const MAX_ID: usize = 1_024;

/// The columns of a document that are read.
pub(crate) const COLUMNS: usize = 4;
/// The kind of a document whose own cannot be read: that of those which open something.
const DAMAGED_KIND: &str = "key";

/// A document as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// What it is: `key`, `team`.
    pub kind: String,
    /// Its id within its kind.
    pub id: String,
    /// The version of the log that changed it last.
    pub revision: u64,
    /// Its JSON; none if it was deleted. Of a document that is damaged, it is a text that is no JSON.
    pub body: Option<String>,
}

/// What a document has to be for a change to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Anything, or absent.
    Any,
    /// Absent or deleted (`If-None-Match: *`).
    Absent,
    /// At this revision (`If-Match`).
    Revision(u64),
}

/// A change of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The document's kind.
    pub kind: String,
    /// The document's id within its kind.
    pub id: String,
    /// What it has to be before.
    pub expect: Expect,
    /// Its new JSON; none deletes it.
    pub body: Option<String>,
}

/// A part of the version log, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The documents that changed, each once, as they are now. Deleted ones are among them.
    pub documents: Vec<Document>,
    /// The version that these changes lead to.
    pub version: u64,
    /// Whether there are more.
    pub more: bool,
}

/// Makes all of these changes or none. Returns the documents as they are now.
pub(crate) fn change(
    sql: &mut dyn Sql,
    changes: &[Change],
    event: Option<&AuditEvent>,
) -> Result<Vec<Document>, StoreError> {
    let mut documents = Vec::with_capacity(changes.len());
    // The counter first: its row is locked, and what is read after it is the newest. A counter that were raised for
    // each change would leave as many dead rows behind.
    let count = changes.len() as u64;
    let last = if count == 0 { 0 } else { audit::advance(sql, COUNTER, count)? };
    for (revision, change) in ((last + 1).saturating_sub(count)..).zip(changes) {
        check_texts(change)?;
        expect(sql, change)?;
        sql.execute(
            "insert into documents (kind,id,revision,body) values ($1,$2,$3,$4) on conflict (kind,id) \
             do update set revision = excluded.revision, body = excluded.body",
            &[
                Value::text(&change.kind),
                Value::text(&change.id),
                Value::count(revision),
                change.body.as_deref().map_or(Value::Null, Value::text),
            ],
        )?;
        let (kind, id, body) = (change.kind.clone(), change.id.clone(), change.body.clone());
        documents.push(Document { kind, id, revision, body });
    }
    if let Some(event) = event {
        audit::append(sql, event)?;
    }
    Ok(documents)
}

/// Those of some changes that can be made now. No other change is made until the transaction ends.
pub(crate) fn possible(sql: &mut dyn Sql, changes: &[Change]) -> Result<Vec<Change>, StoreError> {
    audit::advance(sql, COUNTER, 0)?;
    let mut possible = Vec::with_capacity(changes.len());
    for change in changes {
        match check_texts(change).and_then(|()| expect(sql, change)) {
            Ok(()) => possible.push(change.clone()),
            Err(StoreError::Conflict { .. } | StoreError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(possible)
}

/// Refuses what PostgreSQL cannot store, on both databases: what one takes, the other takes too.
fn check_texts(change: &Change) -> Result<(), StoreError> {
    let texts = [&change.kind, &change.id].into_iter().chain(&change.body);
    if change.id.len() > MAX_ID || texts.into_iter().any(|text| text.contains('\0')) {
        return Err(StoreError::Refused(format!("the {} has an id or a text that cannot be stored", change.kind)));
    }
    Ok(())
}

fn expect(sql: &mut dyn Sql, change: &Change) -> Result<(), StoreError> {
    if change.expect == Expect::Any {
        return Ok(());
    }
    let found = get(sql, &change.kind, &change.id)?.filter(|document| document.body.is_some());
    let found = found.map(|document| document.revision);
    let is_met = match change.expect {
        Expect::Any => true,
        Expect::Absent => found.is_none(),
        Expect::Revision(revision) => found == Some(revision),
    };
    if is_met {
        return Ok(());
    }
    Err(StoreError::Conflict { kind: change.kind.clone(), id: change.id.clone(), found })
}

/// A document, also if it was deleted.
pub(crate) fn get(sql: &mut dyn Sql, kind: &str, id: &str) -> Result<Option<Document>, StoreError> {
    let rows = sql.query(
        "select kind,id,revision,body from documents where kind = $1 and id = $2",
        &[Value::text(kind), Value::text(id)],
    )?;
    Ok(rows.into_iter().next().map(|mut row| read(&mut row)))
}

/// Documents of a kind by id, after one, without deleted ones.
pub(crate) fn page(sql: &mut dyn Sql, kind: &str, after: &str, most: usize) -> Result<Vec<Document>, StoreError> {
    let most = most.min(MAX_DOCUMENTS);
    let text = format!(
        "select kind,id,revision,body from documents where kind = $1 and id > $2 and body is not null \
         order by id limit {most}"
    );
    Ok(sql.query(&text, &[Value::text(kind), Value::text(after)])?.iter_mut().map(read).collect())
}

/// What changed after a version.
pub(crate) fn changes_after(sql: &mut dyn Sql, version: u64, most: usize) -> Result<Changes, StoreError> {
    let most = most.clamp(1, MAX_DOCUMENTS);
    // A first reading has all of them, also those whose revision is damaged.
    let after = if version == 0 { Value::Int(i64::MIN) } else { Value::count(version) };
    let text =
        format!("select kind,id,revision,body from documents where revision > $1 order by revision limit {}", most + 1);
    let mut documents: Vec<Document> = sql.query(&text, &[after])?.iter_mut().map(read).collect();
    let is_cut = documents.len() > most;
    documents.truncate(most);
    let reached = documents.iter().map(|document| document.revision).max().unwrap_or_default();
    // Those whose revision is damaged come each time, and are no reason to ask again.
    Ok(Changes { documents, version: reached.max(version), more: is_cut && reached > version })
}

/// The version of the log: the number of the last change.
pub(crate) fn version(sql: &mut dyn Sql) -> Result<u64, StoreError> {
    let rows = sql.query("select value from counters where name = $1", &[Value::text(COUNTER)])?;
    rows.into_iter().next().map_or(Ok(0), |mut row| row.count())
}

/// A document of its columns. What is in none of them as it was written damages this document, and no other: its body
/// is then no JSON, whatever can be read of it.
pub(crate) fn read(row: &mut Row) -> Document {
    read_with_text(row).0
}

/// The same, and the text of its body, whatever else is damaged.
pub(crate) fn read_with_text(row: &mut Row) -> (Document, Option<String>) {
    let (kind, id, revision, body) = (row.value(), row.value(), row.value(), row.value());
    let is_whole = matches!((&kind, &id), (Value::Text(_), Value::Text(_)))
        && matches!(revision, Value::Int(0..))
        && matches!(body, Value::Text(_) | Value::Null);
    let is_deleted = matches!(body, Value::Null) && is_whole;
    let text = if let Value::Text(text) = body { Some(text.into_owned()) } else { None };
    let body = match &text {
        Some(text) if is_whole => Some(text.clone()),
        _ if is_deleted => None,
        _ => Some("a damaged row".to_owned()),
    };
    let kind = if let Value::Text(kind) = kind { kind.into_owned() } else { DAMAGED_KIND.to_owned() };
    let id = match id {
        Value::Text(text) => text.into_owned(),
        Value::Blob(bytes) | Value::Damaged(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Value::Int(number) => number.to_string(),
        Value::Null => String::new(),
    };
    let revision = if let Value::Int(number) = revision { u64::try_from(number).unwrap_or_default() } else { 0 };
    (Document { kind, id, revision, body }, text)
}
