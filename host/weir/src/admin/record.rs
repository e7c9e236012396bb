//! Records in the audit log what operators do beside changing documents, which are recorded with the change itself.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::admin::identity::AdminCaller;
use crate::admin::{Operations, Problem};
use weir_store::{AuditEvent, StoreError};

/// Records an action on a thing of this kind (`adapter`, `requests`) and name. What it did is in force already, so a store that
/// fails is only reported.
pub(super) async fn record(
    operations: &Operations,
    caller: &AdminCaller,
    action: &str,
    kind: &str,
    name: &str,
    details: Value,
) {
    if let Err(error) = append(operations, caller, action, kind, name, details).await {
        tracing::error!(%error, action, kind, id = name, "the audit log lacks a change");
    }
}

/// Records an action that is about to begin, of which a part may be in force if it fails. It may begin only if this succeeds.
pub(super) async fn record_first(
    operations: &Operations,
    caller: &AdminCaller,
    action: &str,
    kind: &str,
    name: &str,
    details: Value,
) -> Result<(), Problem> {
    Ok(append(operations, caller, action, kind, name, details).await?)
}

async fn append(
    operations: &Operations,
    caller: &AdminCaller,
    action: &str,
    kind: &str,
    name: &str,
    details: Value,
) -> Result<(), StoreError> {
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
