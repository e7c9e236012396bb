//! Misbehaviour of adapters.

use weir_sdk::types::{Body, Error, ErrorKind, Header, HttpRequest, Loss, LossKind, RenderedResponse};

use crate::misdeeds;

/// The deed that a model's name requests at a site.
pub(crate) fn asked<'a>(model: &'a str, site: &str) -> Option<&'a str> {
    model.strip_prefix(site)?.strip_prefix('.')
}

/// Performs a deed that is possible at any site; returns text for the result.
pub(crate) fn act(model: &str, site: &str) -> String {
    asked(model, site).map_or_else(|| "well".to_owned(), misdeeds::act)
}

/// The request for the provider, with the deed of the site `render`.
pub(crate) fn sent(model: &str) -> HttpRequest {
    let text = act(model, "render");
    let mut http = request(model);
    if matches!(asked(model, "render"), Some("flood" | "text")) {
        http.body = Body::Text(text);
    }
    http
}

/// A request to a forbidden address, or with forbidden contents.
fn request(model: &str) -> HttpRequest {
    let path = match asked(model, "render").unwrap_or_default() {
        "slashes" => "//evil.example/x",
        "dots" => "../../admin",
        "encoded-dots" => "%2e%2e/%2e%2e/admin",
        "twice-encoded-dots" => "%252e%252e/admin",
        "encoded-slash" => "..%2fadmin",
        "inner-slashes" => "talk//evil.example",
        "tab" => "talk\tx",
        "encoded-break" => "talk%0d%0ahost:evil.example",
        "absolute" => "http://evil.example/x",
        "root" => "/etc/passwd",
        "at" => "@evil.example/x",
        "user" => "user@evil.example",
        "backslashes" => "\\\\evil.example\\x",
        "break" => "talk\r\nhost: evil.example",
        "query" => "talk?key=1",
        "hash" => "talk#x",
        _ => "talk",
    };
    let mut http = HttpRequest::post(path, "{\"hostile\":true}".into());
    let header = match asked(model, "render").unwrap_or_default() {
        "header-break" => Some(("x-a", "b\r\nx-evil: 1")),
        "header-name" => Some(("x-a: b\r\nx-evil", "1")),
        "host" => Some(("host", "evil.example")),
        "length" => Some(("content-length", "3")),
        "chunked" => Some(("transfer-encoding", "chunked")),
        "authorization" => Some(("authorization", "Bearer stolen")),
        "cookie" => Some(("cookie", "a=b")),
        "forwarded" => Some(("x-forwarded-for", "6.6.6.6")),
        "proxy" => Some(("proxy-authorization", "Basic stolen")),
        "hop" => Some(("connection", "x-a")),
        "upgrade" => Some(("upgrade", "h2c")),
        "te" => Some(("te", "trailers")),
        _ => None,
    };
    http.headers.extend(header.map(|(name, value)| Header::new(name, value)));
    match asked(model, "render").unwrap_or_default() {
        "method" => http.method = "GET / HTTP/1.1\r\nx-evil: 1\r\n\r\nPOST".into(),
        "connect" => http.method = "CONNECT".into(),
        "bytes" => http.body = Body::Bytes(vec![0xff; 16]),
        _ => {}
    }
    http
}

/// Adds headers that an answer must not have.
pub(crate) fn dress(model: &str, answer: &mut RenderedResponse) {
    let header = match asked(model, "write").unwrap_or_default() {
        "cookie" => ("set-cookie", "session=stolen"),
        "length" => ("content-length", "3"),
        "chunked" => ("transfer-encoding", "chunked"),
        "close" => ("connection", "close"),
        "upgrade" => ("upgrade", "h2c"),
        "split" => ("x-a", "b\r\nset-cookie: session=stolen"),
        "page" => ("content-type", "text/html"),
        "forged" => ("x-weir-provider", "another"),
        "switch" => return answer.response.status = 101,
        "empty" => return answer.response.status = 204,
        "none" => return answer.response.status = 0,
        "losses" => {
            let loss = || Loss { field: "field\u{1b}[2J\r\n".repeat(100), kind: LossKind::Dropped, note: None };
            return answer.losses.extend((0..10_000).map(|_| loss()));
        }
        _ => return,
    };
    answer.response.headers.push(Header::new(header.0, header.1));
}

/// An exception, in the form that the SDKs of languages with exceptions report it.
pub(crate) fn exception() -> Error {
    Error::new(ErrorKind::Internal, "TypeError: undefined is no function (main.js:7)")
}

/// An error with a success status, full of terminal control characters.
pub(crate) fn refusal() -> Error {
    let mut error = Error::new(ErrorKind::InvalidRequest, "no\u{1b}[2J\u{7}".repeat(10_000));
    error.status = Some(204);
    error.code = Some("c\r\nx-evil: 1".into());
    error
}
