//! Records in the audit log what operators do beside changing documents, which are recorded with the change itself.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::admin::Operations;
use crate::admin::identity::AdminCaller;
use weir_store::AuditEvent;

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
    let actor = &caller.actor;
    tracing::info!(
        actor = format!("{}:{}", actor.kind, actor.id),
        action,
        kind,
        id = name,
        "changed over the admin side"
    );
    let Some(store) = operations.store.as_ref().map(|store| store.store()) else { return };
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
    match tokio::task::spawn_blocking(move || store.audit(&event)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::error!(%error, action, kind, id = name, "the audit log lacks a change"),
        Err(error) => tracing::error!(%error, action, kind, id = name, "the audit log lacks a change"),
    }
}
