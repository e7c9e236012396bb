//! Verdicts about what is found in an answer, wherever a stream splits it.

mod joined;
mod seen;
mod whole;

use std::collections::BTreeMap;

use super::find::{Action, Configured, Found, Setup, masked, replaced};
use super::placeholders::{Placeholders, RESTORED};
use super::spelling;
use super::{Annotation, Answer, Denial, EventAnswer, EventVerdict, Facts, Finder};
use crate::types::{ChatEvent, Citation, Extension, PartDelta, PartKind, PartStart, ToolKind};
use joined::{JoinedTexts, Kind};
use seen::Seen;

/// The most characters that are needed to recognise something, as a reader counts them: what a guard that refuses asks
/// the host to hold back, and what a guard that masks holds back itself.
pub const REACH: usize = 128;
/// The most bytes that one finding may have before it is masked in pieces, and that those characters may have.
const MAX_FINDING_BYTES: usize = 8 * 1024;

/// Judges an answer by what a guard's finder finds in it.
#[derive(Debug)]
pub struct Scan<F>(Result<Scanner<F>, String>);

impl<F: Configured> Answer for Scan<F> {
    fn new(facts: Facts) -> Self {
        let scanner = |setup: Setup<F>| {
            let restores = setup.restores && setup.action == Action::Mask;
            let placeholders = if restores { Placeholders::read(&facts.memo) } else { Placeholders::default() };
            Scanner { placeholders, ..Scanner::new(setup) }
        };
        Self(F::setup(facts.options()).map(scanner))
    }

    fn push(&mut self, events: Vec<ChatEvent>) -> EventAnswer {
        match &mut self.0 {
            Ok(scanner) => scanner.push(events),
            Err(problem) => EventAnswer::deny(Denial::cannot_judge(F::NAME, problem)),
        }
    }

    fn finish(&mut self) -> EventAnswer {
        self.0.as_mut().map_or_else(|_| EventAnswer::allow(), Scanner::finish)
    }
}

/// The state of one answer.
#[derive(Debug)]
struct Scanner<F> {
    setup: Setup<F>,
    parts: BTreeMap<(u32, u32), Seen>,
    /// The same texts, as a client gets them that has one text for all parts of a kind.
    joined: JoinedTexts,
    counts: BTreeMap<String, usize>,
    /// What stands in the request for values that the answer is to have again.
    placeholders: Placeholders,
    /// Whether something was found that cannot be masked, so that the answer is refused.
    is_fixed: bool,
}

impl<F: Configured> Scanner<F> {
    fn new(setup: Setup<F>) -> Self {
        let (parts, counts, placeholders) = (BTreeMap::new(), BTreeMap::new(), Placeholders::default());
        Self { setup, parts, joined: JoinedTexts::default(), counts, placeholders, is_fixed: false }
    }

    fn push(&mut self, events: Vec<ChatEvent>) -> EventAnswer {
        let before = self.counts.clone();
        let verdict = if self.setup.action == Action::Mask {
            let masked = events.into_iter().flat_map(|event| self.mask(event)).collect();
            if self.is_fixed {
                EventVerdict::Deny(Denial::new(self.setup.message.clone()))
            } else {
                EventVerdict::Replace(masked)
            }
        } else {
            for event in &events {
                self.look(event);
            }
            self.verdict(&before)
        };
        EventAnswer { verdict, annotations: self.noted(&before) }
    }

    /// Judges the ends of parts that have not been stopped.
    fn finish(&mut self) -> EventAnswer {
        let before = self.counts.clone();
        if self.setup.action == Action::Mask {
            return EventAnswer::allow();
        }
        for seen in std::mem::take(&mut self.parts).into_values() {
            self.look_at_end(seen);
        }
        let over = self.joined.finish(&self.setup.finder);
        self.counts_of(&over);
        EventAnswer { verdict: self.verdict(&before), annotations: self.noted(&before) }
    }

    /// The verdict where nothing is masked and this was found before.
    fn verdict(&self, before: &BTreeMap<String, usize>) -> EventVerdict {
        match self.setup.action {
            Action::Deny if self.counts != *before => EventVerdict::Deny(Denial::new(self.setup.message.clone())),
            _ => EventVerdict::Allow,
        }
    }

    /// What was found more than before.
    fn noted(&self, before: &BTreeMap<String, usize>) -> Vec<Annotation> {
        let is_new = |(label, count): &(&String, &usize)| before.get(*label) != Some(*count);
        let noted = self.counts.iter().filter(is_new);
        noted.map(|(label, count)| Annotation::new(label.clone(), count.to_string())).collect()
    }

    /// Looks at an event's text, together with the end of what its part had before.
    fn look(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::Delta(PartDelta { candidate, part, text }) => {
                let seen = self.parts.entry((*candidate, *part)).or_default();
                seen.text.push_str(text);
                let found = seen.search(&self.setup.finder);
                let fresh = seen.judge(&found, false);
                seen.forget(seen.decided(&found));
                self.counts_of(&fresh);
                self.join(*candidate, *part, text);
            }
            ChatEvent::PartStop(stop) => {
                self.stop_joined(stop.candidate, stop.part);
                if let Some(seen) = self.parts.remove(&(stop.candidate, stop.part)) {
                    self.look_at_end(seen);
                }
                self.without_findings(stop.extensions.clone());
            }
            ChatEvent::Start(start) => {
                self.without_findings(start.extensions.clone());
            }
            event => {
                self.begins(event);
                let found = self.found_in(whole::texts(event));
                self.counts_of(&found);
            }
        }
    }

    /// Looks at the end of a part's text, which nothing follows.
    fn look_at_end(&mut self, mut seen: Seen) {
        let found = seen.search(&self.setup.finder);
        let fresh = seen.judge(&found, true);
        self.counts_of(&fresh);
    }

    /// Reads a text as one with those of its kind before it. What is found over the end of a part cannot be masked: its
    /// beginning has gone with that part.
    fn join(&mut self, candidate: u32, part: u32, text: &str) {
        let over = self.joined.push(candidate, part, self.kind(candidate, part), text, &self.setup.finder);
        self.is_fixed |= !over.is_empty();
        self.counts_of(&over);
    }

    /// Judges what is found over the end of a part before and goes up to the end of this one.
    fn stop_joined(&mut self, candidate: u32, part: u32) {
        let over = self.joined.stop(candidate, self.kind(candidate, part), &self.setup.finder);
        self.is_fixed |= !over.is_empty();
        self.counts_of(&over);
    }

    fn kind(&self, candidate: u32, part: u32) -> Kind {
        self.parts.get(&(candidate, part)).map(|seen| seen.kind).unwrap_or_default()
    }

    /// Masks what is found in an event, and keeps back the text whose meaning depends on what follows.
    fn mask(&mut self, event: ChatEvent) -> Vec<ChatEvent> {
        match event {
            ChatEvent::Delta(PartDelta { candidate, part, text }) => {
                let seen = self.parts.entry((candidate, part)).or_default();
                seen.text.push_str(&text);
                let waits = seen.goes_on(&text);
                self.join(candidate, part, &text);
                if waits { Vec::new() } else { self.sent(candidate, part, false).into_iter().collect() }
            }
            ChatEvent::Start(mut start) => {
                start.extensions = self.without_findings(start.extensions);
                vec![ChatEvent::Start(start)]
            }
            ChatEvent::PartStop(mut stop) => {
                self.stop_joined(stop.candidate, stop.part);
                let rest = self.sent(stop.candidate, stop.part, true);
                self.parts.remove(&(stop.candidate, stop.part));
                stop.extensions = self.without_findings(stop.extensions);
                rest.into_iter().chain([ChatEvent::PartStop(stop)]).collect()
            }
            ChatEvent::Signature(signature) => {
                // It vouches for the whole part, so what is kept back goes first.
                self.stop_joined(signature.candidate, signature.part);
                let rest = self.sent(signature.candidate, signature.part, true);
                let is_masked =
                    self.parts.get(&(signature.candidate, signature.part)).is_some_and(|seen| seen.is_masked);
                let kept = (!is_masked || signature.encrypted).then_some(ChatEvent::Signature(signature));
                rest.into_iter().chain(kept).collect()
            }
            event => self.mask_whole(event).into_iter().collect(),
        }
    }

    /// Masks what is found in an event that comes as a whole; none if nothing of it may go on.
    fn mask_whole(&mut self, event: ChatEvent) -> Option<ChatEvent> {
        match event {
            ChatEvent::Citation(mut cited) => {
                let is_left = self.mask_citation(&mut cited.citation);
                is_left.then_some(ChatEvent::Citation(cited))
            }
            ChatEvent::Usage(mut usage) => {
                usage.extensions = self.without_findings(usage.extensions);
                Some(ChatEvent::Usage(usage))
            }
            ChatEvent::Finish(mut end) => {
                for word in [&mut end.finish.raw, &mut end.finish.stop_sequence] {
                    let found = word.as_deref().map(|word| self.setup.finder.find(word)).unwrap_or_default();
                    self.counts_of(&found);
                    word.take_if(|_| !found.is_empty());
                }
                Some(ChatEvent::Finish(end))
            }
            event => {
                self.begins(&event);
                let found = self.found_in(whole::texts(&event));
                let is_clean = found.is_empty();
                self.counts_of(&found);
                // A part of one format, a call's name, or a medium, which may say the same itself, cannot be masked.
                self.is_fixed |= !is_clean && matches!(event, ChatEvent::PartStart(_));
                is_clean.then_some(event)
            }
        }
    }

    /// Masks what is found in a citation. Its own form, which says the same again, goes then. Returns whether anything
    /// is left.
    fn mask_citation(&mut self, citation: &mut Citation) -> bool {
        let finder = &self.setup.finder;
        let mut all = citation.source.as_ref().map(|own| search(finder, &own.json, true)).unwrap_or_default();
        for text in [&mut citation.quote, &mut citation.title, &mut citation.url].into_iter().flatten() {
            let found = finder.find(text);
            *text = masked(text, &found);
            all.extend(found);
        }
        citation.source.take_if(|_| !all.is_empty());
        self.counts_of(&all);
        all.is_empty() || citation.quote.is_some() || citation.title.is_some() || citation.url.is_some()
    }

    /// The text of a part that may be sent now, masked; at its end, all of it.
    fn sent(&mut self, candidate: u32, part: u32, is_end: bool) -> Option<ChatEvent> {
        let seen = self.parts.get_mut(&(candidate, part))?;
        let mut found = seen.search(&self.setup.finder);
        if seen.kind != Kind::Thinking {
            let restored = self.placeholders.find(&seen.text).into_iter();
            found.extend(restored.filter(|one| one.range.start >= seen.context));
            found.sort_by_key(|one| one.range.start);
        }
        let cut = if is_end { seen.text.len() } else { seen.decided(&found) };
        found.retain(|one| one.range.end <= cut);
        seen.is_masked |= !found.is_empty();
        let restored = |value: &str| if seen.is_json { escaped(value) } else { value.to_owned() };
        let text = replaced(seen.text.get(..cut)?, &found, |one, written| match self.placeholders.value(written) {
            Some(value) if one.label == RESTORED => restored(value),
            _ => format!("[{}]", one.label),
        });
        let text = text.get(seen.context..).unwrap_or_default().to_owned();
        seen.forget(cut);
        self.counts_of(&found);
        (!text.is_empty()).then_some(ChatEvent::Delta(PartDelta { candidate, part, text }))
    }

    /// The members of one format in which nothing is found; findings are counted.
    fn without_findings(&mut self, mut extensions: Vec<Extension>) -> Vec<Extension> {
        extensions.retain(|one| {
            let found = self.found_in(whole::of_extensions(std::slice::from_ref(one)));
            self.counts_of(&found);
            found.is_empty()
        });
        extensions
    }

    /// Takes note of the beginning of a part whose text is not the answer's.
    fn begins(&mut self, event: &ChatEvent) {
        let ChatEvent::PartStart(PartStart { candidate, part, kind }) = event else { return };
        let is_json = matches!(kind, PartKind::ToolCall(call) if call.kind == ToolKind::Function);
        let kind = Kind::of(kind);
        if kind != Kind::Text {
            self.parts.insert((*candidate, *part), Seen { is_json, kind, ..Seen::default() });
        }
    }

    /// What is found in texts, each with whether it is JSON.
    fn found_in(&self, texts: impl IntoIterator<Item = (impl AsRef<str>, bool)>) -> Vec<Found> {
        texts.into_iter().flat_map(|(text, is_json)| search(&self.setup.finder, text.as_ref(), is_json)).collect()
    }

    fn counts_of(&mut self, found: &[Found]) {
        for one in found {
            *self.counts.entry(one.label.clone()).or_default() += 1;
        }
    }
}

/// Finds in a text, in JSON as its reader sees it.
fn search<F: Finder>(finder: &F, text: &str, is_json: bool) -> Vec<Found> {
    if is_json { spelling::without_escapes(text, |text| finder.find(text)) } else { finder.find(text) }
}

/// A text as it stands within a string of JSON.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
