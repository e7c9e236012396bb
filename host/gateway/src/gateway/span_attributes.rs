//! Attributes of a request's span.

use http::Response;

use crate::attempt::ReplyBody;
use crate::observe::trace::{Attribute, Span};
use weir_translate::dialect::endpoints::Endpoint;

/// Sets the attributes that are known once the face is recognised.
pub(super) fn describe(span: &Span, endpoint: &Endpoint, id: &str) {
    if !span.is_recording() {
        return;
    }
    let (method, path) = (&endpoint.face.method, &endpoint.face.path);
    span.rename(|| format!("{method} {path}"));
    span.set(Attribute::HttpMethod, method.clone());
    span.set(Attribute::HttpRoute, path.clone());
    span.set(Attribute::Operation, endpoint.face.operation.name().to_owned());
    span.set(Attribute::Format, endpoint.format().to_owned());
    span.set(Attribute::RequestId, id.to_owned());
}

/// Sets the attributes that are known once the answer's head is known, and the answer's trace header.
pub(super) fn conclude(span: &Span, response: &mut Response<ReplyBody>) {
    let status = response.status().as_u16();
    span.set(Attribute::HttpStatus, i64::from(status));
    if status >= 500 {
        span.fail("failed");
    }
    span.mark(response.headers_mut());
}
