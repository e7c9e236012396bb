//! One candidate of a streamed answer.

use std::collections::BTreeSet;

use weir_sdk::adapter::Result;
use weir_sdk::json::{RawValue, Str, parse};
use weir_sdk::types::{
    CandidateFinish, CandidateLogprobs, ChatEvent, Extension, Finish, Part, PartArgument, PartCitation, PartDelta,
    PartKind, PartSignature, PartStart, PartStop, ToolCall, ToolKind, ToolStart,
};

use super::partial::{Partial, Piece};
use super::{reported, tell};
use crate::grounding::Grounded;
use crate::provider::response::{CITED, GROUNDING, unreadable};
use crate::read::{self, Ids, UNSIGNED};
use crate::wire::{self, extensions, note, own};
use crate::{finish, grounding, logprobs, signature};
use weir_sdk::names::Names;

/// Most bytes of a text that are kept to find cited ranges in it.
const TEXT_LIMIT: usize = 1 << 20;

/// The state of a candidate.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) index: u32,
    /// Number of the next part.
    next: u32,
    open: Option<Open>,
    ids: Ids,
    /// A call whose arguments arrive in pieces.
    partial: Option<Partial>,
    called: bool,
    finish: Option<Finish>,
    /// Members that were reported.
    reported: Vec<Extension>,
    /// All text of the answer, in which the ranges of citations lie whatever parts it has.
    said: Said,
    /// Citations that were emitted: metadata may come again, and have more of them each time.
    cited: BTreeSet<Cited>,
}

/// What makes a citation the same: its range in the answer's text, and whom it cites with which words.
type Cited = (Option<(u32, u32)>, [Option<String>; 3]);

/// A part that may continue.
#[derive(Debug)]
struct Open {
    part: u32,
    thought: bool,
    /// A signature has arrived: the next text is another part.
    signed: bool,
    /// The characters of the answer's text before this part.
    base: u32,
    extensions: Vec<Extension>,
}

/// The text of an answer, up to the limit: ranges behind that are not found.
#[derive(Debug, Default)]
struct Said {
    text: String,
    characters: u32,
    full: bool,
}

impl Said {
    fn add(&mut self, text: &str) {
        self.full |= self.text.len() + text.len() > TEXT_LIMIT;
        if !self.full {
            self.text.push_str(text);
            self.characters = self.characters.saturating_add(text.chars().count() as u32);
        }
    }
}

impl Open {
    /// The part's share of a range of the answer's text; none if the range ends before the part.
    fn share(&self, (start, end): (u32, u32)) -> Option<(u32, u32)> {
        let end = end.checked_sub(self.base).filter(|end| *end > 0)?;
        Some((start.saturating_sub(self.base), end))
    }
}

impl Stream {
    pub(super) fn new(index: u32, answer: &str) -> Self {
        let ids = Ids::of_answer(answer, index);
        Self {
            index,
            next: 0,
            open: None,
            ids,
            partial: None,
            called: false,
            finish: None,
            reported: Vec::new(),
            said: Said::default(),
            cited: BTreeSet::new(),
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Reads a frame's piece of the candidate.
    pub(super) fn take(&mut self, wire: wire::Candidate<'_>, names: &Names, events: &mut Vec<ChatEvent>) -> Result<()> {
        let content = wire.content.unwrap_or_default();
        for part in content.parts.unwrap_or_default().0 {
            self.part(part, names, events)?;
        }
        if let Some(json) = wire.logprobs.and_then(logprobs::read) {
            events.push(ChatEvent::Logprobs(CandidateLogprobs { candidate: self.index, json }));
        }
        if let Some(word) = wire.finish {
            self.finish = Some(finish::read(&word, self.called));
        }
        let mut members = extensions("", wire.rest);
        members.extend(extensions("content.", content.rest));
        members.extend(wire.grounding.map(|raw| own(GROUNDING, raw.get())));
        for member in members {
            if tell(&mut self.reported, &member) {
                if member.key == GROUNDING {
                    self.cite(&member.json, grounding::read, events);
                } else if CITED.contains(&member.key.as_str()) {
                    self.cite(&member.json, grounding::read_cited, events);
                }
                events.push(ChatEvent::Opaque(reported(Some(self.index), member)));
            }
        }
        Ok(())
    }

    /// Ends the candidate with the stream.
    pub(super) fn end(&mut self, names: &Names, events: &mut Vec<ChatEvent>) {
        self.finish_partial(names, events);
        self.close(events);
        if let Some(mut finish) = self.finish.take() {
            if self.called && finish.raw.as_deref() == Some("STOP") {
                finish.reason = weir_sdk::types::FinishReason::ToolCalls;
            }
            events.push(ChatEvent::Finish(CandidateFinish { candidate: self.index, finish }));
        }
    }

    fn part(&mut self, mut wire: wire::Part<'_>, names: &Names, events: &mut Vec<ChatEvent>) -> Result<()> {
        wire.rest.0.retain(|(_, raw)| raw.get() != "null");
        if let Some(call) = &mut wire.call
            && (self.partial.is_some() && call.name.is_none() || call.is_partial())
        {
            return self.partial(wire, names, events);
        }
        let is_text = wire.call.is_none()
            && wire.response.is_none()
            && wire.inline_data.is_none()
            && wire.file_data.is_none()
            && (wire.text.is_some() || wire.rest.0.is_empty());
        if is_text {
            self.text(wire, names, events);
            return Ok(());
        }
        self.finish_partial(names, events);
        self.close(events);
        match read::part_of_answer(wire, &mut self.ids).map_err(|error| unreadable(&error))? {
            Part::ToolCall(call) => self.call(call, Vec::new(), names, events),
            Part::Media(media) => self.whole(PartKind::Media(media), events),
            Part::Opaque(opaque) => self.whole(PartKind::Opaque(opaque), events),
            _ => {}
        }
        Ok(())
    }

    /// Adds text or thinking. An empty one without a signature means nothing (C-78).
    fn text(&mut self, wire: wire::Part<'_>, names: &Names, events: &mut Vec<ChatEvent>) {
        let text = wire.text.map(Str::into_string).unwrap_or_default();
        let carried = wire.signature.filter(|value| !value.is_empty()).map(|value| signature::unwrap(&value));
        if text.is_empty() && carried.is_none() && wire.rest.0.is_empty() {
            return;
        }
        self.finish_partial(names, events);
        let thought = wire.thought == Some(true);
        if self.open.as_ref().is_none_or(|open| open.thought != thought || open.signed) {
            self.close(events);
            self.begin(thought, events);
        }
        let Some(open) = &mut self.open else { return };
        let (candidate, part) = (self.index, open.part);
        open.extensions.extend(extensions("", wire.rest));
        if !thought {
            self.said.add(&text);
        }
        if !text.is_empty() {
            events.push(ChatEvent::Delta(PartDelta { candidate, part, text }));
        }
        if let Some(carried) = carried {
            open.signed = true;
            let (encrypted, signature) = (carried.is_encrypted(), carried.signature);
            events.push(ChatEvent::Signature(PartSignature { candidate, part, signature, encrypted }));
        }
    }

    fn begin(&mut self, thought: bool, events: &mut Vec<ChatEvent>) {
        let part = self.number();
        let kind = if thought { PartKind::Reasoning } else { PartKind::Text };
        events.push(ChatEvent::PartStart(PartStart { candidate: self.index, part, kind }));
        self.open = Some(Open { part, thought, signed: false, base: self.said.characters, extensions: Vec::new() });
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    fn close(&mut self, events: &mut Vec<ChatEvent>) {
        let Some(mut open) = self.open.take() else { return };
        if open.thought && !open.signed {
            open.extensions.push(note(UNSIGNED));
        }
        let stop = PartStop { candidate: self.index, part: open.part, extensions: open.extensions };
        events.push(ChatEvent::PartStop(stop));
    }

    fn whole(&mut self, kind: PartKind, events: &mut Vec<ChatEvent>) {
        let (candidate, part) = (self.index, self.number());
        events.push(ChatEvent::PartStart(PartStart { candidate, part, kind }));
        events.push(ChatEvent::PartStop(PartStop { candidate, part, extensions: Vec::new() }));
    }

    /// A call comes whole: its beginning, all of its arguments, its end. The last of its pieces brings the text of all,
    /// since their order need not be that of the text.
    fn call(&mut self, call: ToolCall, pieces: Vec<Piece>, names: &Names, events: &mut Vec<ChatEvent>) {
        self.called = true;
        let (candidate, part) = (self.index, self.number());
        let ToolCall { id, name, arguments, signature, extensions, .. } = call;
        let start = ToolStart { id, name: names.restore(name), kind: ToolKind::Function, signature };
        events.push(ChatEvent::PartStart(PartStart { candidate, part, kind: PartKind::ToolCall(start) }));
        let mut arguments = Some(arguments);
        let last = pieces.len().saturating_sub(1);
        for (at, Piece { path, json, continues }) in pieces.into_iter().enumerate() {
            let text = arguments.take_if(|_| at == last).unwrap_or_default();
            events.push(ChatEvent::Argument(PartArgument { candidate, part, text, path, json, continues }));
        }
        events.extend(arguments.map(|text| ChatEvent::Delta(PartDelta { candidate, part, text })));
        events.push(ChatEvent::PartStop(PartStop { candidate, part, extensions }));
    }

    /// Adds a piece of a call; the call is emitted once it is whole.
    fn partial(&mut self, wire: wire::Part<'_>, names: &Names, events: &mut Vec<ChatEvent>) -> Result<()> {
        let Some(call) = wire.call else { return Ok(()) };
        let goes_on = call.will_continue == Some(true);
        if call.name.is_some() {
            self.finish_partial(names, events);
            self.partial = Some(Partial::default());
        }
        if let Some(partial) = &mut self.partial {
            partial.add(call, wire.signature.map(Str::into_string), wire.rest)?;
        }
        if !goes_on {
            self.finish_partial(names, events);
        }
        Ok(())
    }

    fn finish_partial(&mut self, names: &Names, events: &mut Vec<ChatEvent>) {
        if let Some(partial) = self.partial.take() {
            self.close(events);
            let (call, pieces) = partial.finished(&mut self.ids);
            self.call(call, pieces, names, events);
        }
    }

    /// Emits those sources that were not emitted before. Ranges count all text of the answer, but only the open text
    /// can still get citations: one of an earlier part comes without its range.
    fn cite(&mut self, json: &str, read: fn(&RawValue, &[Option<&str>]) -> Vec<Grounded>, events: &mut Vec<ChatEvent>) {
        let Some(open) = self.open.as_ref().filter(|open| !open.thought) else { return };
        let Ok(raw) = parse::<&RawValue>(json) else { return };
        let (candidate, part) = (self.index, open.part);
        for grounded in read(raw, &[Some(&self.said.text)]) {
            let mut citation = grounded.citation;
            let range = citation.start.zip(citation.end);
            let words = [citation.url.clone(), citation.title.clone(), citation.quote.clone()];
            if !self.cited.insert((range, words)) {
                continue;
            }
            (citation.start, citation.end) = range.and_then(|range| open.share(range)).unzip();
            events.push(ChatEvent::Citation(PartCitation { candidate, part, citation }));
        }
    }
}
