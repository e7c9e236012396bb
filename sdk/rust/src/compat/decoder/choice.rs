//! One candidate of a streamed answer: its open parts, and the events of each delta.

mod audio;
mod call;

use super::calls::{Call, gather};
use super::choice_members;
use crate::compat::content::{owned, read_image, read_part};
use crate::compat::names::Renamed;
use crate::compat::quirks::Quirks;
use crate::compat::reasoning;
use crate::compat::response::citation;
use crate::compat::wire::{self, Choice, Content, Delta, Detail};
use crate::compat::{finish, logprobs, response};
use crate::losses::Losses;
use crate::types::{
    CandidateFinish, CandidateLogprobs, ChatEvent, Citation, Context, Extension, Finish, FinishReason, Part,
    PartCitation, PartDelta, PartKind, PartSignature, PartStart, PartStop, ReasoningPart, Signature,
};

/// The context in which a candidate takes a chunk.
pub(super) struct Exchange<'t> {
    pub(super) quirks: &'static Quirks,
    pub(super) ctx: &'t Context,
    pub(super) renamed: &'t Renamed,
    pub(super) events: &'t mut Vec<ChatEvent>,
    pub(super) losses: &'t mut Losses,
}

/// The kinds of parts that consist of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    Text,
    /// What the audio says, which is a text as well.
    Spoken,
    Reasoning,
    Refusal,
}

/// The part that text is added to.
#[derive(Debug)]
struct Open {
    part: u32,
    words: Words,
    /// The notes of an entry of `reasoning_details`, emitted when the part ends.
    extensions: Vec<Extension>,
    /// The members beside its text, emitted with the notes.
    members: Vec<Extension>,
}

/// One candidate.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) index: u32,
    /// The latest finish reason.
    finish: Option<Finish>,
    /// The finish was emitted: nothing follows.
    ended: bool,
    parts: u32,
    open: Option<Open>,
    calls: Vec<Call>,
}

impl Candidate {
    pub(super) fn new(index: u32) -> Self {
        Self { index, finish: None, ended: false, parts: 0, open: None, calls: Vec::new() }
    }

    /// Reads one choice of a chunk.
    pub(super) fn take(&mut self, exchange: &mut Exchange<'_>, choice: Choice<'_>) {
        // Some servers repeat the whole message beside each delta: it counts only if nothing was emitted before.
        let whole = choice.message.filter(|_| self.parts == 0);
        // A legacy completion has its text in the choice itself.
        let legacy = || choice.text.map(|text| Delta { content: Some(Content::Text(text)), ..Delta::default() });
        let mut delta = choice.delta.or_else(|| whole.map(|message| *message)).or_else(legacy).unwrap_or_default();
        if let Some(raw) = choice.logprobs {
            let token = match &delta.content {
                Some(Content::Text(text)) => text,
                _ => "",
            };
            let json = logprobs::of_token(token, raw.get()).unwrap_or_else(|| logprobs::to_chat(raw.get()));
            exchange.events.push(ChatEvent::Logprobs(CandidateLogprobs { candidate: self.index, json }));
        }
        let rest = std::mem::take(&mut delta.rest);
        self.delta(exchange, delta);
        if !choice.rest.0.is_empty() || !rest.0.is_empty() {
            let members = choice_members(self.index, choice.rest, rest, exchange.quirks.noise);
            exchange.events.extend(members.map(ChatEvent::Opaque));
        }
        if let Some(finish) = finish::read(exchange.quirks, choice.finish_reason.as_deref(), !self.calls.is_empty()) {
            self.settle(exchange.events);
            self.finish = Some(finish::later(self.finish.take(), finish));
        }
    }

    /// Whether a finish reason has come.
    pub(super) fn has_finish(&self) -> bool {
        self.ended || self.finish.is_some()
    }

    /// Ends the candidate: stops the open parts and emits the finish, even if the provider sent none.
    /// The pages that the answer names beside its text become citations of the last text.
    pub(super) fn end(&mut self, pages: &[Citation], exchange: &mut Exchange<'_>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let lost = self.calls.iter().any(Call::is_lost);
        exchange.losses.dropped_if(lost, "choices[].delta.tool_calls", "a call came without a name");
        if let Some(part) = self.open.as_ref().filter(|open| open.words == Words::Text).map(|open| open.part) {
            let cited = |page: &Citation| PartCitation { candidate: self.index, part, citation: page.clone() };
            exchange.events.extend(pages.iter().map(cited).map(ChatEvent::Citation));
        }
        self.release(exchange);
        let events = &mut *exchange.events;
        self.stop_words(events);
        let called = !self.calls.is_empty();
        let made_up = || Finish { reason: FinishReason::Complete, raw: None, stop_sequence: None };
        let mut finish = self.finish.take().unwrap_or_else(made_up);
        let breaks_off = self.calls.iter().any(Call::breaks_off);
        finish.reason = finish::cut(finish::outranked(finish.reason, called), breaks_off);
        for at in 0..self.calls.len() {
            if finish.reason == FinishReason::ToolCalls {
                self.fill_call(events, at);
            }
            self.stop_call(events, at);
        }
        events.push(ChatEvent::Finish(CandidateFinish { candidate: self.index, finish }));
    }

    fn delta(&mut self, exchange: &mut Exchange<'_>, delta: Delta<'_>) {
        if delta.tool_calls.as_ref().is_none_or(|calls| calls.0.is_empty()) {
            self.release(exchange);
        }
        let mut thought = false;
        for detail in delta.reasoning_details.unwrap_or_default().0 {
            thought |= self.detail(exchange, detail);
        }
        if !thought {
            let plain = [delta.reasoning_content, delta.reasoning].into_iter().flatten();
            if let Some(text) = plain.map(Content::into_text).find(|text| !text.is_empty()) {
                self.words(exchange.events, Words::Reasoning, text);
            }
        }
        match delta.content {
            Some(Content::Text(text)) => self.words(exchange.events, Words::Text, text.into_string()),
            Some(Content::Parts(parts)) => {
                for part in parts {
                    self.part(exchange.events, owned(read_part(part), exchange.quirks.family));
                }
            }
            Some(Content::Json(json)) => self.words(exchange.events, Words::Text, json),
            None => {}
        }
        if let Some(signature) = delta.extra_content.and_then(|raw| reasoning::read_extra(raw.get())) {
            let part = self.text_part(exchange.events);
            self.sign(exchange.events, part, signature, false);
        }
        for raw in delta.annotations.unwrap_or_default().0 {
            let part = self.text_part(exchange.events);
            let event = PartCitation { candidate: self.index, part, citation: citation(raw) };
            exchange.events.push(ChatEvent::Citation(event));
        }
        if let Some(refusal) = delta.refusal {
            self.words(exchange.events, Words::Refusal, refusal.into_string());
        }
        for image in delta.images.unwrap_or_default().0 {
            self.part(exchange.events, read_image(image));
        }
        self.audio(exchange.events, delta.audio);
        for call in delta.tool_calls.unwrap_or_default().0 {
            self.call(exchange, call);
        }
        if let Some(function) = delta.function_call {
            self.call(exchange, wire::ToolCall { function: Some(*function), ..wire::ToolCall::default() });
        }
    }

    /// Adds text; an empty piece changes nothing, so it closes no other part (C-78).
    fn words(&mut self, events: &mut Vec<ChatEvent>, words: Words, text: String) {
        if text.is_empty() {
            return;
        }
        let part = self.open_words(events, words);
        events.push(ChatEvent::Delta(PartDelta { candidate: self.index, part, text }));
    }

    /// Adds the text of a part of the content, and the members beside it.
    fn piece(&mut self, events: &mut Vec<ChatEvent>, words: Words, text: String, members: Vec<Extension>) {
        self.words(events, words, text);
        if members.is_empty() {
            return;
        }
        self.open_words(events, words);
        if let Some(open) = &mut self.open {
            gather(&mut open.members, members);
        }
    }

    fn open_words(&mut self, events: &mut Vec<ChatEvent>, words: Words) -> u32 {
        match &self.open {
            Some(open) if open.words == words && open.extensions.is_empty() => open.part,
            _ => self.start_words(events, words, Vec::new()),
        }
    }

    fn start_words(&mut self, events: &mut Vec<ChatEvent>, words: Words, extensions: Vec<Extension>) -> u32 {
        self.stop_words(events);
        self.settle(events);
        let kind = match words {
            Words::Text | Words::Spoken => PartKind::Text,
            Words::Reasoning => PartKind::Reasoning,
            Words::Refusal => PartKind::Refusal,
        };
        let part = self.start(events, kind);
        self.open = Some(Open { part, words, extensions, members: Vec::new() });
        part
    }

    fn start(&mut self, events: &mut Vec<ChatEvent>, kind: PartKind) -> u32 {
        let part = self.parts;
        self.parts += 1;
        events.push(ChatEvent::PartStart(PartStart { candidate: self.index, part, kind }));
        part
    }

    fn stop_words(&mut self, events: &mut Vec<ChatEvent>) {
        if let Some(mut open) = self.open.take() {
            open.extensions.append(&mut open.members);
            let stop = PartStop { candidate: self.index, part: open.part, extensions: open.extensions };
            events.push(ChatEvent::PartStop(stop));
        }
    }

    /// The text part to which a signature or a citation is added.
    fn text_part(&mut self, events: &mut Vec<ChatEvent>) -> u32 {
        self.open_words(events, Words::Text)
    }

    fn sign(&mut self, events: &mut Vec<ChatEvent>, part: u32, signature: Signature, encrypted: bool) {
        events.push(ChatEvent::Signature(PartSignature { candidate: self.index, part, signature, encrypted }));
    }

    /// Emits a part that arrived whole.
    fn part(&mut self, events: &mut Vec<ChatEvent>, part: Part) {
        let kind = match part {
            Part::Text(text) => return self.piece(events, Words::Text, text.text, text.extensions),
            Part::Reasoning(thought) => {
                self.piece(events, Words::Reasoning, thought.text.unwrap_or_default(), thought.extensions);
                if let Some(signature) = thought.signature {
                    let part = self.open_words(events, Words::Reasoning);
                    self.sign(events, part, signature, false);
                }
                return;
            }
            Part::Refusal(words) => return self.words(events, Words::Refusal, words),
            Part::Media(media) => PartKind::Media(media),
            Part::Opaque(reference) if response::is_reference(&reference) => {
                let (candidate, part) = (self.index, self.text_part(events));
                let citation = response::referred(reference);
                return events.push(ChatEvent::Citation(PartCitation { candidate, part, citation }));
            }
            Part::Opaque(opaque) => PartKind::Opaque(opaque),
            Part::ToolCall(_) | Part::ToolResult(_) => return,
        };
        self.stop_words(events);
        self.settle(events);
        let part = self.start(events, kind);
        let stop = PartStop { candidate: self.index, part, extensions: Vec::new() };
        events.push(ChatEvent::PartStop(stop));
    }

    /// Reads an entry of `reasoning_details`; returns whether it had text.
    fn detail(&mut self, exchange: &mut Exchange<'_>, detail: Detail<'_>) -> bool {
        let mut thought = reasoning::read_detail(detail, exchange.quirks.family);
        let text = thought.text.take().unwrap_or_default();
        if text.is_empty() && thought.signature.is_none() && thought.encrypted.is_none() {
            return false;
        }
        let reported = !text.is_empty();
        let part = self.detail_part(exchange.events, &mut thought);
        if reported {
            exchange.events.push(ChatEvent::Delta(PartDelta { candidate: self.index, part, text }));
        }
        if let Some(signature) = thought.signature {
            self.sign(exchange.events, part, signature, false);
        }
        if let Some(encrypted) = thought.encrypted {
            self.sign(exchange.events, part, encrypted, true);
        }
        reported
    }

    /// The part that an entry continues, or a new one. Encrypted thinking gets a new part, unless it has the id of the
    /// text before it.
    fn detail_part(&mut self, events: &mut Vec<ChatEvent>, thought: &mut ReasoningPart) -> u32 {
        let mut extensions = std::mem::take(&mut thought.extensions);
        extensions.extend(thought.id.as_deref().map(|id| reasoning::note("id", id)));
        if extensions.is_empty() {
            // Without this note the entry could not be distinguished from plain thinking.
            extensions.push(reasoning::note("index", "0"));
        }
        match &self.open {
            Some(open) if continues(open, &extensions, thought.encrypted.is_some()) => open.part,
            _ => self.start_words(events, Words::Reasoning, extensions),
        }
    }
}

/// Whether an entry of `reasoning_details` continues the open part.
fn continues(open: &Open, extensions: &[Extension], encrypted: bool) -> bool {
    if open.words != Words::Reasoning {
        return false;
    }
    let same = |key| reasoning::noted(&open.extensions, key) == reasoning::noted(extensions, key);
    if encrypted {
        return same("id") && reasoning::noted(extensions, "id").is_some();
    }
    same("type") && same("index") && !open.extensions.is_empty()
}
