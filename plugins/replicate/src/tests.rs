//! Tests of the whole adapter: cases, and every recording of the service.

mod cases;
mod corpus;

use serde_json::Value;
use weir_sdk::adapter::{ChatOutcome, ProviderChat, Result};
use weir_sdk::testing::frames::sse as frames;
use weir_sdk::testing::{self, http_response as http};
use weir_sdk::types::{ChatEvent, ChatRequest, Context, Frame, Loss, Message, Part, RenderedRequest, Role, Setting};

use crate::Replicate;

/// A context for a model, with options in JSON.
fn context(model: &str, options: &[(&str, &str)]) -> Context {
    let setting = |(key, json): &(&str, &str)| Setting { key: (*key).into(), json: (*json).into() };
    let options = options.iter().map(setting).collect();
    Context { request_id: "req1".into(), model: model.into(), options, ..Context::default() }
}

fn rendered(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
    <Replicate as ProviderChat>::render_request(ctx, request)
}

fn body(rendered: &RenderedRequest) -> Value {
    testing::json(&rendered.request.body)
}

fn fields(losses: &[Loss]) -> Vec<&str> {
    losses.iter().map(|loss| loss.field.as_str()).collect()
}

/// Parses an answer in the memo's phase.
fn outcome(memo: &str, text: &str) -> Result<ChatOutcome> {
    let ctx = Context { memo: memo.into(), ..context("a/b", &[]) };
    <Replicate as ProviderChat>::parse_response(&ctx, http(201, text))
}

fn user(text: &str) -> Message {
    Message::new(Role::User, vec![Part::text(text)])
}

/// The events of frames, with `group` frames in each push.
fn decoded(memo: &str, frames: &[Frame], group: usize) -> Vec<ChatEvent> {
    let ctx = Context { memo: memo.into(), ..context("a/b", &[]) };
    testing::decoded::<<Replicate as ProviderChat>::Decoder>(&ctx, frames, group)
}
