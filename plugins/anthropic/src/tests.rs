//! Tests of the whole adapter: known bugs of other gateways, by their number, and the corpus of recordings.

mod corpus;
mod fold;
mod meaning;
mod property;
mod request;
mod response;
mod schema;
mod stream;
mod thinking;
mod turns;

use serde_json::Value;
use weir_sdk::adapter::{DialectChat, ProviderChat};
use weir_sdk::testing::{self, context, fields, http_response, json};
use weir_sdk::types::{ChatEvent, ChatRequest, ChatResponse, Context, Frame, HttpRequest, RenderedRequest};

use crate::Anthropic;

fn http_request(body: &Value) -> HttpRequest {
    HttpRequest::post("/v1/messages", body.to_string())
}

/// Parses a client's request.
fn parsed(body: &Value) -> ChatRequest {
    <Anthropic as DialectChat>::parse_request(&Context::default(), http_request(body)).unwrap().request
}

/// Renders a request for a model.
fn rendered(model: &str, request: ChatRequest) -> RenderedRequest {
    <Anthropic as ProviderChat>::render_request(&context(model), request).unwrap()
}

/// Renders a request for a model: the body and the fields of its losses.
fn sent(model: &str, request: ChatRequest) -> (Value, Vec<String>) {
    let rendered = rendered(model, request);
    (json(&rendered.request.body), fields(&rendered.losses))
}

/// Parses a provider's answer.
fn answered(body: &Value) -> ChatResponse {
    let response = http_response(200, body.to_string());
    testing::complete(<Anthropic as ProviderChat>::parse_response(&Context::default(), response).unwrap())
}

/// Renders an answer for a client: the body and the fields of its losses.
fn shown(response: ChatResponse) -> (Value, Vec<String>) {
    let rendered = <Anthropic as DialectChat>::render_response(&context("claude-test"), response).unwrap();
    (json(&rendered.response.body), fields(&rendered.losses))
}

/// Decodes frames, with `group` frames in each push.
fn decoded(frames: &[Frame], group: usize) -> Vec<ChatEvent> {
    testing::decoded::<<Anthropic as ProviderChat>::Decoder>(&Context::default(), frames, group)
}

/// Encodes events, one in each push: the frames and the fields of the losses.
fn encoded(ctx: &Context, events: &[ChatEvent]) -> (Vec<Frame>, Vec<String>) {
    testing::encoded::<<Anthropic as DialectChat>::Encoder>(ctx, events, 1)
}
