//! Parses errors: `{"error": {"code": 400, "message": ..., "status": ..., "details": [...]}}`, alone or in a list of
//! one, and error pages of proxies.

use weir_sdk::json::{RawValue, Str, parse};
use weir_sdk::retry;
use weir_sdk::types::{Error, ErrorKind, HttpResponse};

use crate::wire::{Detail, ErrorBody, Failure};

/// Parses an answer with a status of 400 or over.
pub(crate) fn read(response: &HttpResponse, now_ms: f64) -> Error {
    let status = Some(response.status);
    let text = response.body.as_text().unwrap_or_default();
    let error = in_body(text).map_or_else(|| built(&Failure::default(), None, status), |raw| object(raw, status));
    let after = || retry::after_ms(&response.headers, now_ms);
    Error { retry_after_ms: error.retry_after_ms.or_else(after), ..error }
}

fn in_body(text: &str) -> Option<&RawValue> {
    if let Ok(body) = parse::<ErrorBody<'_>>(text) {
        return body.error;
    }
    let list: Vec<ErrorBody<'_>> = parse(text).ok()?;
    list.into_iter().find_map(|body| body.error)
}

/// The error for an answer, whole or streamed, that is not complete.
pub(super) fn cut_off() -> Error {
    Error::unreadable("the answer ended before it was complete")
}

/// Parses an error in a list, which streams without events send.
pub(super) fn in_list(text: &str) -> Option<Error> {
    if !text.trim_start().starts_with('[') {
        return None;
    }
    in_body(text).map(|raw| object(raw, None))
}

/// Parses the error object, which may be a mere text; in a stream there is no status but its own.
pub(crate) fn object(raw: &RawValue, status: Option<u16>) -> Error {
    let read: Failure<'_> = parse(raw.get()).unwrap_or_default();
    let code = read.code.and_then(|code| code.get().parse().ok()).filter(|code| (400..600).contains(code));
    let text = parse::<Str<'_>>(raw.get()).ok().map(Str::into_string);
    built(&read, text, status.or(code))
}

fn built(read: &Failure<'_>, text: Option<String>, status: Option<u16>) -> Error {
    let message = read.message.as_ref().map(ToString::to_string).or(text).filter(|text| !text.is_empty());
    let words = message.as_deref().unwrap_or_default();
    let kind = kind(read, words, status);
    // A general name is no code where the message says more.
    let named = read.status.as_ref().filter(|name| by_message(name, &words.to_ascii_lowercase()).is_none());
    let reason = details(read).find_map(|detail| detail.reason.as_ref()).or(named);
    let code = reason.map(ToString::to_string);
    Error { code, retry_after_ms: retry_after(read), ..Error::of_provider(kind, message, status) }
}

fn details<'a, 'f>(read: &'f Failure<'a>) -> impl Iterator<Item = &'f Detail<'a>> {
    read.details.iter().flatten()
}

/// Classifies by the reason and the message first, because the service calls many errors an `INVALID_ARGUMENT`; then by
/// the name of the status, then by its number.
fn kind(read: &Failure<'_>, message: &str, status: Option<u16>) -> ErrorKind {
    let name = read.status.as_deref().unwrap_or_default();
    by_reason(read)
        .or_else(|| by_message(name, &message.to_ascii_lowercase()))
        .or_else(|| by_name(name, read, message))
        .unwrap_or_else(|| ErrorKind::of_status(status.unwrap_or(500)))
}

fn by_reason(read: &Failure<'_>) -> Option<ErrorKind> {
    details(read).filter_map(|detail| detail.reason.as_deref()).find_map(|reason| match reason {
        "API_KEY_INVALID"
        | "API_KEY_EXPIRED"
        | "ACCESS_TOKEN_EXPIRED"
        | "CREDENTIALS_MISSING"
        | "ACCOUNT_STATE_INVALID" => Some(ErrorKind::Authentication),
        "API_KEY_SERVICE_BLOCKED" | "SERVICE_DISABLED" | "CONSUMER_SUSPENDED" | "USER_PROJECT_DENIED" => {
            Some(ErrorKind::Permission)
        }
        "BILLING_DISABLED" => Some(ErrorKind::Quota),
        _ => None,
    })
}

fn by_message(name: &str, message: &str) -> Option<ErrorKind> {
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    let too_long = says(&["input token count", "token count exceeds", "context length", "context window"])
        && says(&["exceed", "maximum", "too long", "only support"]);
    let bad_request = matches!(name, "" | "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "PERMISSION_DENIED");
    if !bad_request {
        return None;
    }
    if too_long {
        return Some(ErrorKind::ContextLength);
    }
    if says(&["api key not valid", "api key expired", "unregistered callers"]) {
        return Some(ErrorKind::Authentication);
    }
    if says(&["payload size exceeds", "request size exceeds"]) {
        return Some(ErrorKind::TooLarge);
    }
    if says(&["location is not supported"]) {
        return Some(ErrorKind::Permission);
    }
    says(&["enable billing", "billing account"]).then_some(ErrorKind::Quota)
}

fn by_name(name: &str, read: &Failure<'_>, message: &str) -> Option<ErrorKind> {
    Some(match name {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => ErrorKind::InvalidRequest,
        "UNAUTHENTICATED" => ErrorKind::Authentication,
        "PERMISSION_DENIED" => ErrorKind::Permission,
        "NOT_FOUND" => ErrorKind::NotFound,
        "RESOURCE_EXHAUSTED" if is_used_up(read, message) => ErrorKind::Quota,
        "RESOURCE_EXHAUSTED" => ErrorKind::RateLimited,
        "UNAVAILABLE" => ErrorKind::Overloaded,
        "DEADLINE_EXCEEDED" => ErrorKind::Timeout,
        "UNIMPLEMENTED" => ErrorKind::Unsupported,
        "INTERNAL" | "UNKNOWN" | "ABORTED" | "CANCELLED" | "DATA_LOSS" => ErrorKind::Upstream,
        _ => return None,
    })
}

/// Whether waiting will not help soon: a daily quota, one of zero, or no credit. The message alone does not show it,
/// because a limit per minute is called a quota too.
fn is_used_up(read: &Failure<'_>, message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let spent = ["credits are depleted", "prepayment", "spending cap", "insufficient"];
    let violations = || details(read).flat_map(|detail| detail.violations.iter().flatten());
    let of_day = |id: &str| id.contains("PerDay");
    spent.iter().any(|words| message.contains(words))
        || violations().any(|one| one.quota.as_deref().is_some_and(of_day) || one.value.as_deref() == Some("0"))
}

/// The wait that the error names: `"retryDelay": "48.5s"` (C-63).
fn retry_after(read: &Failure<'_>) -> Option<u32> {
    let delay = details(read).find_map(|detail| detail.retry_delay.as_deref())?;
    millis(delay.trim().strip_suffix('s')?.parse::<f64>().ok()?)
}

fn millis(seconds: f64) -> Option<u32> {
    (seconds.is_finite() && seconds >= 0.0).then(|| (seconds * 1000.0).min(f64::from(u32::MAX)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::testing::errors::check_other_shapes;
    use weir_sdk::types::{Body, Header};

    fn answer(status: u16, body: &str) -> Error {
        read(&HttpResponse { status, headers: Vec::new(), body: Body::Text(body.into()) }, 0.0)
    }

    fn named(code: u16, name: &str, message: &str, details: &str) -> Error {
        answer(
            code,
            &format!(r#"{{"error":{{"code":{code},"message":"{message}","status":"{name}","details":[{details}]}}}}"#),
        )
    }

    #[test]
    fn c83_the_reason_of_an_error_survives() {
        let kind = |code, name, message| named(code, name, message, "").kind;
        let long = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).";
        assert_eq!(kind(400, "INVALID_ARGUMENT", long), ErrorKind::ContextLength);
        assert_eq!(kind(400, "INVALID_ARGUMENT", "Request payload size exceeds the limit"), ErrorKind::TooLarge);
        assert_eq!(kind(400, "INVALID_ARGUMENT", "contents is not specified"), ErrorKind::InvalidRequest);
        assert_eq!(kind(400, "FAILED_PRECONDITION", "User location is not supported"), ErrorKind::Permission);
        assert_eq!(kind(404, "NOT_FOUND", "models/x is not found"), ErrorKind::NotFound);
        assert_eq!(kind(503, "UNAVAILABLE", "The model is overloaded."), ErrorKind::Overloaded);
        assert_eq!(kind(504, "DEADLINE_EXCEEDED", "late"), ErrorKind::Timeout);
        assert_eq!(kind(500, "INTERNAL", "An internal error has occurred."), ErrorKind::Upstream);
    }

    #[test]
    fn c83_a_name_that_says_less_than_the_message_is_no_code() {
        let code = |message| named(400, "INVALID_ARGUMENT", message, "").code;
        assert_eq!(code("The input token count (3) exceeds the maximum number of tokens allowed (2)."), None);
        assert_eq!(code("contents is not specified").as_deref(), Some("INVALID_ARGUMENT"));
    }

    #[test]
    fn a_key_that_is_refused_with_status_400_is_an_authentication_error() {
        let reason = r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}"#;
        let error = named(400, "INVALID_ARGUMENT", "API key not valid.", reason);
        assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::Authentication, Some("API_KEY_INVALID")));
    }

    #[test]
    fn daily_quotas_are_distinguished_from_limits_per_minute() {
        let violation = |quota: &str| {
            format!(r#"{{"violations":[{{"quotaId":"{quota}","quotaValue":"10"}}]}},{{"retryDelay":"48.5s"}}"#)
        };
        let words = "You exceeded your current quota, please check your plan and billing details.";
        let minute = named(429, "RESOURCE_EXHAUSTED", words, &violation("RequestsPerMinutePerProject"));
        assert_eq!((minute.kind, minute.retry_after_ms), (ErrorKind::RateLimited, Some(48_500)));
        let day = named(429, "RESOURCE_EXHAUSTED", words, &violation("RequestsPerDayPerProject"));
        assert_eq!(day.kind, ErrorKind::Quota);
    }

    #[test]
    fn bodies_of_other_shapes_are_judged_by_their_status_and_never_passed_on() {
        check_other_shapes(answer, "error");
        assert_eq!(answer(401, r#"{"error": "unauthorized"}"#).kind, ErrorKind::Authentication);
        assert_eq!(answer(429, r#"[{"error":{"code":429,"message":"slow"}}]"#).kind, ErrorKind::RateLimited);
    }

    #[test]
    fn c63_the_header_counts_if_the_body_names_no_wait() {
        let headers = vec![Header::new("retry-after", "15")];
        let response = HttpResponse { status: 429, headers, body: Body::Text(String::new()) };
        assert_eq!(read(&response, 0.0).retry_after_ms, Some(15_000));
    }
}
