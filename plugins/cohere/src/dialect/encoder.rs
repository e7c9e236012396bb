//! Renders a streamed answer.
//!
//! Content and calls have separate numbers; each starts with its first text and ends once. The plan for calling tools
//! has neither number nor end.

mod calls;
mod frames;

use std::collections::VecDeque;

use weir_sdk::adapter::{Encoder, Result};
use weir_sdk::losses::{Losses, Once, is_note};
use weir_sdk::types::{
    CandidateFinish, ChatEvent, Citation, Context, Encoded, Finish, Frame, Opaque, PartCitation, PartDelta, PartKind,
    PartStart, ToolKind, Usage,
};

use self::calls::Waiting;
use super::response::reason;
use crate::write::{PartPath, marked};
use crate::{FORMAT, PLAN, citation, logprobs};

/// Most parts that may be open at once.
const OPEN_LIMIT: usize = 4096;

/// The kind of an open part on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    Plan,
    /// `free`: the arguments are free text, which becomes a member of an object.
    Call {
        free: bool,
    },
    /// Nothing of it is written.
    Lost,
}

/// An open part.
#[derive(Debug)]
struct Open {
    part: u32,
    kind: Kind,
    /// Its number on the wire, after its start there.
    index: Option<u32>,
    /// Its text so far: citations have the words that they belong to.
    text: String,
    /// Citations that wait for its end: they belong to the whole text, or to words that have not come.
    whole: Vec<Citation>,
}

impl Open {
    /// Whether the text of a citation is not complete.
    fn awaits(&self, citation: &Citation) -> bool {
        let foreign = citation.source.as_ref().is_none_or(|source| source.format != FORMAT);
        let is_ahead = || citation.end.is_some_and(|end| (self.text.chars().count() as u64) < u64::from(end));
        citation.awaits_text(FORMAT) || (foreign && is_ahead())
    }
}

/// Renders frames of this format.
#[derive(Debug)]
pub struct ChatEncoder {
    ctx: Context,
    begun: bool,
    failed: bool,
    /// Whether the model plans its calls instead of thinking.
    plans: bool,
    open: Vec<Open>,
    waiting: VecDeque<Waiting>,
    contents: u32,
    calls: u32,
    citations: u32,
    /// Items of log probabilities that are kept for the next text.
    logprobs: Vec<String>,
    finish: Option<Finish>,
    usage: Option<Usage>,
    lost: Once,
    losses: Losses,
    frames: Vec<Frame>,
}

impl Encoder for ChatEncoder {
    fn new(ctx: Context) -> Self {
        Self {
            ctx,
            begun: false,
            failed: false,
            plans: false,
            open: Vec::new(),
            waiting: VecDeque::new(),
            contents: 0,
            calls: 0,
            citations: 0,
            logprobs: Vec::new(),
            finish: None,
            usage: None,
            lost: Once::default(),
            losses: Losses::default(),
            frames: Vec::new(),
        }
    }

    fn push(&mut self, events: Vec<ChatEvent>) -> Result<Encoded> {
        self.frames.reserve(events.len() + 1);
        for event in events {
            if !self.failed {
                self.event(event);
            }
        }
        Ok(self.encoded())
    }

    fn finish(&mut self) -> Result<Encoded> {
        if !self.failed {
            self.begin("");
            while let Some(part) = self.open.first().map(|open| open.part) {
                self.stop(part);
            }
            self.late_logprobs();
            let word = reason(self.finish.as_ref(), self.calls > 0, &mut self.losses);
            self.frames.push(frames::message_end(word, self.usage.as_ref(), &mut self.losses));
            self.frames.push(frames::done());
        }
        Ok(self.encoded())
    }
}

impl ChatEncoder {
    fn encoded(&mut self) -> Encoded {
        let losses = std::mem::take(&mut self.losses).into_losses();
        Encoded { frames: std::mem::take(&mut self.frames), losses }
    }

    fn event(&mut self, event: ChatEvent) {
        match event {
            ChatEvent::Start(start) => {
                self.plans = marked(&start.extensions, PLAN);
                self.losses.foreign("", &start.extensions, FORMAT);
                if start.service_tier.is_some() {
                    self.lose("service_tier", "the format has no place for it");
                }
                self.begin(&start.id);
            }
            ChatEvent::PartStart(start) => self.start(start),
            ChatEvent::Delta(delta) if delta.candidate == 0 => self.delta(&delta),
            ChatEvent::Citation(one) if one.candidate == 0 => self.citation(one),
            ChatEvent::PartStop(stop) if stop.candidate == 0 => self.stop(stop.part),
            ChatEvent::Signature(_) => self.lose("signature", "the format has no place for it"),
            ChatEvent::Logprobs(one) if one.candidate == 0 => self.logprobs.extend(logprobs::from_chat(&one.json)),
            ChatEvent::Finish(CandidateFinish { candidate: 0, finish }) => self.finish = Some(finish),
            ChatEvent::Usage(later) => self.usage.get_or_insert_default().update(later),
            ChatEvent::Failure(error) => {
                self.begin("");
                self.failed = true;
                self.frames.push(frames::failure(&error.message));
            }
            ChatEvent::Opaque(opaque) => self.opaque(opaque),
            _ => {}
        }
    }

    /// Writes `message-start`, once.
    fn begin(&mut self, id: &str) {
        if !std::mem::replace(&mut self.begun, true) {
            self.frames.push(frames::message_start(if id.is_empty() { &self.ctx.request_id } else { id }));
        }
    }

    fn start(&mut self, start: PartStart) {
        self.begin("");
        let PartStart { candidate, part, kind } = start;
        if candidate != 0 {
            return self.lose("candidates", "the format has room for the first one only");
        }
        if self.open.len() >= OPEN_LIMIT {
            return;
        }
        let (kind, index) = match kind {
            PartKind::Text => (Kind::Text, None),
            PartKind::Refusal => {
                self.losses.approximated("refusal", "written as text");
                (Kind::Text, None)
            }
            PartKind::Reasoning if self.plans => (Kind::Plan, None),
            PartKind::Reasoning => (Kind::Thinking, None),
            PartKind::ToolCall(call) => {
                let signed = call.signature.is_some();
                self.losses.dropped_if(signed, "tool_calls[].signature", "the format has no place for it");
                let free = call.kind == ToolKind::Custom;
                if free {
                    let note = "free text becomes the member `input` of an object";
                    self.losses.approximated("tool_calls[].input", note);
                }
                (Kind::Call { free }, self.call(part, call))
            }
            PartKind::Opaque(opaque) => {
                self.lose(&opaque.kind, "answers of this format have no such part");
                (Kind::Lost, None)
            }
            PartKind::Media(_) => {
                self.lose("media", "answers of this format hold no media");
                (Kind::Lost, None)
            }
        };
        self.open.push(Open { part, kind, index, text: String::new(), whole: Vec::new() });
    }

    fn delta(&mut self, delta: &PartDelta) {
        let Some(open) = self.open.iter_mut().find(|open| open.part == delta.part) else { return };
        let thinks = match open.kind {
            Kind::Lost => return,
            Kind::Plan => return self.frames.push(frames::tool_plan_delta(&delta.text)),
            Kind::Call { free } => {
                let index = open.index;
                return self.arguments(delta, index, free);
            }
            kind => kind == Kind::Thinking,
        };
        if delta.text.is_empty() {
            return;
        }
        open.text.push_str(&delta.text);
        let index = *open.index.get_or_insert_with(|| {
            self.contents += 1;
            self.frames.push(frames::content_start(self.contents - 1, thinks));
            self.contents - 1
        });
        let probabilities = if thinks { Vec::new() } else { std::mem::take(&mut self.logprobs) };
        self.frames.push(frames::content_delta(index, thinks, &delta.text, &probabilities));
    }

    fn citation(&mut self, event: PartCitation) {
        if citation::is_further(&event.citation) {
            return;
        }
        match self.open.iter_mut().find(|open| open.part == event.part) {
            Some(open) if open.awaits(&event.citation) => open.whole.push(event.citation),
            Some(open) => {
                let (index, text) = (open.index.unwrap_or(0), std::mem::take(&mut open.text));
                self.cite(&event.citation, index, &text);
                if let Some(open) = self.open.iter_mut().find(|open| open.part == event.part) {
                    open.text = text;
                }
            }
            None => self.cite(&event.citation, 0, ""),
        }
    }

    /// Writes a citation of the text that has this index.
    fn cite(&mut self, one: &Citation, index: u32, text: &str) {
        let place = PartPath { message: None, part: index as usize };
        if let Some(json) = citation::write(one, index, text, &mut self.losses, place) {
            self.frames.extend(frames::citation(self.citations, &json));
            self.citations += 1;
        }
    }

    fn end(&mut self, open: &Open) {
        if open.index.is_none() && !open.whole.is_empty() {
            self.lose("citations", "their text is empty");
        }
        let Some(index) = open.index else { return };
        open.whole.iter().for_each(|one| self.cite(one, index, &open.text));
        if open.kind == Kind::Text && !self.logprobs.is_empty() {
            let late = std::mem::take(&mut self.logprobs);
            self.frames.push(frames::content_delta(index, false, "", &late));
        }
        let kind = match open.kind {
            Kind::Call { free } => {
                self.frames.extend(free.then(|| frames::tool_call_delta(index, calls::FREE_END)));
                "tool-call-end"
            }
            _ => "content-end",
        };
        self.frames.push(frames::end(kind, index));
    }

    /// Writes log probabilities that came after the end of their text: with a content that has no words, since they
    /// have no other place in a stream.
    fn late_logprobs(&mut self) {
        let late = std::mem::take(&mut self.logprobs);
        if !late.is_empty() {
            let index = self.contents;
            self.contents += 1;
            let delta = frames::content_delta(index, false, "", &late);
            self.frames.extend([frames::content_start(index, false), delta, frames::end("content-end", index)]);
        }
    }

    /// Passes on an event of this format unchanged: citations of other things than text, and unknown events.
    fn opaque(&mut self, opaque: Opaque) {
        if opaque.format != FORMAT {
            if !is_note(&opaque) {
                self.lose(&opaque.kind, "it belongs to another format");
            }
            return;
        }
        self.begin("");
        if opaque.kind == "citation-start" {
            self.frames.extend(frames::citation(self.citations, &opaque.json));
            self.citations += 1;
        } else {
            self.frames.push(Frame { event: Some(opaque.kind), data: opaque.json });
        }
    }

    /// Reports a loss once: some recur with every frame.
    fn lose(&mut self, what: &str, why: &str) {
        self.lost.dropped(what, why, &mut self.losses);
    }
}
