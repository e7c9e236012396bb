//! The provider's side.

use std::cell::Cell;

use serde_json::Value;

use crate::bindings::provider_chat::{Guest, GuestChatDecoder};
use crate::bindings::types::{
    ChatEvent, ChatRequest, ChatResponse, Context, Decoded, Frame, Header, HttpRequest, HttpResponse, PartDelta,
    PartKind, PartStart, RenderedRequest, ResponseStart,
};
use crate::{Elder, Result, body_of, parse, reason_of, text, usage_of};

impl Guest for Elder {
    type ChatDecoder = Decoder;

    fn render_request(ctx: Context, mut request: ChatRequest) -> Result<RenderedRequest> {
        request.model = ctx.model;
        let header = Header { name: "content-type".into(), value: "application/json".into() };
        let request = HttpRequest {
            method: "POST".into(),
            path: "ask".into(),
            query: Vec::new(),
            headers: vec![header],
            body: body_of(&request).to_string(),
        };
        Ok(RenderedRequest { request, losses: Vec::new(), memo: String::new() })
    }

    fn parse_response(_: Context, response: HttpResponse) -> Result<ChatResponse> {
        let body = parse(&response.body)?;
        Ok(ChatResponse {
            id: text(&body["name"]),
            model: body["mind"].as_str().map(str::to_owned),
            text: text(&body["text"]),
            finish: reason_of(&body["why"]),
            usage: usage_of(&body["count"]),
        })
    }
}

/// Reads a stream.
#[derive(Debug)]
pub struct Decoder {
    began: Cell<bool>,
}

impl GuestChatDecoder for Decoder {
    fn new(_: Context) -> Self {
        Self { began: Cell::new(false) }
    }

    fn push(&self, frames: Vec<Frame>) -> Result<Decoded> {
        let mut events = Vec::new();
        for frame in frames {
            self.read(&parse(&frame.data)?, &mut events);
        }
        Ok(Decoded { events, losses: Vec::new() })
    }

    fn finish(&self) -> Result<Decoded> {
        Ok(Decoded { events: Vec::new(), losses: Vec::new() })
    }
}

impl Decoder {
    fn read(&self, line: &Value, events: &mut Vec<ChatEvent>) {
        if line["hail"].is_object() {
            let model = line["hail"]["mind"].as_str().map(str::to_owned);
            events.push(ChatEvent::Start(ResponseStart { id: text(&line["hail"]["name"]), model }));
        }
        if let Some(piece) = line["piece"].as_str() {
            if !self.began.replace(true) {
                events.push(ChatEvent::PartStart(PartStart { part: 0, kind: PartKind::Text }));
            }
            events.push(ChatEvent::Delta(PartDelta { part: 0, text: piece.to_owned() }));
        }
        if line["why"].is_string() {
            if self.began.get() {
                events.push(ChatEvent::PartStop(0));
            }
            events.push(ChatEvent::Finish(reason_of(&line["why"])));
        }
        events.extend(usage_of(&line["count"]).map(ChatEvent::Usage));
    }
}
