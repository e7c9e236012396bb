//! Parses errors: problem details (`{"title", "detail", "status"}`) of the API, and the messages of failed predictions.

use weir_sdk::compat::error as common;
use weir_sdk::json::{RawValue, Rest, Str, parse, text};
use weir_sdk::model::header;
use weir_sdk::types::{Context, Error, ErrorKind, HttpResponse};

/// Parses an answer with a status of 400 or over.
pub(crate) fn read(ctx: &Context, response: &HttpResponse) -> Error {
    let error = common::parse(ctx, response);
    let body = response.body.as_text().ok().and_then(|text| Rest::parse(text).ok()).unwrap_or_default();
    let param = error.param.clone().or_else(|| invalid_field(body));
    let reset = header(&response.headers, "ratelimit-reset").filter(|_| response.status == 429);
    let reset = reset.and_then(|seconds| seconds.trim().parse::<f64>().ok()).filter(|seconds| *seconds >= 0.0);
    let reset = reset.map(|seconds| (seconds * 1000.0).min(f64::from(u32::MAX)) as u32);
    Error { param, retry_after_ms: error.retry_after_ms.or(reset), ..error }
}

/// The name of the invalid input.
fn invalid_field(mut body: Rest<'_>) -> Option<String> {
    let fields = body.list("invalid_fields")?;
    let mut first = Rest::parse(fields.first()?.get()).ok()?;
    first.str("field").map(Str::into_string)
}

/// The error of a failed prediction.
pub(crate) fn failed(raw: Option<&RawValue>) -> Error {
    let found = raw.and_then(text).map(Str::into_string);
    let found = found.or_else(|| detail(raw?.get())).filter(|text| !text.is_empty());
    of_words(&found.unwrap_or_else(|| "the prediction failed".to_owned()))
}

/// The error in a stream, as text or JSON.
pub(crate) fn streamed(data: &str) -> Error {
    let found = detail(data).or_else(|| parse::<Str<'_>>(data).ok().map(Str::into_string));
    of_words(found.as_deref().unwrap_or(data))
}

fn detail(json: &str) -> Option<String> {
    let mut members = Rest::parse(json).ok()?;
    ["detail", "message", "error"].into_iter().find_map(|key| members.str(key)).map(Str::into_string)
}

/// Classifies by the service's codes (`E005`) or by the message.
fn of_words(words: &str) -> Error {
    let lower = words.to_ascii_lowercase();
    let says = |any: &[&str]| any.iter().any(|word| lower.contains(word));
    let kind = if says(&["(e005)", "flagged as sensitive", "nsfw", "safety", "content policy"]) {
        ErrorKind::ContentFiltered
    } else if says(&[
        "context length",
        "context window",
        "prompt is too long",
        "too many tokens",
        "prompt length exceeds",
    ]) {
        ErrorKind::ContextLength
    } else if says(&["(e003)", "(e004)", "high demand", "temporarily unavailable", "overloaded"]) {
        ErrorKind::Overloaded
    } else if says(&["rate limit", "too many requests"]) {
        ErrorKind::RateLimited
    } else if says(&["timed out", "timeout"]) {
        ErrorKind::Timeout
    } else if says(&["(e006)", "invalid input", "validation error"]) {
        ErrorKind::InvalidRequest
    } else {
        ErrorKind::Upstream
    };
    Error::of_provider(kind, Some(words.to_owned()), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::types::{Body, Header};

    fn answer(status: u16, headers: Vec<Header>, body: &str) -> Error {
        read(&Context::default(), &HttpResponse { status, headers, body: Body::Text(body.into()) })
    }

    #[test]
    fn c83_errors_of_the_api_are_classified_by_kind() {
        for (status, body, kind) in [
            (401, r#"{"title":"Unauthenticated","detail":"no token","status":401}"#, ErrorKind::Authentication),
            (402, r#"{"title":"Insufficient credit","detail":"pay","status":402}"#, ErrorKind::Quota),
            (403, r#"{"detail":"no"}"#, ErrorKind::Permission),
            (404, r#"{"detail":"The requested resource could not be found.","status":404}"#, ErrorKind::NotFound),
            (
                422,
                r#"{"title":"Input validation failed","detail":"- input: prompt is required"}"#,
                ErrorKind::InvalidRequest,
            ),
            (429, r#"{"detail":"Request was throttled.","status":429}"#, ErrorKind::RateLimited),
            (500, "", ErrorKind::Upstream),
            (502, "<html>", ErrorKind::Upstream),
            (503, "{", ErrorKind::Overloaded),
        ] {
            let error = answer(status, Vec::new(), body);
            assert_eq!((error.kind, error.status), (kind, Some(status)), "{body}");
            assert!(!error.message.is_empty() && !error.message.contains('<'));
        }
    }

    #[test]
    fn the_invalid_input_and_the_wait_are_reported() {
        let body = r#"{"detail":"x","status":422,"invalid_fields":[{"type":"required","field":"input.prompt"}]}"#;
        assert_eq!(answer(422, Vec::new(), body).param.as_deref(), Some("input.prompt"));
        let reset = || vec![Header::new("ratelimit-reset", "7")];
        assert_eq!(answer(429, reset(), "{}").retry_after_ms, Some(7000));
        assert_eq!(answer(422, reset(), "{}").retry_after_ms, None);
    }

    #[test]
    fn c83_predictions_fail_for_reasons() {
        for (words, kind) in [
            ("The input or output was flagged as sensitive. Please try again. (E005)", ErrorKind::ContentFiltered),
            ("Service is temporarily unavailable. Please try again later. (E004)", ErrorKind::Overloaded),
            ("This model's maximum context length is 8192 tokens", ErrorKind::ContextLength),
            ("CUDA out of memory", ErrorKind::Upstream),
        ] {
            assert_eq!(streamed(words).kind, kind, "{words}");
            let json = format!(r#"{{"detail":"{words}"}}"#);
            assert_eq!((streamed(&json).kind, streamed(&json).message), (kind, words.to_owned()));
        }
        assert_eq!(failed(None).message, "the prediction failed");
    }
}
