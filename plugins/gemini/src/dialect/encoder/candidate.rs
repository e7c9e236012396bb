//! A candidate of a streamed answer that is being rendered.

use std::collections::VecDeque;

use weir_sdk::compat::logprobs::joined;
use weir_sdk::json::Object;
use weir_sdk::losses::Losses;
use weir_sdk::types::{
    ChatEvent, Citation, Extension, Finish, Part, PartArgument, PartCitation, PartKind, PartSignature, PartStart,
    PartStop, ReasoningPart, Signature, TextPart, ToolCall, ToolStart,
};

use super::super::response::{word, write_logprobs, write_part};
use super::partial;
use crate::FORMAT;
use crate::grounding::{Sources, Spot};
use crate::provider::response::GROUNDING;
use crate::write::{self, PartPath};

/// The state of a candidate.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) index: u32,
    /// Members for the next frame.
    pub(super) members: Vec<Extension>,
    /// Parts for the next frame, without brackets.
    parts: String,
    /// Text after them that may grow, and whether it is thinking.
    text: Option<(bool, String)>,
    /// Bytes of the answer's text so far, over which the offsets of citations run.
    said: usize,
    begun: bool,
    open: Vec<(u32, Open)>,
    /// Calls in the order of their starts.
    calls: VecDeque<Call>,
    /// Log probabilities for the next frame.
    logprobs: Vec<String>,
    sources: Sources,
    grounded: bool,
    refusal: bool,
    finish: Option<Finish>,
}

/// An open text.
#[derive(Debug)]
struct Open {
    thought: bool,
    /// The text so far, for the ranges of citations.
    text: String,
    /// Bytes of the answer's text before it.
    before: usize,
    /// Citations of the whole text, which come before it.
    whole: Vec<Citation>,
    signature: Option<Signature>,
    encrypted: Option<Signature>,
}

impl Open {
    fn spot(&self) -> Spot {
        Spot { part: 0, before: self.before }
    }
}

/// A call that is being collected.
#[derive(Debug)]
struct Call {
    part: u32,
    so_far: ToolCall,
    /// The pieces of its arguments, if the provider sent them so.
    pieces: Vec<PartArgument>,
    done: bool,
}

/// The candidate that an event belongs to.
pub(super) fn index(event: &ChatEvent) -> Option<u32> {
    match event {
        ChatEvent::PartStart(event) => Some(event.candidate),
        ChatEvent::Delta(event) => Some(event.candidate),
        ChatEvent::Argument(event) => Some(event.candidate),
        ChatEvent::Signature(event) => Some(event.candidate),
        ChatEvent::Citation(event) => Some(event.candidate),
        ChatEvent::PartStop(event) => Some(event.candidate),
        ChatEvent::Logprobs(event) => Some(event.candidate),
        ChatEvent::Finish(event) => Some(event.candidate),
        _ => None,
    }
}

impl Written {
    pub(super) fn new(index: u32) -> Self {
        Self {
            index,
            members: Vec::new(),
            parts: String::new(),
            text: None,
            said: 0,
            begun: false,
            open: Vec::new(),
            calls: VecDeque::new(),
            logprobs: Vec::new(),
            sources: Sources::default(),
            grounded: false,
            refusal: false,
            finish: None,
        }
    }

    /// Whether there is content for a frame.
    pub(super) fn brings(&self) -> bool {
        !self.parts.is_empty() || self.text.is_some()
    }

    /// Whether a frame had content before.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Bytes of buffered arguments.
    pub(super) fn held(&self) -> usize {
        let pieces = |call: &Call| call.pieces.iter().map(|piece| piece.json.len()).sum::<usize>();
        self.calls.iter().map(|call| call.so_far.arguments.len() + pieces(call)).sum()
    }

    pub(super) fn event(&mut self, event: ChatEvent, losses: &mut Losses) {
        match event {
            ChatEvent::PartStart(start) => self.begin(start, losses),
            ChatEvent::Delta(delta) => self.delta(delta.part, &delta.text),
            ChatEvent::Argument(piece) => {
                self.delta(piece.part, &piece.text);
                if let Some(call) = self.calls.iter_mut().find(|call| call.part == piece.part) {
                    call.pieces.push(piece);
                }
            }
            ChatEvent::Signature(signature) => self.sign(signature),
            ChatEvent::Citation(event) => self.cite(event),
            ChatEvent::PartStop(stop) => self.stop(stop, losses),
            ChatEvent::Logprobs(event) => self.logprobs.push(event.json),
            ChatEvent::Finish(event) => self.finish = Some(event.finish),
            _ => {}
        }
    }

    fn begin(&mut self, start: PartStart, losses: &mut Losses) {
        let part = start.part;
        let place = PartPath { message: None, part: part as usize };
        match start.kind {
            PartKind::Text => self.open(part, false),
            PartKind::Refusal => {
                self.refusal = true;
                self.open(part, false);
            }
            PartKind::Reasoning => self.open(part, true),
            PartKind::ToolCall(ToolStart { id, name, kind, signature }) => {
                let so_far = ToolCall { kind, signature, ..ToolCall::new(id, name, "") };
                self.calls.push_back(Call { part, so_far, pieces: Vec::new(), done: false });
            }
            PartKind::Opaque(opaque) => self.write_part(&Part::Opaque(opaque), place, losses),
            PartKind::Media(media) => self.write_part(&Part::Media(media), place, losses),
        }
    }

    fn open(&mut self, part: u32, thought: bool) {
        let (text, whole) = (String::new(), Vec::new());
        self.open.push((part, Open { thought, text, before: self.said, whole, signature: None, encrypted: None }));
    }

    fn cite(&mut self, event: PartCitation) {
        match self.open.iter_mut().find(|(part, _)| *part == event.part) {
            Some((_, open)) if event.citation.awaits_text(FORMAT) => open.whole.push(event.citation),
            Some((_, open)) => self.sources.add(open.spot(), &open.text, &event.citation),
            None => self.sources.add(Spot::default(), "", &event.citation),
        }
    }

    fn write_part(&mut self, part: &Part, place: PartPath, losses: &mut Losses) {
        self.write_text();
        write_part(&mut self.parts, part, place, losses);
    }

    fn write_text(&mut self) {
        if let Some((thought, text)) = self.text.take() {
            write::item(&mut self.parts, |o| write::text(o, &text, thought, None));
        }
    }

    /// Adds text. Adjacent texts of one frame become one part: many clients read the first only.
    fn say(&mut self, thought: bool, text: &str) {
        match &mut self.text {
            Some((same, known)) if *same == thought => known.push_str(text),
            _ if text.is_empty() => {}
            _ => {
                self.write_text();
                self.text = Some((thought, text.to_owned()));
            }
        }
    }

    fn delta(&mut self, part: u32, text: &str) {
        if let Some((_, open)) = self.open.iter_mut().find(|(known, _)| *known == part) {
            if !open.thought {
                open.text.push_str(text);
                self.said += text.len();
            }
            let thought = open.thought;
            self.say(thought, text);
        } else if let Some(call) = self.calls.iter_mut().find(|call| call.part == part) {
            call.so_far.arguments.push_str(text);
        }
    }

    /// Adds a signature, which comes last in its part, so it is kept until the part's end (C-30).
    fn sign(&mut self, event: PartSignature) {
        if let Some((_, open)) = self.open.iter_mut().find(|(part, _)| *part == event.part) {
            let place = if event.encrypted { &mut open.encrypted } else { &mut open.signature };
            match place {
                // Some providers send a signature in pieces.
                Some(known) if known.issuer == event.signature.issuer => known.value.push_str(&event.signature.value),
                _ => *place = Some(event.signature),
            }
        } else if let Some(call) = self.calls.iter_mut().find(|call| call.part == event.part) {
            call.so_far.signature = Some(event.signature);
        }
    }

    fn stop(&mut self, stop: PartStop, losses: &mut Losses) {
        if let Some(at) = self.open.iter().position(|(part, _)| *part == stop.part) {
            let (part, open) = self.open.remove(at);
            open.whole.iter().for_each(|citation| self.sources.add(open.spot(), &open.text, citation));
            let place = PartPath { message: None, part: part as usize };
            return self.seal(open, stop.extensions, place, losses);
        }
        if let Some(call) = self.calls.iter_mut().find(|call| call.part == stop.part) {
            call.done = true;
            call.so_far.extensions = stop.extensions;
        }
        self.release(losses);
    }

    /// Writes the end of a text: its signature, its members.
    fn seal(&mut self, open: Open, extensions: Vec<Extension>, place: PartPath, losses: &mut Losses) {
        let has_own = extensions.iter().any(|own| own.format == FORMAT && own.json != "null");
        if open.signature.is_none() && open.encrypted.is_none() && !has_own {
            return losses.foreign_at(place, &extensions, FORMAT);
        }
        let part = if open.thought {
            let (signature, encrypted) = (open.signature, open.encrypted);
            Part::Reasoning(ReasoningPart { signature, encrypted, extensions, ..ReasoningPart::new("") })
        } else {
            Part::Text(TextPart { signature: open.signature, extensions, ..TextPart::new("") })
        };
        self.write_part(&part, place, losses);
    }

    /// Writes the complete calls, up to the first incomplete one.
    fn release(&mut self, losses: &mut Losses) {
        while let Some(Call { part, so_far, pieces, .. }) = self.calls.pop_front_if(|call| call.done) {
            let place = PartPath { message: None, part: part as usize };
            if pieces.is_empty() {
                self.write_part(&Part::ToolCall(so_far), place, losses);
            } else {
                self.write_text();
                partial::write(&mut self.parts, so_far, &pieces, place, losses);
            }
        }
    }

    /// Completes all calls at the end of the stream.
    pub(super) fn release_all(&mut self, losses: &mut Losses) {
        self.calls.iter_mut().for_each(|call| call.done = true);
        self.release(losses);
    }

    /// Writes the buffered content.
    pub(super) fn write(&mut self, o: &mut Object<'_>, last: bool, losses: &mut Losses) {
        self.begun = true;
        self.write_text();
        let parts = std::mem::take(&mut self.parts);
        let members = std::mem::take(&mut self.members);
        self.grounded |= members.iter().any(|own| own.key == GROUNDING);
        o.object("content", |o| {
            // Clients expect a text in every frame.
            o.raw("parts", &if parts.is_empty() { r#"[{"text":""}]"#.to_owned() } else { format!("[{parts}]") });
            write::members(o, &members, "content");
            o.str("role", "model");
        });
        if last {
            o.str("finishReason", &word(self.finish.as_ref(), self.refusal, losses));
        }
        o.num("index", self.index);
        write_logprobs(o, joined(std::mem::take(&mut self.logprobs)).as_deref(), losses);
        write::members(o, &members, "");
        if last && !self.grounded {
            self.sources.write(o);
            self.sources.lose(self.index, losses);
        }
    }
}
