//! What the audit log keeps of a change. It never has a key's text or hash.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Context;
use crate::document::{Document, Kind};

/// Who changes something: a kind, such as `user`, `key`, `token` or `command`, and an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// What made the change: `user`, `key`, `token`, ...
    pub kind: String,
    /// Which one of its kind.
    pub id: String,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Something new was made.
    Create,
    /// A key that another gateway made was taken over by its hash.
    Import,
    /// Fields were changed.
    Edit,
    /// A key got a new text.
    Rotate,
    /// Something is refused from now on.
    Disable,
    /// It is accepted again.
    Enable,
    /// A key went to another team or user.
    Move,
    /// Something was deleted.
    Delete,
}

/// An entry of the audit log. The store adds a number and chains the entries by hashes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEvent {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// The kind of document.
    pub kind: String,
    /// The id of the changed document.
    pub id: String,
    /// The document before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The document after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Ids of keys that were deleted, disabled or set free together with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

impl AuditEvent {
    pub(super) fn of(
        context: &Context,
        action: Action,
        kind: Kind,
        id: &str,
        before: Option<&Document>,
        after: Option<&Document>,
    ) -> Self {
        Self {
            at: context.now,
            actor: context.actor.clone(),
            action,
            kind: kind.name().to_owned(),
            id: id.to_owned(),
            before: before.map(Document::public_view),
            after: after.map(Document::public_view),
            keys: Vec::new(),
        }
    }
}
