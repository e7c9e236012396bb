//! `GET /admin/v1/targets`: each target of each model, and how it is now.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::admin_route::AdminRoute;
use super::{Operations, aside, ready};
use weir_gateway::health::{Health, TargetStatus};
use weir_gateway::route::{Target, keys};

/// The path below `/admin`.
pub(super) fn routes() -> Vec<AdminRoute> {
    vec![AdminRoute::new("/v1/targets", &["get"], get(list))]
}

/// All models with their targets, in the order of the configuration. There may be many, so no worker walks them.
async fn list(State(operations): State<Operations>) -> Response {
    aside(move || {
        let (serving, now) = (operations.gateway.serving(), Instant::now());
        let health = operations.gateway.health();
        let mut items = Vec::new();
        for (model, route) in serving.routes.iter() {
            let targets = model.targets.iter().zip(&route.targets).map(|(named, made)| match made {
                Ok(target) => shown(health, target, &route.alias, now),
                Err(problem) => json!({
                    "provider": *named.provider.name,
                    "model": named.model,
                    "status": "unavailable",
                    "reason": problem.message,
                }),
            });
            items.push(json!({"model": route.alias, "targets": targets.collect::<Vec<Value>>()}));
        }
        Json(json!({"items": items, "next_cursor": null})).into_response()
    })
    .await
}

fn shown(health: &Health, target: &Arc<Target>, alias: &str, now: Instant) -> Value {
    // The record is not made by looking at it.
    let record = health.known(&target.id);
    let status = |target: &Arc<Target>| match health.status(target.subject(), now) {
        TargetStatus::Well => json!({"status": "ok"}),
        TargetStatus::Resting(until, why) => json!({
            "status": "resting",
            "reason": ready::reason(why),
            "retry_after": until.saturating_duration_since(now).as_secs_f64().ceil(),
        }),
    };
    let keys: Vec<Value> = keys(target).map(status).collect();
    let is_well = keys.iter().any(|key| key["status"] == "ok");
    let whole = if is_well { None } else { keys.first() };
    json!({
        "provider": *target.label,
        "model": target.model(alias),
        "adapter": *target.adapter.name,
        "status": if is_well { "ok" } else { "resting" },
        "reason": whole.map(|key| &key["reason"]),
        "retry_after": whole.map(|key| &key["retry_after"]),
        "keys": keys,
        "breaker": record.as_ref().map_or("closed", |record| record.position(now).as_str()),
        "in_flight": record.as_ref().map_or(0, |record| record.in_flight()),
        "first_piece_ms": record.and_then(|record| record.latency(now)).map(|took| took.as_secs_f64() * 1000.0),
    })
}
