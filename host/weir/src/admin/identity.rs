//! `/admin/v1/keys`, `teams`, `organisations`, `users`, `budgets` and `prices`: what `docs/keys.md` and
//! `docs/budgets.md` describe, and `openapi.json` in full.

mod budgets;
mod documents;
mod fields;
mod keys;
mod lists;
mod misnamed;
mod perform;
mod request;
mod subject;

use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};

use super::admin_route::AdminRoute;
use super::{Operations, Problem};
use crate::keys::Registry;
use weir_identity::change::{Idempotency, KeyCommand};
use weir_identity::{KeyId, Kind};

pub(super) use request::AdminCaller;

/// The most requests with an `idempotency-key` whose answers are remembered, ten minutes each.
const REMEMBERED: usize = 10_000;
/// The most bytes of these answers.
const REMEMBERED_BYTES: usize = 32 << 20;
/// The description of all paths below `/admin/v1`.
const OPENAPI: &str = include_str!("identity/openapi.json");

/// What these endpoints need besides the rest.
#[derive(Debug, Clone)]
pub struct Identity {
    registry: Option<Arc<Registry>>,
    /// Answers to requests with an `idempotency-key`: in memory only, since they may show a new key.
    answers: Arc<Mutex<Idempotency>>,
}

impl Identity {
    /// Endpoints over these documents; without, they answer that there is no store.
    pub fn new(registry: Option<Arc<Registry>>) -> Self {
        Self { registry, answers: Arc::new(Mutex::new(Idempotency::new(REMEMBERED, REMEMBERED_BYTES))) }
    }

    /// Whether this node follows what other nodes change. Without a store, there is nothing to follow.
    pub(super) fn is_followed(&self) -> bool {
        self.registry.as_ref().is_none_or(|registry| registry.is_followed())
    }

    fn registry(&self) -> Result<Arc<Registry>, Problem> {
        self.registry.clone().ok_or_else(Problem::no_store)
    }
}

/// All paths. Their handlers check the caller's grants.
pub(super) fn routes() -> Vec<AdminRoute> {
    use Kind::{Organisation, Price, Team, User};
    vec![
        AdminRoute::new("/v1/keys", &["get", "post"], get(lists::keys).post(keys::create)),
        AdminRoute::new("/v1/keys/import", &["post"], post(keys::import)),
        AdminRoute::new("/v1/keys/{id}", &["get", "patch", "delete"], key()),
        AdminRoute::new("/v1/keys/{id}/rotate", &["post"], post(keys::rotate)),
        AdminRoute::new("/v1/keys/{id}/disable", &["post"], switch(KeyCommand::Disable)),
        AdminRoute::new("/v1/keys/{id}/enable", &["post"], switch(KeyCommand::Enable)),
        AdminRoute::new("/v1/keys/{id}/move", &["post"], post(keys::move_to)),
        AdminRoute::new("/v1/teams", &["get", "post"], collection(Team)),
        AdminRoute::new("/v1/teams/{id}", &["get", "patch", "delete"], member(Team)),
        AdminRoute::new("/v1/organisations", &["get", "post"], collection(Organisation)),
        AdminRoute::new("/v1/organisations/{id}", &["get", "patch", "delete"], member(Organisation)),
        AdminRoute::new("/v1/users", &["get", "post"], collection(User)),
        AdminRoute::new("/v1/users/{id}", &["get", "patch", "delete"], member(User)),
        AdminRoute::new("/v1/budgets", &["post"], post(budgets::create)),
        AdminRoute::new(
            "/v1/budgets/{id}",
            &["get", "patch", "delete"],
            get(budgets::show).patch(budgets::edit).delete(budgets::delete),
        ),
        AdminRoute::new("/v1/prices", &["post"], create(Price)),
        AdminRoute::new("/v1/prices/{id}", &["get", "patch", "delete"], member(Price)),
        AdminRoute::new("/v1/damaged", &["get"], get(misnamed::list)),
        AdminRoute::new("/v1/damaged/{mark}", &["delete"], delete(misnamed::remove)),
        AdminRoute::new("/v1/openapi.json", &["get"], get(openapi)),
        AdminRoute::new("/v1", &["get"], get(openapi)),
    ]
}

fn key() -> MethodRouter<Operations> {
    get(keys::show).patch(keys::edit).delete(|State(operations): State<Operations>, path, request| {
        keys::by_id(operations, path, request, KeyCommand::Delete)
    })
}

fn switch(command: fn(KeyId) -> KeyCommand) -> MethodRouter<Operations> {
    post(move |State(operations): State<Operations>, path, request| keys::by_id(operations, path, request, command))
}

fn collection(kind: Kind) -> MethodRouter<Operations> {
    create(kind).get(move |State(operations): State<Operations>, request| lists::documents(operations, request, kind))
}

fn create(kind: Kind) -> MethodRouter<Operations> {
    post(move |State(operations): State<Operations>, request| documents::create(operations, request, kind))
}

/// Lists the prices that stand in the store.
pub(super) async fn stored_prices(operations: Operations, request: Request) -> Result<Response, Problem> {
    lists::documents(operations, request, Kind::Price).await
}

fn member(kind: Kind) -> MethodRouter<Operations> {
    get(move |State(operations): State<Operations>, path, request| documents::show(operations, path, request, kind))
        .patch(move |State(operations): State<Operations>, path, request| {
            documents::edit(operations, path, request, kind)
        })
        .delete(move |State(operations): State<Operations>, path, request| {
            documents::delete(operations, path, request, kind)
        })
}

/// What stands below `/admin/v1` with handlers that check the caller's grants.
const CHECKED: [&str; 11] = [
    "keys",
    "teams",
    "organisations",
    "users",
    "budgets",
    "prices",
    "damaged",
    "limits",
    "usage",
    "session",
    "openapi.json",
];

/// Whether requests to a path below `/admin` that are no GET change documents: keys, teams and what else the store has.
pub(super) fn changes_documents(path: &str) -> bool {
    const DOCUMENTS: [&str; 7] = ["keys", "teams", "organisations", "users", "budgets", "prices", "damaged"];
    path.strip_prefix("/v1/").is_some_and(|path| DOCUMENTS.contains(&path.split('/').next().unwrap_or_default()))
}

/// Whether the handlers of a path below `/admin` check the caller's grants themselves.
pub(super) fn checks_grants(path: &str) -> bool {
    let mut segments = path.split('/');
    if (segments.next(), segments.next()) != (Some(""), Some("v1")) {
        return false;
    }
    match segments.next() {
        None => true,
        Some("requests") => matches!(segments.nth(1), Some("exchange" | "fixture")) && segments.next().is_none(),
        Some(name) => CHECKED.contains(&name),
    }
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::described_routes;
    use serde_json::Value;
    use std::collections::BTreeSet;

    #[test]
    fn the_description_names_every_route_and_no_other() {
        let described: Value = serde_json::from_str(OPENAPI).unwrap();
        assert_eq!(described["openapi"], "3.1.0");
        let methods = ["get", "post", "patch", "put", "delete"];
        let of = |(path, item): (&String, &Value)| {
            let named = methods.iter().filter(|method| item.get(method).is_some());
            named.map(|method| format!("{method} {path}")).collect::<Vec<_>>()
        };
        let described: BTreeSet<String> = described["paths"].as_object().unwrap().iter().flat_map(of).collect();
        let served = described_routes().into_iter().filter(|route| route.path != "/v1");
        let served: BTreeSet<String> = served
            .flat_map(|route| route.methods.iter().map(move |method| format!("{method} /admin{}", route.path)))
            // The rest of a path is described as one parameter.
            .map(|served| served.replace("{*", "{"))
            .collect();
        assert_eq!(described, served);
    }

    #[test]
    fn the_description_refers_to_nothing_that_is_missing() {
        fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(members) => {
                    found.extend(members.get("$ref").and_then(Value::as_str));
                    members.values().for_each(|value| references(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let described: Value = serde_json::from_str(OPENAPI).unwrap();
        let mut found = Vec::new();
        references(&described, &mut found);
        assert!(found.len() > 20);
        for reference in found {
            assert!(described.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }

    #[test]
    fn what_takes_a_body_may_refuse_it_as_malformed_and_as_too_large() {
        let described: Value = serde_json::from_str(OPENAPI).unwrap();
        let items = described["paths"].as_object().unwrap().iter();
        let operations = items.flat_map(|(path, item)| item.as_object().unwrap().values().map(move |it| (path, it)));
        let mut count = 0;
        for (path, operation) in operations.filter(|(_, operation)| operation.get("requestBody").is_some()) {
            for status in ["400", "413"] {
                assert!(operation["responses"].get(status).is_some(), "{path}: {status}");
            }
            count += 1;
        }
        assert!(count > 10);
    }

    #[test]
    fn only_these_paths_check_grants_themselves() {
        for path in [
            "/v1/keys",
            "/v1/keys/x/rotate",
            "/v1/teams",
            "/v1/limits",
            "/v1/usage",
            "/v1/budgets",
            "/v1/prices/x",
            "/v1",
            "/v1/openapi.json",
            "/v1/requests/x/exchange",
            "/v1/requests/x/fixture",
        ] {
            assert!(checks_grants(path), "{path}");
        }
        for path in [
            "/v1/keysx",
            "/v1/requests",
            "/v1/requests/x",
            "/v1/requests/exchange",
            "/v1/requests/x/exchange/y",
            "/v1/audit",
            "/v1/overview",
            "/config",
            "/plugins/keys",
            "/v2/keys",
            "/v1keys",
        ] {
            assert!(!checks_grants(path), "{path}");
        }
    }
}
