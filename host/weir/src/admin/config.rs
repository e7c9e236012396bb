//! Admin endpoints of the configuration.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use similar::TextDiff;

use super::admin_route::AdminRoute;
use super::identity::AdminCaller;
use super::{Operations, Parameters, Problem, body, refuse};
use crate::reload::{AppliedConfig, ReloadError, Version, shown};
use weir_config::{Address, Config, Limits, Severity, Target};

/// The paths below `/admin/v1`, with their methods. The same without `v1` are there for older programs.
pub(super) fn routes() -> Vec<AdminRoute> {
    vec![
        AdminRoute::new("/v1/config", &["get"], get(current)),
        AdminRoute::new("/v1/config/versions", &["get"], get(version_items)),
        AdminRoute::new("/v1/config/diff", &["get"], get(diff)),
        AdminRoute::new("/v1/config/validate", &["post"], post(validate)),
        AdminRoute::new("/v1/config/reload", &["post"], post(reload)),
        AdminRoute::new("/v1/config/rollback", &["post"], post(rollback)),
    ]
}

/// The paths of older programs.
pub(super) fn older_paths() -> Router<Operations> {
    Router::new()
        .route("/config", get(current))
        .route("/config/versions", get(versions))
        .route("/config/diff", get(diff))
        .route("/config/validate", post(validate))
        .route("/config/reload", post(reload))
        .route("/reload", post(reload))
        .route("/config/rollback", post(rollback))
}

/// Returns the configuration in force, without secrets.
async fn current(State(operations): State<Operations>) -> Response {
    let serving = operations.gateway.serving();
    let version = operations.reload.current();
    let mut answer = properties(&serving.config);
    answer["version"] = json!(version.number);
    answer["text"] = json!(shown(&version.config));
    Json(answer).into_response()
}

fn properties(config: &Config) -> Value {
    let providers = config.providers.iter().map(|provider| {
        json!({
            "name": provider.name,
            "adapter": provider.adapter,
            "url": provider.address.as_ref().map(Address::to_string),
            "keys": provider.keys.len(),
            "translate": provider.translate,
            "limits": limits(&provider.limits),
        })
    });
    let target = |target: &Target| json!({"provider": target.provider.name, "model": target.model});
    let models = config.models.iter().map(|model| {
        json!({
            "alias": model.alias.to_string(),
            "targets": model.targets.iter().map(target).collect::<Vec<_>>(),
            "limits": limits(&model.limits),
        })
    });
    let clients = config.clients.iter().map(|client| {
        json!({
            "name": *client.name,
            "keys": client.keys.len(),
            "models": client.models.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "limits": limits(&client.limits),
        })
    });
    json!({
        "revision": config.revision,
        "providers": providers.collect::<Vec<_>>(),
        "models": models.collect::<Vec<_>>(),
        "clients": clients.collect::<Vec<_>>(),
    })
}

/// The configured limits, by the names of their keys.
fn limits(limits: &Limits) -> Value {
    let all = [
        ("requests_per_minute", limits.requests),
        ("tokens_per_minute", limits.tokens),
        ("input_tokens_per_minute", limits.input_tokens),
        ("output_tokens_per_minute", limits.output_tokens),
        ("streams", limits.streams),
    ];
    all.into_iter().filter_map(|(name, limit)| Some((name.to_owned(), json!(limit?)))).collect()
}

async fn versions(State(operations): State<Operations>) -> Response {
    Json(json!({"versions": kept(&operations)})).into_response()
}

/// The versions in the form of all lists of `/admin/v1`.
async fn version_items(State(operations): State<Operations>) -> Response {
    Json(json!({"items": kept(&operations), "next_cursor": null})).into_response()
}

fn kept(operations: &Operations) -> Vec<Value> {
    let current = operations.reload.current().number;
    let one = |version: &Arc<Version>| {
        let since = version.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        json!({
            "version": version.number,
            "revision": version.config.revision,
            "since": since.as_secs(),
            "origin": version.origin.as_str(),
            "current": version.number == current,
        })
    };
    operations.reload.versions().iter().map(one).collect()
}

/// Returns the difference of two versions, by default of the one in force and the one before.
async fn diff(State(operations): State<Operations>, RawQuery(url): RawQuery) -> Result<Response, Problem> {
    let between = Parameters::parse(url.as_deref(), &["from", "to"])?;
    let kept = operations.reload.versions();
    let find = |name: Option<String>, usual: usize| match name {
        Some(name) => operations.reload.version(&name).ok_or(name),
        None => kept.get(usual).cloned().ok_or_else(|| "before this one".to_owned()),
    };
    let (from, to) = match (find(between.text("from"), 1), find(between.text("to"), 0)) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(name), _) | (_, Err(name)) => {
            return Err(Problem::of_status(StatusCode::NOT_FOUND, ReloadError::Unknown(name).to_string()));
        }
    };
    let (old, new) = (shown(&from.config), shown(&to.config));
    let names = (from.number.to_string(), to.number.to_string());
    Ok(TextDiff::from_lines(old, new).unified_diff().header(&names.0, &names.1).to_string().into_response())
}

/// Checks the configuration in the request's body, without applying it.
async fn validate(State(operations): State<Operations>, body: Bytes) -> Response {
    let Ok(text) = String::from_utf8(body.into()) else {
        return refuse(StatusCode::BAD_REQUEST, "the body must be a configuration, which is text in UTF-8");
    };
    let reload = Arc::clone(&operations.reload);
    let Ok(problems) = tokio::task::spawn_blocking(move || reload.validate(&text)).await else {
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, "the configuration could not be checked");
    };
    let of = |severity| problems.iter().filter(move |one| one.severity == severity).count();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    let report = problems.render(false);
    Json(json!({"valid": errors == 0, "errors": errors, "warnings": warnings, "report": report})).into_response()
}

async fn reload(State(operations): State<Operations>, Extension(caller): Extension<AdminCaller>) -> Response {
    let reload = Arc::clone(&operations.reload);
    answer(tokio::task::spawn_blocking(move || reload.reload(&caller.actor)).await)
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct RollbackRequest {
    /// A version's number or revision; by default the previous one.
    to: Option<String>,
}

async fn rollback(
    State(operations): State<Operations>,
    Extension(caller): Extension<AdminCaller>,
    body: Bytes,
) -> Response {
    let asked = if body.trim_ascii().is_empty() {
        Ok(RollbackRequest::default())
    } else {
        body::object::<RollbackRequest>(&body)
    };
    let Ok(RollbackRequest { to }) = asked else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "send {\"to\": \"VERSION OR REVISION\"}, or nothing for the one before",
        );
    };
    let reload = Arc::clone(&operations.reload);
    answer(tokio::task::spawn_blocking(move || reload.rollback(to.as_deref(), &caller.actor)).await)
}

fn answer(result: Result<Result<AppliedConfig, ReloadError>, tokio::task::JoinError>) -> Response {
    match result {
        Ok(Ok(AppliedConfig { version, at_next_start, .. })) => {
            let (number, revision) = (version.number, &version.config.revision);
            Json(json!({"version": number, "revision": revision, "at_next_start": at_next_start})).into_response()
        }
        Ok(Err(error)) => {
            let status = match error {
                ReloadError::Unknown(_) => StatusCode::NOT_FOUND,
                ReloadError::NoFile | ReloadError::NotAFile => StatusCode::CONFLICT,
                ReloadError::Problems(_) | ReloadError::Exposure(_) => StatusCode::UNPROCESSABLE_ENTITY,
            };
            refuse(status, &error.to_string())
        }
        Err(_) => refuse(StatusCode::INTERNAL_SERVER_ERROR, "the configuration could not be taken"),
    }
}
