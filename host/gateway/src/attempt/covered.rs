//! Whether the unified model, where guards have seen it, has everything that the bytes of an answer say. Bytes that say
//! more are not sent on.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use serde_json::Value;
use weir_types::contract::types::{ChatEvent, ChatResponse, Frame, Part};
use weir_wire::repeated::{Reading, read};

/// The longest word that need not be in the model: an id, a name of a type, padding.
const WORD: usize = 64;
/// The most bytes of texts that are remembered. An answer that is longer does not go on as bytes.
const REMEMBERED: usize = 1 << 20;
/// The largest request whose words are looked for in an answer: some formats repeat them.
const REPEATED: usize = 1 << 20;

/// The most bytes that are searched for texts which stand within others. An answer that needs more does not go on as
/// bytes: one with very many texts would keep a processor busy.
const SEARCHED: usize = 64 << 20;

/// The texts of an answer so far, as the unified model has them.
#[derive(Debug, Default)]
pub(super) struct ModelTexts {
    /// By candidate and part.
    parts: BTreeMap<(u32, u32), String>,
    /// The other strings of the events of the last read: ids, names and the like.
    others: HashSet<String>,
    /// A whole answer; dropped once all of its strings had to be collected.
    answer: Option<Box<ChatResponse>>,
    bytes: usize,
    /// The client's own request, until its words are needed.
    request: Vec<Bytes>,
    /// The strings of the client's request.
    request_texts: HashSet<String>,
    /// How many bytes have been searched.
    searched: usize,
}

impl ModelTexts {
    /// An empty set of texts for the answer to a request with this body. A body that is short enough to be searched
    /// later stays in memory as long as the answer.
    pub(super) fn of(request: &[Bytes]) -> Self {
        let is_looked_into = request.iter().map(Bytes::len).sum::<usize>() <= REPEATED;
        Self { request: if is_looked_into { request.to_vec() } else { Vec::new() }, ..Self::default() }
    }

    /// Adds the events of one read.
    pub(super) fn add(&mut self, events: &[ChatEvent]) {
        self.others.clear();
        for event in events {
            match event {
                ChatEvent::Delta(delta) => {
                    self.bytes += delta.text.len();
                    self.parts.entry((delta.candidate, delta.part)).or_default().push_str(&delta.text);
                    if delta.text.starts_with('{') {
                        inner(&delta.text, &mut self.others);
                    }
                }
                event => {
                    if let Ok(value) = serde_json::to_value(event) {
                        collect(&value, &mut self.others);
                    }
                }
            }
        }
    }

    /// Adds a whole answer.
    pub(super) fn add_answer(&mut self, answer: &ChatResponse) {
        for part in answer.candidates.iter().flat_map(|candidate| &candidate.parts) {
            if let Part::Text(part) = part {
                self.others.insert(part.text.clone());
            }
        }
        self.answer = Some(Box::new(answer.clone()));
    }

    /// Whether the frames of the last read say nothing that the texts do not have.
    pub(super) fn covers(&mut self, frames: &[Frame]) -> bool {
        self.bytes <= REMEMBERED && frames.iter().all(|frame| self.covers_text(&frame.data))
    }

    /// Whether a JSON text says nothing that the texts do not have.
    pub(super) fn covers_text(&mut self, json: &str) -> bool {
        match read(json, &mut |text| self.knows(text)) {
            Reading::Same => true,
            Reading::Refused => false,
            Reading::NotJson => self.knows(json),
        }
    }

    fn knows(&mut self, text: &str) -> bool {
        is_word(text) || self.has(text) || self.has_in_answer(text) || self.is_in_request(text)
    }

    /// Whether the texts contain this one. The newest text is searched first, since the bytes usually repeat that.
    fn has(&mut self, text: &str) -> bool {
        self.search(self.parts.len()) && self.parts.values().any(|known| known.ends_with(text))
            || self.others.contains(text)
            || self.search(self.others.iter().map(|known| known.len() + 1).sum())
                && self.others.iter().any(|known| known.contains(text))
            || self.search(self.bytes) && self.parts.values().any(|known| known.contains(text))
    }

    /// Counts more searched bytes. Returns whether that is still within the bound.
    fn search(&mut self, more: usize) -> bool {
        self.searched = self.searched.saturating_add(more);
        self.searched <= SEARCHED
    }

    /// Like [`Self::has`], after collecting all strings of a whole answer.
    fn has_in_answer(&mut self, text: &str) -> bool {
        let Some(answer) = self.answer.take() else { return false };
        if let Ok(value) = serde_json::to_value(&answer) {
            collect(&value, &mut self.others);
        }
        self.has(text)
    }

    /// Whether the client's request has this text.
    fn is_in_request(&mut self, text: &str) -> bool {
        let request = std::mem::take(&mut self.request);
        if !request.is_empty()
            && let Ok(value) = serde_json::from_slice(&request.concat())
        {
            collect(&value, &mut self.request_texts);
        }
        self.request_texts.contains(text)
    }
}

/// Collects the strings of a value, the names of members, and the strings of texts that are JSON.
fn collect(value: &Value, to: &mut HashSet<String>) {
    match value {
        Value::String(text) => {
            if text.starts_with(['{', '[', '"']) {
                inner(text, to);
            }
            to.insert(text.clone());
        }
        Value::Array(all) => all.iter().for_each(|one| collect(one, to)),
        Value::Object(members) => members.iter().for_each(|(name, one)| {
            to.insert(name.clone());
            collect(one, to);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Collects the strings of a text that is JSON.
fn inner(text: &str, to: &mut HashSet<String>) {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::String(inner)) => _ = to.insert(inner),
        Ok(value) => collect(&value, to),
        Err(_) => {}
    }
}

/// Whether a text is one short word of ASCII, as ids and names are.
fn is_word(text: &str) -> bool {
    text.len() <= WORD && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::{Candidate, PartDelta, PartKind, PartStart, TextPart, ToolKind, ToolStart};

    fn delta(text: &str) -> ChatEvent {
        ChatEvent::Delta(PartDelta { candidate: 0, part: 0, text: text.into() })
    }

    #[test]
    fn words_and_what_events_say_are_covered_and_nothing_else_is() {
        let mut known = ModelTexts::default();
        known.add(&[delta("The key")]);
        known.add(&[delta(" is it")]);
        assert!(known.covers_text(r#"{"id":"chatcmpl-1","choices":[{"delta":{"content":" is it"}}],"n":[1.5,null]}"#));
        assert!(known.covers_text(r#"{"whole":"The key is it"}"#), "what was known before");
        assert!(known.covers_text("[DONE]"));
        for more in [
            r#"{"content":" is it","other":"a text"}"#,
            r#"{"a member":1}"#,
            r#"{"content":"ключ"}"#,
            r#"{"content":"x","content":" is it"}"#,
            "no JSON at all",
        ] {
            assert!(!known.covers_text(more), "{more}");
        }
        assert!(!known.covers_text(&format!("\"{}\"", "x".repeat(WORD + 1))));
    }

    #[test]
    fn what_the_client_asked_may_be_repeated() {
        let request = [Bytes::from_static(b"{\"instructions\":\"Be br"), Bytes::from_static(b"ief.\"}")];
        let mut known = ModelTexts::of(&request);
        assert!(known.covers_text("{\"instructions\":\"Be brief.\"}"));
        assert!(!known.covers_text("{\"instructions\":\"Be brief. And loud.\"}"));
        let mut known = ModelTexts::of(&[Bytes::from(format!("\"a b{}\"", "x".repeat(REPEATED)))]);
        assert!(known.request.is_empty(), "a long request is not kept in memory");
        assert!(!known.covers_text("\"a b\""));
    }

    #[test]
    fn arguments_are_known_as_json_and_by_their_values() {
        let call = ToolStart { id: "c".into(), name: "look up".into(), kind: ToolKind::Function, signature: None };
        let start = PartStart { candidate: 0, part: 0, kind: PartKind::ToolCall(call) };
        let mut known = ModelTexts::default();
        known.add(&[ChatEvent::PartStart(start), delta(r#"{"q":"a \"b\" c","the name":[]}"#)]);
        assert!(known.covers_text(r#"{"name":"look up","args":{"q":"a \"b\" c","the name":[]}}"#));
        assert!(!known.covers_text(r#"{"name":"look up","args":{"q":"a b c"}}"#));
    }

    #[test]
    fn an_answer_of_very_many_texts_goes_on_if_each_is_there_and_is_not_searched_for_ever() {
        let texts = |more: &str| (0..100_000).map(|number| format!("a text {number}{more}")).collect::<Vec<_>>();
        let part = |text: String| Part::Text(TextPart::plain(&text));
        let candidate = |parts| Candidate { index: 0, parts, finish: None, logprobs: None, extensions: Vec::new() };
        let candidates = vec![candidate(texts(" and more").into_iter().map(part).collect())];
        let (id, extensions) = ("1".to_owned(), Vec::new());
        let answer =
            ChatResponse { id, model: None, created_ms: None, candidates, usage: None, service_tier: None, extensions };
        let json = |texts| serde_json::to_string::<Vec<String>>(&texts).unwrap();
        let mut known = ModelTexts::default();
        known.add_answer(&answer);
        assert!(known.covers_text(&json(texts(" and more"))));
        // Each stands within another: comparing them all would take minutes.
        let mut known = ModelTexts::default();
        known.add_answer(&answer);
        assert!(!known.covers_text(&json(texts(""))));
        let mut known = ModelTexts::default();
        known.add_answer(&answer);
        assert!(known.covers_text(&json(texts("").into_iter().take(10).collect())));
    }

    #[test]
    fn a_long_answer_is_not_remembered() {
        let mut known = ModelTexts::default();
        known.add(&[delta(&"x".repeat(REMEMBERED + 1))]);
        assert!(!known.covers(&[]));
    }
}
