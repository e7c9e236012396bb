//! The headers that an adapter sets on an answer.

use http::header::{self, HeaderMap, HeaderValue};

use weir_translate::dialect::reply::insert;
use weir_types::adapter_headers::is_answerable;
use weir_types::contract::types::Header;

/// Sets an adapter's headers, but for those that it must not set.
pub(crate) fn set_adapter_headers(to: &mut HeaderMap, from: &[Header]) {
    for header in from.iter().filter(|header| is_answerable(&header.name)) {
        insert(to, &header.name, &header.value);
    }
    if may_be_a_page(to) {
        forbid_pages(to);
    }
}

/// Whether a browser might take an answer for a page. The usual answers, JSON and streams, are none.
pub(super) fn may_be_a_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    !kind.starts_with(b"application/json") && !kind.starts_with(b"text/event-stream")
}

/// What a provider sends, or an adapter makes of it, must not run as a page of this gateway, whose dashboard has the same
/// origin.
pub(super) fn forbid_pages(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> Header {
        Header { name: name.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn an_adapter_frames_no_connection_and_makes_no_page() {
        let mut headers = HeaderMap::new();
        let all = ["content-length", "set-cookie", "x-weir-provider", "x-fine"].map(|name| header(name, "2"));
        set_adapter_headers(&mut headers, &all);
        set_adapter_headers(&mut headers, &[header("content-type", "text/html")]);
        let names: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
        assert_eq!(names, ["x-fine", "content-security-policy", "x-content-type-options", "content-type"]);
        let mut json = HeaderMap::new();
        set_adapter_headers(&mut json, &[header("content-type", "application/json; charset=utf-8")]);
        assert_eq!(json.len(), 1);
    }
}
