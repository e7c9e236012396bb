//! Rows of the store that no document is stored by, since their kind or their id was damaged: nothing reads them, and nothing else
//! removes them.

use weir_identity::change::{Action, Actor, AuditEvent};
use weir_identity::document::TeamId;
use weir_identity::{KeyId, Kind};
use weir_store::{StoreError, StoredRow};

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

    /// Removes the row with this mark, and records that in the audit log. Returns whether there is one.
    pub(crate) fn remove_misnamed(&self, mark: &str, actor: Actor) -> Result<bool, StoreError> {
        let Some(row) = self.misnamed()?.into_iter().find(|row| row.mark() == mark) else { return Ok(false) };
        let (kind, id) = (row.document.kind.clone(), row.document.id.clone());
        let at = jiff::Timestamp::now();
        let event =
            AuditEvent { at, actor, action: Action::Delete, kind, id, before: None, after: None, keys: Vec::new() };
        self.store().remove_row(&row, &recorded(&event)?)
    }
}

/// Whether a row has a kind or an id that this program never writes. What was deleted leaves a row, too.
fn is_misnamed(row: &StoredRow) -> bool {
    let (kind, id) = (row.document.kind.as_str(), row.document.id.as_str());
    let has_name = row.is_named()
        && match Kind::parse(kind) {
            Some(Kind::Key) => KeyId::parse(id).is_ok(),
            Some(_) => TeamId::parse(id).is_ok(),
            None => (kind, id) == GUARD,
        };
    !has_name && row.document.body.is_some()
}
