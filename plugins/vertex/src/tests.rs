//! Tests of the whole adapter: cases of the conformance list, and every recording of the service.

mod cases;
mod corpus;
mod story;

use serde_json::Value;
use weir_sdk::adapter::{ProviderChat, Result};
use weir_sdk::testing::frames::sse as frames;
use weir_sdk::testing::{self, http_response as http};
use weir_sdk::types::{ChatEvent, ChatRequest, ChatResponse, Context, Frame, Loss, RenderedRequest, Setting};

use crate::Vertex;

/// A context for a model, with options in JSON.
fn context(model: &str, options: &[(&str, &str)]) -> Context {
    let setting = |(key, json): &(&str, &str)| Setting { key: (*key).into(), json: (*json).into() };
    let options = options.iter().map(setting).collect();
    Context { request_id: "req1".into(), model: model.into(), options, ..Context::default() }
}

fn rendered(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
    <Vertex as ProviderChat>::render_request(ctx, request)
}

fn body(rendered: &RenderedRequest) -> Value {
    testing::json(&rendered.request.body)
}

fn fields(losses: &[Loss]) -> Vec<&str> {
    losses.iter().map(|loss| loss.field.as_str()).collect()
}

/// Reads a whole answer.
fn answered(ctx: &Context, text: &str) -> Result<ChatResponse> {
    <Vertex as ProviderChat>::parse_response(ctx, http(200, text)).map(testing::complete)
}

/// The events of frames, with `group` frames in each push.
fn decoded(ctx: &Context, frames: &[Frame], group: usize) -> Vec<ChatEvent> {
    testing::decoded::<<Vertex as ProviderChat>::Decoder>(ctx, frames, group)
}
