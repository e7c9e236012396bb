//! The operations side: health, readiness, metrics, version, and what the admin may see. Never in the way of requests.

mod config;
mod figures;
mod plugins;
mod ready;
mod routes;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use crate::gateway::Gateway;
use crate::plugin::catalog::Catalog;
use crate::plugin::watch::Bell;
use crate::reload::Reload;

pub use figures::Figures;

/// What the operations side looks at, and what it can act on.
#[derive(Clone)]
pub struct Operations {
    /// The data plane.
    pub gateway: Arc<Gateway>,
    /// The adapters' files, of which it knows those that were refused.
    pub catalog: Arc<Catalog>,
    /// Has the adapters' folder looked at; none where it is not followed.
    pub bell: Option<Bell>,
    /// The adapters' folder.
    pub dir: PathBuf,
    /// Becomes true when the program is told to stop.
    pub draining: tokio::sync::watch::Receiver<bool>,
    /// The configuration in force. Its token is what everything under `/admin` asks for; none leaves it to loopback.
    pub reload: Arc<Reload>,
    /// Whether this side listens beyond loopback.
    pub is_exposed: bool,
}

impl std::fmt::Debug for Operations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operations")
            .field("dir", &self.dir)
            .field("is_exposed", &self.is_exposed)
            .finish_non_exhaustive()
    }
}

/// Whether a path of the main listener belongs to the operations side.
pub fn serves(path: &str) -> bool {
    matches!(path, "/health" | "/livez" | "/ready" | "/readyz" | "/version" | "/metrics") || path.starts_with("/admin/")
}

/// The routes of the operations side.
pub fn router(operations: Operations) -> Router {
    let admin = Router::new()
        .route("/plugins", get(plugins::list))
        .route("/plugins/rescan", post(plugins::rescan))
        .route("/plugins/{name}/{verb}", post(plugins::act))
        .merge(config::router())
        .route("/routes/explain", post(routes::explain))
        .route_layer(axum::middleware::from_fn_with_state(operations.clone(), guard));
    Router::new()
        .route("/health", get(|| async { Json(json!({"status": "ok"})) }))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/ready", get(ready::tell))
        .route("/readyz", get(ready::tell))
        .route("/version", get(|| async { Json(json!({"name": "weir", "version": env!("CARGO_PKG_VERSION")})) }))
        .route("/metrics", get(metrics))
        .nest("/admin", admin)
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "nothing is served here") })
        .with_state(operations)
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"error": {"message": message}}))).into_response()
}

/// Lets in who has the token; without one, only where nobody from outside can come.
async fn guard(State(operations): State<Operations>, request: Request, next: Next) -> Response {
    let config = Arc::clone(&operations.reload.current().config);
    // A page in the operator's browser must not be able to change anything here just because it is loopback.
    let is_a_page = request.method() != Method::GET && request.headers().contains_key(header::ORIGIN);
    if config.admin.token.is_none() && is_a_page {
        return refuse(StatusCode::FORBIDDEN, "without `admin.token`, nothing is changed for web pages");
    }
    let allowed = match &config.admin.token {
        Some(token) => bearer(request.headers()).is_some_and(|sent| token.matches(sent)),
        None => !operations.is_exposed,
    };
    if allowed {
        return next.run(request).await;
    }
    refuse(StatusCode::UNAUTHORIZED, "set `admin.token` and send it as `authorization: Bearer TOKEN`")
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

async fn metrics(State(operations): State<Operations>) -> Response {
    operations.gateway.note_health();
    match operations.gateway.metrics().text() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// Whether an address can be reached from elsewhere.
pub fn is_exposed(address: &SocketAddr) -> bool {
    !address.ip().is_loopback()
}
