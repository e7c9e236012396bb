//! The adapter as a whole: cases of the conformance list, and every recording of the service.

mod cases;
mod corpus;
mod story;

use serde_json::Value;
use weir_sdk::adapter::{ChatOutcome, Decoder, ProviderChat, Result};
use weir_sdk::types::{
    Body, ChatEvent, ChatRequest, ChatResponse, Context, Frame, HttpResponse, Loss, RenderedRequest, Setting,
};

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
    serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap()
}

fn fields(losses: &[Loss]) -> Vec<&str> {
    losses.iter().map(|loss| loss.field.as_str()).collect()
}

fn http(status: u16, text: &str) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: Body::Text(text.into()) }
}

/// Reads a whole answer.
fn answered(ctx: &Context, text: &str) -> Result<ChatResponse> {
    match <Vertex as ProviderChat>::parse_response(ctx, http(200, text))? {
        ChatOutcome::Complete(answer) => Ok(answer.response),
        ChatOutcome::FollowUp(_) => panic!("one request is enough"),
    }
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
fn decoded(ctx: &Context, frames: &[Frame], group: usize) -> Vec<ChatEvent> {
    let mut decoder = <Vertex as ProviderChat>::Decoder::new(ctx.clone());
    let mut events = Vec::new();
    for group in frames.chunks(group) {
        events.extend(decoder.push(group.to_vec()).unwrap().events);
    }
    events.extend(decoder.finish().unwrap().events);
    events
}
