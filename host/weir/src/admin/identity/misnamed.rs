//! `/admin/v1/damaged`: rows of the store whose kind or id was damaged.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Identity;
use super::request::AdminRequest;
use crate::admin::{Operations, Problem, to_its_end};
use weir_identity::change::Actor;
use weir_identity::document::Access;
use weir_store::StoredRow;

/// Lists them. Whose they are cannot be known, so that it takes a grant for everything.
pub(super) async fn list(State(operations): State<Operations>, request: Request) -> Result<Response, Problem> {
    let asked = AdminRequest::read(request).await?;
    asked.parameters(&[])?;
    if !asked.caller.may(Access::Read, None) {
        return Err(Problem::forbidden());
    }
    let registry = operations.identity.registry()?;
    let rows = tokio::task::spawn_blocking(move || registry.misnamed()).await.map_err(|_| Problem::internal())??;
    let items: Vec<Value> = rows.iter().map(shown).collect();
    let mut response = Json(json!({"items": items})).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// What can be read of a row. Its body is not shown: it may have a hash.
fn shown(row: &StoredRow) -> Value {
    let weir_store::Document { kind, id, revision, .. } = &row.document;
    json!({"mark": row.mark(), "kind": kind, "id": id, "revision": revision})
}

/// Removes one.
pub(super) async fn remove(
    State(operations): State<Operations>,
    Path(mark): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let asked = AdminRequest::read(request).await?;
    asked.parameters(&[])?;
    if !asked.caller.may(Access::Write, None) {
        return Err(Problem::forbidden());
    }
    to_its_end(remove_row(operations.identity.clone(), mark, asked.caller.actor)).await?
}

async fn remove_row(identity: Identity, mark: String, actor: Actor) -> Result<Response, Problem> {
    let registry = identity.registry()?;
    let (named, by) = (mark.clone(), format!("{}:{}", actor.kind, actor.id));
    let removed = tokio::task::spawn_blocking(move || registry.remove_misnamed(&named, actor)).await;
    if !removed.map_err(|_| Problem::internal())?? {
        return Err(Problem::of_status(StatusCode::NOT_FOUND, "no damaged row has this mark"));
    }
    tracing::info!(actor = by, action = "delete", kind = "damaged", id = mark, "changed over the admin side");
    Ok(StatusCode::NO_CONTENT.into_response())
}
