//! Corrects a missing or wrong media type of a request's body.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::dialect::request_peek::RequestPeek;
use weir_translate::dialect::endpoints::Endpoint;
use weir_types::contract::about::BodyKind;

/// Sets the media type of a JSON body if the client sent none or a generic one, such as the form type that `curl -d`
/// always sends, by which a provider would read the body as a form.
pub(super) fn mend(headers: &mut HeaderMap, endpoint: &Endpoint, peek: &RequestPeek, body: &[Bytes]) {
    if is_missing(headers) && is_json(endpoint, peek, body) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
}

fn is_missing(headers: &HeaderMap) -> bool {
    let Some(media_type) = headers.get(CONTENT_TYPE) else { return true };
    let essence = media_type.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    [b"application/x-www-form-urlencoded".as_slice(), b"text/plain"]
        .iter()
        .any(|usual| essence.eq_ignore_ascii_case(usual))
}

/// Whether the body was read as JSON or, if it is relayed unread, begins as a JSON object does.
fn is_json(endpoint: &Endpoint, peek: &RequestPeek, body: &[Bytes]) -> bool {
    let first = || body.iter().flatten().find(|byte| !byte.is_ascii_whitespace());
    peek.found.is_some() || (endpoint.face.body == BodyKind::Raw && first() == Some(&b'{'))
}
