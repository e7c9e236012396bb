//! One candidate of a streamed answer: its parts, and their members.

use weir_sdk::compat::logprobs::joined;
use weir_sdk::compat::media::{mime, to_data_url};
use weir_sdk::compat::reasoning;
use weir_sdk::compat::wire::FORMAT;
use weir_sdk::json::{self, Object};
use weir_sdk::types::{
    Citation, MediaKind, MediaPart, MediaSource, PartCitation, PartKind, PartSignature, PartStart, PartStop,
    ReasoningPart, Signature, ToolKind, ToolStart,
};

use super::super::response::write_image;
use super::super::{annotation, is_member, write_extensions};
use super::ChatEncoder;

/// The kind of a part's deltas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    Text,
    /// What the audio says.
    Spoken,
    Reasoning,
    Refusal,
    Call {
        number: u32,
        custom: bool,
    },
    /// A part that came whole, or that has no place here.
    Silent,
}

#[derive(Debug)]
struct PartState {
    part: u32,
    words: Words,
    /// The offset of a text within all of the candidate's text, in characters.
    base: u32,
    /// Citations that belong to the whole text, and so wait for its end.
    whole: Vec<Citation>,
    /// Thinking, collected so that its signature can be sent with all of it.
    thought: Option<ReasoningPart>,
}

/// One candidate.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) index: u32,
    /// Whether its role was sent.
    pub(super) spoke: bool,
    /// The number of calls that have started.
    pub(super) calls: u32,
    /// Log probabilities for the next chunk.
    pub(super) logprobs: Vec<String>,
    /// Whether the next text is what the audio says.
    pub(super) speaks_next: bool,
    parts: Vec<PartState>,
    characters: u32,
    thoughts: u32,
}

impl Candidate {
    pub(super) fn new(index: u32) -> Self {
        let (logprobs, parts) = (Vec::new(), Vec::new());
        Self { index, spoke: false, calls: 0, logprobs, speaks_next: false, parts, characters: 0, thoughts: 0 }
    }

    /// Whether a choice has nothing but its delta to tell: it is the first, its role was sent, and no probabilities
    /// wait.
    pub(super) fn is_plain(&self) -> bool {
        self.index == 0 && self.spoke && self.logprobs.is_empty()
    }

    /// Writes the candidate as a choice.
    pub(super) fn write(&mut self, out: &mut String, members: &str, finish: Option<&str>) {
        out.push_str("{\"index\":");
        if self.index == 0 {
            out.push('0');
        } else {
            json::number(out, f64::from(self.index));
        }
        out.push_str(",\"delta\":{");
        if !self.spoke {
            self.spoke = true;
            out.push_str("\"role\":\"assistant\"");
            // The further members of official answers beside the role, unless there is content.
            if !members.starts_with("\"content\"") {
                out.push_str(if members.starts_with("\"tool_calls\"") {
                    ",\"content\":null"
                } else {
                    ",\"content\":\"\""
                });
            }
            out.push_str(if members.is_empty() { "" } else { "," });
        }
        out.push_str(members);
        out.push_str("},\"logprobs\":");
        out.push_str(joined(std::mem::take(&mut self.logprobs)).as_deref().unwrap_or("null"));
        out.push_str(",\"finish_reason\":");
        match finish {
            Some(word) => json::quote(out, word),
            None => out.push_str("null"),
        }
        out.push('}');
    }

    /// Adds a delta's text; returns its kind.
    pub(super) fn add(&mut self, part: u32, text: &str) -> Option<Words> {
        let state = self.parts.iter_mut().rev().find(|state| state.part == part)?;
        match (&mut state.thought, state.words) {
            (Some(thought), _) => thought.text.get_or_insert_default().push_str(text),
            (None, Words::Text) => self.characters = self.characters.saturating_add(text.chars().count() as u32),
            _ => {}
        }
        Some(state.words)
    }

    fn open(&mut self, part: u32, words: Words) {
        let empty = || ReasoningPart { id: None, text: None, signature: None, encrypted: None, extensions: Vec::new() };
        let thought = (words == Words::Reasoning).then(empty);
        self.parts.push(PartState { part, words, base: self.characters, whole: Vec::new(), thought });
    }

    /// Where a part's text begins within all text, and its length so far.
    fn text_range(&mut self, part: u32) -> (u32, u32) {
        let base = self.state(part).map_or(0, |state| state.base);
        (base, self.characters.saturating_sub(base))
    }

    fn state(&mut self, part: u32) -> Option<&mut PartState> {
        self.parts.iter_mut().rev().find(|state| state.part == part)
    }
}

impl ChatEncoder {
    pub(super) fn part_start(&mut self, start: PartStart) {
        let at = self.candidate(start.candidate);
        let Some(candidate) = self.candidates.get_mut(at) else { return };
        match start.kind {
            PartKind::Text if std::mem::take(&mut candidate.speaks_next) => candidate.open(start.part, Words::Spoken),
            PartKind::Text => candidate.open(start.part, Words::Text),
            PartKind::Reasoning => candidate.open(start.part, Words::Reasoning),
            PartKind::Refusal => candidate.open(start.part, Words::Refusal),
            PartKind::ToolCall(tool) => {
                let number = candidate.calls;
                candidate.calls += 1;
                candidate.open(start.part, Words::Call { number, custom: tool.kind == ToolKind::Custom });
                self.call(at, number, &tool);
            }
            PartKind::Opaque(opaque) => {
                candidate.open(start.part, Words::Silent);
                self.losses.dropped(opaque.kind.as_str(), "only its own format has it");
            }
            PartKind::Media(media) => {
                candidate.open(start.part, Words::Silent);
                self.media(at, &media);
            }
        }
    }

    fn call(&mut self, at: usize, number: u32, tool: &ToolStart) {
        let mut members = String::new();
        if self.memo.legacy {
            if number > 0 {
                return self.losses.dropped("tool_calls", "a client of `functions` takes one call at a time");
            }
            json::object(&mut members, |o| {
                o.object("function_call", |o| {
                    o.str("name", &tool.name);
                    o.str("arguments", "");
                });
            });
            return self.chunk(at, inner(&members), None);
        }
        call_members(&mut members, number, |o| {
            o.str("id", &tool.id);
            let (kind, text) = match tool.kind {
                ToolKind::Function => ("function", "arguments"),
                ToolKind::Custom => ("custom", "input"),
            };
            o.str("type", kind);
            o.object(kind, |o| {
                o.str("name", &tool.name);
                o.str(text, "");
            });
            if let Some(signature) = &tool.signature {
                reasoning::write_extra(o, signature);
            }
        });
        self.chunk(at, inner(&members), None);
    }

    fn media(&mut self, at: usize, media: &MediaPart) {
        self.losses.foreign("media.", &reasoning::beside_signature(media), FORMAT);
        let url = match (media.kind, &media.source) {
            (MediaKind::Image, MediaSource::Base64(data)) => to_data_url(&mime(&self.ctx, media), data),
            (MediaKind::Image, MediaSource::Url(url)) => url.clone(),
            (MediaKind::Audio, MediaSource::Base64(data)) => return self.audio(at, media, data),
            _ => return self.losses.dropped("media", "there is no place for it"),
        };
        let mut members = String::new();
        json::object(&mut members, |o| o.array("images", |a| a.object(|o| write_image(o, &url, media))));
        self.chunk(at, inner(&members), None);
    }

    fn audio(&mut self, at: usize, media: &MediaPart, data: &str) {
        let mut members = String::new();
        json::object(&mut members, |o| {
            o.object("audio", |o| {
                o.str("data", data);
                write_extensions(o, &media.extensions, &[]);
            });
        });
        self.chunk(at, inner(&members), None);
    }

    /// Collects signatures of thinking until its end; writes others as `extra_content`.
    pub(super) fn signature(&mut self, event: PartSignature) {
        let at = self.candidate(event.candidate);
        let Some(state) = self.candidates.get_mut(at).and_then(|candidate| candidate.state(event.part)) else { return };
        match (&mut state.thought, state.words) {
            (Some(thought), _) if event.encrypted => thought.encrypted = Some(event.signature),
            (Some(thought), _) => join(&mut thought.signature, event.signature),
            (None, Words::Call { number, .. }) if !self.memo.legacy => {
                let mut members = String::new();
                call_members(&mut members, number, |o| reasoning::write_extra(o, &event.signature));
                self.chunk(at, inner(&members), None);
            }
            _ => {
                let mut members = String::new();
                json::object(&mut members, |o| reasoning::write_extra(o, &event.signature));
                self.chunk(at, inner(&members), None);
            }
        }
    }

    pub(super) fn citation(&mut self, event: PartCitation) {
        if is_member(&event.citation) {
            return;
        }
        let at = self.candidate(event.candidate);
        let state = self.candidates.get_mut(at).and_then(|candidate| candidate.state(event.part));
        match state {
            Some(state) if event.citation.awaits_text(FORMAT) => state.whole.push(event.citation),
            _ => self.annotate(at, event.part, &event.citation),
        }
    }

    fn annotate(&mut self, at: usize, part: u32, citation: &Citation) {
        let (base, length) = self.candidates.get_mut(at).map_or((0, 0), |candidate| candidate.text_range(part));
        let Some(entry) = annotation(citation, base, length) else {
            return self.losses.dropped("citations", "only citations of pages have a place");
        };
        self.chunk(at, &format!("\"annotations\":[{entry}]"), None);
    }

    pub(super) fn part_stop(&mut self, stop: PartStop) {
        let at = self.candidate(stop.candidate);
        let state = self.candidates.get_mut(at).and_then(|candidate| candidate.state(stop.part));
        for citation in state.map(|state| std::mem::take(&mut state.whole)).unwrap_or_default() {
            self.annotate(at, stop.part, &citation);
        }
        let Some(candidate) = self.candidates.get_mut(at) else { return };
        let index = candidate.thoughts;
        let Some(state) = candidate.state(stop.part) else { return };
        let words = state.words;
        let mut members = String::new();
        self.losses.foreign("choices[].message.", &stop.extensions, FORMAT);
        if let Some(mut thought) = state.thought.take() {
            thought.extensions = stop.extensions;
            if !reasoning::is_opaque(&thought) {
                return;
            }
            candidate.thoughts += 1;
            json::object(&mut members, |o| {
                o.array("reasoning_details", |a| reasoning::write_details(a, &thought, index));
            });
            return self.chunk(at, inner(&members), None);
        }
        if let Words::Call { number, .. } = words
            && stop.extensions.iter().any(|extension| extension.format == FORMAT && extension.json != "null")
        {
            call_members(&mut members, number, |o| write_extensions(o, &stop.extensions, &[]));
            self.chunk(at, inner(&members), None);
        }
    }
}

/// Appends a piece of a signature.
fn join(known: &mut Option<Signature>, piece: Signature) {
    match known {
        Some(known) => known.value.push_str(&piece.value),
        None => *known = Some(piece),
    }
}

/// `{"tool_calls": [{"index": …, …}]}`.
fn call_members(out: &mut String, number: u32, members: impl FnOnce(&mut Object<'_>)) {
    json::object(out, |o| {
        o.array("tool_calls", |a| {
            a.object(|o| {
                o.num("index", number);
                members(o);
            });
        });
    });
}

/// The text between an object's braces.
fn inner(object: &str) -> &str {
    object.strip_prefix('{').and_then(|object| object.strip_suffix('}')).unwrap_or_default()
}
