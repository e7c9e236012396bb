//! Tests of the whole adapter: the cases of the conformance list, and every recording of the service.

mod claude;
mod corpus;
mod dialect;
mod documents;
mod fold;
mod meaning;
mod models;
mod own;
mod property;
mod provider;
mod streams;
mod thinking;

use serde_json::Value;
use weir_sdk::adapter::{DialectChat, ProviderChat};
use weir_sdk::testing::{self, context, fields, http_response};
use weir_sdk::types::{ChatEvent, ChatRequest, ChatResponse, Context, Error, Frame, HttpRequest, RenderedRequest};

use crate::{Bedrock, path};

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

/// Parses a client's request.
fn asked(model: &str, operation: &str, body: &Value) -> Result<ChatRequest, Error> {
    let request = HttpRequest::post(format!("/{}", path::operation(model, operation)), body.to_string());
    <Bedrock as DialectChat>::parse_request(&context(model), request).map(|parsed| parsed.request)
}

/// The request for the service, and the losses.
fn sent(model: &str, request: ChatRequest) -> Result<(Value, Vec<String>), Error> {
    let rendered = <Bedrock as ProviderChat>::render_request(&context(model), request)?;
    let losses = fields(&rendered.losses);
    Ok((json(&rendered), losses))
}

fn json(rendered: &RenderedRequest) -> Value {
    testing::json(&rendered.request.body)
}

/// Parses a whole answer of the service.
fn answered(ctx: &Context, body: &Value) -> Result<ChatResponse, Error> {
    <Bedrock as ProviderChat>::parse_response(ctx, http_response(200, body.to_string())).map(testing::complete)
}

/// Renders a whole answer for a client.
fn written(ctx: &Context, response: ChatResponse) -> (Value, Vec<String>) {
    let rendered = <Bedrock as DialectChat>::render_response(ctx, response).unwrap();
    (testing::json(&rendered.response.body), fields(&rendered.losses))
}

/// An event of a stream.
fn frame(event: &str, data: &Value) -> Frame {
    Frame { event: Some(event.into()), data: data.to_string() }
}

/// The events of frames, with `group` frames in each push.
fn decoded(ctx: &Context, frames: &[Frame], group: usize) -> Vec<ChatEvent> {
    testing::decoded::<<Bedrock as ProviderChat>::Decoder>(ctx, frames, group)
}

/// The frames of events, with `group` events in each push, and the losses.
fn encoded(ctx: &Context, events: &[ChatEvent], group: usize) -> (Vec<Frame>, Vec<String>) {
    testing::encoded::<<Bedrock as DialectChat>::Encoder>(ctx, events, group)
}
