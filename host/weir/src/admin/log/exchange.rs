//! `GET /admin/v1/requests/{id}/exchange`: the content of a request, as far as it is kept, in the form of recordings;
//! and `/fixture`: the exchange with the provider as one recording, which `weir plugin test` accepts.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
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
pub(in crate::admin) struct Exchange {
    id: String,
    outcome: String,
    provider: String,
    adapter: String,
    pub(in crate::admin) client: Sides,
    /// What the provider was sent last, if one was asked.
    upstream: Sides,
}

/// One side of an exchange, with null for what is not kept.
#[derive(Debug, Default, Serialize)]
pub(in crate::admin) struct Sides {
    pub(in crate::admin) request: Option<Box<RawValue>>,
    response: Option<Box<RawValue>>,
}

/// An exchange with a provider as a fixture. Its parts are those that were kept, letter by letter.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Recording<'a> {
    id: &'a str,
    provider: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    streaming: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    features: Vec<&'static str>,
    request: &'a RawValue,
    response: &'a RawValue,
}

impl<'a> Recording<'a> {
    /// The recording; none if no provider answered.
    fn of(exchange: &'a Exchange) -> Option<Self> {
        #[derive(Deserialize)]
        struct Answer {
            chunks: Option<IgnoredAny>,
        }
        let (request, response) = (exchange.upstream.request.as_deref()?, exchange.upstream.response.as_deref()?);
        let is_streamed = serde_json::from_str::<Answer>(response.get()).is_ok_and(|answer| answer.chunks.is_some());
        let is_cut = is_streamed && matches!(exchange.outcome.as_str(), "cut" | "cancelled");
        Some(Self {
            id: &exchange.id,
            provider: &exchange.provider,
            streaming: is_streamed.then_some(true),
            features: if is_cut { vec!["stream_cut"] } else { Vec::new() },
            request,
            response,
        })
    }
}

impl Exchange {
    /// The exchange with the provider as a recording; none if no provider answered.
    pub(in crate::admin) fn recording(&self) -> Option<Recording<'_>> {
        Recording::of(self)
    }
}

/// Shows the content of one request to callers who may read what belongs to its team.
pub(super) async fn show(
    State(operations): State<Operations>,
    Extension(caller): Extension<AdminCaller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let exchange = kept(&operations, &caller, &id).await?;
    let text = serde_json::to_string(&exchange).map_err(|_| Problem::internal())?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// The exchange with the provider as a file, for callers who may read the content.
pub(super) async fn fixture(
    State(operations): State<Operations>,
    Extension(caller): Extension<AdminCaller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let exchange = kept(&operations, &caller, &id).await?;
    let message = "no provider answered this request, so that there is nothing to record";
    let none = || Problem::new(StatusCode::NOT_FOUND, "no_content", message);
    let recording = exchange.recording().ok_or_else(none)?;
    let text = serde_json::to_string_pretty(&recording).map_err(|_| Problem::internal())?;
    let name = format!("attachment; filename=\"{}.json\"", exchange.id);
    let headers = [(header::CONTENT_TYPE, "application/json".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, text + "\n").into_response())
}

/// The content of a request that the caller may read.
async fn kept(operations: &Operations, caller: &AdminCaller, id: &str) -> Result<Exchange, Problem> {
    let id: RequestId = id.parse().map_err(|error: weir_store::BadId| Problem::parameter(error.to_string()))?;
    let fact = read(operations, move |store| store.fact(&id)).await?;
    let team = fact.as_ref().and_then(|fact| TeamId::parse(&fact.team).ok());
    if !caller.may(Access::Read, team.as_ref()) {
        return Err(Problem::forbidden());
    }
    let fact = fact.ok_or_else(not_in_log)?;
    let exchange = read(operations, move |store| exchange(store, fact)).await?;
    if exchange.client.request.is_none() {
        let message = "the content of this request is not kept: see `bodies` in `[store]`";
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_content", message));
    }
    Ok(exchange)
}

/// Reads what is kept of a request's content.
pub(in crate::admin) fn exchange(store: &dyn Store, fact: Fact) -> Result<Exchange, StoreError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn side(request: &str, response: &str) -> Sides {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).ok();
        Sides { request: raw(request), response: raw(response) }
    }

    #[test]
    fn a_recording_keeps_the_spelling_and_says_what_was_cut() {
        let mut exchange = Exchange {
            id: "i".to_owned(),
            outcome: "cut".to_owned(),
            provider: "p".to_owned(),
            adapter: "a".to_owned(),
            client: Sides::default(),
            upstream: side(r#"{"body":{"b":1.0,"a":1e2}}"#, r#"{"status":200,"chunks":[]}"#),
        };
        let text = serde_json::to_string(&Recording::of(&exchange).unwrap()).unwrap();
        assert!(text.contains(r#"{"b":1.0,"a":1e2}"#), "{text}");
        assert!(text.contains(r#""streaming":true,"features":["stream_cut"]"#), "{text}");
        exchange.upstream = side("{}", r#"{"status":200,"body":{}}"#);
        let text = serde_json::to_string(&Recording::of(&exchange).unwrap()).unwrap();
        assert!(!text.contains("streaming") && !text.contains("features"), "{text}");
        exchange.upstream.response = None;
        assert!(Recording::of(&exchange).is_none());
    }
}
