//! What a server did not stream of an answer, taken from the ends of its parts, of its items, and of the answer.

use super::EventDecoder;
use crate::compat::responses::FORMAT;
use crate::compat::responses::read::{citation, item};
use crate::compat::responses::response::read_response;
use crate::json::{self, RawValue, Rest};
use crate::losses::extension;
use crate::types::{ChatEvent, Part, PartCitation, ToolCall, ToolKind};

/// What has arrived of a text: its length and a checksum, since the text itself may be long.
#[derive(Debug, Default)]
pub(super) struct Told {
    length: usize,
    checksum: u32,
}

impl Told {
    pub(super) fn is_any(&self) -> bool {
        self.length > 0
    }

    pub(super) fn add(&mut self, text: &str) {
        self.length += text.len();
        self.checksum = checksum(self.checksum, text);
    }

    /// What is missing of the whole text; `None` if that does not begin with what has arrived.
    fn missing<'a>(&self, whole: &'a str) -> Option<&'a str> {
        let (told, missing) = whole.split_at_checked(self.length)?;
        (missing.is_empty() || checksum(0, told) == self.checksum).then_some(missing)
    }
}

/// A sum over the text, byte by byte.
fn checksum(before: u32, text: &str) -> u32 {
    text.bytes().fold(before, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193).rotate_left(5))
}

impl EventDecoder {
    /// Adds what the pieces of an open part did not bring of its whole text: some servers send the first ones only.
    pub(super) fn say_rest(&mut self, at: usize, whole: &str) {
        let missing = self.open.get(at).and_then(|open| open.told.missing(whole)).map(str::to_owned);
        self.say(at, missing.unwrap_or_default());
    }

    /// Ends a part of a message.
    pub(super) fn part_done(&mut self, output: u32, content: Option<u32>, wire: &mut Rest<'_>) {
        let at = self.open.iter().position(|open| open.output == output && open.content == content);
        if let (Some(at), Some(raw)) = (at, wire.value("part")) {
            self.complete(at, raw);
        }
        self.close(output, content, Vec::new());
    }

    /// Completes the open parts of a message from its finished item.
    pub(super) fn complete_message(&mut self, output: u32, done: &RawValue) {
        let content = Rest::parse(done.get()).ok().and_then(|item| item.get("content").and_then(json::list));
        for (index, raw) in (0..).zip(content.unwrap_or_default()) {
            // A server that does not number the parts has one.
            let own = |content: Option<u32>| content.unwrap_or(0) == index;
            let at = self.open.iter().position(|open| open.output == output && own(open.content));
            if let Some(at) = at {
                self.complete(at, raw);
            }
        }
    }

    /// Completes, at the answer's end, the parts of messages that were never done.
    pub(super) fn complete_open(&mut self, response: &Rest<'_>) {
        let items = response.get("output").and_then(json::list).unwrap_or_default();
        for (output, raw) in (0..).zip(items) {
            if self.open.iter().any(|open| open.output == output) {
                self.complete_message(output, raw);
            }
        }
    }

    /// Completes, at the answer's end, the items that were announced and never done.
    pub(super) fn forgotten(&mut self, response: &Rest<'_>) {
        let items = response.get("output").and_then(json::list).unwrap_or_default();
        for (output, raw) in (0..).zip(items) {
            let id = Rest::parse(raw.get()).ok().and_then(|mut item| item.str("id")).unwrap_or_default();
            if !self.announced.iter().any(|(_, known)| *known == *id) {
                continue;
            }
            match item(raw, Some(self.quirks)).parts.pop() {
                Some(Part::Opaque(opaque)) => self.opaque_item(output, opaque),
                Some(image @ Part::Media(_)) => self.whole_part(output, image),
                _ => {}
            }
        }
    }

    /// Adds the text of an open part and the citations that did not arrive.
    fn complete(&mut self, at: usize, raw: &RawValue) {
        let Some(open) = self.open.get(at).filter(|open| matches!(open.words, "text" | "refusal")) else { return };
        let (part, cited, words) = (open.part, open.cited, open.words);
        let mut wire = Rest::parse(raw.get()).unwrap_or_default();
        let kind = wire.get("type").and_then(json::text);
        if kind.as_deref() != Some(if words == "text" { "output_text" } else { "refusal" }) {
            return;
        }
        if let Some(whole) = wire.str(words) {
            self.say_rest(at, &whole);
        }
        let all = wire.list("annotations").unwrap_or_default();
        let missing = all.into_iter().skip(cited);
        let events = missing.map(|raw| PartCitation { candidate: 0, part, citation: citation(raw) });
        self.events.extend(events.map(ChatEvent::Citation));
    }

    /// Emits, at the answer's end, its texts or its calls if none were streamed: some servers stream the thinking
    /// alone.
    pub(super) fn untold(&mut self, response: &Rest<'_>) {
        let (worded, called) = (self.texts > 0, self.called);
        if worded && called {
            return;
        }
        let Ok(answer) = read_response(self.quirks, response.clone(), &self.renamed) else { return };
        for part in answer.candidates.into_iter().flat_map(|candidate| candidate.parts) {
            let is_untold = match &part {
                Part::Text(text) => !worded && !text.text.is_empty(),
                Part::Refusal(_) => !worded,
                Part::ToolCall(_) => !called,
                _ => false,
            };
            if is_untold {
                self.whole_part(u32::MAX, part);
            }
        }
    }
}

/// The arguments of a call. None are an empty object, unless the call was cut off (C-05).
pub(super) fn arguments(call: &ToolCall) -> String {
    let is_cut = extension(&call.extensions, FORMAT, "status") == Some(r#""incomplete""#);
    let is_empty = call.kind == ToolKind::Function && call.arguments.trim().is_empty();
    if is_empty && !is_cut { "{}".to_owned() } else { call.arguments.clone() }
}

#[cfg(test)]
mod tests {
    use crate::compat::responses::decoder::whole::tests::decode;
    use crate::types::{ChatEvent, FinishReason, PartKind};

    /// The texts of all parts, the addresses that they cite, and the ids of the calls.
    fn told(events: &[ChatEvent]) -> (String, Vec<&str>, Vec<&str>) {
        let (mut text, mut cited, mut calls) = (String::new(), Vec::new(), Vec::new());
        for event in events {
            match event {
                ChatEvent::Delta(delta) => text.push_str(&delta.text),
                ChatEvent::Citation(one) => cited.extend(one.citation.url.as_deref()),
                ChatEvent::PartStart(start) => {
                    if let PartKind::ToolCall(call) = &start.kind {
                        calls.push(call.id.as_str());
                    }
                }
                _ => {}
            }
        }
        (text, cited, calls)
    }

    const ADDED: &str = r#"{"type":"response.content_part.added","output_index":0,"content_index":0,"part":{"type":"output_text","text":""}}"#;
    const DELTA: &str = r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"ab"}"#;
    const CITED: &str = r#"{"type":"response.output_text.annotation.added","output_index":0,"content_index":0,"annotation":{"type":"url_citation","url":"https://a"}}"#;
    const PART: &str = r#"{"type":"response.content_part.done","output_index":0,"content_index":0,"part":{"type":"output_text","text":"ab","annotations":[{"type":"url_citation","url":"https://a"},{"type":"url_citation","url":"https://b"}]}}"#;
    const ITEM: &str = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"ab","annotations":[{"type":"url_citation","url":"https://a"},{"type":"url_citation","url":"https://b"}]}]}}"#;
    const DONE: &str = r#"{"type":"response.completed","response":{"status":"completed"}}"#;
    const WHOLE: &str = r#"{"type":"response.completed","response":{"status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"ab","annotations":[{"type":"url_citation","url":"https://a"},{"type":"url_citation","url":"https://b"}]}]}]}}"#;

    #[test]
    fn pieces_that_a_server_left_out_come_with_the_end_of_the_part() {
        let whole = |text: &str| PART.replace(r#""text":"ab","#, &format!(r#""text":"{text}","#));
        let done = r#"{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"abä, and more"}"#;
        for (last, expected) in [
            (whole("abc"), "abc"),
            (done.to_owned(), "abä, and more"),
            // What does not begin like the pieces is no rest of them.
            (whole("xyz"), "ab"),
            (whole("äöü"), "ab"),
            (whole("a"), "ab"),
        ] {
            assert_eq!(told(&decode(&[ADDED, DELTA, &last, DONE])).0, expected, "{last}");
        }
        let added = r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f","arguments":""}}"#;
        let delta = r#"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\"a\":"}"#;
        let item = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":1}"}}"#;
        assert_eq!(told(&decode(&[added, delta, item, DONE])).0, r#"{"a":1}"#);
    }

    #[test]
    fn citations_and_texts_that_come_with_the_end_of_a_part_are_kept_once() {
        let expected = ("ab".to_owned(), vec!["https://a", "https://b"], Vec::new());
        for events in [
            [ADDED, DELTA, CITED, PART, ITEM, DONE].as_slice(),
            &[ADDED, DELTA, PART, ITEM, DONE],
            &[ADDED, DELTA, ITEM, DONE],
            &[ADDED, DELTA, WHOLE],
            &[ADDED, PART, ITEM, DONE],
            &[ADDED, ITEM, DONE],
            &[ITEM, DONE],
        ] {
            assert_eq!(told(&decode(events)), expected, "{events:?}");
        }
    }

    #[test]
    fn a_refusal_that_comes_with_the_end_of_its_part_is_kept() {
        let added = r#"{"type":"response.content_part.added","output_index":0,"content_index":0,"part":{"type":"refusal","refusal":""}}"#;
        let done = r#"{"type":"response.content_part.done","output_index":0,"content_index":0,"part":{"type":"refusal","refusal":"No."}}"#;
        let events = decode(&[added, done, DONE]);
        assert_eq!(told(&events).0, "No.");
        assert!(matches!(&events[0], ChatEvent::PartStart(start) if matches!(start.kind, PartKind::Refusal)));
    }

    #[test]
    fn a_summary_that_comes_with_its_end_is_kept_once() {
        let added = r#"{"type":"response.reasoning_summary_part.added","output_index":0,"summary_index":0}"#;
        let delta =
            r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"hm"}"#;
        let done = r#"{"type":"response.reasoning_summary_text.done","output_index":0,"summary_index":0,"text":"hm"}"#;
        let item = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"hm"}]}}"#;
        for events in [[added, delta, done, item, DONE].as_slice(), &[added, done, item, DONE], &[added, done, DONE]] {
            assert_eq!(told(&decode(events)).0, "hm", "{events:?}");
        }
        assert_eq!(told(&decode(&[added, done, added, done, item, DONE])).0, "hm\n\nhm");
        assert_eq!(told(&decode(&[item, done, DONE])).0, "hm");
    }

    #[test]
    fn what_only_the_final_answer_has_is_kept() {
        let thinking = r#"{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"hm"}"#;
        let events = decode(&[thinking, WHOLE]);
        assert_eq!(told(&events), ("hmab".to_owned(), vec!["https://a", "https://b"], Vec::new()));
        let called = r#"{"type":"response.completed","response":{"status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"ab"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}]}}"#;
        let events = decode(&[ADDED, DELTA, PART, called]);
        assert_eq!(told(&events).0, "ab{}");
        let finish = events.iter().find_map(|event| match event {
            ChatEvent::Finish(event) => Some(event.finish.reason),
            _ => None,
        });
        assert_eq!(finish, Some(FinishReason::ToolCalls));
    }

    #[test]
    fn c79_the_result_of_a_tool_that_the_provider_ran_is_its_own() {
        let item = r#"{"type":"function_call_output","id":"fo","call_id":"c","output":"x"}"#;
        let added = format!(r#"{{"type":"response.output_item.added","output_index":0,"item":{item}}}"#);
        let done = format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{item}}}"#);
        let events = decode(&[&added, &done, DONE]);
        let own = events.iter().find_map(|event| match event {
            ChatEvent::PartStart(start) => Some(&start.kind),
            _ => None,
        });
        assert!(matches!(own, Some(PartKind::Opaque(own)) if own.json == item), "{events:?}");
    }

    #[test]
    fn a_call_may_have_the_items_id_alone_and_no_arguments() {
        let item = r#"{"type":"function_call","id":"fc","name":"f","arguments":""}"#;
        let added = format!(r#"{{"type":"response.output_item.added","output_index":0,"item":{item}}}"#);
        let done = format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{item}}}"#);
        for events in [[added.as_str(), &done, DONE].as_slice(), &[&done, DONE], &[&added, DONE]] {
            assert_eq!(told(&decode(events)), ("{}".to_owned(), Vec::new(), vec!["fc"]), "{events:?}");
        }
        let cut = r#"{"type":"response.incomplete","response":{"status":"incomplete"}}"#;
        assert_eq!(told(&decode(&[&added, cut])).0, "");
    }
}
