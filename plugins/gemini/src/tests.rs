//! Tests of the whole adapter: the cases of the conformance list, and every recording of the service.

mod corpus;
mod dialect;
mod models;
mod normal;
mod provider;
mod streams;

use serde_json::Value;
use weir_sdk::adapter::{DialectChat, ProviderChat};
use weir_sdk::testing::{self, context, fields, http_response};
use weir_sdk::types::{ChatEvent, ChatRequest, ChatResponse, Context, Error, Frame, HttpRequest, RenderedRequest};

use crate::Gemini;

/// Parses a client's request, streamed or not.
fn asked(model: &str, method: &str, body: &Value) -> Result<ChatRequest, Error> {
    let request = HttpRequest::post(format!("/v1beta/models/{model}:{method}"), body.to_string());
    <Gemini as DialectChat>::parse_request(&context(model), request).map(|parsed| parsed.request)
}

/// The request for the service, and the losses.
fn sent(model: &str, request: ChatRequest) -> Result<(Value, Vec<String>), Error> {
    sent_to(&context(model), request)
}

/// The request for a target, and the losses.
fn sent_to(ctx: &Context, request: ChatRequest) -> Result<(Value, Vec<String>), Error> {
    let rendered = <Gemini as ProviderChat>::render_request(ctx, request)?;
    let losses = fields(&rendered.losses);
    Ok((body(&rendered), losses))
}

fn body(rendered: &RenderedRequest) -> Value {
    testing::json(&rendered.request.body)
}

/// Parses a whole answer of the service.
fn answered(ctx: &Context, body: &Value) -> Result<ChatResponse, Error> {
    <Gemini as ProviderChat>::parse_response(ctx, http_response(200, body.to_string())).map(testing::complete)
}

/// Renders a whole answer for a client.
fn written(ctx: &Context, response: ChatResponse) -> (Value, Vec<String>) {
    let rendered = <Gemini as DialectChat>::render_response(ctx, response).unwrap();
    (testing::json(&rendered.response.body), fields(&rendered.losses))
}

/// The events of frames, with `group` frames in each push.
fn decoded(ctx: &Context, frames: &[String], group: usize) -> Vec<ChatEvent> {
    let frames: Vec<Frame> = frames.iter().map(|data| Frame { event: None, data: data.clone() }).collect();
    testing::decoded::<<Gemini as ProviderChat>::Decoder>(ctx, &frames, group)
}

/// The frames of events, with `group` events in each push.
fn encoded(ctx: &Context, events: &[ChatEvent], group: usize) -> Vec<Value> {
    let frames = testing::encoded::<<Gemini as DialectChat>::Encoder>(ctx, events, group).0;
    frames.iter().map(|frame| serde_json::from_str(&frame.data).unwrap()).collect()
}
