//! The adapter as a whole: cases, and every recording of the service.

mod cases;
mod corpus;

use serde_json::Value;
use weir_sdk::adapter::{ChatOutcome, Decoder, ProviderChat, Result};
use weir_sdk::types::{
    Body, ChatEvent, ChatRequest, Context, Frame, HttpResponse, Loss, Message, Part, RenderedRequest, Role, Setting,
};

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
    serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap()
}

fn fields(losses: &[Loss]) -> Vec<&str> {
    losses.iter().map(|loss| loss.field.as_str()).collect()
}

fn http(status: u16, text: &str) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: Body::Text(text.into()) }
}

/// Reads an answer in the phase that the memo says.
fn outcome(memo: &str, text: &str) -> Result<ChatOutcome> {
    let ctx = Context { memo: memo.into(), ..context("a/b", &[]) };
    <Replicate as ProviderChat>::parse_response(&ctx, http(201, text))
}

fn user(text: &str) -> Message {
    Message::new(Role::User, vec![Part::text(text)])
}

/// Cuts recorded bytes into frames.
fn frames(text: &str) -> Vec<Frame> {
    let text = text.replace("\r\n", "\n");
    let field = |block: &str, name: &str| {
        let lines = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let lines: Vec<&str> = lines.map(|value| value.strip_prefix(' ').unwrap_or(value)).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    };
    let frame = |block| Some(Frame { event: field(block, "event"), data: field(block, "data")? });
    text.split("\n\n").filter_map(frame).collect()
}

/// The events of frames that are handed over in groups of this size.
fn decoded(memo: &str, frames: &[Frame], group: usize) -> Vec<ChatEvent> {
    let ctx = Context { memo: memo.into(), ..context("a/b", &[]) };
    let mut decoder = <Replicate as ProviderChat>::Decoder::new(ctx);
    let mut events = Vec::new();
    for group in frames.chunks(group) {
        events.extend(decoder.push(group.to_vec()).unwrap().events);
    }
    events.extend(decoder.finish().unwrap().events);
    events
}
