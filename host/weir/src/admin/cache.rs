//! `/admin/cache`, and the same as `/admin/v1/cache`: how much is kept for equal requests, and its removal.

use axum::extract::{RawQuery, State};
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{Operations, Parameters, Problem};

/// The paths below `/admin` that are described, with their methods.
pub(super) fn routes() -> [(&'static str, &'static [&'static str], MethodRouter<Operations>); 1] {
    [("/v1/cache", &["get", "delete"], get(show).delete(remove))]
}

/// The routes below `/admin`.
pub(super) fn router() -> Router<Operations> {
    let router = Router::new().route("/cache", get(show).delete(remove));
    routes().into_iter().fold(router, |router, (path, _, methods)| router.route(path, methods))
}

/// The number of kept answers, their bytes, the number of removals of everything, and how requests were answered.
async fn show(State(operations): State<Operations>) -> Json<Value> {
    let answers = operations.gateway.answers();
    let kept = answers.kept();
    Json(json!({
        "entries": kept.len(),
        "bytes": kept.weight(),
        "limit_bytes": kept.capacity(),
        "generation": kept.generation(),
        "models": answers.results(),
    }))
}

/// Removes the answer with one key, those of one model, those of a generation, or all.
async fn remove(State(operations): State<Operations>, RawQuery(url): RawQuery) -> Result<Json<Value>, Problem> {
    let parameters = Parameters::parse(url.as_deref(), &["key", "model", "generation"])?;
    let answers = operations.gateway.answers();
    let generation: Option<u64> = parameters.parsed("generation", "a number, as `GET /admin/v1/cache` has it")?;
    let named = ["key", "model", "generation"].iter().filter(|name| parameters.text(name).is_some()).count();
    if named > 1 {
        return Err(Problem::parameter("give one of `key`, `model` and `generation`"));
    }
    let key =
        parameters.with("key", "64 hexadecimal digits, as `x-weir-cache-key` has them", |text| answers.remove(text))?;
    Ok(Json(match (key, parameters.text("model"), generation) {
        (Some(was_there), ..) => json!({"removed": u8::from(was_there)}),
        (None, Some(model), _) => json!({"removed": answers.kept().remove_model(&model)}),
        (None, None, Some(generation)) => json!({"generation": answers.kept().clear_up_to(generation)}),
        (None, None, None) => json!({"generation": answers.kept().clear()}),
    }))
}
