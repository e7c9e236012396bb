//! `/admin/v1/budgets` and `/admin/v1/prices`: what may be spent and has been, and what the models cost now.

use std::collections::BTreeSet;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{Operations, Parameters, Problem, aside, budgets};
use weir_gateway::admission::budgets::Status;
use weir_gateway::route::Target;
use weir_ledger::{Bill, Cost, Facts, Timestamp};
use weir_types::contract::about::Bucket;

/// The count of tokens whose price is shown.
const MILLION: u32 = 1_000_000;

/// Budgets of a page, unless the request sets another number.
const USUAL: usize = 100;
/// The most budgets of a page.
const MOST: usize = 1_000;

/// The paths below `/admin`. They need a grant for everything.
pub(super) fn routes() -> [(&'static str, MethodRouter<Operations>); 2] {
    [("/v1/budgets", get(list_budgets)), ("/v1/prices", get(list_prices))]
}

/// The routes below `/admin`.
pub(super) fn router() -> Router<Operations> {
    routes().into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods))
}

/// Budgets with their windows, and what is spent, reserved and left in them: pages by name, or with `sort=used` the one page
/// of those that are used up most. There may be many, so no worker walks them.
async fn list_budgets(State(operations): State<Operations>, RawQuery(url): RawQuery) -> Result<Response, Problem> {
    let parameters = Parameters::parse(url.as_deref(), &["cursor", "limit", "prefix", "sort"])?;
    let bounded = |text: &str| text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    let limit = parameters.with("limit", &format!("a number from 1 to {MOST}"), bounded)?.unwrap_or(USUAL);
    let by_use = |text: &str| matches!(text, "name" | "used").then_some(text == "used");
    let by_use = parameters.with("sort", "name or used", by_use)?.unwrap_or_default();
    let (after, prefix) = (parameters.text("cursor"), parameters.text("prefix").unwrap_or_default());
    let answer = move || {
        let budgets = operations.gateway.budgets();
        let page =
            if by_use { budgets.most_used(&prefix, limit) } else { budgets.page(after.as_deref(), &prefix, limit) };
        let items: Vec<Value> = page.items.iter().map(budget).collect();
        let last = page.items.last().map(|(budget, ..)| budget.name.to_string());
        let next = last.filter(|_| page.more > 0 && !by_use);
        Json(json!({"items": items, "next_cursor": next, "more": page.more})).into_response()
    };
    Ok(aside(answer).await)
}

fn budget(status: &Status) -> Value {
    let mut item = budgets::shown(status);
    item["spent"] = item["settled"].take();
    item["left"] = item["remaining"].take();
    item["resets"] = item["window"]["end"].clone();
    if let Some(members) = item.as_object_mut() {
        members.retain(|name, _| !matches!(name.as_str(), "settled" | "remaining"));
    }
    item
}

/// The prices of each target of each model, with the place in the price list that each comes from.
async fn list_prices(State(operations): State<Operations>) -> Json<Value> {
    let serving = operations.gateway.serving();
    let mut seen = BTreeSet::new();
    let mut items = Vec::new();
    for (_, route) in serving.routes.iter() {
        for target in route.targets.iter().flatten() {
            let model = target.model(&route.alias).to_owned();
            if seen.insert((route.alias.clone(), target.label.to_string(), model.clone())) {
                items.push(price(target, &route.alias, &model));
            }
        }
    }
    Json(json!({"items": items, "next_cursor": null}))
}

fn price(target: &Target, alias: &str, model: &str) -> Value {
    let tariff = target.tariff(alias);
    let mut facts = Facts::at(Timestamp::now());
    for bucket in Bucket::ALL {
        *facts.tokens.slot(bucket) = Some(MILLION);
    }
    let (bill, missing) = match tariff.cost(&facts) {
        Cost::NoUsage => (None, Vec::new()),
        Cost::Priced(bill) => (Some(bill), Vec::new()),
        Cost::Unpriced(partial) => (Some(partial.known), partial.missing),
    };
    let missing: Vec<String> = missing.iter().map(|(measure, _)| measure.to_string()).collect();
    json!({
        "model": alias,
        "provider": *target.label,
        "model_served": model,
        "version": &**tariff.version(),
        "is_known": tariff.is_known(),
        "rates": bill.iter().flat_map(rates).collect::<Vec<_>>(),
        "without_price": missing,
    })
}

/// The price of each measure, and where it stands.
fn rates(bill: &Bill) -> Vec<Value> {
    let rate = |line: &weir_ledger::Line| {
        json!({
            "measure": line.measure.to_string(),
            "rate": line.rate.to_string(),
            "file": *line.file,
            "place": format!("{}.{}", line.place, line.priced_as),
        })
    };
    bill.lines.iter().map(rate).collect()
}
