//! Writes what a command changes into the store: all documents and the audit event in one step, or nothing.

use weir_identity::change::{AuditEvent, Changed, Expected, Revision, Write};
use weir_identity::{Document, KeyText, Kind};
use weir_store::{Change, Expect, Store, StoreError};

use super::parsed::GUARD;
use super::snapshot::read;
use super::state::State;

/// What a command did.
#[derive(Debug)]
pub struct Outcome {
    /// The document as it is now, with its revision; `None` if it was deleted.
    pub document: Option<(Document, Revision)>,
    /// What happened.
    pub event: AuditEvent,
    /// A new key's text.
    pub issued: Option<KeyText>,
}

/// Writes what a command changes, with its audit event, and returns the documents as they are stored; `None` if the
/// store's answer was lost, and they were found there.
pub(super) fn commit(
    store: &dyn Store,
    state: &State,
    changed: Changed,
) -> Result<(Outcome, Option<Vec<weir_store::Document>>), StoreError> {
    let Changed { writes, event, issued } = changed;
    let Some(first) = writes.first() else {
        let kind = Kind::parse(&event.kind).unwrap_or(Kind::Key);
        return Ok((Outcome { document: read(store, kind, &event.id)?, event, issued }, Some(Vec::new())));
    };
    let document = first.document.clone();
    let changes = changes(writes, state.guard).map_err(|error| unreadable(&error))?;
    let (revision, written) = match store.change(&changes, Some(&recorded(&event)?)) {
        Err(error @ StoreError::Unavailable(_)) => (made_revision(store, &changes, state.version).ok_or(error)?, None),
        written => {
            let written = written?;
            (written.first().map_or(0, |document| document.revision), Some(written))
        }
    };
    let revision = Revision(revision);
    Ok((Outcome { document: document.map(|document| (document, revision)), event, issued }, written))
}

/// An audit event as the store keeps it.
pub(super) fn recorded(event: &AuditEvent) -> Result<weir_store::AuditEvent, StoreError> {
    let time_ms = u64::try_from(event.at.as_millisecond()).unwrap_or_default();
    let event = serde_json::to_string(event).map_err(|error| unreadable(&error))?;
    Ok(weir_store::AuditEvent { time_ms, event })
}

fn unreadable(error: &serde_json::Error) -> StoreError {
    StoreError::Unreadable(error.to_string())
}

/// The writes as changes of the store, and one of the guard, which stands at this revision.
fn changes(writes: Vec<Write>, guard: Option<u64>) -> serde_json::Result<Vec<Change>> {
    let mut changes = Vec::with_capacity(writes.len() + 1);
    for write in writes {
        let body = write.document.as_ref().map(Document::to_json).transpose()?;
        let expect = match write.expected {
            Expected::Absent => Expect::Absent,
            Expected::At(revision) => Expect::Revision(revision.0),
            // The guard shows whether another node has changed it meanwhile.
            Expected::Damaged => Expect::Any,
        };
        changes.push(Change { kind: write.kind.name().to_owned(), id: write.id, expect, body });
    }
    let expect = guard.map_or(Expect::Absent, Expect::Revision);
    let (kind, id) = (GUARD.0.to_owned(), GUARD.1.to_owned());
    changes.push(Change { kind, id, expect, body: Some("{}".to_owned()) });
    Ok(changes)
}

/// The revision of the first of some changes, if they were made after this version although their answer was lost.
/// Without it, there would be a key whose text is lost.
fn made_revision(store: &dyn Store, changes: &[Change], version: u64) -> Option<u64> {
    let mut revisions = changes.iter().map(|change| {
        let found = store.document(&change.kind, &change.id).ok().flatten()?;
        (found.body == change.body && found.revision > version).then_some(found.revision)
    });
    let first = revisions.next().flatten();
    first.filter(|_| revisions.all(|revision| revision.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_store::Sqlite;

    #[test]
    fn changes_whose_answer_was_lost_are_found_where_all_of_them_were_made() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(folder.path().join("weir.db")).unwrap();
        let change = |id: &str, expect, body: &str| Change {
            kind: "key".to_owned(),
            id: id.to_owned(),
            expect,
            body: Some(body.to_owned()),
        };
        let changes = [change("a", Expect::Absent, "{\"hash\":1}"), change("b", Expect::Absent, "{}")];
        assert_eq!(made_revision(&store, &changes, 0), None);
        let made = store.change(&changes, None).unwrap();
        assert_eq!(made_revision(&store, &changes, 0), Some(made[0].revision));
        assert_eq!(made_revision(&store, &changes, store.version().unwrap()), None, "they were there before");
        let other = [change("a", Expect::Absent, "{\"hash\":2}"), changes[1].clone()];
        assert_eq!(made_revision(&store, &other, 0), None, "that is another node's");
    }
}
