//! Parses a streamed answer.
//!
//! Each frame is an answer with the next pieces of each candidate. The format does not number parts: adjacent texts are
//! one part until another kind arrives, or a signature ends it. Some models send a finish reason with every frame, so
//! it counts only at the end of the stream.

mod candidate;
mod partial;

use candidate::Stream;
use weir_sdk::adapter::{Decoder, Result};
use weir_sdk::json::{RawValue, Str, object, parse};
use weir_sdk::types::{
    CandidateFinish, ChatEvent, Context, Decoded, Error, Extension, Finish, Frame, Opaque, ResponseStart,
};

use super::error;
use super::response::FEEDBACK;
use crate::wire::{self, extensions, own};
use crate::{FORMAT, finish, grounding, usage};
use weir_sdk::names::Names;

/// Most candidates of one answer.
const CANDIDATES: usize = 64;

/// Parses frames of this format.
#[derive(Debug)]
pub struct GenerateDecoder {
    request_id: String,
    names: Names,
    /// The answer's id, after its start.
    begun: Option<String>,
    candidates: Vec<Stream>,
    /// The service tier that the start named.
    tier: Option<String>,
    /// The finish of an answer to a refused prompt.
    refused: Option<Finish>,
    failed: bool,
    /// The searches of the frame that has most of them.
    searches: u32,
    /// The answer's members that were reported.
    reported: Vec<Extension>,
    events: Vec<ChatEvent>,
}

impl Decoder for GenerateDecoder {
    fn new(ctx: Context) -> Self {
        Self {
            names: crate::names::names().with_memo(&ctx.memo),
            request_id: ctx.request_id,
            begun: None,
            candidates: Vec::new(),
            tier: None,
            refused: None,
            failed: false,
            searches: 0,
            reported: Vec::new(),
            events: Vec::new(),
        }
    }

    fn push(&mut self, frames: Vec<Frame>) -> Result<Decoded> {
        self.events.reserve(frames.len() * 2 + 1);
        for frame in &frames {
            if !self.failed {
                self.frame(&frame.data)?;
            }
        }
        Ok(self.decoded())
    }

    /// Fails without a finish reason: the answer was cut off, even if its bytes ended in an orderly way (C-19).
    fn finish(&mut self) -> Result<Decoded> {
        if std::mem::replace(&mut self.failed, true) {
            return Ok(self.decoded());
        }
        let finishes = self.candidates.iter().any(Stream::is_finished);
        for stream in &mut self.candidates {
            stream.end(&self.names, &mut self.events);
        }
        match self.refused.take() {
            Some(finish) if !finishes => {
                self.events.push(ChatEvent::Finish(CandidateFinish { candidate: 0, finish }));
            }
            None if !finishes => {
                self.events.push(ChatEvent::Failure(error::cut_off()));
            }
            _ => {}
        }
        Ok(self.decoded())
    }
}

impl GenerateDecoder {
    fn decoded(&mut self) -> Decoded {
        Decoded { events: std::mem::take(&mut self.events), losses: Vec::new() }
    }

    fn frame(&mut self, data: &str) -> Result<()> {
        if data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        if let Some(error) = error::in_list(data) {
            self.fail(error);
            return Ok(());
        }
        let answer: wire::Answer<'_> =
            parse(data).map_err(|error| Error::unreadable(format!("a frame cannot be read: {error}")))?;
        if let Some(raw) = answer.error {
            self.fail(error::object(raw, None));
            return Ok(());
        }
        let (usage, tier) = answer.usage.map(usage::read).map_or((None, None), |(usage, tier)| (Some(usage), tier));
        let candidates = answer.candidates.unwrap_or_default();
        let mut usage = usage.map(|usage| grounding::counted(usage, &candidates, &mut self.searches));
        if let Some(usage) = usage.as_mut().filter(|usage| self.begun.is_some() && usage.service_tier.is_none()) {
            // The start is gone, so a tier that it did not name goes with the usage.
            usage.service_tier = tier.clone().filter(|_| tier != self.tier);
        }
        let mut members = extensions("", answer.rest);
        members.extend(answer.feedback.map(|raw| own(FEEDBACK, raw.get())));
        self.begin(answer.id, answer.model, tier, members);
        self.feedback(answer.feedback);
        // Before the text, so that a dialect that starts with the input's count knows it (C-59).
        self.events.extend(usage.map(ChatEvent::Usage));
        for (at, wire) in candidates.into_iter().enumerate() {
            let index = wire.index.map_or(at as u32, |index| index.0);
            if let Some(at) = self.candidate(index) {
                self.candidates[at].take(wire, &self.names, &mut self.events)?;
            }
        }
        Ok(())
    }

    fn fail(&mut self, error: Error) {
        self.failed = true;
        self.events.push(ChatEvent::Failure(error));
    }

    /// The first frame starts the answer; members of later frames are reported as they arrive.
    fn begin(&mut self, id: Option<Str<'_>>, model: Option<Str<'_>>, tier: Option<String>, members: Vec<Extension>) {
        if self.begun.is_none() {
            let id = id.map(Str::into_string).unwrap_or_default();
            self.begun = Some(if id.is_empty() { self.request_id.clone() } else { id.clone() });
            self.reported.clone_from(&members);
            self.tier.clone_from(&tier);
            return self.events.push(ChatEvent::Start(ResponseStart {
                id,
                model: model.map(Str::into_string),
                created_ms: None,
                service_tier: tier,
                extensions: members,
            }));
        }
        for member in members {
            if tell(&mut self.reported, &member) {
                self.events.push(ChatEvent::Opaque(reported(None, member)));
            }
        }
    }

    fn feedback(&mut self, raw: Option<&RawValue>) {
        if let Some(finish) = raw.and_then(finish::blocked) {
            self.refused = Some(finish);
        }
    }

    /// The position of a candidate among those that have started.
    fn candidate(&mut self, index: u32) -> Option<usize> {
        let known = self.candidates.iter().position(|stream| stream.index == index);
        if known.is_some() || self.candidates.len() >= CANDIDATES {
            return known;
        }
        self.candidates.push(Stream::new(index, self.begun.as_deref().unwrap_or_default()));
        Some(self.candidates.len() - 1)
    }
}

/// Whether a member's value is new; it counts as reported from now on.
fn tell(reported: &mut Vec<Extension>, member: &Extension) -> bool {
    if matches!(member.json.as_str(), "{}" | "[]" | "null") {
        return false;
    }
    match reported.iter_mut().find(|known| known.key == member.key) {
        Some(known) if known.json == member.json => false,
        Some(known) => {
            known.json.clone_from(&member.json);
            true
        }
        None => {
            reported.push(member.clone());
            true
        }
    }
}

/// A member of the answer, or of a candidate, as an event of this format: an object with the member, and the
/// candidate's index.
fn reported(candidate: Option<u32>, member: Extension) -> Opaque {
    let mut json = String::with_capacity(member.json.len() + 32);
    object(&mut json, |o| {
        o.opt_num("index", candidate);
        o.raw(&member.key, &member.json);
    });
    Opaque { format: FORMAT.into(), kind: member.key, json }
}
