//! Parses errors: `{"message": "...", "id": "..."}`, and error pages of proxies.

use weir_sdk::json::{RawValue, Str, parse, text};
use weir_sdk::retry;
use weir_sdk::types::{Error, ErrorKind, HttpResponse};

use crate::wire::ErrorBody;

/// Parses an answer with a status of 400 or over.
pub(crate) fn read(response: &HttpResponse, now_ms: f64) -> Error {
    let text = response.body.as_text().unwrap_or_default();
    let error = from_json(text, Some(response.status));
    Error { retry_after_ms: retry::after_ms(&response.headers, now_ms), ..error }
}

/// Parses an error's JSON; within a stream there is no status.
pub(crate) fn from_json(json: &str, status: Option<u16>) -> Error {
    let body: ErrorBody<'_> = parse(json).unwrap_or_default();
    let code = body.error_type.map(Str::into_string);
    built(code, body.message.or(body.error).and_then(words), status)
}

/// An error of which only the message is known.
pub(crate) fn of_message(message: Option<String>) -> Error {
    built(None, message, None)
}

/// The message, which may be nested once more.
pub(crate) fn words(raw: &RawValue) -> Option<String> {
    let inner = || parse::<ErrorBody<'_>>(raw.get()).ok().and_then(|body| body.message).and_then(text);
    text(raw).or_else(inner).map(Str::into_string).filter(|words| !words.is_empty())
}

fn built(code: Option<String>, message: Option<String>, status: Option<u16>) -> Error {
    let kind = kind(code.as_deref().unwrap_or_default(), message.as_deref().unwrap_or_default(), status);
    // The service repeats a placeholder of the key in these messages; clients must not see it.
    let refused = (kind == ErrorKind::Authentication).then(|| "the provider refused the credential".to_owned());
    Error { code, ..Error::of_provider(kind, refused.or(message), status) }
}

/// Classifies an error. The service's own statuses are 498 (blocked input or output) and 499 (cancelled); for the
/// others, its message is more precise.
fn kind(code: &str, message: &str, status: Option<u16>) -> ErrorKind {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    let wrong = matches!(status, None | Some(400 | 413 | 422));
    if code == "TOO_MANY_TOKENS" || (wrong && says(&["too many tokens", "context length", "context window"])) {
        return ErrorKind::ContextLength;
    }
    if matches!(status, Some(400..=403 | 429)) && says(&["per month", "/ month", "calls/month", "billing", "payment"]) {
        return ErrorKind::Quota;
    }
    match status {
        Some(400) if says(&["invalid api token", "invalid api key", "incorrect api key", "no api key"]) => {
            ErrorKind::Authentication
        }
        Some(498) => ErrorKind::ContentFiltered,
        Some(499) => ErrorKind::Upstream,
        Some(status) => ErrorKind::of_status(status),
        None if says(&["blocked"]) => ErrorKind::ContentFiltered,
        None => ErrorKind::Upstream,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::types::{Body, Header};

    fn answer(status: u16, body: &str) -> Error {
        let headers = vec![Header::new("retry-after", "3")];
        read(&HttpResponse { status, headers, body: Body::Text(body.into()) }, 0.0)
    }

    fn kind_of(status: u16, message: &str) -> ErrorKind {
        answer(status, &format!(r#"{{"id":"1","message":"{message}"}}"#)).kind
    }

    #[test]
    fn c83_the_reason_of_an_error_survives() {
        let long = "too many tokens: size limit exceeded by 25836 tokens. Try using shorter or fewer inputs.";
        assert_eq!(kind_of(400, long), ErrorKind::ContextLength);
        assert_eq!(kind_of(400, "invalid request: temperature must be between 0 and 1.0"), ErrorKind::InvalidRequest);
        assert_eq!(kind_of(401, "invalid api token"), ErrorKind::Authentication);
        assert_eq!(kind_of(404, "model 'x' not found"), ErrorKind::NotFound);
        assert_eq!(kind_of(422, "invalid request"), ErrorKind::InvalidRequest);
        let beside = answer(422, r#"{"id":"1","message":"schema validation failed","data":null}"#);
        assert_eq!(beside.message, "schema validation failed");
        let trial = "You are using a Trial key, which is limited to";
        assert_eq!(kind_of(429, &format!("{trial} 10 API calls / minute.")), ErrorKind::RateLimited);
        assert_eq!(kind_of(429, &format!("{trial} 1000 API calls / month.")), ErrorKind::Quota);
        assert_eq!(kind_of(498, "blocked output"), ErrorKind::ContentFiltered);
        assert_eq!(kind_of(500, "internal server error"), ErrorKind::Upstream);
        assert_eq!(kind_of(503, "unavailable"), ErrorKind::Overloaded);
    }

    #[test]
    fn bodies_of_other_shapes_are_judged_by_their_status_and_never_passed_on() {
        for (status, body, kind) in [
            (502, "<html><body>Bad Gateway</body></html>", ErrorKind::Upstream),
            (503, "", ErrorKind::Overloaded),
            (400, "[1]", ErrorKind::InvalidRequest),
            (404, r#"{"error":{"message":"gone"}}"#, ErrorKind::NotFound),
        ] {
            let error = answer(status, body);
            assert_eq!((error.kind, error.status, error.retry_after_ms), (kind, Some(status), Some(3000)), "{body}");
            assert!(!error.message.contains('<'));
        }
        assert!(answer(500, &format!(r#"{{"message":"{}"}}"#, "é".repeat(5000))).message.len() < 1010);
    }

    #[test]
    fn words_about_keys_stay_inside() {
        let error = answer(401, r#"{"message":"Incorrect API key provided: co-12***34."}"#);
        assert!(!error.message.contains("co-"));
    }
}
