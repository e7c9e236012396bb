//! The adapter as a whole: the cases of the conformance list, and every recording of the service.

mod corpus;
mod dialect;
mod fold;
mod meaning;
mod own;
mod property;
mod provider;
mod streams;

use serde_json::Value;
use weir_sdk::adapter::{ChatOutcome, Decoder, DialectChat, Encoder, ProviderChat};
use weir_sdk::types::{
    Body, ChatEvent, ChatRequest, ChatResponse, Context, Error, Frame, HttpRequest, HttpResponse, Loss, RenderedRequest,
};

use crate::{Bedrock, path};

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

/// A context for a model.
fn context(model: &str) -> Context {
    Context { request_id: "req1".into(), model: model.into(), ..Context::default() }
}

/// Reads a client's request.
fn asked(model: &str, operation: &str, body: &Value) -> Result<ChatRequest, Error> {
    let request = HttpRequest::post(format!("/{}", path::operation(model, operation)), body.to_string());
    <Bedrock as DialectChat>::parse_request(&context(model), request).map(|parsed| parsed.request)
}

/// What is sent to the service, and what is lost.
fn sent(model: &str, request: ChatRequest) -> Result<(Value, Vec<String>), Error> {
    let rendered = <Bedrock as ProviderChat>::render_request(&context(model), request)?;
    let losses = fields(&rendered.losses);
    Ok((json(&rendered), losses))
}

fn json(rendered: &RenderedRequest) -> Value {
    serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap()
}

fn fields(losses: &[Loss]) -> Vec<String> {
    losses.iter().map(|loss| loss.field.clone()).collect()
}

fn http_response(status: u16, body: impl Into<String>) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: Body::Text(body.into()) }
}

/// Reads a whole answer of the service.
fn answered(ctx: &Context, body: &Value) -> Result<ChatResponse, Error> {
    match <Bedrock as ProviderChat>::parse_response(ctx, http_response(200, body.to_string()))? {
        ChatOutcome::Complete(answer) => Ok(answer.response),
        ChatOutcome::FollowUp(_) => panic!("one request is enough"),
    }
}

/// Writes a whole answer for a client.
fn told(ctx: &Context, response: ChatResponse) -> (Value, Vec<String>) {
    let rendered = <Bedrock as DialectChat>::render_response(ctx, response).unwrap();
    (serde_json::from_str(rendered.response.body.as_text().unwrap()).unwrap(), fields(&rendered.losses))
}

/// An event of a stream.
fn frame(event: &str, data: &Value) -> Frame {
    Frame { event: Some(event.into()), data: data.to_string() }
}

/// The events of frames that are handed over in groups of this size.
fn decoded(ctx: &Context, frames: &[Frame], group: usize) -> Vec<ChatEvent> {
    let mut decoder = <Bedrock as ProviderChat>::Decoder::new(ctx.clone());
    let mut events = Vec::new();
    for group in frames.chunks(group) {
        events.extend(decoder.push(group.to_vec()).unwrap().events);
    }
    events.extend(decoder.finish().unwrap().events);
    events
}

/// The frames of events that are handed over in groups of this size, and what is lost.
fn encoded(ctx: &Context, events: &[ChatEvent], group: usize) -> (Vec<Frame>, Vec<String>) {
    let mut encoder = <Bedrock as DialectChat>::Encoder::new(ctx.clone());
    let (mut frames, mut losses) = (Vec::new(), Vec::new());
    for group in events.chunks(group) {
        let encoded = encoder.push(group.to_vec()).unwrap();
        frames.extend(encoded.frames);
        losses.extend(fields(&encoded.losses));
    }
    let last = encoder.finish().unwrap();
    frames.extend(last.frames);
    losses.extend(fields(&last.losses));
    (frames, losses)
}
