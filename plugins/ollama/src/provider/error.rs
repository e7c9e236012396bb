//! Parses errors: `{"error": "..."}`, and error pages of proxies.

use weir_sdk::json::{RawValue, Rest, parse, text};
use weir_sdk::retry;
use weir_sdk::types::{Error, ErrorKind, HttpResponse};

use crate::wire::Failure;

/// Parses an answer with a status of 400 or over.
pub(crate) fn read(response: &HttpResponse, now_ms: f64) -> Error {
    let status = Some(response.status);
    let body = response.body.as_text().unwrap_or_default();
    let failure: Failure<'_> = parse(body).unwrap_or_default();
    let error = match failure.error.or(failure.message) {
        Some(raw) => object(raw, status),
        None => built(None, status),
    };
    Error { retry_after_ms: retry::after_ms(&response.headers, now_ms), ..error }
}

/// Parses the value of `error`: a text, or an object with a message. In a stream there is no status.
pub(crate) fn object(raw: &RawValue, status: Option<u16>) -> Error {
    let inner = || Rest::parse(raw.get()).ok().and_then(|mut inner| inner.str("message"));
    let message = text(raw).or_else(inner).map(weir_sdk::json::Str::into_string);
    built(message.filter(|message| !message.is_empty()), status)
}

fn built(message: Option<String>, status: Option<u16>) -> Error {
    let kind = kind(&message.as_deref().unwrap_or_default().to_ascii_lowercase(), status);
    Error::of_provider(kind, message, status)
}

/// Classifies by the message first if the status is vague: the server has few statuses, and none within a stream.
fn kind(message: &str, status: Option<u16>) -> ErrorKind {
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    let vague = matches!(status, None | Some(400 | 422 | 500 | 502));
    if vague && is_too_long(message) {
        return ErrorKind::ContextLength;
    }
    if vague && says(&["server busy", "maximum pending requests", "loading model", "overloaded"]) {
        return ErrorKind::Overloaded;
    }
    if matches!(status, None | Some(400 | 500)) && says(&["model"]) && says(&["not found, try pulling", "' not found"])
    {
        return ErrorKind::NotFound;
    }
    let spent = says(&["usage limit", "upgrade for higher limits", "add credits", "out of credits"]);
    match status {
        None | Some(429) if spent => ErrorKind::Quota,
        None if says(&["unauthorized"]) => ErrorKind::Authentication,
        None if says(&["too many requests", "rate limit"]) => ErrorKind::RateLimited,
        _ => ErrorKind::of_status(status.unwrap_or(500)),
    }
}

fn is_too_long(message: &str) -> bool {
    let about = ["context length", "context window", "context size", "input length", "prompt too long"];
    let over = ["exceed", "too long", "larger than", "maximum"];
    about.iter().any(|words| message.contains(words)) && over.iter().any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::testing::errors::check_other_shapes;
    use weir_sdk::types::{Body, Header};

    fn answer(status: u16, body: &str) -> Error {
        read(&HttpResponse { status, headers: Vec::new(), body: Body::Text(body.into()) }, 0.0)
    }

    fn found(status: u16, message: &str) -> ErrorKind {
        answer(status, &format!(r#"{{"error":"{message}"}}"#)).kind
    }

    #[test]
    fn c83_the_reason_of_an_error_survives() {
        assert_eq!(found(400, "the input length exceeds the context length"), ErrorKind::ContextLength);
        assert_eq!(found(500, "prompt too long; exceeded max context length by 4 tokens"), ErrorKind::ContextLength);
        assert_eq!(found(404, "model 'x' not found"), ErrorKind::NotFound);
        assert_eq!(found(400, "x does not support tools"), ErrorKind::InvalidRequest);
        assert_eq!(found(401, "unauthorized"), ErrorKind::Authentication);
        assert_eq!(found(403, "this model requires a subscription"), ErrorKind::Permission);
        assert_eq!(found(429, "too many requests"), ErrorKind::RateLimited);
        assert_eq!(found(429, "you have reached your weekly usage limit"), ErrorKind::Quota);
        assert_eq!(
            found(503, "server busy, please try again. maximum pending requests exceeded"),
            ErrorKind::Overloaded
        );
        assert_eq!(found(500, "llama runner process has terminated"), ErrorKind::Upstream);
    }

    #[test]
    fn c19_an_error_within_a_stream_is_judged_by_its_words() {
        let kind = |message: &str| object(parse(&format!("\"{message}\"")).unwrap(), None).kind;
        assert_eq!(kind("an error was encountered while running the model"), ErrorKind::Upstream);
        assert_eq!(kind("prompt exceeds the context window"), ErrorKind::ContextLength);
        assert_eq!(kind("model 'x' not found"), ErrorKind::NotFound);
    }

    #[test]
    fn bodies_of_other_shapes_are_judged_by_their_status_and_never_passed_on() {
        check_other_shapes(answer, "error");
        assert_eq!(answer(400, r#"{"error":{"message":"no","type":"api_error"}}"#).kind, ErrorKind::InvalidRequest);
        assert_eq!(answer(401, r#"{"message":"no"}"#).kind, ErrorKind::Authentication);
    }

    #[test]
    fn c63_the_wait_is_read() {
        let headers = vec![Header::new("retry-after", "15")];
        let response = HttpResponse { status: 429, headers, body: Body::Text(String::new()) };
        assert_eq!(read(&response, 0.0).retry_after_ms, Some(15_000));
    }
}
