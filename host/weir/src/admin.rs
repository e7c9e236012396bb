//! The operations endpoints: health, readiness, metrics, version, and administration. Requests of clients never wait
//! for them.

mod access;
mod adapter_metrics;
mod admin_route;
mod body;
mod budgets;
mod cache;
mod config;
mod identity;
mod limits;
mod log;
mod login;
mod metrics;
mod parameters;
mod playground;
mod plugins;
mod problem;
mod ready;
mod record;
mod routes;
mod session;
mod shadow;
mod spending;
mod targets;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use prometheus::IntGauge;
use serde_json::json;

use crate::login::Logins;
use crate::reload::Reload;
use crate::store::OpenStore;
use crate::ui::{self, Sessions};
use crate::version;
use weir_adapters::catalog::Catalog;
use weir_adapters::watch::ScanTrigger;
use weir_gateway::gateway::Gateway;
use weir_gateway::sharing::Sharing;

use admin_route::AdminRoute;
use parameters::Parameters;
use problem::Problem;

pub use adapter_metrics::AdapterMetrics;
pub use identity::Identity;
pub use plugins::Uploads;
pub use shadow::ShadowRuns;

/// State of the operations endpoints.
#[derive(Clone)]
pub struct Operations {
    /// The gateway, which serves clients.
    pub gateway: Arc<Gateway>,
    /// The adapters' catalog, which also holds the refused files.
    pub catalog: Arc<Catalog>,
    /// Triggers a scan of the adapters' folder; `None` if it is not followed.
    pub trigger: Option<ScanTrigger>,
    /// The adapters' folder.
    pub dir: PathBuf,
    /// Puts components into it.
    pub uploads: Uploads,
    /// Logged requests that are replayed through other versions.
    pub shadow_runs: ShadowRuns,
    /// Becomes true when the program is stopping.
    pub draining: tokio::sync::watch::Receiver<bool>,
    /// The configuration in force. Its token protects everything under `/admin`; see [`access`].
    pub reload: Arc<Reload>,
    /// What is kept; `None` if nothing is.
    pub store: Option<Arc<OpenStore>>,
    /// The store's keys, teams, organisations and users.
    pub identity: Identity,
    /// How this node stands to others that share its limits and budgets; `None` if none do.
    pub sharing: Option<Arc<Sharing>>,
    /// Whether the counts of budgets are kept: 0 if so; `None` if there is no place for it.
    pub budgets: Option<IntGauge>,
    /// The sessions of browsers.
    pub(crate) sessions: Sessions,
    /// Logins at the identity provider.
    pub(crate) logins: Logins,
    /// Whether these endpoints are reachable from other machines.
    pub is_exposed: bool,
    /// Whether they have a separate listener.
    pub is_apart: bool,
}

impl std::fmt::Debug for Operations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operations")
            .field("dir", &self.dir)
            .field("is_exposed", &self.is_exposed)
            .finish_non_exhaustive()
    }
}

/// Whether a path of the main listener belongs to the operations endpoints.
pub fn serves(path: &str) -> bool {
    matches!(path, "/health" | "/livez" | "/ready" | "/readyz" | "/version" | "/metrics")
        || path == "/admin"
        || path.starts_with("/admin/")
        || path == "/ui"
        || path.starts_with("/ui/")
}

/// The routes of the operations endpoints.
pub fn router(operations: Operations) -> Router {
    let admin = Router::new()
        .merge(plugins::older_paths())
        .merge(config::older_paths())
        .merge(routes::older_paths())
        .merge(cache::older_paths())
        .route("/budgets", get(budgets::list))
        .merge(login::pages());
    let admin = described_routes()
        .into_iter()
        .fold(admin, |router, route| route.add_to(router))
        .fallback(nothing)
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::middleware::from_fn_with_state(operations.clone(), body::take))
        .layer(axum::middleware::from_fn_with_state(operations.clone(), access::guard));
    let shown = Router::new()
        .route("/ready", get(ready::answer))
        .route("/readyz", get(ready::answer))
        .layer(axum::middleware::from_fn_with_state(operations.clone(), access::show));
    let metrics =
        get(metrics::page).layer(axum::middleware::from_fn_with_state(operations.clone(), access::show_metrics));
    Router::new()
        .route("/", get(|| async { Json(json!({"name": "weir", "about": "The operations side of a gateway for large language models", "pages": PAGES})) }))
        .route("/health", get(|| async { Json(json!({"status": "ok"})) }))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/version", get(version))
        .merge(shown)
        .route("/metrics", metrics)
        .nest("/admin", admin)
        .merge(ui::router())
        .route("/admin/", any(nothing).layer(axum::middleware::from_fn_with_state(operations.clone(), access::guard)))
        .fallback(nothing)
        .with_state(operations)
}

/// Pages listed on the first page, if these endpoints have a separate listener.
const PAGES: [&str; 8] =
    ["/ui/", "/health", "/ready", "/version", "/metrics", "/admin/config", "/admin/plugins", "/admin/budgets"];

/// All paths below `/admin` that the description of the interface names.
fn described_routes() -> Vec<AdminRoute> {
    [
        plugins::routes(),
        shadow::routes(),
        targets::routes(),
        config::routes(),
        routes::routes(),
        cache::routes(),
        playground::routes(),
        identity::routes(),
        limits::routes(),
        session::routes(),
        login::routes(),
        log::routes(),
        spending::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

async fn nothing() -> Response {
    refuse(StatusCode::NOT_FOUND, "nothing is served here")
}

fn refuse(status: StatusCode, message: &str) -> Response {
    Problem::of_status(status, message).into_response()
}

async fn wrong_method() -> Response {
    refuse(StatusCode::METHOD_NOT_ALLOWED, "this method is not served here")
}

/// Which build of the program serves.
async fn version() -> Json<serde_json::Value> {
    let contracts: Vec<&str> = weir_sandbox::Version::ALL.iter().map(|version| version.name()).collect();
    Json(json!({"name": "weir", "version": version::NUMBER, "commit": version::COMMIT, "contracts": contracts}))
}

/// Makes an answer that takes a while, on a thread that serves no connections.
async fn aside(answer: impl FnOnce() -> Response + Send + 'static) -> Response {
    tokio::task::spawn_blocking(answer).await.unwrap_or_else(|error| {
        tracing::error!(%error, "an answer of the operations side could not be made");
        Problem::internal().into_response()
    })
}

/// Carries out a change on a task of its own, to its end even if the client leaves.
async fn to_its_end<T: Send + 'static>(change: impl Future<Output = T> + Send + 'static) -> Result<T, Problem> {
    tokio::spawn(change).await.map_err(|error| {
        tracing::error!(%error, "a change was not carried out");
        Problem::internal()
    })
}

/// Whether an address is reachable from other machines.
pub(crate) fn is_exposed(address: &SocketAddr) -> bool {
    !address.ip().is_loopback()
}
