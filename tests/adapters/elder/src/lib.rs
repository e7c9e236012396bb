//! Elder: a made-up format and provider, built for version 0.0.9 of the contract (`tests/contracts/0.0.9`), without the
//! SDK, which is for the newest one.
//!
//! `POST /elder/ask` takes `{"mind", "lines": [{"from", "text"}], "warmth", "limit", "flow"}` and answers
//! `{"name", "mind", "text", "why", "count": {"in", "out"}}`; with `flow` one JSON value a line, each with one of `hail`,
//! `piece`, `why`, `count`, `fault`.

pub mod bindings;
pub mod dialect;
mod manifest;
pub mod provider;

use bindings::types::{ChatRequest, Error, ErrorKind, FinishReason, Message, Role, Usage};
use serde_json::{Value, json};

/// The adapter.
#[derive(Debug)]
pub struct Elder;

type Result<T> = std::result::Result<T, Error>;

fn garbled(what: &str) -> Error {
    Error { kind: ErrorKind::InvalidRequest, message: format!("no {what}"), status: None }
}

fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|_| garbled("JSON"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn count(value: &Value) -> u32 {
    value.as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or_default()
}

const ROLES: [(Role, &str); 3] = [(Role::System, "crown"), (Role::User, "guest"), (Role::Assistant, "sage")];

fn request_of(body: &Value) -> Result<ChatRequest> {
    let lines = body["lines"].as_array().ok_or_else(|| garbled("lines"))?;
    let message = |line: &Value| {
        let role = ROLES.iter().find(|(_, name)| line["from"] == *name).ok_or_else(|| garbled("known speaker"))?.0;
        Ok(Message { role, text: text(&line["text"]) })
    };
    Ok(ChatRequest {
        model: text(&body["mind"]),
        messages: lines.iter().map(message).collect::<Result<_>>()?,
        temperature: body["warmth"].as_f64(),
        max_tokens: body["limit"].as_u64().and_then(|limit| u32::try_from(limit).ok()),
        stream: body["flow"] == true,
    })
}

fn body_of(request: &ChatRequest) -> Value {
    let name = |role: Role| ROLES.iter().find(|(own, _)| *own == role).map_or("", |(_, name)| name);
    let line = |message: &Message| json!({"from": name(message.role), "text": message.text});
    json!({
        "mind": request.model, "lines": request.messages.iter().map(line).collect::<Vec<_>>(),
        "warmth": request.temperature, "limit": request.max_tokens, "flow": request.stream,
    })
}

const REASONS: [(FinishReason, &str); 4] = [
    (FinishReason::Complete, "done"),
    (FinishReason::Length, "full"),
    (FinishReason::ContentFilter, "taboo"),
    (FinishReason::Other, "odd"),
];

fn reason_of(word: &Value) -> FinishReason {
    REASONS.iter().find(|(_, name)| word == name).map_or(FinishReason::Other, |(reason, _)| *reason)
}

fn word_of(reason: FinishReason) -> &'static str {
    REASONS.iter().find(|(own, _)| *own == reason).map_or("odd", |(_, name)| name)
}

fn usage_of(tally: &Value) -> Option<Usage> {
    tally.is_object().then(|| Usage { input: count(&tally["in"]), output: count(&tally["out"]) })
}

fn tally_of(usage: Usage) -> Value {
    json!({"in": usage.input, "out": usage.output})
}
