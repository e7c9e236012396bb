//! Tests of the whole adapter: cases that other gateways got wrong, by their number, and the corpus of recordings.

mod corpus;
mod fixtures;
mod fold;
mod meaning;
mod property;
mod request;
mod response;
mod stream;

use serde_json::Value;
use weir_sdk::adapter::{ChatOutcome, Decoder as _, DialectChat, Encoder as _, ProviderChat};
use weir_sdk::types::{
    Body, ChatEvent, ChatRequest, ChatResponse, Context, Frame, HttpRequest, HttpResponse, Loss, RenderedRequest,
};

use crate::Cohere;

fn json(body: &Body) -> Value {
    serde_json::from_str(body.as_text().unwrap()).unwrap()
}

/// A context whose model is this one.
fn context(model: &str) -> Context {
    Context { request_id: "req_1".into(), model: model.into(), ..Context::default() }
}

fn http_response(status: u16, body: String) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: Body::Text(body) }
}

/// Reads a client's request.
fn parsed(body: &Value) -> ChatRequest {
    let request = HttpRequest::post("/v2/chat", body.to_string());
    <Cohere as DialectChat>::parse_request(&Context::default(), request).unwrap().request
}

/// Writes a request for a model.
fn rendered(model: &str, request: ChatRequest) -> RenderedRequest {
    <Cohere as ProviderChat>::render_request(&context(model), request).unwrap()
}

/// Writes a request for a model: the body and the fields of its losses.
fn sent(model: &str, request: ChatRequest) -> (Value, Vec<String>) {
    let rendered = rendered(model, request);
    (json(&rendered.request.body), fields(&rendered.losses))
}

fn fields(losses: &[Loss]) -> Vec<String> {
    losses.iter().map(|loss| loss.field.clone()).collect()
}

/// Reads a provider's answer.
fn answered(body: &Value) -> ChatResponse {
    let response = http_response(200, body.to_string());
    match <Cohere as ProviderChat>::parse_response(&Context::default(), response).unwrap() {
        ChatOutcome::Complete(answer) => answer.response,
        ChatOutcome::FollowUp(_) => panic!("no follow-up is ever needed"),
    }
}

/// Writes an answer for a client: the body and the fields of its losses.
fn shown(response: ChatResponse) -> (Value, Vec<String>) {
    let rendered = <Cohere as DialectChat>::render_response(&context("command-test"), response).unwrap();
    (json(&rendered.response.body), fields(&rendered.losses))
}

/// Decodes frames that come in groups of this size.
fn decoded(frames: &[Frame], group: usize) -> Vec<ChatEvent> {
    let mut decoder = <Cohere as ProviderChat>::Decoder::new(Context::default());
    let mut events = Vec::new();
    for group in frames.chunks(group) {
        events.extend(decoder.push(group.to_vec()).unwrap().events);
    }
    events.extend(decoder.finish().unwrap().events);
    events
}

/// Encodes events that come one by one: the frames and the fields of the losses.
fn encoded(events: Vec<ChatEvent>) -> (Vec<Frame>, Vec<String>) {
    let mut encoder = <Cohere as DialectChat>::Encoder::new(context("command-test"));
    let (mut frames, mut losses) = (Vec::new(), Vec::new());
    for event in events {
        let some = encoder.push(vec![event]).unwrap();
        frames.extend(some.frames);
        losses.extend(some.losses);
    }
    let last = encoder.finish().unwrap();
    frames.extend(last.frames);
    losses.extend(last.losses);
    (frames, fields(&losses))
}
