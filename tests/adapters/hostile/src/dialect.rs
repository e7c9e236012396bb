//! The dialect's side.

use weir_sdk::adapter::{DialectChat, Encoder, ParsedChat, Result};
use weir_sdk::types::{
    ChatEvent, ChatRequest, ChatResponse, Context, Encoded, Frame, HttpRequest, Message, Part, RenderedResponse, Role,
};

use crate::{Hostile, deeds, lies};

impl DialectChat for Hostile {
    type Encoder = HostileEncoder;

    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedChat> {
        let text = deeds::act(&ctx.model, "read");
        if deeds::asked(&ctx.model, "read") == Some("refuse") {
            return Err(deeds::refusal());
        }
        let stream = request.query.iter().any(|pair| pair.name == "stream");
        let request = ChatRequest {
            model: ctx.model.clone(),
            messages: vec![Message::new(Role::User, vec![Part::text(text)])],
            stream,
            extensions: if deeds::asked(&ctx.model, "read") == Some("lie") { lies::request() } else { Vec::new() },
            ..ChatRequest::default()
        };
        // The answer has the provider's model, so the memo keeps the requested deed.
        Ok(ParsedChat { request, losses: Vec::new(), memo: ctx.model.clone() })
    }

    fn render_response(ctx: &Context, _: ChatResponse) -> Result<RenderedResponse> {
        let text = deeds::act(&ctx.memo, "write");
        let mut answer = RenderedResponse::json(format!("{{\"text\":\"{text}\"}}"));
        deeds::dress(&ctx.memo, &mut answer);
        Ok(answer)
    }
}

/// The encoder: a frame for each event.
#[derive(Debug)]
pub struct HostileEncoder {
    deed: String,
    pushes: u32,
}

impl Encoder for HostileEncoder {
    fn new(ctx: Context) -> Self {
        deeds::act(&ctx.memo, "begin");
        Self { deed: ctx.memo, pushes: 0 }
    }

    fn push(&mut self, events: Vec<ChatEvent>) -> Result<Encoded> {
        self.pushes += 1;
        let text = if self.pushes > 1 { deeds::act(&self.deed, "encode") } else { String::new() };
        let frame = |data: String| Frame { event: None, data };
        let mut frames: Vec<Frame> = events.iter().map(|_| frame("{\"event\":1}".into())).collect();
        match deeds::asked(&self.deed, "encode") {
            Some("swarm") => frames.extend((0..2_000_000).map(|_| frame("{}".into()))),
            Some(_) => frames.push(frame(text)),
            None => {}
        }
        Ok(Encoded { frames, losses: Vec::new() })
    }

    fn finish(&mut self) -> Result<Encoded> {
        let data = deeds::act(&self.deed, "close");
        let frames =
            if deeds::asked(&self.deed, "close").is_some() { vec![Frame { event: None, data }] } else { Vec::new() };
        Ok(Encoded { frames, losses: Vec::new() })
    }
}
