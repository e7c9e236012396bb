//! `/admin/cache`, and the same as `/admin/v1/cache`: how much is kept for equal requests, its removal, and what is
//! said of answers to questions that mean the same.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::admin_route::AdminRoute;
use super::{Operations, Parameters, Problem, body};
use weir_gateway::answer_cache::{Key, Removal, Verdict};

/// The paths below `/admin` that are described, with their methods.
pub(super) fn routes() -> Vec<AdminRoute> {
    vec![
        AdminRoute::new("/v1/cache", &["get", "delete"], get(show).delete(remove)),
        AdminRoute::new("/v1/cache/feedback", &["post"], post(judge)),
    ]
}

/// The path of older programs.
pub(super) fn older_paths() -> Router<Operations> {
    Router::new().route("/cache", get(show).delete(remove))
}

/// The number of kept answers, their bytes, the number of removals of everything, and how requests were answered.
async fn show(State(operations): State<Operations>) -> Json<Value> {
    let answers = operations.gateway.answers();
    let kept = answers.kept();
    let (semantic, feedback) = answers.semantic_results();
    Json(json!({
        "entries": kept.len(),
        "bytes": kept.weight(),
        "limit_bytes": kept.capacity(),
        "generation": kept.generation(),
        "models": answers.results(),
        "semantic": semantic,
        "feedback": feedback,
    }))
}

/// What is said of an answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Feedback {
    key: String,
    verdict: String,
}

/// Takes in a verdict on an answer that was given to a question which means the same.
async fn judge(State(operations): State<Operations>, body: Bytes) -> Result<Json<Value>, Problem> {
    let wrong = |message: &str| Problem::bad("bad_request", message);
    let feedback: Feedback = body::object(&body)
        .map_err(|_| wrong("the body must be {\"key\": \"…\", \"verdict\": \"right\" or \"wrong\"}"))?;
    let key = Key::parse(&feedback.key).ok_or_else(|| wrong("`key` must be the `x-weir-cache-key` of the answer"))?;
    let verdict = Verdict::parse(&feedback.verdict).ok_or_else(|| wrong("`verdict` must be `right` or `wrong`"))?;
    let (removed, is_done) = operations.gateway.answers().judge(&key, verdict).await;
    if !is_done {
        let message = "this node heeds the verdict, and the others do not yet, since the server that keeps answers is away: \
                       ask again when `weir_cache_server_state` is 0";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "cache_unavailable", message));
    }
    Ok(Json(json!({"removed": removed})))
}

/// Removes the answer with one key, those of one model, those of a generation, or all.
async fn remove(State(operations): State<Operations>, RawQuery(url): RawQuery) -> Result<Json<Value>, Problem> {
    let parameters = Parameters::parse(url.as_deref(), &["key", "model", "generation"])?;
    let generation: Option<u64> = parameters.parsed("generation", "a number, as `GET /admin/v1/cache` has it")?;
    let named = ["key", "model", "generation"].iter().filter(|name| parameters.text(name).is_some()).count();
    if named > 1 {
        return Err(Problem::parameter("give one of `key`, `model` and `generation`"));
    }
    if let Some(name) = parameters.first_empty() {
        return Err(Problem::parameter(format!("`{name}` is empty: leave it out to remove all answers")));
    }
    let answers = operations.gateway.answers();
    let key = parameters.with("key", "64 hexadecimal digits, as `x-weir-cache-key` has them", Key::parse)?;
    let model = parameters.text("model");
    let (removal, is_counted) = match (&key, &model) {
        (Some(key), _) => (Removal::Key(key), true),
        (None, Some(model)) => (Removal::Model(model), true),
        (None, None) => (Removal::All(generation), false),
    };
    let (removed, is_done) = answers.remove(removal).await;
    if !is_done {
        let message = "removed from this node's memory only, since the server that keeps answers is away: ask again \
                       when `weir_cache_server_state` is 0";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "cache_unavailable", message));
    }
    Ok(Json(if is_counted { json!({"removed": removed}) } else { json!({"generation": answers.kept().generation()}) }))
}
