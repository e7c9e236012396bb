//! Admin endpoints of adapters.

mod actions;
mod trial;
mod upload;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::admin_route::AdminRoute;
use super::{Operations, refuse};
use weir_adapters::catalog::{ChangeDenied, Former, Snapshot};
use weir_fixtures::proof;
use weir_fixtures::proof::Bounds;
use weir_gateway::serving::Serving;
use weir_sandbox::canary::Trial;
use weir_sandbox::component_file;
use weir_sandbox::fault::FaultKind;
use weir_sandbox::stats::LossCount;
use weir_sandbox::{Adapter, Digest};
use weir_translate::dialect::endpoints::LeftOut;

use actions::act;
pub use upload::Uploads;
pub(super) use upload::{candidate, is_upload};

/// How long an answer waits until its change is in force.
const IN_FORCE: Duration = Duration::from_secs(5);

/// The paths below `/admin/v1`, with their methods. The same without `v1` are there for older programs.
pub(super) fn routes() -> Vec<AdminRoute> {
    vec![
        AdminRoute::new("/v1/adapters", &["get"], get(list_items)),
        AdminRoute::new("/v1/adapters/{name}", &["get", "put"], get(show).put(upload::put)),
        AdminRoute::new("/v1/adapters/rescan", &["post"], post(rescan)),
        AdminRoute::new("/v1/adapters/{name}/{verb}", &["post"], post(act)),
    ]
}

/// The paths of older programs.
pub(super) fn older_paths() -> Router<Operations> {
    Router::new()
        .route("/plugins", get(list))
        .route("/plugins/rescan", post(rescan))
        .route("/plugins/{name}/{verb}", post(act))
}

/// Lists the adapters that serve, their former versions, and the last refusals.
async fn list(State(operations): State<Operations>) -> Response {
    let (plugins, quarantined) = listed(&operations);
    Json(json!({"plugins": plugins, "quarantined": quarantined})).into_response()
}

/// The adapters in the form of all lists of `/admin/v1`.
async fn list_items(State(operations): State<Operations>) -> Response {
    let (items, quarantined) = listed(&operations);
    Json(json!({"items": items, "quarantined": quarantined, "next_cursor": null})).into_response()
}

/// One adapter, with what its translations lost, and the last refusal of its file.
async fn show(State(operations): State<Operations>, Path(name): Path<String>) -> Response {
    let (serving, catalog) = (operations.gateway.serving(), operations.catalog.snapshot());
    let refusal = refused(&catalog).find(|refused| refused["name"] == *name);
    let Some(adapter) = serving.adapter(&name) else {
        return refusal.map_or_else(|| deny(&ChangeDenied::Unknown(name)), |refusal| Json(refusal).into_response());
    };
    let mut value = in_full(adapter, &catalog, &serving);
    value["refused"] = json!(refusal);
    value["losses"] = json!(adapter.stats.losses().iter().map(loss).collect::<Vec<_>>());
    if let Some(trial) = catalog.trials.get(&*name) {
        let tried = &trial.adapter;
        value["canary"]["losses"] = json!(tried.stats.losses().iter().map(loss).collect::<Vec<_>>());
        value["canary"]["figures"] = figures(tried);
        value["canary"]["recordings_passed"] = json!(tried.proved.get());
    }
    Json(value).into_response()
}

fn loss(loss: &LossCount) -> Value {
    json!({"step": loss.step.name(), "field": loss.field, "kind": loss.kind, "count": loss.count})
}

fn listed(operations: &Operations) -> (Vec<Value>, Vec<Value>) {
    let catalog = operations.catalog.snapshot();
    let serving = operations.gateway.serving();
    let serves = serving.adapters.adapters.values().map(|adapter| in_full(adapter, &catalog, &serving));
    let quarantined = catalog.quarantined.iter().map(|(digest, quarantined)| {
        let (name, reason, by) = (&quarantined.name, &quarantined.reason, quarantined.by.name());
        json!({"name": name, "digest": digest.hex(), "reason": reason, "since": seconds(quarantined.since), "by": by})
    });
    (serves.chain(refused(&catalog)).collect(), quarantined.collect())
}

/// The adapters as short entries, for `/ready`.
pub(super) fn in_brief(operations: &Operations) -> Vec<Value> {
    let (serving, catalog) = (operations.gateway.serving(), operations.catalog.snapshot());
    serving.adapters.adapters.values().map(|adapter| brief(adapter, &catalog)).chain(refused(&catalog)).collect()
}

fn brief(adapter: &Adapter, catalog: &Snapshot) -> Value {
    let suspended = adapter.state.suspended();
    json!({
        "name": *adapter.name,
        "version": adapter.manifest.version,
        "digest": adapter.digest.hex(),
        "trusted": adapter.trusted,
        "proved": adapter.proved.get().map(|passed| *passed > 0),
        "grants": adapter.grants,
        "impurity": adapter.grants.impurity(),
        "status": catalog.state(adapter),
        "reason": suspended.as_deref(),
    })
}

fn refused(catalog: &Snapshot) -> impl Iterator<Item = Value> {
    catalog.refused.iter().map(|(name, refusal)| {
        let digest = refusal.digest.map(|digest| digest.hex());
        let since = seconds(refusal.since);
        json!({"name": **name, "status": "refused", "reason": refusal.reason, "digest": digest, "since": since})
    })
}

fn in_full(adapter: &Arc<Adapter>, catalog: &Snapshot, serving: &Serving) -> Value {
    let mut value = brief(adapter, catalog);
    let name = &*adapter.name;
    let service = catalog.service.get(name);
    let former = catalog.former.get(name).map(Vec::as_slice).unwrap_or_default();
    let more = json!({
        "signed_by": adapter.signer.as_deref(),
        "recordings_passed": adapter.proved.get(),
        "isolation": adapter.pool().isolation().name(),
        "since": service.map(|service| seconds(service.since)),
        "cause": service.map(|service| service.cause.as_str()),
        "canary": catalog.trials.get(name).map(|trial| canary(trial, adapter)),
        "versions": former.iter().map(version).collect::<Vec<_>>(),
        "rolled_back_from": catalog.aside.get(name).map(Digest::hex),
        "left_out": left_out(serving.endpoints.left_out(), name),
    });
    for part in [figures(adapter), more] {
        if let (Value::Object(value), Value::Object(part)) = (&mut value, part) {
            value.extend(part);
        }
    }
    value
}

/// The claims of an adapter that are not served, as texts.
fn left_out(all: &[LeftOut], name: &str) -> Vec<String> {
    all.iter().filter(|one| *one.adapter == *name).map(LeftOut::to_string).collect()
}

fn figures(adapter: &Adapter) -> Value {
    let (stats, footprint) = (&adapter.stats, adapter.pool().footprint());
    let counts = FaultKind::ALL.into_iter().map(|kind| (kind, stats.faults(kind))).filter(|(_, count)| *count > 0);
    let kinds: Map<String, Value> = counts.map(|(kind, count)| (kind.name().to_owned(), count.into())).collect();
    json!({
        "bytes": adapter.size,
        "exchanges": stats.leases(),
        "calls": stats.calls(),
        "seconds": stats.busy().as_secs_f64(),
        "instances_made": stats.instances(),
        "instances_idle": adapter.pool().idle(),
        "instances_live": footprint.instances(),
        "memory_bytes": footprint.bytes(),
        "memory_highest_bytes": footprint.highest(),
        "faults": stats.faults_of_its_own(),
        "faults_by_kind": kinds,
    })
}

fn canary(trial: &Trial, serving: &Adapter) -> Value {
    let (tried, beside) = (trial.tried(), trial.beside(serving));
    json!({
        "digest": trial.adapter.digest.hex(),
        "version": trial.adapter.manifest.version,
        "since": seconds(trial.since),
        "share": trial.rule.share,
        "wanted": trial.rule.requests,
        "exchanges": tried.exchanges,
        "failed": tried.failed,
        "beside": {"exchanges": beside.exchanges, "failed": beside.failed},
    })
}

fn version(former: &Former) -> Value {
    let adapter = &former.adapter;
    let mut value = json!({
        "digest": adapter.digest.hex(),
        "version": adapter.manifest.version,
        "status": former.status.name(),
        "since": seconds(former.since),
    });
    if let (Value::Object(value), Value::Object(figures)) = (&mut value, figures(adapter)) {
        value.extend(figures);
    }
    value
}

/// Seconds since 1970.
fn seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_millis() as f64 / 1000.0)
}

/// Triggers a scan of the folder that also retries refused files.
async fn rescan(State(operations): State<Operations>) -> Response {
    match &operations.trigger {
        Some(trigger) => {
            trigger.ring_anew();
            (StatusCode::ACCEPTED, Json(json!({"status": "the scan has begun"}))).into_response()
        }
        None => refuse(StatusCode::CONFLICT, "the plugins folder is not followed; the log says why"),
    }
}

/// Responds once the change is in force for requests.
async fn done(operations: &Operations, name: &str) -> Response {
    if let Some(trigger) = &operations.trigger {
        trigger.fire();
    }
    let wanted = operations.catalog.snapshot().generation;
    let in_force = async {
        while operations.gateway.serving().adapters.generation < wanted {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let _in_time = tokio::time::timeout(IN_FORCE, in_force).await;
    let catalog = operations.catalog.snapshot();
    let serving = operations.gateway.serving();
    match serving.adapter(name) {
        Some(adapter) => Json(in_full(adapter, &catalog, &serving)).into_response(),
        None => Json(json!({"name": name, "status": "not serving"})).into_response(),
    }
}

/// Proves a version again, with the fixtures that are next to its file now.
async fn test(operations: Operations, name: String, digest: Option<Digest>) -> Response {
    let snapshot = operations.catalog.snapshot();
    let digest = digest.or_else(|| snapshot.adapters.get(&*name).map(|adapter| adapter.digest));
    let Some(adapter) = digest.and_then(|digest| snapshot.version(&name, digest)).cloned() else {
        return deny(&ChangeDenied::Unknown(name));
    };
    if adapter.state.suspended().is_some() {
        let message = "it is quarantined and does not run; release it first, or try its file: `weir plugin test FILE`";
        return deny(&ChangeDenied::Impossible(message.to_owned()));
    }
    let file = operations.dir.join(format!("{name}.wasm"));
    let tested = tokio::task::spawn_blocking(move || {
        let fixtures = proof::beside(&file, || component_file::read(&file), Bounds::GATE);
        fixtures.map(|fixtures| proof::prove(&adapter, &fixtures))
    });
    match tested.await {
        Ok(Ok(report)) => {
            let reason = report.first_failure();
            Json(json!({"name": name, "passed": reason.is_none(), "reason": reason, "report": report})).into_response()
        }
        Ok(Err(error)) => deny(&ChangeDenied::Impossible(error.to_string())),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn deny(denied: &ChangeDenied) -> Response {
    let status = match denied {
        ChangeDenied::Unknown(_) => StatusCode::NOT_FOUND,
        ChangeDenied::Impossible(_) => StatusCode::CONFLICT,
    };
    refuse(status, &denied.to_string())
}
