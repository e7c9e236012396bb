//! Parses errors: the header `x-amzn-errortype`, a body `{"message": ...}` that may have its `__type`, exceptions
//! within a stream, and error pages of proxies.

use weir_sdk::json::{Str, parse};
use weir_sdk::model::header;
use weir_sdk::retry::after_ms;
use weir_sdk::types::{Error, ErrorKind, HttpResponse};

use crate::wire::ErrorBody;

/// Longest message passed on, in bytes.
const MESSAGE_LIMIT: usize = 1000;

/// Parses an answer with a status of 400 or over.
pub(crate) fn read(response: &HttpResponse, now_ms: f64) -> Error {
    let body: ErrorBody<'_> = response.body.as_text().ok().and_then(|text| parse(text).ok()).unwrap_or_default();
    let named = header(&response.headers, "x-amzn-errortype").filter(|name| !name.trim().is_empty());
    let name = named.map(str::to_owned).or_else(|| body.kind.clone().map(Str::into_string));
    let error = built(plain(name.as_deref().unwrap_or_default()), body, Some(response.status));
    Error { retry_after_ms: after_ms(&response.headers, now_ms), ..error }
}

/// Parses an exception of a stream, by its name and its data.
pub(super) fn exception(name: &str, data: &str) -> Error {
    built(plain(name), parse(data).unwrap_or_default(), None)
}

/// The name alone: `ValidationException` of `ValidationException:http://...` and of `com.amazon#ValidationException`.
fn plain(name: &str) -> &str {
    let name = name.split(':').next().unwrap_or_default();
    name.rsplit('#').next().unwrap_or_default().trim()
}

fn built(name: &str, body: ErrorBody<'_>, status: Option<u16>) -> Error {
    let message = body.message.and_then(|raw| parse::<Str<'_>>(raw.get()).ok()).map(Str::into_string);
    let message = message.filter(|text| !text.is_empty()).or_else(|| body.original_message.map(Str::into_string));
    let original = body.original_status.and_then(|count| u16::try_from(count.0).ok());
    let kind = kind(name, message.as_deref().unwrap_or_default(), original, status);
    let message = match (message, status) {
        (Some(message), _) => bounded(message),
        (None, _) if !name.is_empty() => format!("the provider failed: {}", bounded(name.to_owned())),
        (None, Some(status)) => format!("the provider answered with status {status}"),
        (None, None) => "the provider failed".to_owned(),
    };
    let code = Some(name.to_owned()).filter(|name| !name.is_empty());
    Error { status, code, ..Error::new(kind, message) }
}

/// Classifies by the message first, because the service calls many errors a `ValidationException`; then by the name,
/// the only information in a stream; then by the status.
fn kind(name: &str, message: &str, original: Option<u16>, status: Option<u16>) -> ErrorKind {
    let name = name.strip_suffix("Exception").or_else(|| name.strip_suffix("Error")).unwrap_or(name);
    let name = name.to_ascii_lowercase();
    // The only error with this status.
    let name = if name.is_empty() && status == Some(424) { "modelerror".to_owned() } else { name };
    by_message(&name, &message.to_ascii_lowercase(), status)
        .or_else(|| by_name(&name, original))
        .unwrap_or_else(|| ErrorKind::of_status(status.unwrap_or(500)))
}

fn by_message(name: &str, message: &str, status: Option<u16>) -> Option<ErrorKind> {
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    match name {
        "validation" | "modelerror" | "modelstreamerror" => in_validation(&says),
        "" if status == Some(400) => in_validation(&says),
        "accessdenied" | "" if matches!(status, Some(401 | 403) | None) => {
            let unknown = ["security token", "authentication failed", "api key", "signature", "credential"];
            says(&unknown).then_some(ErrorKind::Authentication)
        }
        "throttling" | "toomanyrequests" => says(&["per day"]).then_some(ErrorKind::Quota),
        _ => None,
    }
}

fn in_validation(says: &dyn Fn(&[&str]) -> bool) -> Option<ErrorKind> {
    let long = [
        "input is too long",
        "input tokens exceed",
        "too many input tokens",
        "prompt is too long",
        "maximum context length",
        "context length",
        "context window",
        "context limit",
        "input length and `max_tokens` exceed",
        "exceeds maximum length",
        "exceeds the model's maximum",
    ];
    if says(&long) {
        return Some(ErrorKind::ContextLength);
    }
    if says(&["model identifier is invalid", "end of its life", "model version has reached"]) {
        return Some(ErrorKind::NotFound);
    }
    if says(&["support counting tokens"]) {
        return Some(ErrorKind::Unsupported);
    }
    says(&["content filtering policy", "blocked by our content filters"]).then_some(ErrorKind::ContentFiltered)
}

fn by_name(name: &str, original: Option<u16>) -> Option<ErrorKind> {
    Some(match name {
        "validation" | "conflict" | "serialization" | "malformedhttprequest" => ErrorKind::InvalidRequest,
        "accessdenied" | "notauthorized" | "optinrequired" => ErrorKind::Permission,
        "unrecognizedclient"
        | "invalidsignature"
        | "expiredtoken"
        | "incompletesignature"
        | "missingauthenticationtoken"
        | "invalidclienttokenid"
        | "signaturedoesnotmatch"
        | "requestexpired" => ErrorKind::Authentication,
        "resourcenotfound" | "unknownoperation" => ErrorKind::NotFound,
        "throttling" | "toomanyrequests" | "throttled" => ErrorKind::RateLimited,
        "servicequotaexceeded" => ErrorKind::Quota,
        "modeltimeout" => ErrorKind::Timeout,
        "serviceunavailable" | "modelnotready" => ErrorKind::Overloaded,
        "requestentitytoolarge" => ErrorKind::TooLarge,
        "modelerror" | "model" | "modelstreamerror" => {
            original.filter(|status| (400..500).contains(status)).map_or(ErrorKind::Upstream, ErrorKind::of_status)
        }
        "internalserver" | "internalfailure" => ErrorKind::Upstream,
        _ => return None,
    })
}

fn bounded(mut message: String) -> String {
    if message.len() > MESSAGE_LIMIT {
        let end = (0..=MESSAGE_LIMIT).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::testing::errors::check_other_shapes;
    use weir_sdk::types::{Body, Header};

    fn answer(status: u16, kind: &str, body: &str) -> Error {
        let headers = if kind.is_empty() { Vec::new() } else { vec![Header::new("x-amzn-errortype", kind)] };
        read(&HttpResponse { status, headers, body: Body::Text(body.into()) }, 0.0)
    }

    fn found(status: u16, kind: &str, message: &str) -> ErrorKind {
        answer(status, kind, &format!(r#"{{"message":"{message}"}}"#)).kind
    }

    #[test]
    fn c83_the_reason_of_an_error_survives() {
        let long = "Input is too long for requested model.";
        assert_eq!(found(400, "ValidationException:http://internal.amazon.com/", long), ErrorKind::ContextLength);
        assert_eq!(found(400, "", long), ErrorKind::ContextLength);
        assert_eq!(found(400, "ValidationException", "messages: field required"), ErrorKind::InvalidRequest);
        let uncounted = "The provided model doesn't support counting tokens.";
        assert_eq!(found(400, "ValidationException", uncounted), ErrorKind::Unsupported);
        assert_eq!(found(400, "ServiceQuotaExceededException", "x"), ErrorKind::Quota);
        assert_eq!(found(403, "AccessDeniedException", "You don't have access to the model"), ErrorKind::Permission);
        assert_eq!(found(403, "ExpiredTokenException", "expired"), ErrorKind::Authentication);
        assert_eq!(found(403, "", "The security token included in the request is invalid."), ErrorKind::Authentication);
        assert_eq!(found(404, "ResourceNotFoundException", "x"), ErrorKind::NotFound);
        assert_eq!(found(408, "ModelTimeoutException", "x"), ErrorKind::Timeout);
        assert_eq!(found(424, "ModelErrorException", "x"), ErrorKind::Upstream);
        assert_eq!(found(424, "", "x"), ErrorKind::Upstream, "proxies drop the header with its name");
        assert_eq!(found(429, "ThrottlingException", "Too many requests"), ErrorKind::RateLimited);
        assert_eq!(found(429, "ThrottlingException", "Too many tokens per day"), ErrorKind::Quota);
        assert_eq!(found(429, "ModelNotReadyException", "x"), ErrorKind::Overloaded);
        assert_eq!(found(500, "InternalServerException", "x"), ErrorKind::Upstream);
        assert_eq!(found(503, "ServiceUnavailableException", "x"), ErrorKind::Overloaded);
    }

    #[test]
    fn names_and_messages_are_found_in_every_spelling() {
        let body = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"no"}"#;
        let error = answer(403, "", body);
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Permission, "no"));
        assert_eq!(error.code.as_deref(), Some("AccessDeniedException"));
        let error = exception("modelStreamErrorException", r#"{"message":"m","originalStatusCode":429}"#);
        assert_eq!((error.kind, error.status), (ErrorKind::RateLimited, None));
        assert_eq!(exception("throttlingException", "{}").kind, ErrorKind::RateLimited);
    }

    #[test]
    fn bodies_of_other_shapes_are_judged_by_their_status_and_never_passed_on() {
        check_other_shapes(|status, body| answer(status, "", body), "message");
        assert_eq!(answer(401, "", r#"{"message": null}"#).kind, ErrorKind::Authentication);
    }
}
