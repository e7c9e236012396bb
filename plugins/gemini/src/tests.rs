//! The adapter as a whole: the cases of the conformance list, and every recording of the service.

mod corpus;
mod dialect;
mod normal;
mod provider;
mod streams;

use serde_json::Value;
use weir_sdk::adapter::{ChatOutcome, Decoder, DialectChat, Encoder, ProviderChat};
use weir_sdk::types::{
    Body, ChatEvent, ChatRequest, ChatResponse, Context, Error, Frame, HttpRequest, HttpResponse, Loss, RenderedRequest,
};

use crate::Gemini;

/// A context for a model.
fn context(model: &str) -> Context {
    Context { request_id: "req1".into(), model: model.into(), ..Context::default() }
}

/// Reads a client's request, whole or streamed.
fn asked(model: &str, method: &str, body: &Value) -> Result<ChatRequest, Error> {
    let request = HttpRequest::post(format!("/v1beta/models/{model}:{method}"), body.to_string());
    <Gemini as DialectChat>::parse_request(&context(model), request).map(|parsed| parsed.request)
}

/// What is sent to the service, and what is lost.
fn sent(model: &str, request: ChatRequest) -> Result<(Value, Vec<String>), Error> {
    let rendered = <Gemini as ProviderChat>::render_request(&context(model), request)?;
    let losses = fields(&rendered.losses);
    Ok((body(&rendered), losses))
}

fn body(rendered: &RenderedRequest) -> Value {
    serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap()
}

fn fields(losses: &[Loss]) -> Vec<String> {
    losses.iter().map(|loss| loss.field.clone()).collect()
}

/// Reads a whole answer of the service.
fn answered(ctx: &Context, body: &Value) -> Result<ChatResponse, Error> {
    let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(body.to_string()) };
    match <Gemini as ProviderChat>::parse_response(ctx, response)? {
        ChatOutcome::Complete(answer) => Ok(answer.response),
        ChatOutcome::FollowUp(_) => panic!("one request is enough"),
    }
}

/// Writes a whole answer for a client.
fn told(ctx: &Context, response: ChatResponse) -> (Value, Vec<String>) {
    let rendered = <Gemini as DialectChat>::render_response(ctx, response).unwrap();
    (serde_json::from_str(rendered.response.body.as_text().unwrap()).unwrap(), fields(&rendered.losses))
}

/// The events of frames that are handed over in groups of this size.
fn decoded(ctx: &Context, frames: &[String], group: usize) -> Vec<ChatEvent> {
    let mut decoder = <Gemini as ProviderChat>::Decoder::new(ctx.clone());
    let mut events = Vec::new();
    for group in frames.chunks(group) {
        let frames = group.iter().map(|data| Frame { event: None, data: data.clone() }).collect();
        events.extend(decoder.push(frames).unwrap().events);
    }
    events.extend(decoder.finish().unwrap().events);
    events
}

/// The frames of events that are handed over in groups of this size.
fn encoded(ctx: &Context, events: &[ChatEvent], group: usize) -> Vec<Value> {
    let mut encoder = <Gemini as DialectChat>::Encoder::new(ctx.clone());
    let mut frames = Vec::new();
    for group in events.chunks(group) {
        frames.extend(encoder.push(group.to_vec()).unwrap().frames);
    }
    frames.extend(encoder.finish().unwrap().frames);
    frames.iter().map(|frame| serde_json::from_str(&frame.data).unwrap()).collect()
}
