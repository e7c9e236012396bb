//! The relay lane: client and provider use the same format, so the bytes pass unchanged. Only the model's name is
//! replaced, if an alias differs, and the one member that requests usage is added, if the operator wants it.

mod content;

use std::pin::pin;
use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};

use super::adapter_headers::{forbid_pages, may_be_a_page};
use super::failure::{self, Failure};
use super::idempotency::keep_apart;
use super::meter::Meter;
use super::relay_body::Relayed;
use super::reply::ReplyBody;
use super::send::{headers_for, refuse_empty, refuse_redirect, send};
use super::stream_end::StreamEnd;
use super::withhold::Withhold;
use super::{InboundRequest, RequestContext};
use crate::accept::{Acceptance, Filling};
use crate::accounting::Account;
use crate::route::Target;
use crate::serving::Stored;
use weir_config::Metering;
use weir_translate::dialect::reply::{self, insert};
use weir_types::contract::about::{BodyKind, Operation};
use weir_types::contract::types::Framing;
use weir_types::fault::Fault;
use weir_types::stage;
use weir_upstream::{Chunks, UpstreamRequest, UpstreamResponse, headers};
use weir_wire::frame;
use weir_wire::peek::{Edit, set_member, splice};
use weir_wire::tap::CompiledTap;

/// Sends the client's bytes and streams the answer's bytes back.
pub(super) async fn relay(
    context: RequestContext<'_>,
    inbound: &InboundRequest,
    target: &Arc<Target>,
    acceptance: &Acceptance,
    account: &mut Account,
) -> Result<Response<ReplyBody>, Failure> {
    let (mut response, asks_usage) =
        pin!(send_unchanged(context, inbound, target, acceptance, inbound.own_url.is_some(), account)).await?;
    let lane = Relay { context, inbound, acceptance, asks_usage };
    if response.status.as_u16() >= 400 {
        return Err(Box::pin(refused(lane, target, response, account)).await);
    }
    if !lane.has_content(response.status) {
        return Ok(answer(lane, response, account));
    }
    let is_whole = lane.framing(&response).is_none();
    let until = content::find(&mut response, is_whole, target).await?;
    let mut answer = answer(lane, response, account);
    if let ReplyBody::Relayed(body) = answer.body_mut() {
        body.has_content(until);
    }
    Ok(answer)
}

/// Sends the client's bytes. Returns the head of the answer, and whether the request was made to ask for usage.
/// `is_plain` asks for an uncompressed answer.
pub(super) async fn send_unchanged(
    context: RequestContext<'_>,
    inbound: &InboundRequest,
    target: &Arc<Target>,
    acceptance: &Acceptance,
    is_plain: bool,
    account: &mut Account,
) -> Result<(UpstreamResponse, bool), Failure> {
    let call = Call { inbound, target, acceptance, model: target.model(inbound.model()), is_plain };
    let question = call.question(account)?;
    let asks = !question.is_empty();
    let request = call.request(question)?;
    stage::begin().await;
    let is_read = request.method == Method::GET;
    let mut response = pin!(send(context, target, request, account)).await?;
    stage::begin().await;
    let mut asks_usage = asks;
    if asks && matches!(response.status.as_u16(), 400 | 422) && target.question.is_open() {
        // The server may refuse the added member, so the request is sent again without it.
        response = Box::pin(send(context, target, call.request(Vec::new())?, account)).await?;
        asks_usage = false;
        if response.status.as_u16() < 400 {
            tracing::info!(request_id = &*inbound.exchange.id, upstream = %target.id, "server takes no question for usage");
            target.question.refused();
        }
    }
    refuse_redirect(is_read, &response, target)?;
    let lane = Relay { context, inbound, acceptance, asks_usage };
    if lane.has_content(response.status) {
        refuse_empty(&response, target)?;
    }
    if asks_usage && response.status.as_u16() < 400 {
        call.is_answered(&response);
    }
    Ok((response, asks_usage))
}

/// The failure for a provider's refusal, with its bytes for the client.
pub(super) async fn refused(
    lane: Relay<'_>,
    target: &Target,
    response: UpstreamResponse,
    account: &mut Account,
) -> Failure {
    match failure::read(lane.context, lane.inbound, target, response, account).await {
        Ok((fault, response)) => {
            Failure { fault, response: response.map(|response| Box::new(answer(lane, response, account))) }
        }
        Err(failure) => failure,
    }
}

/// One request to a target that accepts its format.
#[derive(Clone, Copy)]
struct Call<'a> {
    inbound: &'a InboundRequest,
    target: &'a Target,
    acceptance: &'a Acceptance,
    model: &'a str,
    /// Whether the answer must not be compressed.
    is_plain: bool,
}

impl<'a> Call<'a> {
    /// The edits that make the request ask for usage; empty if it already does or that is not wanted.
    fn question(&self, account: &Account) -> Result<Vec<Edit>, Fault> {
        let Self { inbound, target, acceptance, .. } = self;
        let (Some(ask), Some(found)) = (&acceptance.ask_usage, &inbound.peek.found) else { return Ok(Vec::new()) };
        if !inbound.peek.stream || !target.question.may_be_asked() {
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
        let Self { inbound, target, acceptance, model, is_plain } = *self;
        let asks = !question.is_empty();
        // If a body names several models, every name is replaced, since readers differ in which one they take.
        let spots = inbound.peek.model_places.iter().filter(|spot| spot.name != model);
        let edits: Vec<Edit> = spots.map(|spot| spot.renamed(model)).chain(question).collect();
        let body = if edits.is_empty() {
            inbound.body.clone()
        } else {
            splice(&inbound.body, &edits).map_err(|error| Fault::internal(error.to_string()))?
        };
        let stream = inbound.peek.stream;
        let option = |name: &str| target.option(name);
        let filling = Filling { model, id: inbound.path_params.get("id").unwrap_or_default(), option: &option };
        let query = acceptance.query(&inbound.query, &filling, stream);
        let fixed = acceptance.fixed_path(stream).filter(|_| query.is_empty());
        let address = if let Some(path) = fixed {
            target.base.join_usual(path)
        } else {
            let pairs = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            target.base.join(&acceptance.path(&filling, stream), pairs)
        };
        let mut headers = request_headers(inbound, acceptance, &filling);
        if asks || is_plain {
            // The answer must be uncompressed if the added usage is removed from it, addresses are replaced in it, or
            // guards read it.
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
            grpc: None,
            hand_over: None,
        })
    }

    /// Notes that the server accepted the added member. If it compresses the answer nevertheless, the member is not
    /// added again, since usage cannot be removed from compressed answers.
    fn is_answered(&self, response: &UpstreamResponse) {
        if response.headers.contains_key(header::CONTENT_ENCODING) {
            self.target.question.refused();
        } else {
            self.target.question.taken();
        }
    }
}

fn request_headers(inbound: &InboundRequest, acceptance: &Acceptance, filling: &Filling<'_>) -> HeaderMap {
    let mut to = headers_for(inbound);
    headers::forward_body_headers(&inbound.headers, &mut to);
    if let Some(value) = inbound.headers.get(header::ACCEPT_ENCODING) {
        to.insert(header::ACCEPT_ENCODING, value.clone());
    }
    acceptance.request_headers.forward(&inbound.headers, &mut to);
    keep_apart(&mut to, &inbound.caller.tenant);
    for (name, value) in acceptance.set_headers(filling) {
        to.entry(name).or_insert(value);
    }
    if inbound.endpoint.face.body == BodyKind::Json
        && !to.contains_key(header::CONTENT_TYPE)
        && !inbound.body.is_empty()
    {
        to.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    to
}

/// The parameters of relaying an answer.
#[derive(Clone, Copy)]
pub(super) struct Relay<'a> {
    pub(super) context: RequestContext<'a>,
    pub(super) inbound: &'a InboundRequest,
    pub(super) acceptance: &'a Acceptance,
    /// Whether Weir made the request ask for usage.
    pub(super) asks_usage: bool,
}

impl<'a> Relay<'a> {
    /// Whether an answer with this status must have content because a model made it. An answer about a document may be
    /// empty.
    pub(super) fn has_content(&self, status: StatusCode) -> bool {
        status.is_success() && self.acceptance.method != Method::GET && !self.inbound.operation().is_relayed_only()
    }

    /// The framing of the answer, if it is a stream.
    fn framing(&self, response: &UpstreamResponse) -> Option<Framing> {
        // Only the answer shows whether a stored answer is read as a stream.
        let streams = self.inbound.peek.stream || self.inbound.stored == Stored::Answer;
        stream_framing(streams, self.inbound.framing, response.status, &response.headers)
    }

    /// The tap for the usage of answers. Counting tokens is free, even if such an answer has values at the places of
    /// usage.
    fn own_tap(&self) -> Option<&'a CompiledTap> {
        self.acceptance.tap.as_ref().filter(|_| self.inbound.endpoint.face.operation != Operation::CountTokens)
    }

    /// Withholds from a stream what it has only because Weir asked for usage.
    pub(super) fn withhold(&self, framing: Framing, headers: &HeaderMap) -> Option<Withhold> {
        let is_wanted = self.asks_usage && !headers.contains_key(header::CONTENT_ENCODING);
        let check = self.acceptance.withheld.as_ref().filter(|_| is_wanted)?;
        Withhold::new(check, framing, self.limits(), self.inbound.held.beside())
    }

    /// Sets the status and the headers of the provider's answer.
    pub(super) fn put_head(&self, response: &mut Response<ReplyBody>, status: StatusCode, headers: &HeaderMap) {
        *response.status_mut() = status;
        let to = response.headers_mut();
        headers::forward_body_headers(headers, to);
        self.acceptance.response_headers.forward(headers, to);
        if may_be_a_page(headers) {
            forbid_pages(to);
        }
    }

    fn limits(&self) -> frame::Limits {
        frame::Limits { frame_bytes: self.context.config.server.max_frame_bytes, ..frame::Limits::default() }
    }
}

/// Sets the headers of a stream that passes unchanged.
pub(super) fn put_stream_headers(to: &mut HeaderMap) {
    to.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    to.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
}

/// Passes on an answer as it arrives.
pub(super) fn answer(lane: Relay<'_>, upstream: UpstreamResponse, account: &mut Account) -> Response<ReplyBody> {
    let inbound = lane.inbound;
    let framing = lane.framing(&upstream);
    let UpstreamResponse { status, headers, body } = upstream;
    let ok = status == StatusCode::OK;
    let unbooked = account.stored_tap().filter(|_| inbound.stored != Stored::Results);
    let own = lane.own_tap();
    let tap = unbooked.as_ref().or(own).filter(|_| ok);
    let mut meter = tap.and_then(|tap| Meter::new(tap, inbound.stored.into(), framing, lane.limits(), &headers));
    if let Some(meter) = &mut meter {
        meter.reads_cost(account.cost_place());
        if framing.is_some() {
            meter.counts_in(inbound.held.beside());
        }
    }
    account.answering(status.as_u16(), framing.is_some(), own.is_some());
    if tap.is_some() && meter.is_none() {
        // The answer has a coding that cannot be read, which the client may have chosen.
        account.usage_is_partial();
    }
    let ends = framing.map(|framing| StreamEnd {
        framing,
        errors: inbound.endpoint.errors.clone(),
        request_id: Arc::clone(&inbound.exchange.id),
        is_plain: !headers.contains_key(header::CONTENT_ENCODING),
        withhold: lane.withhold(framing, &headers),
        can_cut: inbound.can_cut,
        within_line: false,
    });
    let streams = framing.is_some();
    let mut response = reply::response(ReplyBody::Relayed(Box::new(Relayed::new(body, meter, ends).coded(&headers))));
    lane.put_head(&mut response, status, &headers);
    let to = response.headers_mut();
    if streams {
        put_stream_headers(to);
    } else if let Some(length) = headers.get(header::CONTENT_LENGTH) {
        to.insert(header::CONTENT_LENGTH, length.clone());
    }
    if status.as_u16() >= 400 {
        insert(to, &weir_types::headers::ERROR_SOURCE, "upstream");
    }
    response
}

/// The framing of the answer, if it is a stream of frames that the request asked for; `None` for a whole answer.
pub(super) fn stream_framing(
    streams: bool,
    wanted: Framing,
    status: StatusCode,
    headers: &HeaderMap,
) -> Option<Framing> {
    if !streams || status != StatusCode::OK {
        return None;
    }
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    frame::from_content_type(kind).filter(|framing| *framing != Framing::JsonArray || wanted == Framing::JsonArray)
}
