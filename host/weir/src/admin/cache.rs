//! `/admin/cache`: how much is kept for equal requests, and its removal.

use axum::extract::{RawQuery, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{Operations, Parameters, Problem};

/// The routes below `/admin`.
pub(super) fn router() -> Router<Operations> {
    Router::new().route("/cache", get(show).delete(remove))
}

/// The number of kept answers, their bytes, and the number of removals of everything.
async fn show(State(operations): State<Operations>) -> Json<Value> {
    let kept = operations.gateway.answers().kept();
    Json(json!({"entries": kept.len(), "bytes": kept.weight(), "generation": kept.generation()}))
}

/// Removes the answer with one key, those of one model, or all.
async fn remove(State(operations): State<Operations>, RawQuery(url): RawQuery) -> Result<Json<Value>, Problem> {
    let parameters = Parameters::parse(url.as_deref(), &["key", "model"])?;
    let answers = operations.gateway.answers();
    let key =
        parameters.with("key", "64 hexadecimal digits, as `x-weir-cache-key` has them", |text| answers.remove(text))?;
    Ok(Json(match (key, parameters.text("model")) {
        (Some(_), Some(_)) => return Err(Problem::parameter("give `key` or `model`, not both")),
        (Some(was_there), None) => json!({"removed": u8::from(was_there)}),
        (None, Some(model)) => json!({"removed": answers.kept().remove_model(&model)}),
        (None, None) => json!({"generation": answers.kept().clear()}),
    }))
}
