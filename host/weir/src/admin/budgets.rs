//! `GET /admin/budgets`: each budget, its window, and what is booked and reserved in it.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Operations, aside};
use weir_gateway::admission::budgets::Status;
use weir_ledger::{Limit, Nano, Scope, Timestamp};

/// Lists all budgets. There may be many, so no worker walks them.
pub(super) async fn list(State(operations): State<Operations>) -> Response {
    aside(move || {
        let budgets: Vec<Value> = operations.gateway.budgets().status().iter().map(shown).collect();
        Json(json!({"budgets": budgets})).into_response()
    })
    .await
}

/// A budget as these endpoints show it.
pub(super) fn shown((budget, window, settled, reserved): &Status) -> Value {
    let unit = match budget.limit {
        Limit::Usd(_) => "usd",
        Limit::Tokens(_) => "tokens",
        Limit::Requests(_) => "requests",
    };
    let scope = match &budget.scope {
        Scope::All => json!("all"),
        Scope::Of(kind, name) => json!({kind.name(): **name}),
    };
    let amount = |amount: u64| match budget.limit {
        // Exact, as a decimal text.
        Limit::Usd(_) => json!(dollars(amount)),
        Limit::Tokens(_) | Limit::Requests(_) => json!(amount),
    };
    let limit = budget.limit.amount();
    json!({
        "name": *budget.name,
        "for": scope,
        "unit": unit,
        "limit": amount(limit),
        "settled": amount(*settled),
        "reserved": amount(*reserved),
        "remaining": amount(limit.saturating_sub(settled.saturating_add(*reserved))),
        "window": { "start": time(window.start), "end": window.end.and_then(time) },
    })
}

fn dollars(nanos: u64) -> String {
    let nano = i64::try_from(nanos).ok().and_then(|nanos| Nano::new(nanos).ok());
    nano.unwrap_or(Nano::MAX).to_string()
}

fn time(second: i64) -> Option<String> {
    Timestamp::from_second(second).ok().map(|time| time.to_string())
}
