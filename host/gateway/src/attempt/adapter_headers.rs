//! The headers that an adapter sets on an answer.

use http::header::{self, HeaderMap, HeaderValue};

use weir_translate::dialect::reply::insert;
use weir_types::adapter_headers::is_answerable;
use weir_types::contract::types::Header;

/// Sets an adapter's headers, except those that an adapter must not set.
pub(crate) fn set_adapter_headers(to: &mut HeaderMap, from: &[Header]) {
    for header in from.iter().filter(|header| is_answerable(&header.name)) {
        insert(to, &header.name, &header.value);
    }
    if may_be_a_page(to) {
        forbid_pages(to);
    }
}

/// Whether a browser might show an answer as a page. It does not show the usual answers, JSON and streams.
pub(super) fn may_be_a_page(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
    let kind = kinds.next().and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    // If there are several types, in one header or more, a browser takes the last one.
    let (essence, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let is_usual =
        ["application/json", "text/event-stream"].iter().any(|usual| essence.trim().eq_ignore_ascii_case(usual));
    !is_usual || parameters.contains(',') || kinds.next().is_some()
}

/// What a provider sends, or an adapter makes of it, must not run as a page of this gateway, whose dashboard has the
/// same origin.
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

    #[test]
    fn only_the_usual_types_alone_are_no_page() {
        let may_be = |kinds: &[&'static str]| {
            let headers = kinds.iter().map(|kind| (header::CONTENT_TYPE, HeaderValue::from_static(kind)));
            let mut all = HeaderMap::new();
            headers.for_each(|(name, value)| _ = all.append(name, value));
            may_be_a_page(&all)
        };
        for usual in ["application/json", "application/json; charset=utf-8", "Text/Event-Stream"] {
            assert!(!may_be(&[usual]), "{usual}");
        }
        for other in
            ["text/html", "application/json, text/html", "application/json;a=b, text/html", "application/jsonx", ""]
        {
            assert!(may_be(&[other]), "{other}");
        }
        assert!(may_be(&["application/json", "text/html"]) && may_be(&[]));
    }
}
