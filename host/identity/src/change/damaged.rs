//! Documents that are stored and cannot be read: they are deleted, and nothing else is done to them.

use super::{Action, AuditEvent, ChangeError, Changed, Context, Expected, Stored, Write};
use crate::document::Kind;

/// Deletes a document if it cannot be read; `None` if it can, or is not there. Whose it is cannot be read either, so
/// that this takes a grant for everything: to all others it is not there.
pub(super) fn delete(
    kind: Kind,
    id: &str,
    stored: &impl Stored,
    context: &Context,
) -> Result<Option<Changed>, ChangeError> {
    let Some(revision) = stored.damaged(kind, id) else { return Ok(None) };
    context.may_write(None).map_err(|_| ChangeError::NotFound(kind))?;
    context.precondition.check(Some(revision))?;
    let event = AuditEvent::of(context, Action::Delete, kind, id, None, None);
    let writes = vec![Write { kind, id: id.to_owned(), document: None, expected: Expected::Damaged }];
    Ok(Some(Changed { writes, event, issued: None }))
}
