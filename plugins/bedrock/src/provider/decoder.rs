//! Parses a streamed answer.
//!
//! The most frequent frame is a delta of text: one pass over the frame, one string copied. Blocks of text and thinking
//! have no start event; their first delta shows their kind.

mod open;

use open::{Kind, Open};
use weir_sdk::adapter::{Decoder, Result};
use weir_sdk::json::{RawValue, Rest, Str, object, parse};
use weir_sdk::names::{IdRule, Names};
use weir_sdk::types::{
    CandidateFinish, ChatEvent, Context, Decoded, Error, Frame, Opaque, PartCitation, PartDelta, PartKind,
    PartSignature, PartStart, PartStop, ResponseStart,
};

use super::error;
use crate::model::Model;
use crate::wire::{self, Event};
use crate::{FORMAT, finish, read, signature, usage};

/// Most blocks that may be open at once; the service opens one at a time.
const OPEN_LIMIT: usize = 64;

/// Parses events of this format.
#[derive(Debug)]
pub struct ConverseDecoder {
    names: Names,
    issuer: &'static str,
    open: Vec<Open>,
    /// Number of the next part.
    next: u32,
    calls: bool,
    /// Whether a stop reason or an error has arrived: nothing is missing.
    ended: bool,
    failed: bool,
    events: Vec<ChatEvent>,
}

impl Decoder for ConverseDecoder {
    fn new(ctx: Context) -> Self {
        Self {
            names: Names::from_memo(IdRule::NAME, &ctx.memo),
            issuer: Model::of_target(&ctx, &ctx.model).issuer(),
            open: Vec::new(),
            next: 0,
            calls: false,
            ended: false,
            failed: false,
            events: Vec::new(),
        }
    }

    fn push(&mut self, frames: Vec<Frame>) -> Result<Decoded> {
        self.events.reserve(frames.len() + 1);
        for frame in &frames {
            if !self.failed {
                self.frame(frame)?;
            }
        }
        Ok(self.decoded())
    }

    /// Fails without a stop reason: the answer was cut off, even if its bytes ended in an orderly way (C-19).
    fn finish(&mut self) -> Result<Decoded> {
        self.close_all();
        if !self.ended {
            self.ended = true;
            self.events.push(ChatEvent::Failure(Error::unreadable("the answer ended before it was complete")));
        }
        Ok(self.decoded())
    }
}

impl ConverseDecoder {
    fn decoded(&mut self) -> Decoded {
        Decoded { events: std::mem::take(&mut self.events), losses: Vec::new() }
    }

    fn frame(&mut self, frame: &Frame) -> Result<()> {
        let name = frame.event.as_deref().unwrap_or_default();
        if name.ends_with("xception") || name.ends_with("Error") {
            self.fail(error::exception(name, &frame.data));
            return Ok(());
        }
        if frame.data.is_empty() {
            return Ok(());
        }
        let event: Event<'_> =
            parse(&frame.data).map_err(|error| Error::unreadable(format!("a frame cannot be read: {error}")))?;
        let index = event.index.map_or(0, |index| index.0);
        match if name.is_empty() { guess(&event) } else { name } {
            "contentBlockDelta" => self.delta(index, event.delta.unwrap_or_default())?,
            "contentBlockStart" => self.start(index, event.start.unwrap_or_default())?,
            "contentBlockStop" => self.stop(index),
            "messageStart" => self.begin(),
            "messageStop" => self.end(event),
            "metadata" => self.metadata(event),
            "" if event.message.is_some() => self.fail(error::exception("", &frame.data)),
            name => self.tell(name, frame.data.clone()),
        }
        Ok(())
    }

    fn begin(&mut self) {
        self.events.push(ChatEvent::Start(ResponseStart::default()));
    }

    fn start(&mut self, index: u32, start: wire::Start<'_>) -> Result<()> {
        self.stop(index);
        let part = self.next;
        let open = Open::begin(index, part, start, &self.names)?;
        let Some(open) = open else { return Ok(()) };
        let announced = match &open.kind {
            Kind::Call { start, .. } => {
                self.calls = true;
                Some(PartKind::ToolCall(start.clone()))
            }
            Kind::Answer { .. } => Some(PartKind::Text),
            _ => None,
        };
        self.push_open(open, announced)
    }

    fn push_open(&mut self, open: Open, announced: Option<PartKind>) -> Result<()> {
        if self.open.len() >= OPEN_LIMIT {
            return Err(Error::unreadable("too many blocks are open at once"));
        }
        let part = open.part;
        self.next += 1;
        self.open.push(open);
        self.events.extend(announced.map(|kind| ChatEvent::PartStart(PartStart { candidate: 0, part, kind })));
        Ok(())
    }

    /// The part for a delta, which starts now unless the block already has that kind.
    fn part(&mut self, index: u32, thought: bool) -> Result<u32> {
        let known = self.open.iter().rev().find(|open| open.index == index);
        if let Some(open) = known {
            match (&open.kind, thought) {
                (Kind::Text, false) | (Kind::Thinking, true) => return Ok(open.part),
                _ => self.stop(index),
            }
        }
        let (part, kind) = (self.next, if thought { Kind::Thinking } else { Kind::Text });
        let announced = if thought { PartKind::Reasoning } else { PartKind::Text };
        self.push_open(Open { index, part, kind }, Some(announced))?;
        Ok(part)
    }

    fn delta(&mut self, index: u32, mut delta: wire::Delta<'_>) -> Result<()> {
        if let Some(citation) = delta.citation.take() {
            let part = self.part(index, false)?;
            let citation = read::citation(citation);
            self.events.push(ChatEvent::Citation(PartCitation { candidate: 0, part, citation }));
        }
        if let Some(text) = delta.text.take().filter(|text| !text.is_empty()) {
            let part = self.part(index, false)?;
            self.events.push(ChatEvent::Delta(PartDelta { candidate: 0, part, text: text.into_string() }));
        } else if let Some(thought) = delta.reasoning.take() {
            self.thought(index, thought)?;
        } else if let Some(open) = self.open.iter_mut().rev().find(|open| open.index == index) {
            self.events.extend(open.more(delta));
        }
        Ok(())
    }

    fn thought(&mut self, index: u32, thought: wire::Thought<'_>) -> Result<()> {
        let part = self.part(index, true)?;
        if let Some(text) = thought.text.filter(|text| !text.is_empty()) {
            self.events.push(ChatEvent::Delta(PartDelta { candidate: 0, part, text: text.into_string() }));
        }
        for (value, redacted) in [(thought.signature, false), (thought.redacted, true)] {
            let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
            let unwrap = if redacted { signature::unwrap_bytes } else { signature::unwrap };
            let carried = unwrap(&value, self.issuer);
            let encrypted = redacted || carried.is_encrypted();
            let signature = carried.signature;
            self.events.push(ChatEvent::Signature(PartSignature { candidate: 0, part, signature, encrypted }));
        }
        Ok(())
    }

    fn stop(&mut self, index: u32) {
        let Some(at) = self.open.iter().rposition(|open| open.index == index) else { return };
        let open = self.open.remove(at);
        let part = open.part;
        self.events.extend(open.end());
        self.events.push(ChatEvent::PartStop(PartStop { candidate: 0, part, extensions: Vec::new() }));
    }

    fn close_all(&mut self) {
        while let Some(index) = self.open.first().map(|open| open.index) {
            self.stop(index);
        }
    }

    fn end(&mut self, event: Event<'_>) {
        self.close_all();
        let raw = event.stop_reason.map(Str::into_string).unwrap_or_default();
        let mut finish = finish::read(&raw, self.calls);
        if let Some(additional) = event.additional.filter(|raw| raw.get() != "null") {
            let fields = Rest::parse(additional.get()).ok();
            finish.stop_sequence = fields.and_then(|mut rest| rest.str("stop_sequence")).map(Str::into_string);
            let mut json = String::new();
            object(&mut json, |o| o.raw("additionalModelResponseFields", additional.get()));
            self.tell("messageStop", json);
        }
        self.ended = true;
        self.events.push(ChatEvent::Finish(CandidateFinish { candidate: 0, finish }));
    }

    fn metadata(&mut self, event: Event<'_>) {
        let mut usage = event.usage.map(usage::read);
        // The member stays among those of this format too, for its own clients.
        let tier = event.rest.get("serviceTier").and_then(|raw| parse::<wire::Tier<'_>>(raw.get()).ok());
        if let Some(kind) = tier.and_then(|tier| tier.kind) {
            usage.get_or_insert_default().service_tier = Some(kind.into_string());
        }
        self.events.extend(usage.map(ChatEvent::Usage));
        let known: Vec<&(Str<'_>, &RawValue)> = event.rest.0.iter().filter(|(_, raw)| raw.get() != "null").collect();
        if !known.is_empty() {
            let mut json = String::new();
            object(&mut json, |o| known.iter().for_each(|(key, raw)| o.raw(key, raw.get())));
            self.tell("metadata", json);
        }
    }

    fn fail(&mut self, error: Error) {
        self.ended = true;
        self.failed = true;
        self.open.clear();
        self.events.push(ChatEvent::Failure(error));
    }

    /// Passes on content that other formats have no place for.
    fn tell(&mut self, kind: &str, json: String) {
        self.events.push(ChatEvent::Opaque(Opaque { format: FORMAT.into(), kind: kind.to_owned(), json }));
    }
}

/// The type of an event that came without its name.
fn guess(event: &Event<'_>) -> &'static str {
    if event.delta.is_some() {
        "contentBlockDelta"
    } else if event.start.is_some() {
        "contentBlockStart"
    } else if event.role.is_some() {
        "messageStart"
    } else if event.stop_reason.is_some() {
        "messageStop"
    } else if event.usage.is_some() {
        "metadata"
    } else if event.index.is_some() {
        "contentBlockStop"
    } else {
        ""
    }
}
