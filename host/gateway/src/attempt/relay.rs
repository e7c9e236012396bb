//! The relay lane: client and provider use the same format, so the bytes pass unchanged. Only the model's name is
//! replaced, if an alias differs, and the one member that requests usage is added, if the operator wants it.

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use super::failure::{self, Failure};
use super::meter::Meter;
use super::relayed::{Ends, Relayed};
use super::reply::ReplyBody;
use super::send::{headers_for, send};
use super::withhold::Withhold;
use super::{InboundRequest, RequestContext};
use crate::accept::{Acceptance, Filling};
use crate::accounting::Account;
use crate::route::Target;
use weir_config::Metering;
use weir_translate::dialect::reply::{self, insert};
use weir_types::contract::about::BodyKind;
use weir_types::contract::types::Framing;
use weir_types::fault::Fault;
use weir_upstream::{Chunks, UpstreamRequest, UpstreamResponse, headers};
use weir_wire::frame;
use weir_wire::peek::{Edit, set_member, splice};

/// Sends the client's bytes and streams the answer's bytes back.
pub(super) async fn relay(
    context: RequestContext<'_>,
    asked: &InboundRequest,
    target: &Arc<Target>,
    acceptance: &Acceptance,
    account: &mut Account,
) -> Result<Response<ReplyBody>, Failure> {
    let call = Call { asked, target, acceptance, model: target.model(asked.model()) };
    let question = call.question(account)?;
    let asks = !question.is_empty();
    let mut response = send(context, target, call.request(question)?, account).await?;
    let mut asks_usage = asks;
    if asks && matches!(response.status.as_u16(), 400 | 422) && target.question.is_open() {
        // The server may refuse the added member, so the request is sent again without it.
        response = Box::pin(send(context, target, call.request(Vec::new())?, account)).await?;
        asks_usage = false;
        if response.status.as_u16() < 400 {
            tracing::info!(request_id = asked.exchange.id, target = %target.id, "server takes no question for usage");
            target.question.refused();
        }
    }
    let lane = Relay { context, asked, acceptance, asks_usage };
    if response.status.as_u16() < 400 {
        if asks_usage {
            call.is_answered(&response);
        }
        return Ok(answer(lane, response, account));
    }
    let (fault, response) = failure::read(context, asked, target, response, account).await?;
    let response = response.map(|response| Box::new(answer(lane, response, account)));
    Err(Failure { fault, response })
}

/// One request to a target that accepts its format.
#[derive(Clone, Copy)]
struct Call<'a> {
    asked: &'a InboundRequest,
    target: &'a Target,
    acceptance: &'a Acceptance,
    model: &'a str,
}

impl<'a> Call<'a> {
    /// The edits that request usage which the client did not request; empty if it is not wanted.
    fn question(&self, account: &Account) -> Result<Vec<Edit>, Fault> {
        let Self { asked, target, acceptance, .. } = self;
        let (Some(ask), Some(found)) = (&acceptance.ask_usage, &asked.reading.found) else { return Ok(Vec::new()) };
        if !asked.reading.stream || !target.question.may_be_asked() {
            return Ok(Vec::new());
        }
        let is_wanted = match target.metering {
            Metering::Tap => false,
            Metering::Ask => true,
            Metering::Auto => account.tokens_matter() || target.provider.limits.count_tokens(),
        };
        if !is_wanted {
            return Ok(Vec::new());
        }
        set_member(found, &ask.pointer, &ask.json).map_err(|error| Fault::internal(error.to_string()))
    }

    /// Builds the request with the model's name and these edits.
    fn request(&self, question: Vec<Edit>) -> Result<UpstreamRequest<'a>, Fault> {
        let Self { asked, target, acceptance, model } = *self;
        let asks = !question.is_empty();
        // Every name in a body that names several models is replaced, since readers differ in their choice.
        let spots = asked.reading.model_places.iter().filter(|spot| spot.name != model);
        let edits: Vec<Edit> = spots.map(|spot| spot.renamed(model)).chain(question).collect();
        let body = if edits.is_empty() {
            asked.body.clone()
        } else {
            splice(&asked.body, &edits).map_err(|error| Fault::internal(error.to_string()))?
        };
        let stream = asked.reading.stream;
        let option = |name: &str| target.option(name);
        let filling = Filling { model, id: asked.holes.get("id").unwrap_or_default(), option: &option };
        let query = acceptance.query(&asked.query, &filling, stream);
        let pairs = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let address = target.base.join(&acceptance.path(&filling, stream), pairs);
        let mut headers = request_headers(asked, acceptance, &filling);
        if asks {
            // An answer must be uncompressed for the added usage to be removed from it.
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        Ok(UpstreamRequest {
            method: acceptance.method.clone(),
            address: address.map_err(|error| Fault::invalid(error.to_string()))?,
            headers,
            body: Chunks::from(body),
            timeouts: target.timeouts,
            credential: target.credential.as_ref(),
            stream,
            model,
        })
    }

    /// The server accepted the added member. If it compresses the answer nevertheless, the member is not added again,
    /// since the usage cannot be removed from compressed answers.
    fn is_answered(&self, response: &UpstreamResponse) {
        if response.headers.contains_key(header::CONTENT_ENCODING) {
            self.target.question.refused();
        } else {
            self.target.question.taken();
        }
    }
}

fn request_headers(asked: &InboundRequest, acceptance: &Acceptance, filling: &Filling<'_>) -> HeaderMap {
    let mut to = headers_for(asked);
    headers::forward_body_headers(&asked.headers, &mut to);
    if let Some(value) = asked.headers.get(header::ACCEPT_ENCODING) {
        to.insert(header::ACCEPT_ENCODING, value.clone());
    }
    acceptance.request_headers.forward(&asked.headers, &mut to);
    for (name, value) in acceptance.set_headers(filling) {
        to.entry(name).or_insert(value);
    }
    if asked.face.claim.body == BodyKind::Json && !to.contains_key(header::CONTENT_TYPE) && !asked.body.is_empty() {
        to.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    to
}

/// The parameters of relaying an answer.
#[derive(Clone, Copy)]
struct Relay<'a> {
    context: RequestContext<'a>,
    asked: &'a InboundRequest,
    acceptance: &'a Acceptance,
    /// Whether the request got a member that requests usage which the client did not request.
    asks_usage: bool,
}

fn answer(lane: Relay<'_>, upstream: UpstreamResponse, account: &mut Account) -> Response<ReplyBody> {
    let Relay { context, asked, acceptance, asks_usage } = lane;
    let UpstreamResponse { status, headers, body } = upstream;
    let framing = stream_framing((asked.reading.stream, asked.framing), status, &headers);
    let limits = frame::Limits { frame_bytes: context.config.server.max_frame_bytes, ..frame::Limits::default() };
    let ok = status == StatusCode::OK;
    let meter = acceptance.tap.as_ref().filter(|_| ok).and_then(|tap| Meter::new(tap, framing, limits, &headers));
    account.answering(status.as_u16(), framing.is_some(), acceptance.tap.is_some());
    let check = acceptance.withheld.as_ref().filter(|_| asks_usage && !headers.contains_key(header::CONTENT_ENCODING));
    let ends = framing.map(|framing| Ends {
        framing,
        errors: asked.face.errors.clone(),
        request_id: asked.exchange.id.clone(),
        is_plain: !headers.contains_key(header::CONTENT_ENCODING),
        withhold: check.and_then(|check| Withhold::new(check, framing, limits)),
        can_cut: asked.can_cut,
        within_line: false,
    });
    let streams = framing.is_some();
    let mut response = reply::response(ReplyBody::Relayed(Box::new(Relayed::new(body, meter, ends))));
    *response.status_mut() = status;
    let to = response.headers_mut();
    headers::forward_body_headers(&headers, to);
    acceptance.response_headers.forward(&headers, to);
    if streams {
        to.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
        to.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    } else if let Some(length) = headers.get(header::CONTENT_LENGTH) {
        to.insert(header::CONTENT_LENGTH, length.clone());
    }
    if may_be_a_page(&headers) {
        forbid_pages(to);
    }
    if status.as_u16() >= 400 {
        insert(to, &weir_types::headers::ERROR_SOURCE, "upstream");
    }
    response
}

/// Whether a browser might take an answer for a page. The usual answers, JSON and streams, are none.
fn may_be_a_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    !kind.starts_with(b"application/json") && !kind.starts_with(b"text/event-stream")
}

/// What a provider sends must not run as a page of this gateway, whose dashboard has the same origin.
pub(super) fn forbid_pages(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// The framing of a streamed answer, to a request that asks for a stream and for such frames; `None` for a whole one.
pub(super) fn stream_framing(
    (streams, asked): (bool, Framing),
    status: StatusCode,
    headers: &HeaderMap,
) -> Option<Framing> {
    if !streams || status != StatusCode::OK {
        return None;
    }
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    frame::from_content_type(kind).filter(|framing| *framing != Framing::JsonArray || asked == Framing::JsonArray)
}
