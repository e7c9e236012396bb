//! Rows of the store that no document is stored by, since their kind or their id was damaged: nothing reads them, and
//! nothing else removes them.

use weir_identity::change::{Action, Actor, AuditEvent};
use weir_identity::document::TeamId;
use weir_identity::{Document, KeyId, Kind};
use weir_store::{Change, Expect, StoreError, StoredRow};

use super::commit::recorded;
use super::parsed::GUARD;
use super::registry::Registry;

/// The most rows that are listed.
const LISTED: usize = 1_000;

impl Registry {
    /// The rows that no document is stored by.
    pub(crate) fn misnamed(&self) -> Result<Vec<StoredRow>, StoreError> {
        let mut found = Vec::new();
        self.store().each_row(&mut |row| {
            if found.len() < LISTED && is_misnamed(&row) {
                found.push(row);
            }
        })?;
        Ok(found)
    }

    /// Removes the row with this mark, and records that in the audit log: all nodes forget what they know by it, as far
    /// as that can still be read. Returns whether there is one.
    pub(crate) fn remove_misnamed(&self, mark: &str, actor: Actor) -> Result<bool, StoreError> {
        let Some(row) = self.misnamed()?.into_iter().find(|row| row.mark() == mark) else { return Ok(false) };
        let (kind, id) = (row.document.kind.clone(), row.document.id.clone());
        let at = jiff::Timestamp::now();
        let event =
            AuditEvent { at, actor, action: Action::Delete, kind, id, before: None, after: None, keys: Vec::new() };
        let is_removed = self.store().remove_row(&row, &deletions(&row), &recorded(&event)?)?;
        // If the store fails now, following it brings the change.
        let _failure = self.catch_up();
        Ok(is_removed)
    }
}

/// The deletions of what nodes may know by a row, unless it is there by another row as well. They have read the row
/// before it was damaged, under the name that its document has, or as it is.
fn deletions(row: &StoredRow) -> Vec<Change> {
    let weir_store::Document { kind, id, .. } = &row.document;
    let own_kind = Kind::parse(kind).filter(|_| row.is_named());
    let kinds = || Kind::ALL.into_iter().filter(|kind| own_kind.is_none_or(|own| own == *kind));
    let parse = |kind| Document::parse(kind, row.text.as_deref()?).ok();
    let mut names: Vec<(Kind, String)> =
        kinds().filter_map(parse).map(|document| (document.kind(), document.id().to_owned())).collect();
    if names.is_empty() && own_kind.is_none() {
        names.extend(kinds().filter(|kind| is_id(*kind, id)).map(|kind| (kind, id.clone())));
    }
    names.extend(Kind::parse(kind).map(|kind| (kind, id.clone())));
    names.sort_unstable();
    names.dedup();
    let deletion =
        |(kind, id): (Kind, String)| Change { kind: kind.name().to_owned(), id, expect: Expect::Absent, body: None };
    let (kind, id) = (GUARD.0.to_owned(), GUARD.1.to_owned());
    let guard = Change { kind, id, expect: Expect::Any, body: Some("{}".to_owned()) };
    names.into_iter().map(deletion).chain([guard]).collect()
}

fn is_id(kind: Kind, id: &str) -> bool {
    match kind {
        Kind::Key => KeyId::parse(id).is_ok(),
        _ => TeamId::parse(id).is_ok(),
    }
}

/// Whether a row has a kind or an id that this program never writes. What was deleted leaves a row, too.
fn is_misnamed(row: &StoredRow) -> bool {
    let (kind, id) = (row.document.kind.as_str(), row.document.id.as_str());
    let has_name = row.is_named() && Kind::parse(kind).map_or_else(|| (kind, id) == GUARD, |kind| is_id(kind, id));
    !has_name && row.document.body.is_some()
}
