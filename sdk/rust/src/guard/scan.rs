//! Verdicts about what is found in an answer, wherever a stream splits it.

use std::collections::BTreeMap;

use super::find::{Action, Configured, Found, Setup, masked, replaced};
use super::placeholders::{Placeholders, RESTORED};
use super::spelling;
use super::{Annotation, Answer, Denial, EventAnswer, EventVerdict, Facts, Finder};
use crate::types::{ChatEvent, Extension, PartDelta, PartKind, PartStart, ToolKind};

/// The most characters that are needed to recognise something, as a reader counts them: what a guard that refuses asks the
/// host to hold back, and what a guard that masks holds back itself.
pub const REACH: usize = 128;
/// The most bytes that one finding may have before it is masked in pieces, and that those characters may have.
const LONGEST: usize = 8 * 1024;

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
        Self(F::setup(&facts).map(scanner))
    }

    fn push(&mut self, events: Vec<ChatEvent>) -> EventAnswer {
        match &mut self.0 {
            Ok(scanner) => scanner.push(events),
            Err(problem) => EventAnswer::deny(Denial::cannot_judge(F::NAME, problem)),
        }
    }

    fn finish(&mut self) -> EventAnswer {
        EventAnswer::allow()
    }
}

/// The state of one answer.
#[derive(Debug)]
struct Scanner<F> {
    setup: Setup<F>,
    parts: BTreeMap<(u32, u32), Seen>,
    counts: BTreeMap<String, usize>,
    /// What stands in the request for values that the answer is to have again.
    placeholders: Placeholders,
    /// Whether something was found that cannot be masked, so that the answer is refused.
    is_fixed: bool,
}

/// A part of the answer that goes on.
#[derive(Debug, Default)]
struct Seen {
    /// Its last text. If what is found is masked, this is what has not been sent yet.
    text: String,
    /// The end of the last finding within that text.
    counted: usize,
    /// Whether it is JSON, whose escapes are read.
    is_json: bool,
    /// Whether it is thinking, in which nothing is restored: its issuer vouches for it.
    is_thinking: bool,
    /// Whether something was masked in it, so that no signature vouches for it any more.
    is_masked: bool,
}

impl<F: Configured> Scanner<F> {
    fn new(setup: Setup<F>) -> Self {
        let (parts, counts, placeholders) = (BTreeMap::new(), BTreeMap::new(), Placeholders::default());
        Self { setup, parts, counts, placeholders, is_fixed: false }
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
            match self.setup.action {
                Action::Deny if self.counts != before => EventVerdict::Deny(Denial::new(self.setup.message.clone())),
                _ => EventVerdict::Allow,
            }
        };
        let is_new = |(label, count): &(&String, &usize)| before.get(*label) != Some(*count);
        let noted = self.counts.iter().filter(is_new);
        let annotations = noted.map(|(label, count)| Annotation::new(label.clone(), count.to_string())).collect();
        EventAnswer { verdict, annotations }
    }

    /// Looks at an event's text, together with the end of what its part had before.
    fn look(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::Delta(PartDelta { candidate, part, text }) => {
                let seen = self.parts.entry((*candidate, *part)).or_default();
                seen.text.push_str(text);
                let found = search(&self.setup.finder, &seen.text, seen.is_json);
                let fresh = found.into_iter().filter(|one| one.range.start >= seen.counted).collect::<Vec<_>>();
                seen.counted = fresh.last().map_or(seen.counted, |one| one.range.end);
                let cut = seen.reach().max(seen.counted.min(seen.text.len()));
                seen.text.drain(..cut);
                seen.counted = seen.counted.saturating_sub(cut);
                self.counts_of(&fresh);
            }
            ChatEvent::PartStop(stop) => {
                self.parts.remove(&(stop.candidate, stop.part));
                self.without_findings(stop.extensions.clone());
            }
            ChatEvent::Start(start) => {
                self.without_findings(start.extensions.clone());
            }
            event => {
                self.begins(event);
                for (text, is_json) in whole_texts(event) {
                    let found = search(&self.setup.finder, text, is_json);
                    self.counts_of(&found);
                }
            }
        }
    }

    /// Masks what is found in an event, and keeps back the text whose meaning depends on what follows.
    fn mask(&mut self, event: ChatEvent) -> Vec<ChatEvent> {
        match event {
            ChatEvent::Delta(PartDelta { candidate, part, text }) => {
                self.parts.entry((candidate, part)).or_default().text.push_str(&text);
                self.sent(candidate, part, false).into_iter().collect()
            }
            ChatEvent::Start(mut start) => {
                start.extensions = self.without_findings(start.extensions);
                vec![ChatEvent::Start(start)]
            }
            ChatEvent::PartStop(mut stop) => {
                let rest = self.sent(stop.candidate, stop.part, true);
                self.parts.remove(&(stop.candidate, stop.part));
                stop.extensions = self.without_findings(stop.extensions);
                rest.into_iter().chain([ChatEvent::PartStop(stop)]).collect()
            }
            ChatEvent::Signature(signature) => {
                // It vouches for the whole part, so what is kept back goes first.
                let rest = self.sent(signature.candidate, signature.part, true);
                let is_masked =
                    self.parts.get(&(signature.candidate, signature.part)).is_some_and(|seen| seen.is_masked);
                let kept = (!is_masked || signature.encrypted).then_some(ChatEvent::Signature(signature));
                rest.into_iter().chain(kept).collect()
            }
            ChatEvent::Citation(mut cited) => {
                let citation = &mut cited.citation;
                for text in [&mut citation.quote, &mut citation.title, &mut citation.url].into_iter().flatten() {
                    let found = self.setup.finder.find(text);
                    if !found.is_empty() {
                        *text = masked(text, &found);
                        citation.source = None;
                        self.counts_of(&found);
                    }
                }
                vec![ChatEvent::Citation(cited)]
            }
            event => {
                self.begins(&event);
                let all = whole_texts(&event).into_iter();
                let found: Vec<Found> =
                    all.flat_map(|(text, is_json)| search(&self.setup.finder, text, is_json)).collect();
                let is_clean = found.is_empty();
                self.counts_of(&found);
                // A part of one format, or a call's name, cannot be masked.
                self.is_fixed |= !is_clean && matches!(event, ChatEvent::PartStart(_));
                if is_clean { vec![event] } else { Vec::new() }
            }
        }
    }

    /// The text of a part that may be sent now, masked; at its end, all of it.
    fn sent(&mut self, candidate: u32, part: u32, is_end: bool) -> Option<ChatEvent> {
        let seen = self.parts.get_mut(&(candidate, part))?;
        let mut found = search(&self.setup.finder, &seen.text, seen.is_json);
        if !seen.is_thinking {
            found.extend(self.placeholders.find(&seen.text));
            found.sort_by_key(|one| one.range.start);
        }
        let cut = if is_end { seen.text.len() } else { seen.decided(&found) };
        found.retain(|one| one.range.end <= cut);
        let text: String = seen.text.drain(..cut).collect();
        seen.is_masked |= !found.is_empty();
        let restored = |value: &str| if seen.is_json { escaped(value) } else { value.to_owned() };
        let text = replaced(&text, &found, |one, written| match self.placeholders.value(written) {
            Some(value) if one.label == RESTORED => restored(value),
            _ => format!("[{}]", one.label),
        });
        self.counts_of(&found);
        (!text.is_empty()).then_some(ChatEvent::Delta(PartDelta { candidate, part, text }))
    }

    /// The members of one format in which nothing is found; findings are counted.
    fn without_findings(&mut self, mut extensions: Vec<Extension>) -> Vec<Extension> {
        let finder = &self.setup.finder;
        let found = |one: &Extension| [search(finder, &one.key, false), search(finder, &one.json, true)].concat();
        let all: Vec<Vec<Found>> = extensions.iter().map(found).collect();
        let mut is_clean = all.iter().map(Vec::is_empty);
        extensions.retain(|_| is_clean.next().unwrap_or_default());
        for found in &all {
            self.counts_of(found);
        }
        extensions
    }

    /// Takes note of the beginning of a part whose text is JSON, or thinking.
    fn begins(&mut self, event: &ChatEvent) {
        let ChatEvent::PartStart(PartStart { candidate, part, kind }) = event else { return };
        let is_json = matches!(kind, PartKind::ToolCall(call) if call.kind == ToolKind::Function);
        let is_thinking = matches!(kind, PartKind::Reasoning);
        if is_json || is_thinking {
            self.parts.insert((*candidate, *part), Seen { is_json, is_thinking, ..Seen::default() });
        }
    }

    fn counts_of(&mut self, found: &[Found]) {
        for one in found {
            *self.counts.entry(one.label.clone()).or_default() += 1;
        }
    }
}

impl Seen {
    /// The length of the text whose masks no further text can change.
    fn decided(&self, found: &[Found]) -> usize {
        let all = self.text.len();
        let mut cut = self.reach();
        for one in found.iter().filter(|one| one.range.start < all) {
            let may_grow = one.range.end == all && one.range.len() < LONGEST;
            if may_grow {
                cut = cut.min(one.range.start);
            } else if one.range.start < cut {
                cut = cut.max(one.range.end);
            }
        }
        cut
    }

    /// Where the end of the text begins that may be needed to recognise something.
    fn reach(&self) -> usize {
        let shown = spelling::last_shown(&self.text, self.is_json, REACH);
        self.outside(shown.max(self.text.len().saturating_sub(LONGEST)))
    }

    /// A place near this one where the text may be cut: between characters, and outside of escapes.
    fn outside(&self, at: usize) -> usize {
        let at = self.text.ceil_char_boundary(at);
        if self.is_json { spelling::outside_escape(&self.text, at) } else { at }
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

/// The texts of an event that come as a whole, each with whether it is JSON.
fn whole_texts(event: &ChatEvent) -> Vec<(&str, bool)> {
    match event {
        ChatEvent::PartStart(start) => match &start.kind {
            PartKind::ToolCall(call) => vec![(&call.name, false)],
            PartKind::Opaque(opaque) => vec![(&opaque.json, true)],
            PartKind::Media(media) => media.name.iter().map(|name| (name.as_str(), false)).collect(),
            PartKind::Text | PartKind::Reasoning | PartKind::Refusal => Vec::new(),
        },
        ChatEvent::Citation(cited) => {
            let citation = &cited.citation;
            let texts = [&citation.quote, &citation.title, &citation.url].into_iter();
            texts.flatten().map(|text| (text.as_str(), false)).collect()
        }
        ChatEvent::Opaque(opaque) => vec![(&opaque.json, true)],
        ChatEvent::Logprobs(logprobs) => vec![(&logprobs.json, true)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Finder;
    use crate::types::{PartStart, PartStop};

    /// Finds the word `hush` with any further letters `h`.
    #[derive(Debug)]
    struct Hush;

    impl Finder for Hush {
        fn find(&self, text: &str) -> Vec<Found> {
            let end = |at: usize| at + 4 + text[at + 4..].bytes().take_while(|byte| *byte == b'h').count();
            text.match_indices("hush").map(|(at, _)| Found { range: at..end(at), label: "word".into() }).collect()
        }
    }

    impl Configured for Hush {
        const NAME: &'static str = "hush";
        const VERSION: &'static str = "1.0.0";
        const DESCRIPTION: &'static str = "finds a word";
        const SETTINGS: &'static str = "";

        fn setup(_: &Facts) -> Result<Setup<Self>, String> {
            Err("not in this test".into())
        }
    }

    fn scanner(action: Action) -> Scanner<Hush> {
        Scanner::new(Setup { finder: Hush, action, message: "no".into(), restores: false })
    }

    fn delta(text: &str) -> ChatEvent {
        ChatEvent::Delta(PartDelta { candidate: 0, part: 0, text: text.into() })
    }

    fn stop() -> ChatEvent {
        ChatEvent::PartStop(PartStop { candidate: 0, part: 0, extensions: Vec::new() })
    }

    /// The text that a masking guard lets through.
    fn reported(pieces: &[&str]) -> String {
        let mut scanner = scanner(Action::Mask);
        let start = ChatEvent::PartStart(PartStart { candidate: 0, part: 0, kind: PartKind::Text });
        let events = [start].into_iter().chain(pieces.iter().map(|piece| delta(piece))).chain([stop()]);
        let mut text = String::new();
        for event in events {
            let EventVerdict::Replace(out) = scanner.push(vec![event]).verdict else { panic!("it masks") };
            for event in out {
                if let ChatEvent::Delta(delta) = event {
                    text += &delta.text;
                }
            }
        }
        text
    }

    #[test]
    fn a_word_is_found_wherever_it_is_split() {
        let whole = format!("{}hushhh and hush{}", "é".repeat(200), "z".repeat(300));
        let expected = format!("{}[word] and [word]{}", "é".repeat(200), "z".repeat(300));
        for (at, _) in whole.char_indices() {
            for size in [1, 3] {
                let next = whole.ceil_char_boundary(at + size);
                assert_eq!(reported(&[&whole[..at], &whole[at..next], &whole[next..]]), expected, "{at}");
            }
            let mut scanner = scanner(Action::Annotate);
            let pieces = vec![delta(&whole[..at]), delta(&whole[at..])];
            let noted: Vec<_> = pieces.into_iter().flat_map(|piece| scanner.push(vec![piece]).annotations).collect();
            assert_eq!(noted.last(), Some(&Annotation::new("word", "2")), "{at}");
        }
    }

    #[test]
    fn an_answer_is_refused_at_the_piece_that_completes_the_word() {
        let mut scanner = scanner(Action::Deny);
        assert_eq!(scanner.push(vec![delta("hu")]), EventAnswer::allow());
        assert_eq!(scanner.push(vec![delta("s")]), EventAnswer::allow());
        assert_eq!(scanner.push(vec![delta("h")]).verdict, EventVerdict::Deny(Denial::new("no")));
    }
}
