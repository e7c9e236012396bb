//! The provider's side.

use weir_sdk::adapter::{ChatAnswer, ChatOutcome, Decoder, ProviderChat, ProviderErrors, Result};
use weir_sdk::types::{
    Candidate, CandidateFinish, ChatEvent, ChatRequest, ChatResponse, Context, Decoded, Error, ErrorKind, Finish,
    FinishReason, FollowUp, Frame, Framing, HttpRequest, HttpResponse, Part, PartDelta, PartStop, RenderedRequest,
};

use crate::{Hostile, deeds, lies};

impl ProviderErrors for Hostile {
    fn parse_error(ctx: &Context, _: HttpResponse) -> Error {
        Error::new(ErrorKind::InvalidRequest, deeds::act(&ctx.model, "error"))
    }
}

impl ProviderChat for Hostile {
    type Decoder = HostileDecoder;

    fn render_request(ctx: &Context, _: ChatRequest) -> Result<RenderedRequest> {
        Ok(RenderedRequest { framing: Some(Framing::Ndjson), ..RenderedRequest::new(deeds::sent(&ctx.model)) })
    }

    fn parse_response(ctx: &Context, _: HttpResponse) -> Result<ChatOutcome> {
        match deeds::asked(&ctx.model, "parse") {
            Some("except") => return Err(deeds::exception()),
            Some("follow") => return Ok(ChatOutcome::FollowUp(again("talk", None))),
            Some("follow-evil") => return Ok(ChatOutcome::FollowUp(again("talk", Some("http://evil.example")))),
            Some("swarm") => return Ok(complete((0..2_000_000).map(|_| candidate("x".to_owned())).collect())),
            Some("lie") => return Ok(ChatOutcome::Complete(lies::chat())),
            _ => {}
        }
        Ok(complete(vec![candidate(deeds::act(&ctx.model, "parse"))]))
    }
}

fn complete(candidates: Vec<Candidate>) -> ChatOutcome {
    let response = ChatResponse { candidates, ..ChatResponse::default() };
    ChatOutcome::Complete(ChatAnswer { response, losses: Vec::new() })
}

fn candidate(text: String) -> Candidate {
    Candidate {
        index: 0,
        parts: vec![Part::text(text)],
        finish: Some(Finish::new(FinishReason::Complete, "well")),
        logprobs: None,
        extensions: Vec::new(),
    }
}

/// A follow-up that leads to another one, forever.
fn again(path: &str, origin: Option<&str>) -> FollowUp {
    FollowUp {
        request: HttpRequest::get(path),
        origin: origin.map(str::to_owned),
        after_ms: 0,
        on_cancel: None,
        stream: false,
        memo: String::new(),
    }
}

/// The decoder: each frame is a piece of text.
#[derive(Debug)]
pub struct HostileDecoder {
    model: String,
    frames: u32,
}

impl Decoder for HostileDecoder {
    fn new(ctx: Context) -> Self {
        deeds::act(&ctx.model, "open");
        Self { model: ctx.model, frames: 0 }
    }

    fn push(&mut self, frames: Vec<Frame>) -> Result<Decoded> {
        let mut events = Vec::new();
        for frame in frames {
            self.frames += 1;
            let delta = |text| ChatEvent::Delta(PartDelta { candidate: 0, part: 0, text });
            // The deed comes after a good frame, so that the answer has begun.
            if self.frames > 1 {
                let text = deeds::act(&self.model, "decode");
                match deeds::asked(&self.model, "decode") {
                    Some("except") => return Err(deeds::exception()),
                    Some("nonsense") => events.append(&mut nonsense()),
                    Some("lie") => events.append(&mut lies::events()),
                    Some("swarm") => events.extend((0..2_000_000).map(|_| delta("x".to_owned()))),
                    Some(_) => events.push(delta(text)),
                    None => {}
                }
            }
            events.push(delta(frame.data));
        }
        Ok(Decoded { events, losses: Vec::new() })
    }

    fn finish(&mut self) -> Result<Decoded> {
        let text = deeds::act(&self.model, "end");
        if deeds::asked(&self.model, "end") == Some("except") {
            return Err(deeds::exception());
        }
        let said = ChatEvent::Delta(PartDelta { candidate: 0, part: 0, text });
        let events = if deeds::asked(&self.model, "end").is_some() { vec![said] } else { Vec::new() };
        Ok(Decoded { events, losses: Vec::new() })
    }
}

/// A sequence of events that breaks the contract.
fn nonsense() -> Vec<ChatEvent> {
    let finish = Finish::new(FinishReason::Complete, "x");
    let stop = |part| ChatEvent::PartStop(PartStop { candidate: 9, part, extensions: Vec::new() });
    vec![
        stop(7),
        stop(7),
        ChatEvent::Finish(CandidateFinish { candidate: 0, finish: finish.clone() }),
        ChatEvent::Finish(CandidateFinish { candidate: 0, finish }),
        ChatEvent::Delta(PartDelta { candidate: 4_000_000_000, part: 4_000_000_000, text: "late".into() }),
    ]
}
