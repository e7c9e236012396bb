//! `/admin/v1/requests`, `usage` and `audit`: what the store keeps, to be read, and to be erased by user.
//! `docs/request-log.md` describes them.

pub(super) mod asked;
mod audit;
mod erase;
pub(super) mod exchange;
mod export;
mod gaps;
mod overview;
mod requests;
mod tail;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::get;

use super::admin_route::AdminRoute;
use super::{Operations, Problem};
use crate::store::OpenStore;
use weir_store::{Store, StoreError};

/// For how long what waits to be written is waited for.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);

/// The paths below `/admin`.
pub(super) fn routes() -> Vec<AdminRoute> {
    vec![
        AdminRoute::new("/v1/requests", &["get", "delete"], get(requests::list).delete(erase::erase)),
        AdminRoute::new("/v1/requests/tail", &["get"], get(tail::follow)),
        AdminRoute::new("/v1/requests/export", &["get"], get(export::export)),
        AdminRoute::new("/v1/requests/gaps", &["get"], get(gaps::list)),
        AdminRoute::new("/v1/requests/{id}", &["get"], get(requests::show)),
        AdminRoute::new("/v1/requests/{id}/exchange", &["get"], get(exchange::show)),
        AdminRoute::new("/v1/requests/{id}/fixture", &["get"], get(exchange::fixture)),
        AdminRoute::new("/v1/overview", &["get"], get(overview::show)),
        AdminRoute::new("/v1/usage", &["get"], get(usage::sums)),
        AdminRoute::new("/v1/audit", &["get"], get(audit::list)),
        AdminRoute::new("/v1/audit/check", &["get"], get(audit::check)),
    ]
}

/// The store of these endpoints.
fn store(operations: &Operations) -> Result<Arc<OpenStore>, Problem> {
    operations.store.clone().ok_or_else(Problem::no_store)
}

/// Reads from the store on a thread that may block.
async fn read<T: Send + 'static>(
    operations: &Operations,
    read: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    let store = store(operations)?.store();
    let result = tokio::task::spawn_blocking(move || read(&*store)).await;
    Ok(result.map_err(|_| Problem::internal())??)
}

/// Waits until the store has the requests that ended before, and their contents; false if it does not take them for so
/// long.
async fn written(operations: &Operations) -> Result<bool, Problem> {
    let store = store(operations)?;
    let written = tokio::task::spawn_blocking(move || store.flush(WRITTEN_WITHIN)).await;
    written.map_err(|_| Problem::internal())
}

/// The refusal of a request that is not in the log.
fn not_in_log() -> Problem {
    let message = "no request of this id is in the log: it is written within a second, and kept for `store.retention`";
    Problem::new(StatusCode::NOT_FOUND, "not_found", message)
}
