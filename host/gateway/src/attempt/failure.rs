//! A failed attempt, and the error that the client gets if no attempt follows.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use tokio::time::Instant;

use super::reply::ReplyBody;
use super::send::{fault_of, response_of, upstream_fault};
use super::{InboundRequest, RequestContext};
use crate::accounting::Account;
use crate::route::Target;
use weir_types::contract::types::{Context, Error, ErrorKind};
use weir_types::fault::{Fault, TransportFailure};
use weir_upstream::{Coding, DecodeBound, Decoder, UpstreamErrorKind, UpstreamResponse};

/// The most bytes of an error's body that are read.
const ERROR_BODY: usize = 256 << 10;
/// How long to wait for an error's body that decides what to do next.
const REASONS_TIME: Duration = Duration::from_secs(30);
/// How long to wait for an error's body that only adds a message to the status.
const WORDS_TIME: Duration = Duration::from_secs(1);

/// A failed attempt.
#[derive(Debug)]
pub struct Failure {
    /// The error, with the side at fault.
    pub fault: Fault,
    /// The provider's own answer, if the client may get it unchanged.
    pub response: Option<Box<Response<ReplyBody>>>,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self { fault, response: None }
    }
}

/// Reads the meaning of a refusal in the relay lane. The response stays complete: the part that was read is replayed.
/// No response is returned if the provider refuses the gateway's credential, or shows the key where it cannot be
/// hidden.
pub(super) async fn read(
    context: RequestContext<'_>,
    inbound: &InboundRequest,
    target: &Target,
    mut response: UpstreamResponse,
    account: &Account,
) -> Result<(Fault, Option<UpstreamResponse>), Failure> {
    let mut error = by_status(response.status, &response.headers);
    let mut is_lost = false;
    let has_reasons = has_reasons(response.status);
    let until = Instant::now() + if has_reasons { REASONS_TIME } else { WORDS_TIME };
    let plain = match response.body.read_ahead(ERROR_BODY, until).await {
        Ok(read) => decoded(&response.headers, read, context.config.server.translate_body_limit),
        Err(failed) if has_reasons && failed.kind != UpstreamErrorKind::KeyShown => {
            return Err(fault_of(&failed).into());
        }
        Err(_) => {
            is_lost = true;
            Bytes::new()
        }
    };
    match by_adapter(inbound, target, &response, plain).await {
        Some(reported) if has_reasons => {
            let retry_after_ms = reported.retry_after_ms.or(error.retry_after_ms);
            error = Error { retry_after_ms, ..reported };
        }
        Some(reported) if !reported.message.is_empty() => error.message = reported.message,
        _ => {}
    }
    wait_for_limits(&mut error, target, &response.headers);
    let fault = upstream_fault(error, response.status, target, account);
    let is_known = response.status.as_u16() < 600;
    let is_forwarded = !is_lost && is_known && fault.transport != Some(TransportFailure::Credential);
    Ok((fault, is_forwarded.then_some(response)))
}

/// Whether an error with this status may have several reasons, so that its body must be read.
fn has_reasons(status: StatusCode) -> bool {
    status.is_client_error() && !matches!(status.as_u16(), 404 | 408)
}

/// The error that an answer's status stands for.
pub(crate) fn by_status(status: StatusCode, headers: &HeaderMap) -> Error {
    let kind = match status.as_u16() {
        401 => ErrorKind::Authentication,
        402 => ErrorKind::Quota,
        403 => ErrorKind::Permission,
        404 => ErrorKind::NotFound,
        408 => ErrorKind::Timeout,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::RateLimited,
        503 | 529 => ErrorKind::Overloaded,
        500.. => ErrorKind::Upstream,
        _ => ErrorKind::InvalidRequest,
    };
    let after = retry_after(headers, SystemTime::now()).map(millis);
    Error {
        kind,
        message: format!("the provider answered {}", status.as_u16()),
        status: Some(status.as_u16()),
        code: None,
        param: None,
        retry_after_ms: after,
    }
}

/// Sets the retry time of a rate-limit refusal that names none, if its rate-limit headers show when the limit resets.
pub(crate) fn wait_for_limits(error: &mut Error, target: &Target, headers: &HeaderMap) {
    if error.kind == ErrorKind::RateLimited && error.retry_after_ms.is_none() {
        error.retry_after_ms = target.limits.rest(headers, SystemTime::now()).map(millis);
    }
}

fn millis(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis()).unwrap_or(u32::MAX)
}

/// The retry time: `retry-after-ms`, or `retry-after` in seconds or as a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    if let Some(ms) = text("retry-after-ms").and_then(number) {
        return Duration::try_from_secs_f64(ms / 1000.0).ok();
    }
    let value = text("retry-after")?;
    match number(value) {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => Some(httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default()),
    }
}

fn decoded(headers: &HeaderMap, body: Bytes, limit: usize) -> Bytes {
    let bound = DecodeBound { piece: limit, ..DecodeBound::default() };
    let decode = |coding| {
        let mut decoder = Decoder::new(coding, bound).ok()?;
        let head = decoder.push(&body).ok()?;
        let tail = decoder.finish().ok()?;
        Some(Bytes::from([head, tail].concat()))
    };
    match Coding::of(headers) {
        Ok(Coding::Identity) | Err(_) => body,
        Ok(coding) => decode(coding).unwrap_or_default(),
    }
}

/// The provider's error as its adapter parses it; `None` if the adapter is not available or fails.
async fn by_adapter(
    inbound: &InboundRequest,
    target: &Target,
    response: &UpstreamResponse,
    body: Bytes,
) -> Option<Error> {
    let mut provider = target.adapter.lease(Arc::clone(&inbound.caller.tenant)).await.ok()?;
    let ctx = Context {
        model: target.model(inbound.model()).to_owned(),
        format: inbound.endpoint.format().to_owned(),
        options: target.options.clone(),
        ..Context::new(&inbound.exchange.id, inbound.exchange.now_ms)
    };
    let http = response_of(response.status, target.read_headers.texts(&response.headers), &body);
    let error = provider.parse_error(&ctx, &http).ok()?;
    provider.release();
    Some(error)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use http::HeaderValue;

    use super::*;

    fn after(name: &'static str, value: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        retry_after(&headers, UNIX_EPOCH + Duration::from_secs(784_111_777))
    }

    #[test]
    fn c63_every_spelling_of_when_to_ask_again_is_read() {
        assert_eq!(after("retry-after", "2"), Some(Duration::from_secs(2)));
        assert_eq!(after("retry-after", "0.25"), Some(Duration::from_millis(250)));
        assert_eq!(after("retry-after-ms", "120"), Some(Duration::from_millis(120)));
        assert_eq!(after("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(after("retry-after", "Sun, 06 Nov 1994 08:49:27 GMT"), Some(Duration::ZERO));
        for nonsense in ["", "soon", "-1", "NaN", "inf", "1e400", "Sun, 99 Foo 1994 08:49:37 GMT"] {
            assert_eq!(after("retry-after", nonsense), None, "{nonsense}");
        }
    }
}
