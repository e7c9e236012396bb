//! Parses errors: `{"type": "error", "error": {"type": ..., "message": ...}, "request_id": ...}`, and error pages of
//! proxies.

use weir_sdk::json::{RawValue, Str, parse};
use weir_sdk::retry;
use weir_sdk::types::{Error, ErrorKind, HttpResponse};

use crate::wire;

/// Parses an answer with a status of 400 or over.
pub(crate) fn read(response: &HttpResponse, now_ms: f64) -> Error {
    let body: Option<wire::ErrorBody<'_>> = response.body.as_text().ok().and_then(|text| parse(text).ok());
    let status = Some(response.status);
    let error = match body {
        Some(wire::ErrorBody { error: Some(raw), .. }) => object(raw, status),
        Some(wire::ErrorBody { message: Some(raw), .. } | wire::ErrorBody { detail: Some(raw), .. }) => {
            built(None, string(raw), status)
        }
        _ => built(None, None, status),
    };
    Error { retry_after_ms: retry::after_ms(&response.headers, now_ms), ..error }
}

/// Parses the error object, which may be a mere text; in a stream there is no status.
pub(crate) fn object(raw: &RawValue, status: Option<u16>) -> Error {
    let read: wire::ErrorObject<'_> = parse(raw.get()).unwrap_or_default();
    let message = read.message.map(Str::into_string).or_else(|| string(raw));
    built(read.kind.as_deref(), message, status)
}

fn string(raw: &RawValue) -> Option<String> {
    parse::<Str<'_>>(raw.get()).ok().map(Str::into_string)
}

fn built(name: Option<&str>, message: Option<String>, status: Option<u16>) -> Error {
    // Classified by the message first, because the service calls many errors an `invalid_request_error`: such a type is
    // no code then. Next by the type, the only information in a stream, and last by the status.
    let by_words = by_message(name.unwrap_or_default(), message.as_deref().unwrap_or_default());
    let kind = by_words.or_else(|| by_name(name.unwrap_or_default()));
    let kind = kind.unwrap_or_else(|| ErrorKind::of_status(status.unwrap_or(500)));
    let code = name.filter(|_| by_words.is_none()).map(str::to_owned);
    Error { code, ..Error::of_provider(kind, message, status) }
}

fn by_message(name: &str, message: &str) -> Option<ErrorKind> {
    if !matches!(name, "" | "invalid_request_error" | "api_error" | "permission_error") {
        return None;
    }
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    if says(&["prompt is too long", "exceed context limit", "context window", "context length", "too many tokens"]) {
        return Some(ErrorKind::ContextLength);
    }
    if says(&["credit balance", "billing"]) {
        return Some(ErrorKind::Quota);
    }
    says(&["content filtering policy"]).then_some(ErrorKind::ContentFiltered)
}

fn by_name(name: &str) -> Option<ErrorKind> {
    Some(match name {
        "invalid_request_error" => ErrorKind::InvalidRequest,
        "authentication_error" => ErrorKind::Authentication,
        "billing_error" => ErrorKind::Quota,
        "permission_error" => ErrorKind::Permission,
        "not_found_error" => ErrorKind::NotFound,
        "request_too_large" => ErrorKind::TooLarge,
        "rate_limit_error" => ErrorKind::RateLimited,
        "timeout_error" => ErrorKind::Timeout,
        "overloaded_error" => ErrorKind::Overloaded,
        "api_error" => ErrorKind::Upstream,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::testing::errors::check_other_shapes;
    use weir_sdk::types::{Body, Header};

    fn answer(status: u16, body: &str) -> Error {
        read(&HttpResponse { status, headers: Vec::new(), body: Body::Text(body.into()) }, 0.0)
    }

    fn named(status: u16, name: &str, message: &str) -> ErrorKind {
        answer(status, &format!(r#"{{"type":"error","error":{{"type":"{name}","message":"{message}"}}}}"#)).kind
    }

    #[test]
    fn c83_the_reason_of_an_error_survives() {
        let too_long = "prompt is too long: 3333404 tokens > 200000 maximum";
        assert_eq!(named(400, "invalid_request_error", too_long), ErrorKind::ContextLength);
        assert_eq!(named(400, "invalid_request_error", "Your credit balance is too low"), ErrorKind::Quota);
        assert_eq!(named(400, "invalid_request_error", "temperature: range: 0..1"), ErrorKind::InvalidRequest);
        assert_eq!(named(404, "not_found_error", "model: x"), ErrorKind::NotFound);
        assert_eq!(named(529, "overloaded_error", "Overloaded"), ErrorKind::Overloaded);
        assert_eq!(named(500, "api_error", "Internal server error"), ErrorKind::Upstream);
        assert_eq!(named(429, "rate_limit_error", "slow down"), ErrorKind::RateLimited);
    }

    #[test]
    fn c83_a_type_that_says_less_than_the_message_is_no_code() {
        let code = |message: &str| {
            let body = format!(r#"{{"error":{{"type":"invalid_request_error","message":"{message}"}}}}"#);
            answer(400, &body).code
        };
        assert_eq!(code("prompt is too long: 3 tokens > 2 maximum"), None);
        assert_eq!(code("temperature: range: 0..1").as_deref(), Some("invalid_request_error"));
    }

    #[test]
    fn bodies_of_other_shapes_are_judged_by_their_status_and_never_passed_on() {
        check_other_shapes(answer, "error");
        assert_eq!(answer(401, r#"{"error": "unauthorized"}"#).kind, ErrorKind::Authentication);
    }

    #[test]
    fn c63_the_wait_is_read_from_the_headers() {
        let wait = |name: &str, value: &str| {
            let headers = vec![Header::new(name, value)];
            read(&HttpResponse { status: 429, headers, body: Body::Text(String::new()) }, 784_111_772_000.0)
                .retry_after_ms
        };
        assert_eq!(wait("retry-after", "15"), Some(15_000));
        assert_eq!(wait("retry-after-ms", "20"), Some(20));
        assert_eq!(wait("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), Some(5000));
    }
}
