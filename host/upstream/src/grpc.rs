//! Calls of gRPC methods: a request of JSON becomes one message over HTTP/2, and the messages of the answer become
//! JSON.
//!
//! A caller sees an HTTP exchange. A streamed answer is one of server-sent events: each message is the data of an event
//! without a name, and a failure after the first message is the event `error`. A whole answer is the message, or the
//! list of the messages of a method that streams. A call that fails has the status of HTTP that its code stands for,
//! and its status as JSON for a body.

mod message_body;
mod messages;

use std::future::poll_fn;
use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method as HttpMethod, StatusCode};

use self::message_body::MessageBody;
use self::messages::{Messages, Next};
use super::body::UpstreamBody;
use super::chunks::Chunks;
use super::error::{UpstreamError, UpstreamErrorKind};
use super::redactor::Redactor;
use super::{GrpcCall, UpstreamRequest, UpstreamResponse};
use weir_buffers::Held;
use weir_transcoding::{Method, Status, timeout};

/// The most bytes of a whole answer's messages together.
const WHOLE_BYTES: usize = 32 << 20;
/// The headers that say how messages travel, in front of which every header of gRPC stands.
const OWN_HEADERS: &str = "grpc-";

/// Begins a call of a method: the request to send, whose body was the JSON of its message, and what reads the answer.
pub(super) fn begin(
    request: UpstreamRequest<'_>,
    call: GrpcCall,
) -> Result<(UpstreamRequest<'_>, Call), UpstreamError> {
    let GrpcCall { method, held } = call;
    let origin = request.address.origin().clone();
    let redactor = request.credential.map(|credential| credential.redactor().clone()).unwrap_or_default();
    let streams = request.stream && method.streams();
    let request = framed(request, &method)?;
    Ok((request, Call { origin, redactor, streams, method, held: held.beside() }))
}

/// The request with its message for a body.
fn framed<'a>(mut request: UpstreamRequest<'a>, method: &Method) -> Result<UpstreamRequest<'a>, UpstreamError> {
    let message = method.request(&request.body.to_bytes());
    let because = |error| UpstreamError::because(UpstreamErrorKind::Request, request.address.origin(), &error);
    request.body = Chunks::from(message.map_err(because)?);
    request.method = HttpMethod::POST;
    request.headers.remove(header::ACCEPT_ENCODING);
    request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    request.headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity"));
    if let Some(total) = request.timeouts.total
        && let Ok(value) = HeaderValue::try_from(timeout(total))
    {
        request.headers.insert("grpc-timeout", value);
    }
    Ok(request)
}

/// A call that is under way.
pub(super) struct Call {
    origin: Arc<str>,
    redactor: Redactor,
    /// Whether the answer is read as a stream.
    streams: bool,
    method: Arc<Method>,
    /// Holds the bytes of a whole answer.
    held: Held,
}

impl Call {
    /// Reads the answer, as far as its status is known then.
    pub(super) async fn answered(self, response: UpstreamResponse) -> Result<UpstreamResponse, UpstreamError> {
        // A proxy on the way answers without gRPC.
        if response.status.as_u16() >= 400 {
            return Ok(response);
        }
        let UpstreamResponse { status, headers, body } = response;
        if status != StatusCode::OK || !is_grpc(&headers) {
            return Err(self.garbled());
        }
        let coding = headers.get("grpc-encoding").map_or(&b"identity"[..], HeaderValue::as_bytes);
        if coding != b"identity" {
            return Err(UpstreamError::new(UpstreamErrorKind::Encoding, &self.origin));
        }
        // An answer without messages may have its status in place of headers.
        let early = Status::read(&headers, |text| self.redactor.redact(text));
        let metadata = metadata(&headers);
        if let Some(early) = early.as_ref().filter(|early| !early.is_ok()) {
            return Ok(self.failed(early, metadata));
        }
        let messages = Messages::new(body, Arc::clone(&self.method), self.redactor.clone(), early);
        if self.streams { self.stream(messages, metadata).await } else { self.whole(messages, metadata).await }
    }

    /// Reads the first message, before which a call may still fail with a status of its own.
    async fn stream(self, mut messages: Messages, headers: HeaderMap) -> Result<UpstreamResponse, UpstreamError> {
        let body = match next(&mut messages).await? {
            Next::Message(first) => MessageBody::stream(&first, messages),
            Next::End(status) if status.is_ok() => MessageBody::whole(String::new()),
            Next::End(status) => return Ok(self.failed(&status, headers)),
        };
        Ok(self.response(StatusCode::OK, "text/event-stream", headers, body))
    }

    /// Reads all messages, whose bytes are held as they arrive.
    async fn whole(mut self, mut messages: Messages, headers: HeaderMap) -> Result<UpstreamResponse, UpstreamError> {
        let is_single = !self.method.streams();
        let mut list = String::from("[");
        let mut count = 0_usize;
        loop {
            match next(&mut messages).await? {
                Next::Message(_) if is_single && count > 0 => return Err(self.garbled()),
                Next::Message(message) if list.len().saturating_add(message.len()) > WHOLE_BYTES => {
                    return Err(UpstreamError::new(UpstreamErrorKind::BodyTooLarge, &self.origin));
                }
                Next::Message(message) => {
                    let full = |full| UpstreamError::new(UpstreamErrorKind::NoRoom(full), &self.origin);
                    self.held.grow(message.len()).await.map_err(full)?;
                    if count > 0 {
                        list.push(',');
                    }
                    list.push_str(&message);
                    count = count.saturating_add(1);
                }
                Next::End(status) if !status.is_ok() => return Ok(self.failed(&status, headers)),
                Next::End(_) => break,
            }
        }
        let json = match (is_single, count) {
            (true, 1) => list.split_off(1),
            (true, _) => return Err(self.garbled()),
            (false, _) => list + "]",
        };
        let held = std::mem::replace(&mut self.held, Held::unlimited());
        let body = MessageBody::whole(json).holding(held);
        Ok(self.response(StatusCode::OK, "application/json", headers, body))
    }

    fn failed(&self, status: &Status, mut headers: HeaderMap) -> UpstreamResponse {
        if let Some(after) = status.retry_after() {
            let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0));
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        self.response(status.http(), "application/json", headers, MessageBody::whole(status.json()))
    }

    fn response(
        &self,
        status: StatusCode,
        kind: &'static str,
        mut headers: HeaderMap,
        body: MessageBody,
    ) -> UpstreamResponse {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        UpstreamResponse { status, headers, body: Box::new(UpstreamBody::of(Box::new(body), self.origin.clone())) }
    }

    fn garbled(&self) -> UpstreamError {
        UpstreamError::new(UpstreamErrorKind::Grpc, &self.origin)
    }
}

async fn next(messages: &mut Messages) -> Result<Next, UpstreamError> {
    poll_fn(|cx| messages.poll_next(cx)).await
}

/// Whether the answer is one of gRPC with protobuf messages.
fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let rest = kind.strip_prefix("application/grpc").map(|rest| rest.split(';').next().unwrap_or_default().trim());
    rest.is_some_and(|rest| rest.is_empty() || rest == "+proto")
}

/// The server's own headers.
fn metadata(headers: &HeaderMap) -> HeaderMap {
    let describes = [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LENGTH];
    let is_own = |name: &HeaderName| !name.as_str().starts_with(OWN_HEADERS) && !describes.contains(name);
    headers.iter().filter(|(name, _)| is_own(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}
