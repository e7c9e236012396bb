//! Detects the format of an error. Claude's own errors come in Claude's format; the platform's errors, for any model,
//! come in its own, alone or in a list of one.

use weir_adapter_gemini::Gemini;
use weir_sdk::adapter::ProviderErrors;
use weir_sdk::json::Rest;
use weir_sdk::types::{Body, Context, Error, HttpResponse};

/// Whether the body is an error in Claude's format: it has a type, or its error has.
pub(crate) fn is_claudes(text: &str) -> bool {
    let Ok(mut body) = Rest::parse(text) else { return false };
    body.get("type").is_some() || body.object("error").is_some_and(|error| error.get("type").is_some())
}

/// The platform's error, if a frame or an answer is one.
pub(crate) fn platforms(text: &str) -> Option<Error> {
    // Most answers contain no such text, so few are parsed twice.
    if !text.contains("\"error\"") {
        return None;
    }
    let is_list = text.trim_start().starts_with('[');
    let is_error = || Rest::parse(text).is_ok_and(|body| body.get("error").is_some() && body.get("type").is_none());
    if !(is_list || is_error()) {
        return None;
    }
    // The status was that of an answer.
    let response = HttpResponse { status: 500, headers: Vec::new(), body: Body::Text(text.to_owned()) };
    Some(Error { status: None, ..Gemini::parse_error(&Context::default(), response) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::types::ErrorKind;

    const LIMIT: &str = r#"{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED"}}"#;

    #[test]
    fn the_platforms_errors_are_distinguished_from_claudes() {
        let claudes = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        assert!(is_claudes(claudes) && platforms(claudes).is_none());
        for text in [LIMIT.to_owned(), format!("[{LIMIT}]")] {
            assert!(!is_claudes(&text));
            let error = platforms(&text).unwrap();
            assert_eq!((error.kind, error.status), (ErrorKind::RateLimited, None));
        }
        for answer in [r#"{"candidates":[]}"#, r#"{"type":"message","content":[]}"#, "[1]", "", "{"] {
            assert!(platforms(answer).is_none() && (!is_claudes(answer) || answer.contains("type")), "{answer}");
        }
    }
}
