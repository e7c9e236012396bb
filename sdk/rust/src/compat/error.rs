//! Errors in every shape that OpenAI and compatible servers use (4.6, C-83).

use crate::compat::wire::Answer;
use crate::compat::words::has;
use crate::json::{self, RawValue, Rest, Str};
use crate::retry;
use crate::types::{Body, Context, Error, ErrorKind, HttpResponse};

/// Longest message of a provider that is passed on, in characters.
const MAX_MESSAGE_CHARS: usize = 1000;

/// The fields of an error, whatever its shape.
#[derive(Debug, Default)]
struct ErrorFields {
    message: String,
    kind: String,
    code: String,
    param: Option<String>,
    status: Option<u16>,
}

/// Parses an answer with a status of 400 or over. Its body may be anything.
pub fn parse(ctx: &Context, response: &HttpResponse) -> Error {
    let text = match &response.body {
        Body::Text(text) => text.as_str(),
        Body::Bytes(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
    };
    let mut error = from_json(text, Some(response.status));
    error.retry_after_ms = retry::after_ms(&response.headers, ctx.now_ms);
    error
}

/// Parses an error from its JSON; `status` is the answer's, if it had one of 400 or over.
pub fn from_json(text: &str, status: Option<u16>) -> Error {
    let mut fields = ErrorFields::default();
    read(text.trim(), &mut fields, 0);
    let status = status.or(fields.status);
    let kind = kind(&fields, status);
    let message = match kind {
        // Providers repeat parts of the key in these messages; clients must not see them.
        ErrorKind::Authentication => "the provider refused the credential".to_owned(),
        _ if fields.message.is_empty() => match status {
            Some(status) => format!("the provider answered with status {status}"),
            None => "the provider answered with an error".to_owned(),
        },
        _ => fields.message.chars().filter(|c| !c.is_control() || *c == '\n').take(MAX_MESSAGE_CHARS).collect(),
    };
    let code = Some(fields.code).filter(|code| !code.is_empty() && code.parse::<u32>().is_err());
    Error { status, code, param: fields.param, ..Error::new(kind, message) }
}

/// Whether a chunk or an answer is an error that stands alone, without the member `error`: it has neither candidates
/// nor usage, and says what is wrong.
pub(crate) fn is_bare(answer: &Answer<'_>) -> bool {
    if answer.usage.is_some() || answer.choices.as_ref().is_some_and(|choices| !choices.0.is_empty()) {
        return false;
    }
    let has = |key: &str| answer.rest.get(key).is_some();
    let coded = ["code", "type", "status", "status_code", "error_code"];
    answer.object.is_some_and(|object| object.get() == "\"error\"")
        || has("detail")
        || ((has("message") || has("msg")) && coded.into_iter().any(has))
        || answer.rest.get("base_resp").is_some_and(|raw| refuses(raw.get()))
}

/// Whether a status beside an answer is one of a failure; success is zero.
fn refuses(status: &str) -> bool {
    Rest::parse(status).ok().and_then(|mut status| status.number("status_code")).is_some_and(|code| code != 0.0)
}

/// Collects the fields of an error; nested wrappers are opened up to a small depth.
fn read(text: &str, fields: &mut ErrorFields, depth: u32) {
    if depth > 3 {
        return;
    }
    match text.as_bytes().first() {
        Some(b'"') if fields.message.is_empty() => {
            fields.message = json::parse::<Str<'_>>(text).map(Str::into_string).unwrap_or_default();
        }
        Some(b'[') => {
            if let Ok([first, ..]) = json::parse::<Vec<&RawValue>>(text).as_deref() {
                read(first.get(), fields, depth + 1);
            }
        }
        Some(b'{') => {
            if let Ok(shape) = Rest::parse(text) {
                read_shape(&shape, fields, depth);
            }
        }
        _ => {}
    }
}

fn read_shape(shape: &Rest<'_>, fields: &mut ErrorFields, depth: u32) {
    for inner in ["error", "errors", "base_resp"].iter().filter_map(|key| shape.get(key)) {
        read(inner.get(), fields, depth + 1);
    }
    for key in ["message", "msg", "status_msg"] {
        say(&mut fields.message, shape.get(key));
    }
    for key in ["code", "error_code"] {
        say(&mut fields.code, shape.get(key));
    }
    for key in ["type", "error_type"] {
        say(&mut fields.kind, shape.get(key));
    }
    for status in ["status", "status_code", "http_status_code", "code"].iter().filter_map(|key| shape.get(key)) {
        match status.get().trim_matches('"').parse::<u16>() {
            Ok(number) if (400..600).contains(&number) => fields.status = fields.status.or(Some(number)),
            Ok(_) => {}
            Err(_) => say(&mut fields.kind, Some(status)),
        }
    }
    // A message may itself be a list of what is wrong.
    for inner in ["message", "detail"].iter().filter_map(|key| shape.get(key)) {
        read(inner.get(), fields, depth + 1);
    }
    if fields.param.is_none() {
        fields.param = shape.get("param").and_then(json::text).map(Str::into_string);
    }
    if fields.param.is_none() {
        fields.param = shape.get("loc").and_then(place);
    }
    if let Some(metadata) = shape.get("metadata") {
        read_metadata(metadata.get(), fields, depth);
    }
}

/// The path of a member from its steps, `["body", "messages", 0, "role"]`; `None` if it is the body itself.
fn place(steps: &RawValue) -> Option<String> {
    let mut path = String::new();
    for (at, step) in json::list(steps)?.into_iter().enumerate() {
        match json::text(step) {
            Some(name) if at == 0 && &*name == "body" => {}
            Some(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&name);
            }
            None => {
                path.push('[');
                path.push_str(step.get());
                path.push(']');
            }
        }
    }
    Some(path.chars().take(MAX_MESSAGE_CHARS).collect()).filter(|path: &String| !path.is_empty())
}

/// Reads a router's metadata. The router's message is often only "provider returned error", and the nested one has the
/// reason. Flagged input is reported there as well.
fn read_metadata(metadata: &str, fields: &mut ErrorFields, depth: u32) {
    let Ok(metadata) = Rest::parse(metadata) else { return };
    if metadata.get("flagged_input").is_some() {
        "content_filter".clone_into(&mut fields.kind);
    }
    let Some(raw) = metadata.get("raw") else { return };
    let mut behind = ErrorFields::default();
    match json::text(raw) {
        Some(text) if text.trim_start().starts_with('{') => read(text.trim(), &mut behind, depth + 1),
        Some(text) => behind.message = text.into_string(),
        None => read(raw.get(), &mut behind, depth + 1),
    }
    if !behind.message.is_empty() {
        fields.message = behind.message;
    }
    if fields.kind.is_empty() {
        fields.kind = behind.kind;
    }
}

/// Stores a text, or a number as text, if the place is still empty.
fn say(place: &mut String, raw: Option<&RawValue>) {
    let Some(raw) = raw.filter(|_| place.is_empty()) else { return };
    match json::text(raw) {
        Some(text) => *place = text.into_string(),
        None if raw.get().starts_with(|c: char| c.is_ascii_digit()) => raw.get().clone_into(place),
        None => {}
    }
}

/// Classifies the error: by the code and the type first, then by the message, then by the status.
fn kind(fields: &ErrorFields, status: Option<u16>) -> ErrorKind {
    let message = fields.message.to_ascii_lowercase();
    if exceeds_rate(&message) {
        return ErrorKind::Unsupported;
    }
    let words = [fields.code.to_ascii_lowercase(), fields.kind.to_ascii_lowercase()];
    if let Some(kind) = words.iter().find_map(|word| by_word(word)) {
        return kind;
    }
    let hints = |list: &[&str]| list.iter().any(|hint| has(&message, hint));
    match status {
        Some(400 | 413 | 422) | None if hints(&CONTEXT) => ErrorKind::ContextLength,
        Some(400..=403 | 412 | 429) | None if hints(&QUOTA) => ErrorKind::Quota,
        Some(400 | 403) if hints(&CREDENTIAL) => ErrorKind::Authentication,
        Some(400) if is_missing_model(&message) => ErrorKind::NotFound,
        Some(401) => ErrorKind::Authentication,
        Some(402) => ErrorKind::Quota,
        Some(403) => ErrorKind::Permission,
        Some(404) => ErrorKind::NotFound,
        Some(408 | 504) => ErrorKind::Timeout,
        Some(413) => ErrorKind::TooLarge,
        Some(429) => ErrorKind::RateLimited,
        None if hints(&RATE) => ErrorKind::RateLimited,
        Some(503 | 529) => ErrorKind::Overloaded,
        Some(status) if status < 500 => ErrorKind::InvalidRequest,
        None if words.iter().any(|word| has(word, "invalid")) => ErrorKind::InvalidRequest,
        _ => ErrorKind::Upstream,
    }
}

/// Messages that are more precise than the status.
const CREDENTIAL: [&str; 4] = ["api key not valid", "invalid api key", "incorrect api key", "invalid access token"];

const MODEL: [&str; 4] = ["is not a valid model", "model_not_found", "no such model", "model not exist"];

/// Whether a message in lower case says that there is no such model: "The model `m` does not exist".
fn is_missing_model(message: &str) -> bool {
    let named = message.starts_with("model ") || message.starts_with("the model ");
    MODEL.iter().any(|hint| has(message, hint)) || (named && has(message, " does not exist"))
}

/// Whether a message in lower case says that this one request is larger than all that the account may send in a minute:
/// "Request too large for `m` on tokens per minute (TPM): Limit 12000, Requested 14137". Its code is that of a rate
/// limit, but waiting does not help, and smaller requests are taken: the target does not take this one, and another
/// may.
fn exceeds_rate(message: &str) -> bool {
    has(message, "request too large for ") && has(message, "requested ")
}

const RATE: [&str; 2] = ["rate limit", "too many requests"];

const CONTEXT: [&str; 19] = [
    "context length",
    "context window",
    "context_length",
    "maximum context",
    "prompt is too long",
    "too many tokens",
    "reduce the length of the messages",
    "exceeds the available context",
    "max_new_tokens` must be <=",
    "exceeds the model's maximum",
    "maximum prompt length",
    "maximum input length",
    "maximum model length",
    "`inputs` must have less than",
    "tokens) exceeds the maximum allowed length",
    "exceeded model token limit",
    "exceeds the maximum number of tokens allowed",
    "range of input length should be",
    "prompt exceeds max length",
];

const QUOTA: [&str; 8] = [
    "key limit exceeded",
    "exceeded your current quota",
    "insufficient balance",
    "insufficient credit",
    "requires more credits",
    "used all available credits",
    "monthly spending limit",
    "billing",
];

fn by_word(word: &str) -> Option<ErrorKind> {
    Some(match word {
        "context_length_exceeded" | "string_above_max_length" | "exceed_context_size_error" => ErrorKind::ContextLength,
        "insufficient_quota" | "billing_hard_limit_reached" | "billing_not_active" => ErrorKind::Quota,
        "rate_limit_exceeded"
        | "rate_limit_error"
        | "too_many_requests"
        | "resource_exhausted"
        | "rate_limited"
        | "ratelimitreached"
        | "request_limit_exceeded" => ErrorKind::RateLimited,
        "content_filter"
        | "content_policy_violation"
        | "responsibleaipolicyviolation"
        | "image_content_policy_violation"
        | "bio_policy" => ErrorKind::ContentFiltered,
        "model_not_found"
        | "deploymentnotfound"
        | "not_found"
        | "not_found_error"
        | "invalid_model"
        | "model_not_supported"
        | "resource_does_not_exist"
        | "endpoint_not_found" => ErrorKind::NotFound,
        "invalid_api_key" | "authentication_error" | "unauthenticated" => ErrorKind::Authentication,
        "permission_error"
        | "permission_denied"
        | "permissiondenied"
        | "unsupported_country_region_territory"
        | "data_residency_mismatch" => ErrorKind::Permission,
        "overloaded"
        | "overloaded_error"
        | "engine_overloaded"
        | "unavailable"
        | "temporarily_unavailable"
        | "capacity_exceeded" => ErrorKind::Overloaded,
        "request_too_large" => ErrorKind::TooLarge,
        "timeout" | "timeout_error" | "deadline_exceeded" | "vector_store_timeout" => ErrorKind::Timeout,
        // Words of images are of a response that failed with status 200 (`ResponseErrorCode`); others begin with
        // `invalid`.
        "unsupported_parameter"
        | "unsupported_value"
        | "image_too_large"
        | "image_too_small"
        | "image_parse_error"
        | "image_file_too_large"
        | "unsupported_image_media_type"
        | "empty_image_file"
        | "failed_to_download_image"
        | "image_file_not_found" => ErrorKind::InvalidRequest,
        "generation" | "incomplete_generation" => ErrorKind::Upstream,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
