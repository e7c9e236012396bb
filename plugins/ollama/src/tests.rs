//! Tests of the whole adapter: the cases of the conformance list, and every recording of the server.

mod corpus;
mod dialect;
mod normal;
mod property;
mod provider;
mod streams;

use serde_json::Value;
use weir_sdk::adapter::{DialectChat, ProviderChat};
use weir_sdk::testing::{self, context, fields, http_response};
use weir_sdk::types::{ChatEvent, ChatRequest, ChatResponse, Context, Error, Frame, HttpRequest};

use crate::Ollama;

/// A context for a client of `/api/generate`.
fn generating(model: &str) -> Context {
    Context { memo: crate::dialect::GENERATES.into(), format: crate::GENERATE.into(), ..context(model) }
}

/// Parses a client's request.
fn asked(path: &str, body: &Value) -> Result<ChatRequest, Error> {
    let request = HttpRequest::post(path, body.to_string());
    let ctx = context(body["model"].as_str().unwrap_or_default());
    <Ollama as DialectChat>::parse_request(&ctx, request).map(|parsed| parsed.request)
}

/// The path and body for the server, and the losses.
fn sent(ctx: &Context, request: ChatRequest) -> Result<(String, Value, Vec<String>), Error> {
    let rendered = <Ollama as ProviderChat>::render_request(ctx, request)?;
    let body = testing::json(&rendered.request.body);
    Ok((rendered.request.path, body, fields(&rendered.losses)))
}

/// Parses a whole answer of the server.
fn answered(ctx: &Context, body: &Value) -> Result<ChatResponse, Error> {
    <Ollama as ProviderChat>::parse_response(ctx, http_response(200, body.to_string())).map(testing::complete)
}

/// Renders a whole answer for a client.
fn written(ctx: &Context, response: ChatResponse) -> (Value, Vec<String>) {
    let rendered = <Ollama as DialectChat>::render_response(ctx, response).unwrap();
    (testing::json(&rendered.response.body), fields(&rendered.losses))
}

/// The events of lines, with `group` lines in each push.
fn decoded(ctx: &Context, lines: &[String], group: usize) -> Vec<ChatEvent> {
    let frames: Vec<Frame> = lines.iter().map(|data| Frame { event: None, data: data.clone() }).collect();
    testing::decoded::<<Ollama as ProviderChat>::Decoder>(ctx, &frames, group)
}

/// The lines of events, with `group` events in each push, and the losses.
fn encoded(ctx: &Context, events: &[ChatEvent], group: usize) -> (Vec<Value>, Vec<String>) {
    let (lines, losses) = testing::encoded::<<Ollama as DialectChat>::Encoder>(ctx, events, group);
    (lines.iter().map(|line| serde_json::from_str(&line.data).unwrap()).collect(), losses)
}
