//! Misbehaviour of every kind.
#![allow(unsafe_code, reason = "a guest that hands over text that is none has to make it first")]
#![allow(clippy::panic, reason = "a trap is what is asked for")]

use weir_sdk::types::{Body, Error, ErrorKind, Header, HttpRequest, Loss, LossKind, RenderedResponse};

/// The deed that a model's name requests at a site.
pub(crate) fn asked<'a>(model: &'a str, site: &str) -> Option<&'a str> {
    model.strip_prefix(site)?.strip_prefix('.')
}

/// Performs a deed that is possible at any site; returns text for the result.
pub(crate) fn act(model: &str, site: &str) -> String {
    match asked(model, site) {
        Some("loop") => spin(),
        Some("bomb") => hoard(),
        Some("trap") => panic!("asked to"),
        Some("deep") => dive(1).to_string(),
        Some("flood") => "a".repeat(100 << 20),
        Some("text") => no_text(),
        _ => "well".to_owned(),
    }
}

fn spin() -> ! {
    let mut n = 0_u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
    }
}

fn hoard() -> ! {
    let mut all = Vec::new();
    loop {
        all.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

fn dive(n: u64) -> u64 {
    let page = std::hint::black_box([n; 64]);
    if n == 0 { 0 } else { dive(std::hint::black_box(n + 1)) + page[3] }
}

/// Bytes that are not UTF-8, as a string.
fn no_text() -> String {
    // SAFETY: unsound on purpose: the sandbox must survive it, and nothing here reads the text.
    unsafe { String::from_utf8_unchecked(vec![b'{', 0xff, 0xfe, 0xc0, b'}']) }
}

/// A request to a forbidden address, or with forbidden contents.
pub(crate) fn request(model: &str) -> HttpRequest {
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
