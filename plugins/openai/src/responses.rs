//! `openai.responses`, as clients speak it.

pub(crate) mod encoder;
pub(crate) mod request;
pub(crate) mod response;

use weir_sdk::compat::responses::{noted, write_usage};
use weir_sdk::json::{Object, Rest};
use weir_sdk::types::{Context, Error, Extension, FinishReason, Usage};

use crate::chat::answer_model;
use crate::manifest;

/// What an answer says of itself besides its output.
#[derive(Debug, Default)]
pub(crate) struct Frame<'f> {
    pub(crate) id: String,
    pub(crate) model: Option<&'f str>,
    pub(crate) created_ms: Option<f64>,
    pub(crate) tier: Option<&'f str>,
    pub(crate) status: &'static str,
    /// Why it is incomplete.
    pub(crate) incomplete: Option<&'static str>,
    pub(crate) error: Option<&'f Error>,
    pub(crate) usage: Option<&'f Usage>,
    pub(crate) extensions: &'f [Extension],
    /// Members that came at the end of a stream, without braces.
    pub(crate) news: Option<&'f str>,
}

/// Members that every answer repeats from its request, with what they are where the request said nothing.
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

/// Writes a response object; `output` are its items as JSON.
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
    // What came at the end outranks what came at the start, and both outrank the request.
    let late = frame.news.and_then(|news| Rest::parse(news).ok()).unwrap_or_default();
    match late.get("service_tier") {
        Some(tier) => o.raw("service_tier", tier.get()),
        None => o.opt_str("service_tier", frame.tier),
    }
    let echo = noted(frame.extensions, "echo").and_then(|echo| Rest::parse(echo).ok()).unwrap_or_default();
    let asked = Rest::parse(&ctx.memo).unwrap_or_default();
    for (key, fallback) in DEFAULTS {
        let said = late.get(key).or_else(|| echo.get(key)).or_else(|| asked.get(key));
        o.raw(key, said.map_or(fallback, |raw| raw.get()));
    }
    let known = |key: &str| DEFAULTS.iter().any(|(known, _)| *known == key) || key == "service_tier";
    let new = late.0.iter().filter(|(key, value)| !known(key) && value.get() != "null");
    new.clone().for_each(|(key, value)| o.raw(key, value.get()));
    let told = |key: &str| late.get(key).is_some() || known(key);
    for (key, value) in echo.0.iter().filter(|(key, _)| !told(key)) {
        o.raw(key, value.get());
    }
    for extension in frame.extensions.iter().filter(|e| e.json != "null" && !told(&e.key)) {
        if extension.format == weir_sdk::compat::responses::FORMAT {
            o.raw(&extension.key, &extension.json);
        }
    }
}

fn write_error(o: &mut Object<'_>, error: Option<&Error>) {
    let Some(error) = error else { return o.null("error") };
    let (name, code) = manifest::spelling(error.kind);
    o.object("error", |o| {
        o.str("code", error.code.as_deref().or(code).unwrap_or(name));
        o.str("message", &error.message);
    });
}

/// The status of an answer that ended so, why it is incomplete, and whether that says all.
pub(crate) fn status(reason: FinishReason, refused: bool) -> (&'static str, Option<&'static str>, bool) {
    match reason {
        FinishReason::Length | FinishReason::ContextLength => ("incomplete", Some("max_output_tokens"), true),
        FinishReason::ContentFilter | FinishReason::Refusal if !refused => ("incomplete", Some("content_filter"), true),
        FinishReason::Failed => ("failed", None, true),
        FinishReason::Paused | FinishReason::MalformedToolCall | FinishReason::Other => ("completed", None, false),
        _ => ("completed", None, true),
    }
}
