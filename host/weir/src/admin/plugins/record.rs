//! Records what operators do with adapters in the audit log.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::admin::Operations;
use crate::admin::identity::AdminCaller;
use weir_store::AuditEvent;

/// Records an action on an adapter. What it did is in force already, so a store that fails is only reported.
pub(in crate::admin) async fn record(
    operations: &Operations,
    caller: &AdminCaller,
    action: &str,
    name: &str,
    details: Value,
) {
    let actor = &caller.actor;
    tracing::info!(
        actor = format!("{}:{}", actor.kind, actor.id),
        action,
        kind = "adapter",
        id = name,
        "changed over the admin side"
    );
    let Some(store) = operations.store.as_ref().map(|store| store.store()) else { return };
    let now = Timestamp::now();
    let event = json!({
        "at": now,
        "actor": actor,
        "action": action,
        "kind": "adapter",
        "id": name,
        "after": details,
    });
    let time_ms = u64::try_from(now.as_millisecond()).unwrap_or_default();
    let event = AuditEvent { time_ms, event: event.to_string() };
    match tokio::task::spawn_blocking(move || store.audit(&event)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::error!(%error, action, adapter = name, "the audit log lacks a change of an adapter"),
        Err(error) => tracing::error!(%error, action, adapter = name, "the audit log lacks a change of an adapter"),
    }
}
