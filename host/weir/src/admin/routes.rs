//! `POST /admin/routes/explain`: explains where a request for a model would go now, considering the current health.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Operations, refuse};
use weir_gateway::dry_run::route::{RouteQuestion, explain_route};

/// The question, as JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    /// The client's name for the model.
    model: String,
    /// A request's body.
    request: Option<Box<RawValue>>,
    /// The format of the request.
    from: Option<String>,
    /// The value of the header that identifies a session.
    session: Option<String>,
    /// The name of the client.
    client: Option<String>,
    /// The provider that the request selects.
    provider: Option<String>,
}

/// Explains the route of a request.
pub(super) async fn explain(State(operations): State<Operations>, body: Bytes) -> Response {
    let asked: Body = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let request = match (asked.request, asked.from) {
        (None, _) => None,
        (Some(request), Some(from)) => Some((from, Bytes::copy_from_slice(request.get().as_bytes()))),
        (Some(_), None) => {
            return refuse(StatusCode::BAD_REQUEST, "`from` has to say which format the request is written in");
        }
    };
    let Body { model, session, client, provider, .. } = asked;
    let question = RouteQuestion { model, request, session, client, provider };
    let gateway = &operations.gateway;
    match explain_route(&gateway.serving(), gateway.health(), gateway.origins(), &question).await {
        Ok(explained) => Json(explained).into_response(),
        Err(fault) => {
            let status = fault.error.status.and_then(|status| StatusCode::from_u16(status).ok());
            refuse(status.unwrap_or(StatusCode::BAD_REQUEST), &fault.to_string())
        }
    }
}
