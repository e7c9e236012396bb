//! `DELETE /admin/v1/requests?user=ID`: removes what the log has of a user.

use axum::extract::{RawQuery, State};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::read;
use crate::admin::identity::AdminCaller;
use crate::admin::record::{record, record_first};
use crate::admin::{Operations, Parameters, Problem, to_its_end};

/// Removes the facts and bodies of a user's requests. Sums of use stay, since they name no request. The audit log says who had
/// it done before it is: days that are erased stay so if another one cannot be.
pub(super) async fn erase(
    State(operations): State<Operations>,
    Extension(caller): Extension<AdminCaller>,
    RawQuery(url): RawQuery,
) -> Result<Json<Value>, Problem> {
    let parameters = Parameters::parse(url.as_deref(), &["user"])?;
    let user = parameters.text("user").filter(|user| !user.is_empty());
    let user = user.ok_or_else(|| Problem::parameter("name the user: `?user=ID`".to_owned()))?;
    let erased = async move {
        record_first(&operations, &caller, "begin-erase", "requests", &user, json!({"user": user})).await?;
        let wanted = user.clone();
        let removed = read(&operations, move |store| store.erase_user(&wanted)).await?;
        record(&operations, &caller, "erase", "requests", &user, json!({"user": user, "removed": removed})).await;
        Ok(Json(json!({"removed": removed})))
    };
    to_its_end(erased).await?
}
