//! The third lane, for requests to a provider's own endpoints: bytes pass both ways as they arrive. Only usage is read,
//! at endpoints for which the adapter declares its place.

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};

use super::RequestContext;
use super::adapter_headers::forbid_pages;
use super::meter::Meter;
use super::relay::stream_framing;
use super::relay_body::Relayed;
use super::reply::ReplyBody;
use super::send::{refused_credential, send};
use super::stream_end::StreamEnd;
use crate::accept::{Acceptance, Filling};
use crate::accounting::Account;
use crate::method::reads_as;
use crate::passthrough::{KnownEndpoint, Passage, client_body};
use crate::route::Target;
use crate::serving::Stored;
use weir_translate::dialect::path::PathParams;
use weir_translate::dialect::reply::insert;
use weir_types::contract::types::{ErrorKind, Framing};
use weir_types::fault::{Fault, Side};
use weir_upstream::{Chunks, Coding, Upload, UpstreamRequest, UpstreamResponse};
use weir_wire::frame;

/// The longest frame of a stream that is read for its usage. An incomplete one does not count among the bytes that
/// requests hold.
const UNCOUNTED: usize = 4 << 20;

/// A request that passes through.
#[derive(Debug)]
pub(crate) struct PassedRequest<'a> {
    /// The request's id.
    pub(crate) id: &'a str,
    /// The passage to the provider.
    pub(crate) passage: &'a Passage,
    /// The provider, with the key to use.
    pub(crate) target: &'a Arc<Target>,
    /// The declared endpoint that the request calls.
    pub(crate) known: Option<(KnownEndpoint<'a>, PathParams)>,
    /// The method. Any is possible, since the operator's rules have allowed it.
    pub(crate) method: Method,
    /// The path at the provider, as received.
    pub(crate) path: String,
    /// The query, encoded, without the client's credentials.
    pub(crate) query: String,
    /// The headers, without the client's credentials.
    pub(crate) headers: HeaderMap,
    /// The body, sent while it arrives.
    pub(crate) body: Chunks,
    /// The model that the request names, if it was read; empty otherwise.
    pub(crate) model: String,
    /// Whether a streamed answer is requested.
    pub(crate) stream: bool,
    /// The framing of a streamed answer.
    pub(crate) framing: Framing,
    /// Whether cutting the connection shows the client that an answer broke.
    pub(crate) can_cut: bool,
    /// How the request deals with objects that the provider stores.
    pub(crate) stored: Stored,
    /// Scheme, host and port by which the client reached this gateway, if the answer must name them in place of the
    /// provider's.
    pub(crate) own_url: Option<String>,
    /// Whether the client may become the owner of the objects that the answer names as made.
    pub(crate) may_claim: bool,
}

/// Sends a request to a provider's own endpoint and returns the answer unchanged. It follows no redirect and retries
/// nothing.
pub(crate) async fn pass(
    context: RequestContext<'_>,
    mut request: PassedRequest<'_>,
    account: &mut Account,
) -> Result<Response<ReplyBody>, Fault> {
    let body = std::mem::take(&mut request.body);
    let upload = body.upload().cloned();
    let upstream_request = request.request(body)?;
    let sent = Box::pin(send(context, request.target, upstream_request, account)).await;
    let response = sent.map_err(|fault| {
        let of_client = upload.as_ref().and_then(Upload::failure).map(client_body::fault);
        of_client.unwrap_or(fault)
    })?;
    if response.status == StatusCode::UNAUTHORIZED {
        tracing::error!(provider = %request.target.label, key = request.target.key, "the provider refuses the configured credential");
        return Err(refused_credential());
    }
    if request.may_claim && response.status.is_success() && Coding::of(&response.headers).is_err() {
        // The objects in the answer would have no owner, so another client could reach them.
        let message = "the provider's answer has a content-encoding that was not asked for and that cannot be read";
        return Err(Fault::new(Side::Upstream, ErrorKind::Upstream, message).with_status(502));
    }
    Ok(request.answer(context, response, account))
}

/// Removes those of a provider's own headers that no acceptance knows: some reduce an answer to a few members.
fn keep_known(headers: &mut HeaderMap, acceptance: &Acceptance) {
    let is_own = |name: &HeaderName| name.as_str().starts_with("x-") && !acceptance.request_headers.passes(name);
    for name in headers.keys().filter(|name| is_own(name)).cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
}

impl PassedRequest<'_> {
    fn request(&self, body: Chunks) -> Result<UpstreamRequest<'_>, Fault> {
        let Self { passage, target, .. } = self;
        let mut headers = passage.request_headers(&self.headers);
        // Headers of the operator's options, such as the account to use if one key has several.
        let usual = self.known.as_ref().map(|(known, _)| known.acceptance).or(target.accepts.first());
        let option = |name: &str| target.option(name);
        let id = self.known.as_ref().and_then(|(_, path_params)| path_params.get("id")).unwrap_or_default();
        let filling = Filling { model: &self.model, id, option: &option };
        let nothing = Filling { option: &|_| None, ..filling };
        // The client's query and headers must not change by which acceptance work is booked, or an answer's usage is
        // read.
        let is_booked = |acceptance: &&Acceptance| {
            let is_read = self.known.is_some() && acceptance.tap.is_some() && acceptance.lists_query();
            self.stored.is_work() || is_read && reads_as(self.method.as_str(), &[Method::POST])
        };
        let address = match usual.filter(is_booked) {
            Some(acceptance) => {
                keep_known(&mut headers, acceptance);
                let query = acceptance.query(&self.query, &filling, self.stream);
                target.base.join(&self.path, query.iter().map(|(name, value)| (name.as_str(), value.as_str())))
            }
            None => target.base.join_encoded(&self.path, &self.query),
        };
        if let Some(acceptance) = usual {
            // Clients may not choose what the operator's options set or leave unset, such as the account that pays.
            for name in acceptance.operators_headers() {
                headers.remove(name);
            }
            let fixed: Vec<_> = acceptance.set_headers(&nothing).map(|(name, _)| name).collect();
            for (name, value) in acceptance.set_headers(&filling) {
                if fixed.contains(&name) {
                    headers.entry(name).or_insert(value);
                } else {
                    headers.insert(name, value);
                }
            }
        }
        let own = HeaderValue::from_static(concat!("weir/", env!("CARGO_PKG_VERSION")));
        headers.entry(header::USER_AGENT).or_insert(own);
        if self.own_url.is_some() || self.may_claim {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        Ok(UpstreamRequest {
            method: self.method.clone(),
            address: address.map_err(|error| Fault::invalid(error.to_string()).with_code("passthrough_path"))?,
            headers,
            body,
            timeouts: target.timeouts,
            credential: target.credential.as_ref(),
            stream: self.stream,
            model: &self.model,
            grpc: None,
            hand_over: None,
        })
    }

    fn answer(
        &self,
        context: RequestContext<'_>,
        upstream: UpstreamResponse,
        account: &mut Account,
    ) -> Response<ReplyBody> {
        let UpstreamResponse { status, headers, body } = upstream;
        let streams = self.stream || self.stored == Stored::Answer;
        let framing = stream_framing(streams, self.framing, status, &headers);
        let frame_bytes = context.config.server.max_frame_bytes.min(UNCOUNTED);
        let limits = frame::Limits { frame_bytes, ..frame::Limits::default() };
        let unbooked = account.stored_tap().filter(|_| self.stored != Stored::Results);
        let of_endpoint = self.known.as_ref().and_then(|(one, _)| one.acceptance.tap.as_ref());
        let tap = unbooked.as_ref().or(of_endpoint).filter(|_| status == StatusCode::OK);
        let mut meter = tap.and_then(|tap| Meter::new(tap, self.stored.into(), framing, limits, &headers));
        if let Some(meter) = &mut meter {
            meter.reads_cost(account.cost_place());
        }
        account.answering(status.as_u16(), framing.is_some(), tap.is_some());
        if tap.is_some() && meter.is_none() {
            account.usage_is_partial();
        }
        let ends = framing.map(|framing| StreamEnd {
            framing,
            errors: None,
            request_id: Arc::from(self.id),
            is_plain: !headers.contains_key(header::CONTENT_ENCODING),
            withhold: None,
            can_cut: self.can_cut,
            within_line: false,
        });
        let mut response = Response::new(ReplyBody::Relayed(Box::new(Relayed::new(body, meter, ends).coded(&headers))));
        *response.status_mut() = status;
        *response.headers_mut() = self.passage.response_headers(&headers);
        let to = response.headers_mut();
        if framing.is_none()
            && let Some(length) = headers.get(header::CONTENT_LENGTH)
        {
            to.insert(header::CONTENT_LENGTH, length.clone());
        }
        // Nor may a file that a client uploaded be shown as a page.
        forbid_pages(to);
        if status.as_u16() >= 400 {
            insert(to, &weir_types::headers::ERROR_SOURCE, "upstream");
        }
        response
    }
}
