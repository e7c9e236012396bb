//! Records in the audit log what operators do beside changing documents, which are recorded with the change itself.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::admin::identity::AdminCaller;
use crate::admin::{Operations, Problem};
use weir_store::{AuditEvent, StoreError};

/// An action of an operator's, as the audit log has it.
#[derive(Debug)]
pub(super) struct AdminAction<'a> {
    /// What was done: `upload`, `erase`.
    pub(super) action: &'a str,
    /// The kind of thing that it was done to: `adapter`, `requests`.
    pub(super) kind: &'static str,
    /// The name of that thing.
    pub(super) name: &'a str,
    /// What it did, for later readers.
    pub(super) details: Value,
}

impl AdminAction<'_> {
    /// Records an action that is in force already, so that a store which fails is only reported.
    pub(super) async fn record(self, operations: &Operations, caller: &AdminCaller) {
        let Self { action, kind, name, .. } = self;
        if let Err(error) = self.append(operations, caller).await {
            tracing::error!(%error, action, kind, id = name, "the audit log lacks a change");
        }
    }

    /// Records an action that is about to begin, of which a part may be in force if it fails. It may begin only if this
    /// succeeds.
    pub(super) async fn record_first(self, operations: &Operations, caller: &AdminCaller) -> Result<(), Problem> {
        Ok(self.append(operations, caller).await?)
    }

    async fn append(self, operations: &Operations, caller: &AdminCaller) -> Result<(), StoreError> {
        let Self { action, kind, name, details } = self;
        let actor = &caller.actor;
        tracing::info!(
            actor = format!("{}:{}", actor.kind, actor.id),
            action,
            kind,
            id = name,
            "changed over the admin side"
        );
        let Some(store) = operations.store.as_ref().map(|store| store.store()) else { return Ok(()) };
        let now = Timestamp::now();
        let event = json!({
            "at": now,
            "actor": actor,
            "action": action,
            "kind": kind,
            "id": name,
            "after": details,
        });
        let time_ms = u64::try_from(now.as_millisecond()).unwrap_or_default();
        let event = AuditEvent { time_ms, event: event.to_string() };
        let written = tokio::task::spawn_blocking(move || store.audit(&event)).await;
        written.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string()))).map(drop)
    }
}
