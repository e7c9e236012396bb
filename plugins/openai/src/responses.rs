//! `openai.responses`, the dialect's side.

pub(crate) mod encoder;
mod names;
pub(crate) mod request;
pub(crate) mod response;
mod tools;

use std::borrow::Cow;

use weir_sdk::compat::responses::{namespace, noted, write_usage};
use weir_sdk::json::{Object, RawValue, Rest};
use weir_sdk::types::{Context, Error, ErrorKind, Extension, FinishReason, Part, Usage};

use crate::chat::answer_model;
use crate::manifest;

/// The members of an answer besides its output.
#[derive(Debug, Default)]
pub(crate) struct Frame<'f> {
    pub(crate) id: String,
    pub(crate) model: Option<&'f str>,
    pub(crate) created_ms: Option<f64>,
    pub(crate) tier: Option<&'f str>,
    pub(crate) status: &'static str,
    /// The reason why it is incomplete.
    pub(crate) incomplete: Option<&'static str>,
    pub(crate) error: Option<&'f Error>,
    pub(crate) usage: Option<&'f Usage>,
    pub(crate) extensions: &'f [Extension],
    /// Members that arrived at the end of a stream, without braces.
    pub(crate) news: Option<&'f str>,
}

/// The note on a signature that is lost.
const UNSIGNED: &str = "only thinking has a place for it";

/// Members that every answer repeats from its request, with their defaults.
const DEFAULTS: [(&str, &str); 15] = [
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("reasoning", "{\"effort\":null,\"summary\":null}"),
    ("store", "false"),
    ("temperature", "1"),
    ("text", "{\"format\":{\"type\":\"text\"}}"),
    ("tool_choice", "\"auto\""),
    ("tools", "[]"),
    ("top_p", "1"),
    ("truncation", "\"disabled\""),
    ("user", "null"),
    ("prompt_cache_key", "null"),
];

/// The parts of an answer, its calls with the groups of the request.
fn grouped<'p>(memo: &str, parts: &'p [Part]) -> Cow<'p, [Part]> {
    let lists = tool_lists(memo, GROUPS);
    if lists.is_empty() {
        return Cow::Borrowed(parts);
    }
    let mut parts = parts.to_vec();
    for part in &mut parts {
        if let Part::ToolCall(call) = part {
            namespace::part(&lists, call);
        }
    }
    Cow::Owned(parts)
}

/// The type of groups of tools, as JSON.
const GROUPS: &str = "\"namespace\"";

/// The request's lists of tools as JSON, its own and that of its items, if there may be some of this type among them.
pub(crate) fn tool_lists<'m>(memo: &'m str, quoted: &str) -> Vec<&'m str> {
    if !memo.contains(quoted) {
        return Vec::new();
    }
    let memo = Rest::parse(memo).unwrap_or_default();
    ["tools", tools::BROUGHT].into_iter().filter_map(|list| memo.get(list)).map(RawValue::get).collect()
}

/// Writes a response object; `output` has its items as JSON.
pub(crate) fn write_response(o: &mut Object<'_>, ctx: &Context, frame: &Frame<'_>, output: &[&str]) {
    match frame.id.as_str() {
        "" => o.str("id", &format!("resp_{}", ctx.request_id)),
        id => o.str("id", id),
    }
    o.str("object", "response");
    o.num("created_at", (frame.created_ms.unwrap_or(ctx.now_ms) / 1000.0).floor());
    o.str("status", frame.status);
    write_error(o, frame.error);
    match frame.incomplete {
        Some(reason) => o.object("incomplete_details", |o| o.str("reason", reason)),
        None => o.null("incomplete_details"),
    }
    o.str("model", answer_model(ctx, frame.model));
    o.array("output", |a| output.iter().for_each(|item| a.raw(item)));
    match frame.usage {
        Some(usage) => write_usage(o, usage),
        None => o.null("usage"),
    }
    // Members from the end take precedence over those from the start, and both over the request's.
    let late = frame.news.and_then(|news| Rest::parse(news).ok()).unwrap_or_default();
    match late.get("service_tier") {
        Some(tier) => o.raw("service_tier", tier.get()),
        None => o.opt_str("service_tier", frame.tier),
    }
    let echo = noted(frame.extensions, "echo").and_then(|echo| Rest::parse(echo).ok()).unwrap_or_default();
    let asked = Rest::parse(&ctx.memo).unwrap_or_default();
    for (key, fallback) in DEFAULTS {
        let found = late.get(key).or_else(|| echo.get(key)).or_else(|| asked.get(key));
        o.raw(key, found.map_or(fallback, |raw| raw.get()));
    }
    let known = |key: &str| DEFAULTS.iter().any(|(known, _)| *known == key) || key == "service_tier";
    let new = late.0.iter().filter(|(key, value)| !known(key) && value.get() != "null");
    new.clone().for_each(|(key, value)| o.raw(key, value.get()));
    let reported = |key: &str| late.get(key).is_some() || known(key);
    for (key, value) in echo.0.iter().filter(|(key, _)| !reported(key)) {
        o.raw(key, value.get());
    }
    for extension in frame.extensions.iter().filter(|e| e.json != "null" && !reported(&e.key)) {
        if extension.format == weir_sdk::compat::responses::FORMAT {
            o.raw(&extension.key, &extension.json);
        }
    }
}

fn write_error(o: &mut Object<'_>, error: Option<&Error>) {
    let Some(error) = error else { return o.null("error") };
    let (name, _) = manifest::spelling(error.kind);
    o.object("error", |o| {
        o.str("code", manifest::code(error).unwrap_or(name));
        o.str("message", &error.message);
    });
}

/// The error of an answer that ended badly.
pub(crate) fn failure(reason: FinishReason) -> Option<Error> {
    let words = match reason {
        FinishReason::Failed => "the provider broke off",
        FinishReason::MalformedToolCall => "the model's tool call cannot be read",
        _ => return None,
    };
    Some(Error::new(ErrorKind::Upstream, words))
}

/// The status for a finish reason, why it is incomplete, and whether that expresses the reason fully.
pub(crate) fn status(reason: FinishReason, refused: bool) -> (&'static str, Option<&'static str>, bool) {
    match reason {
        FinishReason::Length | FinishReason::ContextLength => ("incomplete", Some("max_output_tokens"), true),
        FinishReason::ContentFilter | FinishReason::Refusal if !refused => ("incomplete", Some("content_filter"), true),
        FinishReason::Failed => ("failed", None, true),
        FinishReason::MalformedToolCall => ("failed", None, false),
        FinishReason::Paused => ("in_progress", None, false),
        FinishReason::Other => ("completed", None, false),
        _ => ("completed", None, true),
    }
}

#[cfg(test)]
mod tests;
