//! `/ready`: whether requests can be served, and the state of each provider.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Operations, plugins};
use crate::store::drops::Dropped;
use weir_config::Config;
use weir_gateway::health::breaker::Position;
use weir_gateway::health::{Health, Rest, TargetStatus};
use weir_gateway::route::{Target, keys};
use weir_store::Condition;

/// State of one provider's targets.
#[derive(Debug, Default)]
struct ProviderStatus {
    /// Why one of its targets cannot be served at all.
    lacks: Option<String>,
    /// The status of the key that is available soonest.
    status: Option<TargetStatus>,
    /// The most restrictive position of its breakers.
    breaker: Option<Position>,
}

/// Ready unless draining, or every provider has a target that cannot be served, or no client can be served because the
/// keys of the store are still unread, or most nodes have other adapters and that is not allowed. Resting providers
/// degrade the status, but are no reason to send requests to another Weir, because its providers are the same.
pub(super) async fn answer(State(operations): State<Operations>) -> Response {
    let serving = operations.gateway.serving();
    let draining = *operations.draining.borrow();
    let store = store_in_brief(&operations);
    let is_store_unwell = operations.store.as_ref().is_some_and(|store| !store.health().is_well())
        || keys_in_brief(&operations) != "working";
    let are_budgets_unkept = operations.budgets.as_ref().is_some_and(|state| state.get() != 0);
    let is_share_lost = operations.sharing.as_ref().is_some_and(|sharing| !sharing.is_well());
    let (has_others, is_apart) = operations.sharing.as_ref().map_or((false, false), |sharing| {
        let (nodes, alike) = (sharing.nodes(), sharing.alike());
        (alike < nodes, alike.saturating_mul(2) < nodes)
    });
    let config = Arc::clone(&operations.reload.current().config);
    let is_barred = is_apart && config.shared.as_ref().is_some_and(|shared| shared.require_same_adapters);
    // A rollout that waits for this keeps the nodes that know the keys.
    let serves_no_client = operations.gateway.stored_keys().is_unread() && needs_keys_of_store(&config);
    let adapters = plugins::in_brief(&operations);
    let now = Instant::now();
    let mut providers: BTreeMap<&str, ProviderStatus> = BTreeMap::new();
    for (model, route) in serving.routes.iter() {
        for (target, made) in model.targets.iter().zip(&route.targets) {
            let provider = providers.entry(&target.provider.name).or_default();
            match made {
                Ok(target) => provider.take_in(operations.gateway.health(), target, now),
                Err(problem) => provider.lacks = provider.lacks.take().or_else(|| Some(problem.message.clone())),
            }
        }
    }
    let lacking = providers.values().filter(|provider| provider.lacks.is_some()).count();
    let resting = providers.values().any(ProviderStatus::rests);
    let is_degraded = lacking > 0 || resting || is_store_unwell || are_budgets_unkept || is_share_lost || has_others;
    let status = match (draining, is_degraded) {
        (true, _) => "draining",
        (false, true) => "degraded",
        (false, false) => "ready",
    };
    let all_lacking = lacking > 0 && lacking == providers.len();
    let code = if draining || all_lacking || is_barred || serves_no_client {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    let providers: BTreeMap<&str, Value> =
        providers.iter().map(|(name, providers)| (*name, providers.shown(now))).collect();
    let mut page = json!({"status": status, "providers": providers, "adapters": adapters, "store": store});
    if operations.budgets.is_some() {
        page["budgets"] = json!({"state": if are_budgets_unkept { "failing" } else { "working" }});
    }
    if let Some(sharing) = &operations.sharing {
        let state = if sharing.is_well() { "working" } else { "failing" };
        page["shared"] = json!({"state": state, "nodes": sharing.nodes(), "same_adapters": sharing.alike()});
    }
    (code, Json(page)).into_response()
}

/// Whether all callers are those that the store knows: there are no others in the configuration.
fn needs_keys_of_store(config: &Config) -> bool {
    config.clients.is_empty() && config.issuers.is_empty() && !config.server.anonymous
}

/// What is kept, and how writing it goes. The reasons of failures are in the log: this page is for everyone.
fn store_in_brief(operations: &Operations) -> Value {
    let Some(store) = &operations.store else { return json!({"kind": "none"}) };
    let health = store.health();
    let state = |condition: &Condition| match condition {
        Condition::Working => "working",
        Condition::Slow { .. } => "slow",
        Condition::Failing { .. } => "failing",
    };
    let mut lost = BTreeMap::<_, BTreeMap<_, _>>::new();
    for Dropped { what, reason, count } in store.dropped(&health) {
        lost.entry(what).or_default().insert(reason, count);
    }
    json!({
        "kind": store.kind().as_str(),
        "log": state(&health.log),
        "money": state(&health.money),
        "keys": keys_in_brief(operations),
        "queued": health.queued_rows,
        "dropped": health.dropped_facts.full + health.dropped_facts.failed,
        "dropped_by_reason": lost,
    })
}

/// Whether the keys of the store are known here, and what other nodes change about them is followed.
fn keys_in_brief(operations: &Operations) -> &'static str {
    if operations.gateway.stored_keys().is_unread() {
        return "unread";
    }
    if operations.identity.is_followed() { "working" } else { "failing" }
}

impl ProviderStatus {
    fn take_in(&mut self, health: &Health, target: &Arc<Target>, now: Instant) {
        for target in keys(target) {
            let status = health.status(target.subject(), now);
            self.status = Some(self.status.map_or(status, |other| other.sooner(status)));
        }
        let position = health.of(&target.id).position(now);
        self.breaker = Some(
            self.breaker.map_or(position, |other| if other.figure() > position.figure() { other } else { position }),
        );
    }

    fn rests(&self) -> bool {
        matches!(self.status, Some(TargetStatus::Resting(..)))
    }

    fn shown(&self, now: Instant) -> Value {
        if let Some(reason) = &self.lacks {
            return json!({"status": "unavailable", "reason": reason});
        }
        let breaker = self.breaker.map_or("closed", Position::as_str);
        match self.status {
            Some(TargetStatus::Resting(until, why)) => {
                let seconds = until.saturating_duration_since(now).as_secs_f64().ceil();
                json!({"status": "resting", "reason": reason(why), "retry_after": seconds, "breaker": breaker})
            }
            _ => json!({"status": "ok", "breaker": breaker}),
        }
    }
}

pub(super) fn reason(why: Rest) -> &'static str {
    match why {
        Rest::Limited | Rest::Unstated => "it asked for fewer requests",
        Rest::Failing => "it fails too often, or reported that it is overloaded",
        Rest::Refused => "it refuses the key",
    }
}
