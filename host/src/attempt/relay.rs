//! The relay lane: the same format on both sides, so the same bytes. Nothing is changed but the model's name where an
//! alias differs, and, where the operator has it so, the one member that asks for usage.

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName};
use http::{Response, StatusCode};

use super::failure::{self, Failure};
use super::meter::Meter;
use super::relayed::{Ends, Relayed};
use super::reply::ReplyBody;
use super::send::{headers_for, send};
use super::withhold::Withhold;
use super::{Asked, House};
use crate::accept::{Acceptance, Filling};
use crate::account::Account;
use crate::config::Metering;
use crate::contract::about::exports::weir::adapter::about::BodyKind;
use crate::contract::types::Framing;
use crate::dialect::reply::insert;
use crate::fault::Fault;
use crate::frame;
use crate::peek::{Edit, set_member, splice};
use crate::route::Target;
use crate::upstream::{Chunks, UpstreamRequest, UpstreamResponse, headers};

/// Sends the request as it came and passes the answer on as it comes.
pub(super) async fn relay(
    house: House<'_>,
    asked: &Asked,
    target: &Arc<Target>,
    acceptance: &Acceptance,
    account: &mut Account,
) -> Result<Response<ReplyBody>, Failure> {
    let model = target.model(asked.model());
    let (edits, asks_usage) = edits(asked, target, acceptance, model)?;
    let request = request(asked, target, acceptance, model, &edits)?;
    let response = send(house, target, request, account).await?;
    let lane = Lane { house, asked, acceptance, asks_usage };
    if response.status.as_u16() < 400 {
        return Ok(answer(lane, response, account));
    }
    let (fault, response) = failure::read(house, asked, target, response, account).await?;
    let told = response.map(|response| Box::new(answer(lane, response, account)));
    Err(Failure { fault, told })
}

fn request<'a>(
    asked: &'a Asked,
    target: &'a Target,
    acceptance: &Acceptance,
    model: &'a str,
    edits: &[Edit],
) -> Result<UpstreamRequest<'a>, Fault> {
    let body = if edits.is_empty() {
        asked.body.clone()
    } else {
        splice(&asked.body, edits).map_err(|error| Fault::internal(error.to_string()))?
    };
    let stream = asked.reading.stream;
    let option = |name: &str| target.option(name);
    let filling = Filling { model, id: asked.holes.get("id").unwrap_or_default(), option: &option };
    let query = acceptance.query(&asked.query, &filling, stream);
    let pairs = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let address = target.base.join(&acceptance.path(&filling, stream), pairs);
    Ok(UpstreamRequest {
        method: acceptance.method.clone(),
        address: address.map_err(|error| Fault::invalid(error.to_string()))?,
        headers: request_headers(asked, acceptance, &filling),
        body: Chunks::from(body),
        timeouts: target.timeouts,
        credential: target.credential.as_ref(),
        stream,
        model,
    })
}

/// What is changed in the body, and whether it now asks for usage that the client did not ask for.
fn edits(asked: &Asked, target: &Target, acceptance: &Acceptance, model: &str) -> Result<(Vec<Edit>, bool), Fault> {
    // A body that names several models is made to name one, whichever its reader takes.
    let spots = asked.reading.model_places.iter().filter(|spot| spot.name != model);
    let mut edits: Vec<Edit> = spots.map(|spot| spot.renamed(model)).collect();
    let ask = acceptance.ask_usage.as_ref().filter(|_| target.metering == Metering::Ask && asked.reading.stream);
    let (Some(ask), Some(found)) = (ask, &asked.reading.found) else { return Ok((edits, false)) };
    let more = set_member(found, &ask.pointer, &ask.json).map_err(|error| Fault::internal(error.to_string()))?;
    let asks = !more.is_empty();
    edits.extend(more);
    Ok((edits, asks))
}

fn request_headers(asked: &Asked, acceptance: &Acceptance, filling: &Filling<'_>) -> HeaderMap {
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
        to.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    }
    to
}

/// What an answer's treatment depends on.
#[derive(Clone, Copy)]
struct Lane<'a> {
    house: House<'a>,
    asked: &'a Asked,
    acceptance: &'a Acceptance,
    /// Whether the request was made to ask for usage that the client did not ask for.
    asks_usage: bool,
}

fn answer(lane: Lane<'_>, upstream: UpstreamResponse, account: &mut Account) -> Response<ReplyBody> {
    let Lane { house, asked, acceptance, asks_usage } = lane;
    let UpstreamResponse { status, headers, body } = upstream;
    let framing = stream_framing(asked, status, &headers);
    let limits = frame::Limits { frame_bytes: house.config.server.max_frame_bytes, ..frame::Limits::default() };
    let ok = status == StatusCode::OK;
    let input = u32::try_from(asked.body.iter().map(bytes::Bytes::len).sum::<usize>() / 4).unwrap_or(u32::MAX);
    let meter =
        acceptance.tap.as_ref().filter(|_| ok).and_then(|tap| Meter::new(tap, framing, limits, &headers, input));
    account.answering(status.as_u16(), framing.is_some(), acceptance.tap.is_some());
    let ask = acceptance.ask_usage.as_ref().filter(|_| asks_usage && !headers.contains_key(header::CONTENT_ENCODING));
    let ends = framing.map(|framing| Ends {
        framing,
        errors: asked.face.errors.clone(),
        request_id: asked.exchange.id.clone(),
        is_plain: !headers.contains_key(header::CONTENT_ENCODING),
        withhold: ask.and_then(|ask| Withhold::new(&ask.withheld, framing, limits)),
        can_cut: asked.can_cut,
        within_line: false,
    });
    let streams = framing.is_some();
    let mut response = Response::new(ReplyBody::Relayed(Box::new(Relayed::new(body, meter, ends))));
    *response.status_mut() = status;
    let to = response.headers_mut();
    headers::forward_body_headers(&headers, to);
    acceptance.response_headers.forward(&headers, to);
    if streams {
        to.entry(header::CACHE_CONTROL).or_insert(header::HeaderValue::from_static("no-cache"));
        to.insert(HeaderName::from_static("x-accel-buffering"), header::HeaderValue::from_static("no"));
    } else if let Some(length) = headers.get(header::CONTENT_LENGTH) {
        to.insert(header::CONTENT_LENGTH, length.clone());
    }
    if status.as_u16() >= 400 {
        insert(to, crate::headers::ERROR_SOURCE, "upstream");
    }
    response
}

/// How a streamed answer is framed; none for a whole one.
fn stream_framing(asked: &Asked, status: StatusCode, headers: &HeaderMap) -> Option<Framing> {
    if !asked.reading.stream || status != StatusCode::OK {
        return None;
    }
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    frame::from_content_type(kind)
        .filter(|framing| *framing != Framing::JsonArray || asked.framing == Framing::JsonArray)
}
