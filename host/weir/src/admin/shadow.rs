//! `/admin/v1/adapters/{name}/shadow` and `/admin/v1/shadow-runs`: logged requests replayed through another version of
//! an adapter, beside the one that serves. No provider is asked: its recorded answers are read.

mod report;
mod run;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::admin_route::AdminRoute;
use super::identity::AdminCaller;
use super::log::asked;
use super::plugins;
use super::record::AdminAction;
use super::{Operations, Parameters, Problem, to_its_end};
use run::Run;

/// Runs that are remembered, the latest ones.
const REMEMBERED: usize = 8;
/// The most requests of one run.
const MAX_REQUESTS: usize = 5_000;
/// The requests of a run, unless it says otherwise.
const USUAL: usize = 200;

/// The paths below `/admin`, with their methods.
pub(super) fn routes() -> Vec<AdminRoute> {
    vec![
        AdminRoute::new("/v1/adapters/{name}/shadow", &["post"], post(begin)),
        AdminRoute::new("/v1/shadow-runs", &["get"], get(list)),
        AdminRoute::new("/v1/shadow-runs/{id}", &["get", "delete"], get(show).delete(cancel)),
    ]
}

/// The runs of this process, the latest first. One is carried out at a time.
#[derive(Debug, Clone, Default)]
pub struct ShadowRuns(Arc<Mutex<VecDeque<Arc<Run>>>>);

impl ShadowRuns {
    /// Remembers a run that begins, unless another one is being carried out.
    fn add(&self, run: &Arc<Run>) -> Result<(), Problem> {
        let mut runs = self.lock();
        if runs.iter().any(|other| other.is_running()) {
            let message = "another shadow run is being carried out: wait for its end, or cancel it";
            return Err(Problem::new(StatusCode::CONFLICT, "busy", message));
        }
        runs.push_front(Arc::clone(run));
        runs.truncate(REMEMBERED);
        Ok(())
    }

    fn find(&self, id: &str) -> Result<Arc<Run>, Problem> {
        let found = self.lock().iter().find(|run| run.id() == id).cloned();
        let message = "there is no such run: the last eight are remembered, until Weir restarts";
        found.ok_or_else(|| Problem::of_status(StatusCode::NOT_FOUND, message))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Run>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins a run: through the component in the body, or through a version that is kept.
async fn begin(
    State(operations): State<Operations>,
    Extension(caller): Extension<AdminCaller>,
    Path(name): Path<String>,
    RawQuery(url): RawQuery,
    request: Request,
) -> Result<Response, Problem> {
    let known: Vec<&str> = asked::CONDITIONS.into_iter().chain(["digest", "requests"]).collect();
    let parameters = Parameters::parse(url.as_deref(), &known)?;
    let wanted = parameters.parsed("requests", "a number from 1 to 5000")?.unwrap_or(USUAL);
    if !(1..=MAX_REQUESTS).contains(&wanted) {
        return Err(Problem::parameter("`requests` must be a number from 1 to 5000"));
    }
    let query = asked::search(&parameters)?;
    let store = operations.store.clone().ok_or_else(Problem::no_store)?.store();
    let candidate = plugins::candidate(&operations, &name, parameters.text("digest").as_deref(), request).await?;
    let serving = operations.gateway.serving();
    let (run, versions) = Run::new(serving, candidate, query, wanted)?;
    let run = Arc::new(run);
    operations.shadow_runs.add(&run)?;
    let (carried_out, stopping) = (Arc::clone(&run), operations.draining.clone());
    // Without a wait in between, in which the client could leave: a run that is remembered is carried out.
    tokio::task::spawn_blocking(move || carried_out.carry_out(&versions, &*store, &stopping));
    let details = json!({"digest": run.digest(), "requests": wanted, "run": run.id()});
    let recorded = async move {
        AdminAction { action: "shadow", kind: "adapter", name: &name, details }.record(&operations, &caller).await;
    };
    to_its_end(recorded).await?;
    Ok((StatusCode::ACCEPTED, Json(run.shown())).into_response())
}

async fn list(State(operations): State<Operations>) -> Json<Value> {
    let items: Vec<Value> = operations.shadow_runs.lock().iter().map(|run| run.in_brief()).collect();
    Json(json!({"items": items, "next_cursor": null}))
}

async fn show(State(operations): State<Operations>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    Ok(Json(operations.shadow_runs.find(&id)?.shown()))
}

/// Ends a run after the exchange that is being replayed; what it has found stays.
async fn cancel(State(operations): State<Operations>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let run = operations.shadow_runs.find(&id)?;
    run.cancel();
    Ok(Json(run.in_brief()))
}
