//! Parses a streamed answer.
//!
//! The most frequent frame is a delta of text: one pass over the frame, one string copied. Blocks of types that other
//! formats have no place for are collected and passed on when they are complete.

mod open;
mod quick;

use open::{Kind, Open};
use weir_sdk::adapter::{Decoder, Result};
use weir_sdk::json::{Either, RawValue, Rest, Str, object, parse};
use weir_sdk::losses::extensions;
use weir_sdk::types::{
    CandidateFinish, ChatEvent, Context, Decoded, Error, FinishReason, Frame, Opaque, PartCitation, PartDelta,
    PartKind, PartSignature, PartStart, PartStop, ResponseStart,
};

use super::error;
use crate::wire::{self, Block};
use crate::{FORMAT, finish, read, signature, usage};
use weir_sdk::names::Names;

/// Most blocks that may be open at once; the service opens one at a time.
const OPEN_LIMIT: usize = 64;

/// Parses frames of this format.
#[derive(Debug)]
pub struct MessagesDecoder {
    names: Names,
    open: Vec<Open>,
    /// Number of the next part.
    next: u32,
    calls: bool,
    /// The stop reason from the message's beginning, and its stop sequence: reported at the end, unless that has one.
    early: Option<(String, Option<String>)>,
    /// Whether a stop reason, the end, or an error has arrived: nothing is missing.
    ended: bool,
    events: Vec<ChatEvent>,
    usage: usage::Reports,
}

impl Decoder for MessagesDecoder {
    fn new(ctx: Context) -> Self {
        let names = crate::names::names().with_memo(&ctx.memo);
        let (open, events, usage) = (Vec::new(), Vec::new(), usage::Reports::default());
        Self { names, open, next: 0, calls: false, early: None, ended: false, events, usage }
    }

    fn push(&mut self, frames: Vec<Frame>) -> Result<Decoded> {
        self.events.reserve(frames.len() + 1);
        for frame in &frames {
            self.frame(&frame.data)?;
        }
        Ok(Decoded { events: std::mem::take(&mut self.events), losses: Vec::new() })
    }

    /// Fails without a stop reason: the answer was cut off, even if its bytes ended in an orderly way (C-19).
    fn finish(&mut self) -> Result<Decoded> {
        self.end_early();
        if !self.ended {
            self.ended = true;
            self.events.push(ChatEvent::Failure(Error::unreadable("the answer ended before it was complete")));
        }
        Ok(Decoded { events: std::mem::take(&mut self.events), losses: Vec::new() })
    }
}

impl MessagesDecoder {
    fn frame(&mut self, data: &str) -> Result<()> {
        if data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        if self.quick(data) {
            return Ok(());
        }
        let event: wire::Event<'_> = read_frame(data)?;
        let index = event.index.map_or(0, |index| index.0);
        match event.kind.as_deref().unwrap_or_default() {
            "content_block_delta" => self.delta(index, event.delta.unwrap_or_default()),
            "content_block_start" => self.start(index, event.content_block)?,
            "content_block_stop" => self.stop(index),
            "message_start" => self.begin(event.message)?,
            "message_delta" => self.end(event)?,
            "error" => self.fail(event.error),
            "message_stop" => {
                self.end_early();
                self.ended = true;
            }
            "ping" => {}
            _ => self.unknown(data, event.kind.as_deref().unwrap_or_default()),
        }
        Ok(())
    }

    /// Reads a frame that only brings text of an open block. Returns whether it was one.
    fn quick(&mut self, data: &str) -> bool {
        let Some((index, text)) = quick::text_delta(data) else { return false };
        let Some(open) = self.open.iter().rev().find(|open| open.index == index) else { return false };
        if matches!(open.kind, Kind::Opaque(_)) {
            return false;
        }
        if !text.is_empty() {
            self.events.push(ChatEvent::Delta(PartDelta { candidate: 0, part: open.part, text: text.to_owned() }));
        }
        true
    }

    fn begin(&mut self, message: Option<&RawValue>) -> Result<()> {
        let raw = message.ok_or_else(|| Error::unreadable("the first frame brings no message"))?;
        let message: wire::Answer<'_> = read_frame(raw.get())?;
        let (known, tier) = message.usage.map_or((None, None), |wire| {
            let (known, tier) = self.usage.read(wire);
            (Some(known), tier)
        });
        self.events.push(ChatEvent::Start(ResponseStart {
            id: message.id.map(Str::into_string).unwrap_or_default(),
            model: message.model.map(Str::into_string),
            created_ms: None,
            service_tier: tier,
            extensions: extensions(FORMAT, message.rest),
        }));
        self.events.extend(known.map(ChatEvent::Usage));
        self.early = message.stop_reason.map(|raw| (raw.into_string(), message.stop_sequence.map(Str::into_string)));
        self.content(message.content.unwrap_or_default())
    }

    /// Parses the content in the message's beginning, such as calls by code that runs at the provider: whole blocks.
    fn content(&mut self, content: Either<'_, Block<'_>>) -> Result<()> {
        let blocks = match content {
            Either::List(blocks) => blocks,
            Either::Text(text) if text.is_empty() => return Ok(()),
            Either::Text(text) => vec![Block { kind: Some(Str("text".into())), text: Some(text), ..Block::default() }],
        };
        for block in blocks {
            let json = block.to_json();
            self.start(0, Some(read_frame(&json)?))?;
            self.stop(0);
        }
        Ok(())
    }

    /// Reports the reason from the beginning, if no other arrived.
    fn end_early(&mut self) {
        if let Some((raw, sequence)) = self.early.take() {
            self.ended = true;
            let finish = finish::read(&raw, sequence, self.calls);
            self.events.push(ChatEvent::Finish(CandidateFinish { candidate: 0, finish }));
        }
    }

    fn start(&mut self, index: u32, block: Option<&RawValue>) -> Result<()> {
        let raw = block.ok_or_else(|| Error::unreadable("a block begins without its content"))?;
        let block: Block<'_> = read_frame(raw.get())?;
        if self.open.len() >= OPEN_LIMIT {
            return Err(Error::unreadable("too many blocks are open at once"));
        }
        let part = self.next;
        self.events.extend(next_model(&block));
        let (mut open, kind) = open::begin(index, part, block, raw, &self.names)?;
        self.next += 1;
        self.calls |= matches!(open.kind, Kind::Call { answer: false, .. });
        if let Some(members) = open.members_in_front() {
            self.events.push(ChatEvent::Opaque(members));
        }
        if let Some(kind) = kind {
            self.events.push(ChatEvent::PartStart(PartStart { candidate: 0, part, kind }));
        }
        self.events.extend(open.take_first());
        self.open.push(open);
        Ok(())
    }

    fn delta(&mut self, index: u32, delta: wire::Delta<'_>) {
        let Some(open) = self.open.iter_mut().rev().find(|open| open.index == index) else {
            return self.stray(index, delta);
        };
        let part = open.part;
        let text = match (&mut open.kind, delta.kind.as_deref().unwrap_or_default()) {
            (Kind::Opaque(whole), _) => return whole.add(delta),
            (_, "text_delta") => delta.text,
            (_, "thinking_delta") => delta.thinking,
            (Kind::Call { has_input, .. }, "input_json_delta") => {
                *has_input |= delta.partial_json.as_ref().is_some_and(|piece| !piece.is_empty());
                delta.partial_json
            }
            (_, "signature_delta") => {
                self.events.extend(delta.signature.and_then(|value| signed(part, &value)));
                return;
            }
            (_, "citations_delta") => {
                let citation = delta.citation.map(read::citation);
                let event = |citation| ChatEvent::Citation(PartCitation { candidate: 0, part, citation });
                self.events.extend(citation.map(event));
                return;
            }
            _ => return,
        };
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.events.push(ChatEvent::Delta(PartDelta { candidate: 0, part, text: text.into_string() }));
        }
    }

    /// Parses a delta of a block that never started: some servers omit the start (C-06).
    fn stray(&mut self, index: u32, delta: wire::Delta<'_>) {
        let kind = match delta.kind.as_deref() {
            Some("text_delta") => PartKind::Text,
            Some("thinking_delta") => PartKind::Reasoning,
            _ => return,
        };
        if self.open.len() < OPEN_LIMIT {
            self.open.push(Open::bare(index, self.next, &kind));
            self.events.push(ChatEvent::PartStart(PartStart { candidate: 0, part: self.next, kind }));
            self.next += 1;
            self.delta(index, delta);
        }
    }

    fn stop(&mut self, index: u32) {
        let Some(at) = self.open.iter().rposition(|open| open.index == index) else { return };
        let open = self.open.remove(at);
        let part = open.part;
        let (last, extensions) = open.end();
        self.events.extend(last);
        self.events.push(ChatEvent::PartStop(PartStop { candidate: 0, part, extensions }));
    }

    fn end(&mut self, event: wire::Event<'_>) -> Result<()> {
        let delta = event.delta.unwrap_or_default();
        if let Some(raw) = event.usage {
            let read: wire::Usage<'_> = read_frame(raw.get())?;
            self.events.push(ChatEvent::Usage(self.usage.read(read).0));
        }
        if let Some(members) = members(&delta.rest, &event.rest) {
            let opaque = Opaque { format: FORMAT.into(), kind: "message_delta".into(), json: members };
            self.events.push(ChatEvent::Opaque(opaque));
        }
        if let Some(raw) = delta.stop_reason {
            self.ended = true;
            self.early = None;
            let finish = finish::read(&raw, delta.stop_sequence.map(Str::into_string), self.calls);
            if finish.reason == FinishReason::Refusal {
                self.explain(&delta.rest);
            }
            self.events.push(ChatEvent::Finish(CandidateFinish { candidate: 0, finish }));
        }
        Ok(())
    }

    /// Reports why the model declined, behind the members that say so in this format.
    fn explain(&mut self, members: &Rest<'_>) {
        let Some(text) = members.get(finish::DETAILS).and_then(|raw| finish::explanation(raw.get())) else { return };
        let (candidate, part) = (0, self.next);
        self.next += 1;
        self.events.extend([
            ChatEvent::PartStart(PartStart { candidate, part, kind: PartKind::Refusal }),
            ChatEvent::Delta(PartDelta { candidate, part, text }),
            ChatEvent::PartStop(PartStop { candidate, part, extensions: Vec::new() }),
        ]);
    }

    fn fail(&mut self, raw: Option<&RawValue>) {
        self.ended = true;
        let error = raw.map_or_else(|| Error::unreadable("the provider failed"), |raw| error::object(raw, None));
        self.events.push(ChatEvent::Failure(error));
    }

    fn unknown(&mut self, data: &str, kind: &str) {
        let opaque = Opaque { format: FORMAT.into(), kind: kind.to_owned(), json: data.to_owned() };
        self.events.push(ChatEvent::Opaque(opaque));
    }
}

fn read_frame<'a, T: weir_sdk::serde::Deserialize<'a>>(json: &'a str) -> Result<T> {
    parse(json).map_err(|error| Error::unreadable(format!("a frame cannot be read: {error}")))
}

/// The beginning of what another model goes on with, which a block announces: the answer names that model from then on.
fn next_model(block: &Block<'_>) -> Option<ChatEvent> {
    let next = block.rest.get("to").filter(|_| block.kind() == "fallback")?;
    let model = Rest::parse(next.get()).ok()?.str("model")?.into_string();
    let (id, extensions) = (String::new(), Vec::new());
    Some(ChatEvent::Start(ResponseStart { id, model: Some(model), created_ms: None, service_tier: None, extensions }))
}

fn signed(part: u32, value: &str) -> Option<ChatEvent> {
    if value.is_empty() {
        return None;
    }
    let carried = signature::unwrap(value);
    let encrypted = carried.is_encrypted();
    Some(ChatEvent::Signature(PartSignature { candidate: 0, part, signature: carried.signature, encrypted }))
}

/// The further members of `message_delta`, besides reason and usage: those of the delta, and of the event.
fn members(delta: &Rest<'_>, event: &Rest<'_>) -> Option<String> {
    let known = |rest: &Rest<'_>| rest.0.iter().any(|(_, raw)| raw.get() != "null");
    if !known(delta) && !known(event) {
        return None;
    }
    let mut json = String::new();
    object(&mut json, |o| {
        o.object("delta", |o| delta.0.iter().for_each(|(key, raw)| o.raw(key, raw.get())));
        event.0.iter().for_each(|(key, raw)| o.raw(key, raw.get()));
    });
    Some(json)
}
