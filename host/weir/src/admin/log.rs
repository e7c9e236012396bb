//! `/admin/v1/requests`, `usage` and `audit`: what the store keeps, to be read. `docs/request-log.md` describes them.

mod asked;
mod audit;
mod export;
mod requests;
mod tail;
mod usage;

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::Operations;
use crate::store::OpenStore;
use weir_store::{Store, StoreError};

/// The routes below `/admin`.
pub(super) fn router() -> Router<Operations> {
    Router::new()
        .route("/v1/requests", get(requests::list))
        .route("/v1/requests/tail", get(tail::follow))
        .route("/v1/requests/export", get(export::export))
        .route("/v1/requests/{id}", get(requests::show))
        .route("/v1/usage", get(usage::sums))
        .route("/v1/audit", get(audit::list))
        .route("/v1/audit/check", get(audit::check))
}

/// Why a request is refused. Codes do not change.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    /// A parameter is wrong.
    #[error("{0}")]
    Parameter(String),
    /// The log has no such request.
    #[error("no request of this id is in the log: it is written within a second, and kept for `store.retention`")]
    NotFound,
    /// Nothing is kept.
    #[error("there is no store: set `[store] url`")]
    NoStore,
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread failed.
    #[error("the request could not be carried out")]
    Internal,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code) = match &self {
            Self::Parameter(_) => (StatusCode::BAD_REQUEST, "invalid_parameter"),
            Self::Store(StoreError::Cursor) => (StatusCode::BAD_REQUEST, "invalid_cursor"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::NoStore => (StatusCode::NOT_IMPLEMENTED, "no_store"),
            Self::Store(error) if error.is_transient() => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
            Self::Store(_) | Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        let body = json!({"error": {"code": code, "message": self.to_string()}});
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// The store of these endpoints.
fn store(operations: &Operations) -> Result<Arc<OpenStore>, Refusal> {
    operations.store.clone().ok_or(Refusal::NoStore)
}

/// Reads from the store on a thread that may block.
async fn read<T: Send + 'static>(
    operations: &Operations,
    read: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Refusal> {
    let store = store(operations)?.store();
    let result = tokio::task::spawn_blocking(move || read(&*store)).await;
    Ok(result.map_err(|_| Refusal::Internal)??)
}
