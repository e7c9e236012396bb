//! Tests of the whole adapter: known bugs of other gateways, by their number, and the corpus of recordings.

mod corpus;
mod fixtures;
mod fold;
mod meaning;
mod property;
mod request;
mod response;
mod stream;

use serde_json::Value;
use weir_sdk::adapter::{DialectChat, ProviderChat};
use weir_sdk::testing::{self, context, fields, http_response, json};
use weir_sdk::types::{ChatEvent, ChatRequest, ChatResponse, Context, Frame, HttpRequest, RenderedRequest};

use crate::Cohere;

/// Parses a client's request.
fn parsed(body: &Value) -> ChatRequest {
    let request = HttpRequest::post("/v2/chat", body.to_string());
    <Cohere as DialectChat>::parse_request(&Context::default(), request).unwrap().request
}

/// Renders a request for a model.
fn rendered(model: &str, request: ChatRequest) -> RenderedRequest {
    <Cohere as ProviderChat>::render_request(&context(model), request).unwrap()
}

/// Renders a request for a model: the body and the fields of its losses.
fn sent(model: &str, request: ChatRequest) -> (Value, Vec<String>) {
    let rendered = rendered(model, request);
    (json(&rendered.request.body), fields(&rendered.losses))
}

/// Parses a provider's answer.
fn answered(body: &Value) -> ChatResponse {
    let response = http_response(200, body.to_string());
    testing::complete(<Cohere as ProviderChat>::parse_response(&Context::default(), response).unwrap())
}

/// Renders an answer for a client: the body and the fields of its losses.
fn shown(response: ChatResponse) -> (Value, Vec<String>) {
    let rendered = <Cohere as DialectChat>::render_response(&context("command-test"), response).unwrap();
    (json(&rendered.response.body), fields(&rendered.losses))
}

/// Decodes frames, with `group` frames in each push.
fn decoded(frames: &[Frame], group: usize) -> Vec<ChatEvent> {
    testing::decoded::<<Cohere as ProviderChat>::Decoder>(&Context::default(), frames, group)
}

/// Encodes events, one in each push: the frames and the fields of the losses.
fn encoded(events: &[ChatEvent]) -> (Vec<Frame>, Vec<String>) {
    testing::encoded::<<Cohere as DialectChat>::Encoder>(&context("command-test"), events, 1)
}
