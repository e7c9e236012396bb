//! The adapter as a whole: the cases of the conformance list, and every recording of the server.

mod corpus;
mod dialect;
mod normal;
mod property;
mod provider;
mod streams;

use serde_json::Value;
use weir_sdk::adapter::{ChatOutcome, Decoder, DialectChat, Encoder, ProviderChat};
use weir_sdk::types::{
    Body, ChatEvent, ChatRequest, ChatResponse, Context, Error, Frame, HttpRequest, HttpResponse, Loss,
};

use crate::Ollama;

/// A context for a model.
fn context(model: &str) -> Context {
    Context { request_id: "req1".into(), model: model.into(), ..Context::default() }
}

/// The same for a client of `/api/generate`.
fn generating(model: &str) -> Context {
    Context { memo: crate::dialect::GENERATES.into(), format: crate::GENERATE.into(), ..context(model) }
}

/// Reads a client's request.
fn asked(path: &str, body: &Value) -> Result<ChatRequest, Error> {
    let request = HttpRequest::post(path, body.to_string());
    let ctx = context(body["model"].as_str().unwrap_or_default());
    <Ollama as DialectChat>::parse_request(&ctx, request).map(|parsed| parsed.request)
}

/// What is sent to the server and where, and what is lost.
fn sent(ctx: &Context, request: ChatRequest) -> Result<(String, Value, Vec<String>), Error> {
    let rendered = <Ollama as ProviderChat>::render_request(ctx, request)?;
    let body = serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap();
    Ok((rendered.request.path, body, fields(&rendered.losses)))
}

fn fields(losses: &[Loss]) -> Vec<String> {
    losses.iter().map(|loss| loss.field.clone()).collect()
}

/// Reads a whole answer of the server.
fn answered(ctx: &Context, body: &Value) -> Result<ChatResponse, Error> {
    let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(body.to_string()) };
    match <Ollama as ProviderChat>::parse_response(ctx, response)? {
        ChatOutcome::Complete(answer) => Ok(answer.response),
        ChatOutcome::FollowUp(_) => panic!("one request is enough"),
    }
}

/// Writes a whole answer for a client.
fn told(ctx: &Context, response: ChatResponse) -> (Value, Vec<String>) {
    let rendered = <Ollama as DialectChat>::render_response(ctx, response).unwrap();
    (serde_json::from_str(rendered.response.body.as_text().unwrap()).unwrap(), fields(&rendered.losses))
}

/// The events of lines that are handed over in groups of this size.
fn decoded(ctx: &Context, lines: &[String], group: usize) -> Vec<ChatEvent> {
    let mut decoder = <Ollama as ProviderChat>::Decoder::new(ctx.clone());
    let mut events = Vec::new();
    for group in lines.chunks(group) {
        let frames = group.iter().map(|data| Frame { event: None, data: data.clone() }).collect();
        events.extend(decoder.push(frames).unwrap().events);
    }
    events.extend(decoder.finish().unwrap().events);
    events
}

/// The lines of events that are handed over in groups of this size, and what is lost.
fn encoded(ctx: &Context, events: &[ChatEvent], group: usize) -> (Vec<Value>, Vec<String>) {
    let mut encoder = <Ollama as DialectChat>::Encoder::new(ctx.clone());
    let (mut lines, mut losses) = (Vec::new(), Vec::new());
    for group in events.chunks(group) {
        let encoded = encoder.push(group.to_vec()).unwrap();
        lines.extend(encoded.frames);
        losses.extend(encoded.losses);
    }
    let end = encoder.finish().unwrap();
    lines.extend(end.frames);
    losses.extend(end.losses);
    (lines.iter().map(|line| serde_json::from_str(&line.data).unwrap()).collect(), fields(&losses))
}
