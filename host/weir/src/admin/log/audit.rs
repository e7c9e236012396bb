//! `GET /admin/v1/audit` and `/admin/v1/audit/check`: the audit log, and whether its chain of hashes holds.

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::read;
use crate::admin::{Operations, Parameters, Problem};
use weir_store::{AuditEntry, ChainCheck};

/// Entries, newest first.
pub(super) async fn list(
    State(operations): State<Operations>,
    RawQuery(url): RawQuery,
) -> Result<Json<Value>, Problem> {
    let parameters = Parameters::parse(url.as_deref(), &["cursor", "limit"])?;
    let before: Option<u64> = parameters.parsed("cursor", "the `next_cursor` of a page")?;
    let limit = parameters.page_size()?;
    let entries = read(&operations, move |store| store.audit_page(before, limit)).await?;
    // The numbers have no gaps and begin with 1.
    let next = entries.last().filter(|last| last.sequence > 1).map(|last| last.sequence.to_string());
    let items: Vec<Value> = entries.iter().map(shown).collect();
    Ok(Json(json!({"items": items, "next_cursor": next})))
}

fn shown(entry: &AuditEntry) -> Value {
    // An entry always has a JSON form.
    let mut item = serde_json::to_value(entry).unwrap_or_default();
    item["event"] = serde_json::from_str(&entry.event).unwrap_or_else(|_| json!(entry.event));
    let time = crate::time::from_milliseconds(entry.time_ms);
    item["time"] = json!(time.map(|time| time.to_string()));
    item
}

/// Checks the whole chain.
pub(super) async fn check(State(operations): State<Operations>) -> Result<Json<Value>, Problem> {
    let checked = read(&operations, |store| store.check_audit()).await?;
    Ok(Json(match checked {
        ChainCheck::Intact { last } => json!({"intact": true, "last": last}),
        ChainCheck::Broken { sequence } => json!({"intact": false, "first_altered": sequence}),
        ChainCheck::Cut { sequence } => json!({"intact": false, "first_missing": sequence}),
    }))
}
