//! `GET /admin/v1/requests/{id}/exchange`: the content of a request, as far as it is kept, in the form of recordings.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{not_in_log, read};
use crate::admin::identity::AdminCaller;
use crate::admin::{Operations, Problem};
use weir_identity::document::{Access, TeamId};
use weir_store::{Fact, RequestId, Side, Store, StoreError};

/// The status of a request whose client left before there was an answer.
const CLIENT_LEFT: u16 = 499;

/// The content of a request. The parts are the members `request` and `response` of a recording.
#[derive(Debug, Serialize)]
struct Exchange {
    id: String,
    outcome: String,
    provider: String,
    adapter: String,
    client: Sides,
    /// What the provider was sent last, if one was asked.
    upstream: Sides,
}

/// One side of an exchange, with null for what is not kept.
#[derive(Debug, Default, Serialize)]
struct Sides {
    request: Option<Box<RawValue>>,
    response: Option<Box<RawValue>>,
}

/// Shows the content of one request to callers who may read what belongs to its team.
pub(super) async fn show(
    State(operations): State<Operations>,
    Extension(caller): Extension<AdminCaller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: RequestId = id.parse().map_err(|error: weir_store::BadId| Problem::parameter(error.to_string()))?;
    let fact = read(&operations, move |store| store.fact(&id)).await?;
    let team = fact.as_ref().and_then(|fact| TeamId::parse(&fact.team).ok());
    if !caller.may(Access::Read, team.as_ref()) {
        return Err(Problem::forbidden());
    }
    let fact = fact.ok_or_else(not_in_log)?;
    let exchange = read(&operations, move |store| exchange(store, fact)).await?;
    if exchange.client.request.is_none() {
        let message = "the content of this request is not kept: see `bodies` in `[store]`";
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_content", message));
    }
    let text = serde_json::to_string(&exchange).map_err(|_| Problem::internal())?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

fn exchange(store: &dyn Store, fact: Fact) -> Result<Exchange, StoreError> {
    let part = |side| store.body(&fact.id, side)?.map(raw).transpose();
    let upstream = Sides { request: part(Side::UpstreamRequest)?, response: part(Side::UpstreamResponse)? };
    let mut client = Sides { request: part(Side::Request)?, response: part(Side::Response)? };
    if client.response.is_none() && fact.status != CLIENT_LEFT {
        // A client that got the provider's answer unchanged: it is kept once.
        client.response.clone_from(&upstream.response);
    }
    Ok(Exchange {
        id: fact.id.to_string(),
        outcome: fact.outcome,
        provider: fact.provider,
        adapter: fact.adapter,
        client,
        upstream,
    })
}

/// A part as it was stored, which is JSON.
fn raw(bytes: Vec<u8>) -> Result<Box<RawValue>, StoreError> {
    let broken = || StoreError::Unreadable("a body that is no part of a recording".to_owned());
    let text = String::from_utf8(bytes).map_err(|_| broken())?;
    RawValue::from_string(text).map_err(|_| broken())
}
