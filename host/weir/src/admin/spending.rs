//! Lists of `/admin/v1/budgets` and `/admin/v1/prices`: what may be spent and has been, and what the models cost now.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, RawQuery, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::admin_route::AdminRoute;
use super::identity::{AdminCaller, stored_prices};
use super::{Operations, Parameters, Problem, aside, budgets};
use weir_config::Config;
use weir_gateway::admission::budgets::Status;
use weir_gateway::gateway::Gateway;
use weir_gateway::route::Target;
use weir_identity::document::{Access, TeamId};
use weir_identity::{Directory, KeyId};
use weir_ledger::{Bill, Budget, Cost, Facts, Scope, ScopeKind, Timestamp};
use weir_types::contract::about::Bucket;

/// The count of tokens whose price is shown: so few that no price for longer contexts holds.
const TOKENS: u32 = 1;

/// The origin of budgets that stand by themselves in the store.
pub(super) const STORED: &str = "store";

/// The paths below `/admin`.
pub(super) fn routes() -> Vec<AdminRoute> {
    vec![
        AdminRoute::new("/v1/budgets", &["get"], get(list_budgets)),
        AdminRoute::new("/v1/prices", &["get"], get(list_prices)),
    ]
}

/// Budgets with their windows, and what is spent, reserved and left in them: pages by name, or with `sort=used` the one
/// page of those that are used up most. There may be many, so no worker walks them.
async fn list_budgets(
    State(operations): State<Operations>,
    Extension(caller): Extension<AdminCaller>,
    RawQuery(url): RawQuery,
) -> Result<Response, Problem> {
    let parameters = Parameters::parse(url.as_deref(), &["cursor", "limit", "prefix", "sort"])?;
    let limit = parameters.page_size()?;
    let by_use = |text: &str| matches!(text, "name" | "used").then_some(text == "used");
    let by_use = parameters.with("sort", "name or used", by_use)?.unwrap_or_default();
    let (after, prefix) = (parameters.text("cursor"), parameters.text("prefix").unwrap_or_default());
    let answer = move || {
        let (budgets, sight) = (operations.gateway.budgets(), VisibleBudgets::of(&operations, caller));
        let is_asked = |budget: &Budget| budget.name.starts_with(&*prefix) && sight.sees(budget);
        let page =
            if by_use { budgets.most_used(limit, is_asked) } else { budgets.page(after.as_deref(), limit, is_asked) };
        let items: Vec<Value> = page.items.iter().map(|status| budget(status, &sight)).collect();
        let last = page.items.last().map(|(budget, ..)| budget.name.to_string());
        let next = last.filter(|_| page.more > 0 && !by_use);
        Json(json!({"items": items, "next_cursor": next, "more": page.more})).into_response()
    };
    Ok(aside(answer).await)
}

/// A budget with its window, and where it stands.
pub(super) fn budget(status: &Status, sight: &VisibleBudgets) -> Value {
    let mut item = budgets::shown(status);
    item["spent"] = item["settled"].take();
    item["left"] = item["remaining"].take();
    item["resets"] = item["window"]["end"].clone();
    if let Some(members) = item.as_object_mut() {
        members.retain(|name, _| !matches!(name.as_str(), "settled" | "remaining"));
    }
    let name = &*status.0.name;
    item["origin"] = json!(sight.origin(name));
    if let Some(place) = sight.place(name) {
        item["place"] = json!(place);
    }
    item
}

/// Which budgets a caller sees: with a grant for a team, those of the team and of its keys.
pub(super) struct VisibleBudgets {
    caller: AdminCaller,
    gateway: Arc<Gateway>,
    directory: Arc<Directory>,
    config: Arc<Config>,
}

impl VisibleBudgets {
    pub(super) fn of(operations: &Operations, caller: AdminCaller) -> Self {
        let gateway = Arc::clone(&operations.gateway);
        let directory = gateway.stored_keys().directory();
        let config = Arc::clone(&operations.reload.current().config);
        Self { caller, gateway, directory, config }
    }

    pub(super) fn sees(&self, budget: &Budget) -> bool {
        if self.caller.may(Access::Read, None) {
            return true;
        }
        let team = match &budget.scope {
            Scope::Of(ScopeKind::Team, team) => TeamId::parse(team).ok(),
            Scope::Of(ScopeKind::Key, key) => self.team_of(key),
            _ => None,
        };
        team.is_some_and(|team| self.caller.may(Access::Read, Some(&team)))
    }

    /// The team of a key of the store, or of a client of the configuration.
    fn team_of(&self, key: &str) -> Option<TeamId> {
        let stored = KeyId::parse(key).ok().and_then(|id| self.directory.key(id));
        if let Some(stored) = stored {
            return stored.team.clone();
        }
        let client = self.config.clients.iter().find(|client| *client.name == *key)?;
        TeamId::parse(client.team.as_deref()?).ok()
    }

    /// `file`, `store`, or the kind of the document at which a budget stands.
    fn origin(&self, name: &str) -> &'static str {
        if self.gateway.budgets().is_configured(name) {
            return "file";
        }
        let kinds = [ScopeKind::Key, ScopeKind::Team, ScopeKind::Organisation].map(ScopeKind::name);
        // Ids of budgets have no slash.
        let kind = name.split_once('/').and_then(|(kind, _)| kinds.into_iter().find(|known| *known == kind));
        kind.unwrap_or(STORED)
    }

    /// Where a budget that has no document of its own is changed: the line of the file, if the caller may read
    /// everything.
    pub(super) fn place(&self, name: &str) -> Option<String> {
        match self.origin(name) {
            STORED => None,
            "file" if self.caller.may(Access::Read, None) => self.config.place_of_budget(name),
            "file" => Some("the configuration".to_owned()),
            _ => name.split('/').nth(1).and_then(|id| Some(format!("the {} {id}", name.split('/').next()?))),
        }
    }
}

/// The prices in force, or with `origin=store` those that stand in the store.
async fn list_prices(State(operations): State<Operations>, request: Request) -> Result<Response, Problem> {
    let parameters = Parameters::parse(request.uri().query(), &["origin", "cursor", "limit"])?;
    let stored = |text: &str| matches!(text, STORED | "all").then_some(text == STORED);
    if parameters.with("origin", "store or all", stored)?.unwrap_or_default() {
        return stored_prices(operations, request).await;
    }
    let caller = request.extensions().get::<AdminCaller>();
    if !caller.is_some_and(|caller| caller.may(Access::Read, None)) {
        return Err(Problem::forbidden());
    }
    Ok(prices_in_force(&operations).into_response())
}

/// The prices of each target of each model, for requests that are no batch and of a short context, with the place in
/// the price list that each comes from.
fn prices_in_force(operations: &Operations) -> Json<Value> {
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
        *facts.tokens.slot(bucket) = Some(TOKENS);
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
