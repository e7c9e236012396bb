//! Parts that arrive whole, because their server streams no pieces of them.

use super::{EventDecoder, rest};
use crate::compat::responses::response::read_response;
use crate::compat::responses::{FORMAT, note, only_begins_item};
use crate::json::{self, RawValue, Rest};
use crate::losses::{ITEM, extension};
use crate::types::{ChatEvent, Part, PartCitation, PartKind, PartSignature, TextPart, ToolStart};

impl EventDecoder {
    /// Reads the final answer of a server that streamed nothing else.
    pub(super) fn whole(&mut self, response: &Rest<'_>) {
        let Ok(answer) = read_response(self.quirks, response.clone(), &self.renamed) else { return };
        for part in answer.candidates.into_iter().flat_map(|candidate| candidate.parts) {
            self.whole_part(u32::MAX, part);
        }
    }

    /// Emits the parts of an item of which nothing was streamed before.
    pub(super) fn whole_item(&mut self, output: u32, parts: Vec<Part>) {
        for mut part in parts {
            if let Part::ToolCall(call) = &mut part {
                call.name = self.renamed.original(&call.name).to_owned();
            }
            self.whole_part(output, part);
        }
    }

    /// Emits a part of which nothing was streamed before.
    pub(super) fn whole_part(&mut self, output: u32, part: Part) {
        let (mut citations, mut encrypted, mut extensions) = (Vec::new(), None, Vec::new());
        let (kind, text) = match part {
            Part::Text(text) => {
                self.note_item(&text);
                if only_begins_item(&text) {
                    return;
                }
                citations = text.citations;
                (PartKind::Text, text.text)
            }
            Part::Refusal(words) => (PartKind::Refusal, words),
            Part::Reasoning(thought) => {
                encrypted = thought.encrypted;
                extensions = thought.extensions;
                extensions.extend(thought.id.as_deref().map(|id| note("id", id)));
                (PartKind::Reasoning, thought.text.unwrap_or_default())
            }
            Part::Opaque(opaque) => (PartKind::Opaque(opaque), String::new()),
            Part::Media(media) => (PartKind::Media(media), String::new()),
            Part::ToolCall(call) => {
                self.called = true;
                let arguments = rest::arguments(&call);
                let start = ToolStart { id: call.id, name: call.name, kind: call.kind, signature: None };
                (PartKind::ToolCall(start), arguments)
            }
            Part::ToolResult(_) => return,
        };
        let content = Some(self.parts);
        let at = self.open(output, content, "whole", kind);
        self.note_thinking(&extensions);
        self.say(at, text);
        let part = self.open.get(at).map_or(0, |open| open.part);
        let cited = citations.into_iter().map(|citation| PartCitation { candidate: 0, part, citation });
        self.events.extend(cited.map(ChatEvent::Citation));
        let signed = |signature| PartSignature { candidate: 0, part, signature, encrypted: true };
        self.events.extend(encrypted.map(signed).map(ChatEvent::Signature));
        self.close(output, content, extensions);
    }
}

impl EventDecoder {
    /// Notes the id of the item that begins with this text, as where the item was announced.
    fn note_item(&mut self, text: &TextPart) {
        let members = extension(&text.extensions, FORMAT, ITEM).and_then(|json| Rest::parse(json).ok());
        let Some(members) = members else { return };
        if let Some(id) = members.get("id").and_then(json::text) {
            self.note_id(&id, members.get("phase").map_or("null", RawValue::get));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::compat::quirks::Quirks;
    use crate::compat::responses::decoder::EventDecoder;
    use crate::types::{ChatEvent, Context, ErrorKind, FinishReason, Frame, PartKind};

    /// The events of a stream with these data, to its end.
    pub(in super::super) fn decode(events: &[&str]) -> Vec<ChatEvent> {
        let mut decoder = EventDecoder::new(&Quirks::COMPATIBLE, &Context::default());
        let frames: Vec<Frame> = events.iter().map(|data| Frame { event: None, data: (*data).to_owned() }).collect();
        let mut events = decoder.push(&frames).events;
        events.extend(decoder.finish().events);
        events
    }

    #[test]
    fn items_that_come_only_when_they_are_done_are_kept() {
        let events = decode(&[
            r#"{"type":"response.created","response":{"id":"r"}}"#,
            r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a"}"#,
            r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]}}"#,
            r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"b"}]}}"#,
            r#"{"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}}"#,
            r#"{"type":"response.completed","response":{"status":"completed"}}"#,
        ]);
        let text: Vec<&str> = events
            .iter()
            .filter_map(|event| match event {
                ChatEvent::Delta(delta) => Some(delta.text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(text, ["a", "b", "{}"]);
        let calls = events.iter().filter(|event| {
            matches!(event, ChatEvent::PartStart(start) if matches!(&start.kind, PartKind::ToolCall(call) if call.name == "f"))
        });
        assert_eq!(calls.count(), 1);
        let finish = events.iter().find_map(|event| match event {
            ChatEvent::Finish(event) => Some(event.finish.reason),
            _ => None,
        });
        assert_eq!(finish, Some(FinishReason::ToolCalls));
        let count = |test: fn(&ChatEvent) -> bool| events.iter().filter(|event| test(event)).count();
        assert_eq!(
            count(|event| matches!(event, ChatEvent::PartStart(_))),
            count(|event| matches!(event, ChatEvent::PartStop(_)))
        );
    }

    #[test]
    fn an_image_is_one_for_other_formats_and_comes_once() {
        let item = r#"{"type":"image_generation_call","id":"ig_1","status":"completed","result":"AAAA"}"#;
        let begun = r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"image_generation_call","id":"ig_1","status":"in_progress"}}"#;
        let done = format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{item}}}"#);
        let end = format!(r#"{{"type":"response.completed","response":{{"status":"completed","output":[{item}]}}}}"#);
        for events in [[begun, done.as_str(), &end].as_slice(), &[begun, &end], &[&done, &end], &[&end]] {
            let events = decode(events);
            let images = events.iter().filter(
                |event| matches!(event, ChatEvent::PartStart(start) if matches!(start.kind, PartKind::Media(_))),
            );
            assert_eq!(images.count(), 1, "{events:?}");
        }
    }

    #[test]
    fn messages_that_come_whole_keep_their_ids() {
        let item = |id: &str, content: &str| {
            format!(r#"{{"type":"message","role":"assistant","id":"{id}","content":[{content}]}}"#)
        };
        let (text, refusal) = (r#"{"type":"output_text","text":"a"}"#, r#"{"type":"refusal","refusal":"No."}"#);
        let (said, refused) = (item("msg_1", text), item("msg_2", refusal));
        let done = |at: u32, item: &str| {
            format!(r#"{{"type":"response.output_item.done","output_index":{at},"item":{item}}}"#)
        };
        let end = r#"{"type":"response.completed","response":{"status":"completed"}}"#;
        let whole = format!(
            r#"{{"type":"response.completed","response":{{"status":"completed","output":[{said},{refused}]}}}}"#
        );
        for events in [[done(0, &said).as_str(), &done(1, &refused), end].as_slice(), &[&whole]] {
            let events = decode(events);
            let told: Vec<&str> = events
                .iter()
                .filter_map(|event| match event {
                    ChatEvent::Opaque(note) => note.kind.strip_prefix("item="),
                    ChatEvent::Delta(delta) => Some(&*delta.text),
                    _ => None,
                })
                .collect();
            assert_eq!(told, ["msg_1\tnull", "a", "msg_2\tnull", "No."]);
            let parts = events.iter().filter(|event| matches!(event, ChatEvent::PartStart(_))).count();
            assert_eq!(parts, 2, "{events:?}");
        }
    }

    fn texts(events: &[ChatEvent]) -> String {
        let texts = events.iter().map(|event| if let ChatEvent::Delta(delta) = event { &*delta.text } else { "" });
        texts.collect()
    }

    #[test]
    fn c77_thinking_that_comes_with_a_summary_of_it_is_read_once() {
        let delta = |kind: &str, text: &str| {
            format!(
                r#"{{"type":"response.{kind}.delta","output_index":0,"content_index":0,"summary_index":0,"delta":"{text}"}}"#
            )
        };
        let (whole, summary) = (delta("reasoning_text", "long"), delta("reasoning_summary_text", "short"));
        let added = r#"{"type":"response.reasoning_summary_part.added","output_index":0,"summary_index":0}"#;
        let item = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"short"}],"content":[{"type":"reasoning_text","text":"long"}]}}"#;
        let done = r#"{"type":"response.completed","response":{"status":"completed"}}"#;
        assert_eq!(texts(&decode(&[added, &summary, &whole, item, done])), "short");
        assert_eq!(texts(&decode(&[&whole, added, &summary, item, done])), "long");
        assert_eq!(texts(&decode(&[added, &whole, item, done])), "long");
    }

    #[test]
    fn c77_pieces_of_thinking_are_apart_as_in_a_whole_answer() {
        let delta = |index: u32| {
            format!(
                r#"{{"type":"response.reasoning_text.delta","output_index":0,"content_index":{index},"delta":"a"}}"#
            )
        };
        let done = r#"{"type":"response.completed","response":{"status":"completed"}}"#;
        assert_eq!(texts(&decode(&[&delta(0), &delta(0), &delta(1), done])), "aa\n\na");
    }

    #[test]
    fn an_empty_value_of_encrypted_thinking_is_none() {
        let item = r#"{"type":"reasoning","id":"rs","summary":[],"encrypted_content":""}"#;
        let events = decode(&[
            &format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{item}}}"#),
            &format!(r#"{{"type":"response.completed","response":{{"status":"completed","output":[{item}]}}}}"#),
        ]);
        assert!(!events.iter().any(|event| matches!(event, ChatEvent::Signature(_))), "{events:?}");
    }

    #[test]
    fn c33_a_final_answer_alone_brings_its_encrypted_thinking() {
        let events = decode(&[
            r#"{"type":"response.completed","response":{"status":"completed","output":[{"type":"reasoning","id":"rs","summary":[],"encrypted_content":"E"}]}}"#,
        ]);
        assert!(events.iter().any(|event| matches!(event, ChatEvent::Signature(one) if one.encrypted)), "{events:?}");
    }

    #[test]
    fn c60_a_broken_answer_has_its_usage() {
        let events = decode(&[
            r#"{"type":"response.failed","response":{"error":{"message":"boom"},"usage":{"input_tokens":3,"output_tokens":1}}}"#,
        ]);
        let [ChatEvent::Usage(usage), ChatEvent::Failure(error)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((usage.input, error.message.as_str()), (Some(3), "boom"));
    }

    #[test]
    fn the_tier_that_served_is_that_of_the_end() {
        let events = decode(&[
            r#"{"type":"response.created","response":{"id":"r","service_tier":"auto"}}"#,
            r#"{"type":"response.completed","response":{"status":"completed","service_tier":"priority","usage":{"input_tokens":3,"output_tokens":1}}}"#,
        ]);
        let tiers = events.iter().find_map(|event| match event {
            ChatEvent::Usage(usage) => usage.service_tier.as_deref(),
            _ => None,
        });
        assert_eq!(tiers, Some("priority"));
    }

    #[test]
    fn c21_an_error_that_does_not_say_its_type_keeps_its_reason() {
        let wrapped = r#"{"error":{"message":"Rate limit","type":"rate_limit_error","code":"429"}}"#;
        let bare = r#"{"message":"Rate limit","code":"429"}"#;
        let typed = r#"{"type":"rate_limit_error","message":"Rate limit","code":"429"}"#;
        let named = Some("error".to_owned());
        for (event, data) in [(None, wrapped), (named.clone(), wrapped), (named.clone(), bare), (named, typed)] {
            let mut decoder = EventDecoder::new(&Quirks::COMPATIBLE, &Context::default());
            let done = Frame { event: None, data: "[DONE]".to_owned() };
            let mut events = decoder.push(&[Frame { event, data: data.to_owned() }, done]).events;
            events.extend(decoder.finish().events);
            let [ChatEvent::Failure(error)] = events.as_slice() else { panic!("{events:?}") };
            let found = (error.kind, error.status, error.message.as_str());
            assert_eq!(found, (ErrorKind::RateLimited, Some(429), "Rate limit"), "{data}");
        }
    }
}
