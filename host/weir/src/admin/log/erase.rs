//! `DELETE /admin/v1/requests?user=ID` or `?key=ID`: removes what the log has of a user or a key.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::{read, written};
use crate::admin::identity::AdminCaller;
use crate::admin::record::AdminAction;
use crate::admin::{Operations, Parameters, Problem, to_its_end};
use weir_store::ErasureSubject;

const NOT_WRITTEN: &str = "requests that ended before are not written yet: try again when the store can be written";

/// Removes the facts and bodies of the requests of a user, or of a key. Sums of use stay, since they name no request.
/// The audit log says who had it done before it is: what is erased stays so if the rest cannot be.
pub(super) async fn erase(
    State(operations): State<Operations>,
    Extension(caller): Extension<AdminCaller>,
    RawQuery(url): RawQuery,
) -> Result<Json<Value>, Problem> {
    let parameters = Parameters::parse(url.as_deref(), &["user", "key"])?;
    let of = |name| parameters.text(name).filter(|id| !id.is_empty());
    let (kind, id, subject) = match (of("user"), of("key")) {
        (Some(user), None) => ("user", user.clone(), ErasureSubject::User(user)),
        (None, Some(key)) => ("key", key.clone(), ErasureSubject::Key(key)),
        _ => return Err(Problem::parameter("name a user or a key: `?user=ID` or `?key=ID`")),
    };
    let erased = async move {
        // What is written later would stay.
        if !written(&operations).await? {
            return Err(Problem::of_status(StatusCode::SERVICE_UNAVAILABLE, NOT_WRITTEN));
        }
        let about = |action, details| AdminAction { action, kind: "requests", name: &id, details };
        about("begin-erase", json!({kind: id})).record_first(&operations, &caller).await?;
        let removed = read(&operations, move |store| store.erase(&subject)).await?;
        about("erase", json!({kind: id, "removed": removed})).record(&operations, &caller).await;
        Ok(Json(json!({"removed": removed})))
    };
    to_its_end(erased).await?
}
