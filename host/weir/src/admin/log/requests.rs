//! `GET /admin/v1/requests` and `/admin/v1/requests/{id}`.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde_json::{Value, json};

use super::{asked, not_in_log, read};
use crate::admin::{Operations, Problem};
use crate::store::bill;
use crate::store::shown::shown;
use weir_store::{Page, RequestId};

/// Requests that meet a search, newest first, page by page.
pub(super) async fn list(
    State(operations): State<Operations>,
    RawQuery(url): RawQuery,
) -> Result<Json<Value>, Problem> {
    let query = asked::query(url.as_deref())?;
    let Page { facts, next } = read(&operations, move |store| store.search(&query)).await?;
    let items: Vec<Value> = facts.iter().map(shown).collect();
    Ok(Json(json!({"items": items, "next_cursor": next.map(|cursor| cursor.to_string())})))
}

/// One request, with its cost line by line.
pub(super) async fn show(State(operations): State<Operations>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let id: RequestId = id.parse().map_err(|error: weir_store::BadId| Problem::parameter(error.to_string()))?;
    let fact = read(&operations, move |store| store.fact(&id)).await?.ok_or_else(not_in_log)?;
    let explained = bill::explain(&operations.gateway.serving(), &fact);
    let mut item = shown(&fact);
    item["explained"] = explained;
    Ok(Json(item))
}
