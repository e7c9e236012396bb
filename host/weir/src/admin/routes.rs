//! `/admin/v1/routes/explain` and `/admin/v1/endpoints`: where a request for a model would go now, considering the
//! current health, and the endpoints that clients can use.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::admin_route::AdminRoute;
use super::{Operations, body, refuse};
use weir_gateway::dry_run::route::{RouteQuestion, explain_route};
use weir_translate::dialect::endpoints::Endpoint;

/// The paths below `/admin/v1`, with their methods. The first without `v1` is there for older programs.
pub(super) fn routes() -> Vec<AdminRoute> {
    vec![
        AdminRoute::new("/v1/routes/explain", &["post"], post(explain)),
        AdminRoute::new("/v1/endpoints", &["get"], get(endpoints)),
    ]
}

/// The path of older programs.
pub(super) fn older_paths() -> Router<Operations> {
    Router::new().route("/routes/explain", post(explain))
}

/// Lists the endpoints for clients, by format and operation.
async fn endpoints(State(operations): State<Operations>) -> Response {
    let serving = operations.gateway.serving();
    let one = |endpoint: &Arc<Endpoint>| {
        json!({
            "format": endpoint.format(),
            "operation": endpoint.face.operation.name(),
            "method": endpoint.face.method,
            "path": endpoint.face.path,
        })
    };
    let items: Vec<Value> = serving.endpoints.all().iter().map(one).collect();
    Json(json!({"items": items, "next_cursor": null})).into_response()
}

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
    /// Whether the request asks for a stream, for formats in which the path decides.
    #[serde(default)]
    stream: bool,
    /// The value of the header that identifies a session.
    session: Option<String>,
    /// The name of the client.
    client: Option<String>,
    /// The provider that the request selects.
    provider: Option<String>,
}

/// Explains the route of a request.
async fn explain(State(operations): State<Operations>, body: Bytes) -> Response {
    let asked: Body = match body::object(&body) {
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
    let Body { model, stream, session, client, provider, .. } = asked;
    let question = RouteQuestion { model, request, stream, session, client, provider };
    let gateway = &operations.gateway;
    match explain_route(&gateway.serving(), gateway.health(), gateway.provenance(), &question).await {
        Ok(explained) => Json(explained).into_response(),
        Err(fault) => {
            let status = fault.error.status.and_then(|status| StatusCode::from_u16(status).ok());
            refuse(status.unwrap_or(StatusCode::BAD_REQUEST), &fault.to_string())
        }
    }
}
