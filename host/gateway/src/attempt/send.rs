//! One request to a provider, and the conversion of its failures to faults.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::uri::Scheme;
use http::{StatusCode, Uri};
use http_body::Body as _;

use super::{InboundRequest, RequestContext};
use crate::accounting::Account;
use crate::accounting::sent_input::SentInput;
use crate::observe::log::clean::cleaned;
use crate::observe::trace::{Attribute, Span};
use crate::route::Target;
use weir_buffers::Held;
use weir_translate::bounds;
use weir_types::contract::types::{Body, Error, ErrorKind, Header, HttpRequest, HttpResponse};
use weir_types::exchange::TRACE_HEADERS;
use weir_types::fault::{Fault, Side, TransportFailure, error_kind_name};
use weir_upstream::rendered::{RenderedError, admit};
use weir_upstream::{Chunks, GrpcCall, UpstreamError, UpstreamErrorKind, UpstreamRequest, UpstreamResponse};

/// The error message if the provider or its token endpoint refuses the gateway's credential.
const REFUSED: &str = "the provider refused the gateway's credential";
/// The code of such a failure.
pub const REFUSED_CODE: &str = "upstream_authentication";
/// The most bytes of a provider's message in the log.
const LOGGED: usize = 1024;

/// Sends a request, and records it in the account. The request is handed over before the first poll, so that the future
/// does not hold it.
pub(super) fn send<'a>(
    context: RequestContext<'a>,
    target: &'a Target,
    mut request: UpstreamRequest<'a>,
    account: &'a mut Account,
) -> impl Future<Output = Result<UpstreamResponse, Fault>> + use<'a> {
    let begun = Instant::now();
    request.timeouts = context.within(request.timeouts);
    let span = account.attempt();
    span.mark(&mut request.headers);
    if span.is_recording() {
        describe(span, &request);
    }
    let costs = account.note_sent_input(|| SentInput::of(&request.body, request.stream));
    let copy = account.capture_request(&request);
    // Of an attempt with several requests, the first one is what a provider works on.
    request.hand_over = account.hand_over().begin();
    let sending = context.upstreams.send(request);
    async move {
        let mut sent = sending.await;
        if let (Some(copy), Ok(response)) = (copy, &mut sent) {
            response.body.observe(copy.answered(response.status.as_u16(), &response.headers));
        }
        account.attempted(&target.label, begun, begun.elapsed());
        note_sent(&sent, costs, target, account);
        let response = sent.map_err(|error| fault_of(&error))?;
        if response.status.is_informational() {
            // The request asked for no other protocol, and the client would believe that its connection speaks one.
            let UpstreamResponse { status, headers, .. } = &response;
            return Err(no_answer(target, *status, headers, "the provider answered with another protocol"));
        }
        Ok(response)
    }
}

/// Refuses a redirect in answer to a model's call: it is not followed, since the next server would get the key, and the
/// client's own request must not be sent there. Redirects and 304 are passed on if documents are read.
pub(super) fn refuse_redirect(is_read: bool, response: &UpstreamResponse, target: &Target) -> Result<(), Fault> {
    if is_read || !response.status.is_redirection() {
        return Ok(());
    }
    let UpstreamResponse { status, headers, .. } = response;
    Err(no_answer(target, *status, headers, "the provider redirects to another address, and is not followed"))
}

/// Refuses an answer to a model's call that is empty or only a part of one: another target may have a whole one.
pub(super) fn refuse_empty(response: &UpstreamResponse, target: &Target) -> Result<(), Fault> {
    let has_content = !matches!(response.status.as_u16(), 204..=206) && !response.body.is_end_stream();
    if has_content || !response.status.is_success() {
        return Ok(());
    }
    Err(no_content(response.status, &response.headers, target))
}

/// The fault for an answer without content.
pub(super) fn no_content(status: StatusCode, headers: &HeaderMap, target: &Target) -> Fault {
    no_answer(target, status, headers, "the provider answered without content")
}

/// The fault for a status that is no answer. The log has the address of a redirect, so that the operator can configure
/// it as the provider's.
fn no_answer(target: &Target, status: StatusCode, headers: &HeaderMap, message: &str) -> Fault {
    let status = status.as_u16();
    let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    let location = location.map(|location| cleaned(&location));
    tracing::warn!(provider = %target.label, status, location = location.as_deref(), "{message}");
    Fault::new(Side::Upstream, ErrorKind::Upstream, format!("{message} ({status})")).with_status(502)
}

/// Records how a request ended; `costs` says whether its input is charged for unless it is refused.
fn note_sent(sent: &Result<UpstreamResponse, UpstreamError>, costs: bool, target: &Target, account: &mut Account) {
    let is_refused = match sent {
        Ok(response) => !response.status.is_success(),
        Err(error) => error.kind.is_unsent() || account.hand_over().is_waiting(),
    };
    if costs && is_refused {
        account.refused();
    }
    match sent {
        Ok(response) => account.attempt().set(Attribute::HttpStatus, i64::from(response.status.as_u16())),
        Err(error) => {
            account.failed_upstream(&target.label, error.kind.name());
            tracing::warn!(provider = %target.label, %error, "request to the provider failed");
        }
    }
}

/// Sets the attributes of a request that is about to be sent. Recordings have no host.
fn describe(span: &Span, request: &UpstreamRequest<'_>) {
    span.set(Attribute::HttpMethod, request.method.to_string());
    let origin = request.address.origin();
    let uri = origin.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host);
    span.set(Attribute::ServerAddress, host.unwrap_or(origin).to_owned());
    if let (Some(uri), Some(_)) = (&uri, host) {
        let usual = if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
        span.set(Attribute::ServerPort, i64::from(uri.port_u16().unwrap_or(usual)));
    }
}

/// The fault for a failed exchange with a provider.
pub(crate) fn fault_of(error: &UpstreamError) -> Fault {
    let (kind, status, message) = match error.kind {
        kind if kind.is_timeout() => (ErrorKind::Timeout, 504, "the provider did not answer in time"),
        UpstreamErrorKind::Connect | UpstreamErrorKind::Tls => {
            (ErrorKind::Upstream, 502, "the provider cannot be reached")
        }
        UpstreamErrorKind::BodyTooLarge => (ErrorKind::Upstream, 502, "the provider's answer is too large"),
        UpstreamErrorKind::NoRoom(full) => return full.into(),
        UpstreamErrorKind::Request => return Fault::internal("the request to the provider cannot be sent"),
        UpstreamErrorKind::KeyShown => (ErrorKind::Upstream, 502, "the provider's answer cannot be passed on"),
        UpstreamErrorKind::Token => (ErrorKind::Upstream, 502, "the provider's token endpoint gives no token"),
        UpstreamErrorKind::TokenRefused => {
            return refused_credential();
        }
        _ => (ErrorKind::Upstream, 502, "the provider broke off its answer"),
    };
    let fault = Fault::new(Side::Upstream, kind, format!("{message} ({})", error.kind.name())).with_status(status);
    fault.with_transport(transport_failure(error.kind))
}

fn transport_failure(kind: UpstreamErrorKind) -> TransportFailure {
    match kind {
        UpstreamErrorKind::TokenRefused => TransportFailure::Credential,
        // The total limit is the longest time that the operator allows, so reaching it counts as slow.
        UpstreamErrorKind::FirstByteTimeout | UpstreamErrorKind::IdleTimeout | UpstreamErrorKind::TotalTimeout => {
            TransportFailure::Slow
        }
        kind if kind.is_unsent() => TransportFailure::Unreachable,
        UpstreamErrorKind::Reset | UpstreamErrorKind::Cut => TransportFailure::Gone,
        _ => TransportFailure::Garbled,
    }
}

/// The headers of every upstream request, in either lane.
pub(super) fn headers_for(inbound: &InboundRequest) -> HeaderMap {
    headers_after(&inbound.headers)
}

pub(super) fn headers_after(theirs: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    for (name, value) in theirs.iter().filter(|(name, _)| TRACE_HEADERS.contains(name)) {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("weir/", env!("CARGO_PKG_VERSION"))));
    headers
}

/// The upstream request for a request that an adapter rendered.
pub(super) fn rendered<'a>(
    inbound: &'a InboundRequest,
    target: &'a Target,
    request: HttpRequest,
    body: Option<Chunks>,
    origin: Option<&str>,
    stream: bool,
) -> Result<UpstreamRequest<'a>, Fault> {
    let made = bare(&inbound.headers, target, request, body, origin)?;
    let grpc = made.grpc.map(|call| GrpcCall { held: Arc::new(inbound.held.beside()), ..call });
    Ok(UpstreamRequest { stream, model: target.model(inbound.model()), grpc, ..made })
}

/// The upstream request on behalf of no client's request, or of one with these headers only.
pub(super) fn bare<'a>(
    theirs: &HeaderMap,
    target: &'a Target,
    request: HttpRequest,
    body: Option<Chunks>,
    origin: Option<&str>,
) -> Result<UpstreamRequest<'a>, Fault> {
    let mut headers = headers_after(theirs);
    let grpc = target.grpc_method(&request.path).filter(|_| origin.is_none());
    let grpc = grpc.map(|method| GrpcCall { method, held: Arc::new(Held::unlimited()) });
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let admitted = admit(&target.base, &request, origin, &mut headers);
    let (method, address) = admitted.map_err(|why| refused(target, &why))?;
    let (bytes, text) = bytes_of(request.body);
    let body = body.unwrap_or_else(|| Chunks::from(bytes));
    if text && !body.is_empty() && !headers.contains_key(header::CONTENT_TYPE) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Ok(UpstreamRequest {
        method,
        address,
        headers,
        body,
        timeouts: target.timeouts,
        credential: target.credential.as_ref(),
        stream: false,
        model: target.model(""),
        grpc,
        hand_over: None,
    })
}

fn refused(target: &Target, why: &RenderedError) -> Fault {
    let adapter = &target.adapter.name;
    tracing::warn!(%adapter, %why, "adapter made a request that is not sent");
    Fault::adapter(format!("the adapter `{adapter}` made a request that is not sent: {why}"))
}

/// A body's bytes, and whether they are text.
pub(super) fn bytes_of(body: Body) -> (Bytes, bool) {
    match body {
        Body::Text(text) => (Bytes::from(text), true),
        Body::Bytes(bytes) => (Bytes::from(bytes), false),
    }
}

/// A body for an adapter: as text if it is UTF-8, with lone surrogates replaced, and without the byte order mark that
/// some servers send.
pub(super) fn body_of(bytes: &Bytes) -> Body {
    match simdutf8::basic::from_utf8(bytes) {
        Ok(text) => {
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            Body::Text(weir_types::surrogate::mend(text).into_owned())
        }
        Err(_) => Body::Bytes(bytes.to_vec()),
    }
}

/// A provider's answer for its adapter, with the headers that it reads ([`Target::read_headers`]).
pub(super) fn response_of(status: StatusCode, headers: Vec<Header>, body: &Bytes) -> HttpResponse {
    HttpResponse { status: status.as_u16(), headers, body: body_of(body) }
}

/// Converts a provider's error for the client, in either lane. The kind survives, and so does a status that clients
/// know; a refused credential becomes the gateway's failure, never the client's. `status` is that of the provider's
/// answer.
pub(super) fn upstream_fault(error: Error, status: StatusCode, target: &Target, account: &Account) -> Fault {
    let mut error = hidden(bounds::error(error), target);
    let refused = status == StatusCode::UNAUTHORIZED || is_refused(&error);
    account
        .failed_upstream(&target.label, error_kind_name(if refused { ErrorKind::Authentication } else { error.kind }));
    if refused {
        log_refused(&error, target);
        return refused_credential();
    }
    // Statuses outside the standard (529) are replaced by that of the kind.
    error.status = error.status.filter(|status| matches!(status, 400..=499 | 500 | 502..=504));
    Fault::from_error(Side::Upstream, error)
}

/// Converts a failure found in an answer whose status was a success.
pub(super) fn late_fault(fault: Fault, target: &Target) -> Fault {
    if fault.side != Side::Upstream || !is_refused(&fault.error) {
        return fault;
    }
    log_refused(&hidden(fault.error, target), target);
    refused_credential()
}

/// Converts a failure reported within a stream.
pub(super) fn late_error(error: Error, target: &Target) -> Error {
    late_fault(Fault::from_error(Side::Upstream, hidden(bounds::error(error), target)), target).error
}

/// Whether an error means that the gateway's credential was refused, whatever its kind.
fn is_refused(error: &Error) -> bool {
    error.kind == ErrorKind::Authentication || error.status == Some(401)
}

/// The fault for a refused credential, without the provider's message, which concerns the operator's key.
pub(crate) fn refused_credential() -> Fault {
    let fault = Fault::new(Side::Upstream, ErrorKind::Upstream, REFUSED);
    fault.with_status(502).with_code(REFUSED_CODE).with_transport(TransportFailure::Credential)
}

fn log_refused(error: &Error, target: &Target) {
    // Cut afterwards: half a secret would not be recognised.
    let said = cleaned(&error.message);
    let reason = weir_sandbox::fault::clean(weir_sandbox::fault::head(&said, LOGGED));
    tracing::error!(provider = %target.label, key = target.key, reason, "the provider refuses the configured credential");
}

/// Removes the provider's keys from an error: an adapter may have unescaped a key that the raw bytes did not show.
fn hidden(mut error: Error, target: &Target) -> Error {
    target.hide_keys(&mut error.message);
    [&mut error.code, &mut error.param].into_iter().flatten().for_each(|text| target.hide_keys(text));
    error
}
