//! The dialect's side.

use std::cell::Cell;

use serde_json::{Value, json};

use crate::bindings::dialect_chat::{Guest, GuestChatEncoder, ParsedChat};
use crate::bindings::types::{
    ChatEvent, ChatResponse, Context, Encoded, Frame, Header, HttpRequest, HttpResponse, PartKind, RenderedResponse,
};
use crate::{Elder, Result, parse, request_of, tally_of, word_of};

impl Guest for Elder {
    type ChatEncoder = Encoder;

    fn parse_request(_: Context, request: HttpRequest) -> Result<ParsedChat> {
        let request = request_of(&parse(&request.body)?)?;
        Ok(ParsedChat { request, losses: Vec::new(), memo: String::new() })
    }

    fn render_response(_: Context, response: ChatResponse) -> Result<RenderedResponse> {
        let body = json!({
            "name": response.id, "mind": response.model, "text": response.text, "why": word_of(response.finish),
            "count": response.usage.map(tally_of),
        });
        let header = Header { name: "content-type".into(), value: "application/json".into() };
        let response = HttpResponse { status: 200, headers: vec![header], body: body.to_string() };
        Ok(RenderedResponse { response, losses: Vec::new() })
    }
}

/// Writes a stream; thinking is left out.
#[derive(Debug)]
pub struct Encoder {
    thinking: Cell<Option<u32>>,
}

impl GuestChatEncoder for Encoder {
    fn new(_: Context) -> Self {
        Self { thinking: Cell::new(None) }
    }

    fn push(&self, events: Vec<ChatEvent>) -> Result<Encoded> {
        let frames = events.into_iter().filter_map(|event| self.write(event));
        let frames = frames.map(|line| Frame { event: None, data: line.to_string() }).collect();
        Ok(Encoded { frames, losses: Vec::new() })
    }

    fn finish(&self) -> Result<Encoded> {
        Ok(Encoded { frames: Vec::new(), losses: Vec::new() })
    }
}

impl Encoder {
    fn write(&self, event: ChatEvent) -> Option<Value> {
        Some(match event {
            ChatEvent::Start(start) => json!({"hail": {"name": start.id, "mind": start.model}}),
            ChatEvent::PartStart(start) => {
                if matches!(start.kind, PartKind::Reasoning) {
                    self.thinking.set(Some(start.part));
                }
                return None;
            }
            ChatEvent::Delta(delta) if self.thinking.get() == Some(delta.part) => return None,
            ChatEvent::Delta(delta) => json!({"piece": delta.text}),
            ChatEvent::PartStop(_) => return None,
            ChatEvent::Finish(reason) => json!({"why": word_of(reason)}),
            ChatEvent::Usage(usage) => json!({"count": tally_of(usage)}),
            ChatEvent::Failure(error) => json!({"fault": error.message}),
        })
    }
}
