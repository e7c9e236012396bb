//! Errors in every shape that OpenAI and compatible servers send them (4.6, C-83).

use crate::json::{self, Either, RawValue, Str};
use crate::retry;
use crate::types::{Body, Context, Error, ErrorKind, HttpResponse};
use crate::wire;

/// The most characters of a provider's message that are passed on.
const LONGEST: usize = 1000;

wire! {
    /// An error, or what it is wrapped in. The members are of any type: servers put numbers where texts belong.
    struct Shape<'a> {
        "error" => error: &'a RawValue,
        "errors" => errors: &'a RawValue,
        "detail" => detail: &'a RawValue,
        "message" => message: &'a RawValue,
        "msg" => msg: &'a RawValue,
        "type" => kind: &'a RawValue,
        "code" => code: &'a RawValue,
        "error_code" => error_code: &'a RawValue,
        "status" => status: &'a RawValue,
        "status_code" => status_code: &'a RawValue,
        "param" => param: &'a RawValue,
        "metadata" => metadata: &'a RawValue,
    }
}

/// What an error says of itself, whatever its shape.
#[derive(Debug, Default)]
struct Said {
    message: String,
    kind: String,
    code: String,
    param: Option<String>,
    status: Option<u16>,
}

/// Reads an answer with a status of 400 or over. Its body may be anything.
pub fn parse(ctx: &Context, response: &HttpResponse) -> Error {
    let text = match &response.body {
        Body::Text(text) => text.as_str(),
        Body::Bytes(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
    };
    let mut error = from_json(text, Some(response.status));
    error.retry_after_ms = retry::after_ms(&response.headers, ctx.now_ms);
    error
}

/// Reads an error from its JSON; `status` is the answer's, if it had one of 400 or over.
pub fn from_json(text: &str, status: Option<u16>) -> Error {
    let mut said = Said::default();
    read(text.trim(), &mut said, 0);
    let status = status.or(said.status);
    let kind = kind(&said, status);
    let message = match kind {
        // Providers repeat parts of the key here; nobody outside is to see them.
        ErrorKind::Authentication => "the provider refused the credential".to_owned(),
        _ if said.message.is_empty() => match status {
            Some(status) => format!("the provider answered with status {status}"),
            None => "the provider answered with an error".to_owned(),
        },
        _ => said.message.chars().filter(|c| !c.is_control() || *c == '\n').take(LONGEST).collect(),
    };
    let code = Some(said.code).filter(|code| !code.is_empty() && code.parse::<u32>().is_err());
    Error { status, code, param: said.param, ..Error::new(kind, message) }
}

/// Gathers what an error says; wrappers are opened a few times at the most.
fn read(text: &str, said: &mut Said, depth: u32) {
    if depth > 3 {
        return;
    }
    match text.as_bytes().first() {
        Some(b'"') => say(&mut said.message, text),
        Some(b'[') => {
            if let Ok(Either::List(list)) = json::parse::<Either<'_, &RawValue>>(text) {
                list.first().into_iter().for_each(|first| read(first.get(), said, depth + 1));
            }
        }
        Some(b'{') => {
            if let Ok(shape) = json::parse::<Shape<'_>>(text) {
                shape_says(&shape, said, depth);
            }
        }
        _ => {}
    }
}

fn shape_says(shape: &Shape<'_>, said: &mut Said, depth: u32) {
    for inner in [shape.error, shape.errors].into_iter().flatten() {
        read(inner.get(), said, depth + 1);
    }
    for (place, raw) in [
        (&mut said.message, shape.message.or(shape.msg)),
        (&mut said.kind, shape.kind),
        (&mut said.code, shape.code.or(shape.error_code)),
    ] {
        if let Some(raw) = raw {
            say(place, raw.get());
        }
    }
    for status in [shape.status, shape.status_code, shape.code].into_iter().flatten() {
        match status.get().trim_matches('"').parse::<u16>() {
            Ok(number) if (400..600).contains(&number) => said.status = said.status.or(Some(number)),
            Ok(_) => {}
            Err(_) if said.kind.is_empty() => say(&mut said.kind, status.get()),
            Err(_) => {}
        }
    }
    if let Some(detail) = shape.detail {
        read(detail.get(), said, depth + 1);
    }
    if said.param.is_none() {
        said.param = shape.param.and_then(|raw| json::parse::<Str<'_>>(raw.get()).ok()).map(Str::into_string);
    }
    if let Some(metadata) = shape.metadata {
        raw_says(metadata.get(), said, depth);
    }
}

wire! {
    /// What a router adds: the error of the provider behind it.
    struct Metadata<'a> {
        "raw" => raw: &'a RawValue,
    }
}

/// A router's message is often no more than "provider returned error"; the one behind it says what was wrong.
fn raw_says(metadata: &str, said: &mut Said, depth: u32) {
    let Some(raw) = json::parse::<Metadata<'_>>(metadata).ok().and_then(|metadata| metadata.raw) else { return };
    let mut behind = Said::default();
    match json::parse::<Str<'_>>(raw.get()) {
        Ok(text) if text.trim_start().starts_with('{') => read(text.trim(), &mut behind, depth + 1),
        Ok(text) => behind.message = text.into_string(),
        Err(_) => read(raw.get(), &mut behind, depth + 1),
    }
    if !behind.message.is_empty() {
        said.message = behind.message;
    }
    if said.kind.is_empty() {
        said.kind = behind.kind;
    }
}

/// Takes a text, or a number as text, unless something is there already.
fn say(place: &mut String, raw: &str) {
    if !place.is_empty() {
        return;
    }
    match json::parse::<Str<'_>>(raw) {
        Ok(text) => *place = text.into_string(),
        Err(_) if raw.starts_with(|c: char| c.is_ascii_digit()) => raw.clone_into(place),
        Err(_) => {}
    }
}

/// What kind of error it is: the code and the type first, then what the message says, then the status.
fn kind(said: &Said, status: Option<u16>) -> ErrorKind {
    let words = [said.code.to_ascii_lowercase(), said.kind.to_ascii_lowercase()];
    if let Some(kind) = words.iter().find_map(|word| by_word(word)) {
        return kind;
    }
    let message = said.message.to_ascii_lowercase();
    let hints = |list: &[&str]| list.iter().any(|hint| message.contains(hint));
    match status {
        Some(400 | 413 | 422) | None if hints(&CONTEXT) => ErrorKind::ContextLength,
        Some(400..=403 | 429) | None if hints(&QUOTA) => ErrorKind::Quota,
        Some(400) if hints(&["api key not valid", "invalid api key", "incorrect api key"]) => ErrorKind::Authentication,
        Some(401) => ErrorKind::Authentication,
        Some(402) => ErrorKind::Quota,
        Some(403) => ErrorKind::Permission,
        Some(404) => ErrorKind::NotFound,
        Some(408 | 504) => ErrorKind::Timeout,
        Some(413) => ErrorKind::TooLarge,
        Some(429) => ErrorKind::RateLimited,
        Some(503 | 529) => ErrorKind::Overloaded,
        Some(status) if status < 500 => ErrorKind::InvalidRequest,
        None if words.iter().any(|word| word.contains("invalid")) => ErrorKind::InvalidRequest,
        _ => ErrorKind::Upstream,
    }
}

const CONTEXT: [&str; 8] = [
    "context length",
    "context window",
    "context_length",
    "maximum context",
    "prompt is too long",
    "too many tokens",
    "reduce the length of the messages",
    "exceeds the available context",
];

const QUOTA: [&str; 5] =
    ["exceeded your current quota", "insufficient balance", "insufficient credit", "requires more credits", "billing"];

fn by_word(word: &str) -> Option<ErrorKind> {
    Some(match word {
        "context_length_exceeded" | "string_above_max_length" | "exceed_context_size_error" => ErrorKind::ContextLength,
        "insufficient_quota" | "billing_hard_limit_reached" | "billing_not_active" => ErrorKind::Quota,
        "rate_limit_exceeded" | "rate_limit_error" | "too_many_requests" | "resource_exhausted" => {
            ErrorKind::RateLimited
        }
        "content_filter" | "content_policy_violation" | "responsibleaipolicyviolation" => ErrorKind::ContentFiltered,
        "model_not_found" | "deploymentnotfound" | "not_found" | "not_found_error" => ErrorKind::NotFound,
        "invalid_api_key" | "authentication_error" | "unauthenticated" => ErrorKind::Authentication,
        "permission_error" | "permission_denied" | "unsupported_country_region_territory" => ErrorKind::Permission,
        "overloaded" | "overloaded_error" | "engine_overloaded" | "unavailable" => ErrorKind::Overloaded,
        "request_too_large" => ErrorKind::TooLarge,
        "timeout" | "timeout_error" | "deadline_exceeded" => ErrorKind::Timeout,
        "unsupported_parameter" | "unsupported_value" => ErrorKind::InvalidRequest,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
