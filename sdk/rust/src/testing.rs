//! Shared code for adapters' tests: reads and writes streams, replays recordings, compares the meaning of bodies,
//! checks manifests, and generates streams that every encoder must handle.
//!
//! Only tests contain this module: enable the feature `testing` in the crate's `dev-dependencies`, and the component
//! stays small.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::print_stdout,
    reason = "only tests use it: what does not hold fails them"
)]

pub mod errors;
pub mod events;
pub mod frames;
#[cfg(test)]
pub(crate) mod lines;
pub mod manifest;
pub mod meaning;
pub mod overlap;
pub mod recordings;

use serde_json::Value;

use crate::adapter::{ChatOutcome, Decoder, Encoder};
use crate::types::{
    Body, ChatEvent, ChatRequest, ChatResponse, Context, Frame, FunctionTool, HttpResponse, Loss, Message, Part,
    ReasoningRequest, Role, Tool,
};

/// A context for a model.
pub fn context(model: &str) -> Context {
    Context { request_id: "req1".into(), model: model.into(), ..Context::default() }
}

/// A short question with this effort of thinking and, if `has_tools`, a function that may be called.
pub fn request(effort: Option<&str>, has_tools: bool) -> ChatRequest {
    let tool = Tool::Function(FunctionTool::new("look"));
    let reasoning =
        effort.map(|effort| ReasoningRequest { effort: Some(effort.to_owned()), ..ReasoningRequest::default() });
    ChatRequest {
        messages: vec![Message::new(Role::User, vec![Part::text("Hi")])],
        tools: has_tools.then_some(tool).into_iter().collect(),
        reasoning,
        ..ChatRequest::default()
    }
}

/// An answer of a provider.
pub fn http_response(status: u16, body: impl Into<String>) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: Body::Text(body.into()) }
}

/// The JSON of a body.
pub fn json(body: &Body) -> Value {
    serde_json::from_str(body.as_text().unwrap()).unwrap()
}

/// The fields of these losses.
pub fn fields(losses: &[Loss]) -> Vec<String> {
    losses.iter().map(|loss| loss.field.clone()).collect()
}

/// The response of a complete outcome.
pub fn complete(outcome: ChatOutcome) -> ChatResponse {
    match outcome {
        ChatOutcome::Complete(answer) => answer.response,
        ChatOutcome::FollowUp(_) => panic!("one request is enough"),
    }
}

/// The events of a whole stream, with `group` frames in each push.
pub fn decoded<D: Decoder>(ctx: &Context, frames: &[Frame], group: usize) -> Vec<ChatEvent> {
    let mut decoder = D::new(ctx.clone());
    let mut events = Vec::new();
    for group in frames.chunks(group) {
        events.extend(decoder.push(group.to_vec()).unwrap().events);
    }
    events.extend(decoder.finish().unwrap().events);
    events
}

/// The frames of a whole stream, with `group` events in each push, and the fields of the losses.
pub fn encoded<E: Encoder>(ctx: &Context, events: &[ChatEvent], group: usize) -> (Vec<Frame>, Vec<String>) {
    let mut encoder = E::new(ctx.clone());
    let (mut frames, mut losses) = (Vec::new(), Vec::new());
    for group in events.chunks(group) {
        let some = encoder.push(group.to_vec()).unwrap();
        frames.extend(some.frames);
        losses.extend(some.losses);
    }
    let last = encoder.finish().unwrap();
    frames.extend(last.frames);
    losses.extend(last.losses);
    (frames, fields(&losses))
}
