//! Renders errors in the client's format from its manifest's templates; no component runs.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use weir_types::contract::about::{ErrorFormat, FrameTemplate};
use weir_types::contract::types::{Error, ErrorKind, Frame};
use weir_types::fault::Fault;

/// The error body for a format without templates, and for requests without a format.
const NEUTRAL: &str =
    r#"{"error":{"type":{{kind}},"message":{{message}},"code":{{code}}},"request_id":{{request_id}}}"#;

/// Fills an error template; each placeholder becomes a whole JSON value.
pub fn fill(template: &str, error: &Error, name: &str, code: Option<&str>, status: u16, request_id: &str) -> String {
    let value = |placeholder: &str| match placeholder {
        "kind" => Some(quoted(name)),
        "status" => Some(status.to_string()),
        "message" => Some(quoted(&error.message)),
        "code" => Some(code.map_or_else(|| "null".to_owned(), quoted)),
        "param" => Some(error.param.as_deref().map_or_else(|| "null".to_owned(), quoted)),
        "request_id" => Some(quoted(request_id)),
        _ => None,
    };
    replace_placeholders(template, value)
}

/// Replaces each `{{name}}` for which `value` returns a text.
pub fn replace_placeholders(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        if let Some((text, tail)) = after.split_once("}}").and_then(|(name, tail)| Some((value(name)?, tail))) {
            out.push_str(&text);
            rest = tail;
        } else {
            out.push_str("{{");
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// An error's name, code and status in a format.
fn spelling<'a>(format: Option<&'a ErrorFormat>, error: &'a Error) -> (&'a str, Option<&'a str>, u16) {
    let spelled = format.and_then(|format| format.spellings.iter().find(|spelling| spelling.kind == error.kind));
    let code = error.code.as_deref().or_else(|| spelled.and_then(|spelling| spelling.code.as_deref()));
    let status =
        error.status.or_else(|| spelled.map(|spelling| spelling.status)).unwrap_or_else(|| usual_status(error.kind));
    (spelled.map_or("error", |spelling| spelling.name.as_str()), code, status)
}

/// The status of an error kind for which the format declares none.
pub fn usual_status(kind: ErrorKind) -> u16 {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::ContextLength | ErrorKind::ContentFiltered | ErrorKind::Unsupported => {
            400
        }
        ErrorKind::Authentication => 401,
        ErrorKind::Permission => 403,
        ErrorKind::NotFound => 404,
        ErrorKind::TooLarge => 413,
        ErrorKind::RateLimited | ErrorKind::Quota => 429,
        ErrorKind::Internal => 500,
        ErrorKind::Upstream => 502,
        ErrorKind::Overloaded => 503,
        ErrorKind::Timeout => 504,
    }
}

/// The whole error answer to a request of which no byte has been answered yet.
pub fn error_response(format: Option<&ErrorFormat>, fault: &Fault, request_id: &str) -> Response<Bytes> {
    let (name, code, status) = spelling(format, &fault.error);
    let template = format.map_or(NEUTRAL, |format| format.body.as_str());
    let body = fill(template, &fault.error, name, code, status, request_id);
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for extra in format.map_or(&[][..], |format| &format.headers) {
        let plain = |placeholder: &str| match placeholder {
            "kind" => Some(name.to_owned()),
            "status" => Some(status.to_string()),
            "message" => Some(fault.error.message.clone()),
            "code" => Some(code.unwrap_or_default().to_owned()),
            "param" => Some(fault.error.param.clone().unwrap_or_default()),
            "request_id" => Some(request_id.to_owned()),
            _ => None,
        };
        let text = replace_placeholders(&extra.value, plain);
        insert(headers, &extra.name, &text);
    }
    if let Some(after) = fault.error.retry_after_ms {
        insert(headers, "retry-after", &after.div_ceil(1000).max(1).to_string());
        insert(headers, "retry-after-ms", &after.to_string());
    }
    response
}

/// The frame that ends a broken stream; `None` if the format has no such frame.
pub fn failure_frame(format: Option<&ErrorFormat>, error: &Error, request_id: &str) -> Option<Frame> {
    let FrameTemplate { event, data } = format?.stream_failure.as_ref()?;
    let (name, code, status) = spelling(format, error);
    Some(Frame { event: event.clone(), data: fill(data, error, name, code, status, request_id) })
}

/// Sets a header; ignores an invalid name or value.
pub fn insert(headers: &mut HeaderMap, name: impl TryInto<HeaderName>, value: &str) {
    if let (Ok(name), Ok(value)) = (name.try_into(), HeaderValue::try_from(value)) {
        headers.insert(name, value);
    }
}

/// Sets a header to a text that is made for it, which is not copied; ignores an invalid value.
pub fn insert_made(headers: &mut HeaderMap, name: &HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

/// The most headers of usual answers: a map that begins with room for them does not grow.
const HEADERS: usize = 24;

/// An answer with room for its headers.
pub fn response<B>(body: B) -> Response<B> {
    let mut response = Response::new(body);
    response.headers_mut().reserve(HEADERS);
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use weir_types::contract::about::ErrorSpelling;
    use weir_types::contract::types::Header;

    fn format() -> ErrorFormat {
        ErrorFormat {
            body: r#"{"oops":{{message}},"why":{{kind}},"n":{{status}},"c":{{code}},"p":{{param}}}"#.into(),
            spellings: vec![ErrorSpelling {
                kind: ErrorKind::NotFound,
                name: "gone".into(),
                code: Some("no_such".into()),
                status: 404,
            }],
            headers: vec![Header { name: "x-why".into(), value: "{{kind}} {{param}} {{request_id}}".into() }],
            stream_failure: Some(FrameTemplate { event: Some("bad".into()), data: "{{message}}".into() }),
            keep_alive: None,
            request_id_header: None,
            rate_limit_headers: Vec::new(),
        }
    }

    #[test]
    fn placeholders_become_whole_json_values() {
        let fault = Fault::not_found("no \"x\"\n").at("model");
        let response = error_response(Some(&format()), &fault, "r1");
        assert_eq!(response.status(), 404);
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        let wanted = serde_json::json!({"oops": "no \"x\"\n", "why": "gone", "n": 404, "c": "no_such", "p": "model"});
        assert_eq!(body, wanted);
        assert_eq!(response.headers()["x-why"], "gone model r1", "in headers they are plain text");
    }

    #[test]
    fn a_message_that_looks_like_a_placeholder_is_left_alone() {
        let fault = Fault::not_found("{{code}}");
        let body = error_response(Some(&format()), &fault, "r1").into_body();
        assert!(std::str::from_utf8(&body).unwrap().contains(r#""oops":"{{code}}""#));
    }

    #[test]
    fn without_a_format_the_answer_is_neutral_json() {
        let fault = Fault::overloaded("busy", Duration::from_millis(1500));
        let response = error_response(None, &fault, "r1");
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(response.headers()["retry-after-ms"], "1500");
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["error"]["message"], "busy");
    }

    #[test]
    fn a_broken_stream_ends_with_the_formats_own_frame() {
        let error = Fault::internal("died").error;
        let frame = failure_frame(Some(&format()), &error, "r1").unwrap();
        assert_eq!((frame.event.as_deref(), frame.data.as_str()), (Some("bad"), "\"died\""));
    }
}
