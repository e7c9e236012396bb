//! Mistral's deviations from the format.

use super::*;
use weir_sdk::adapter::ProviderChat;
use weir_sdk::compat::manifest;
use weir_sdk::compat::request::render;
use weir_sdk::compat::wire::FORMAT;
use weir_sdk::manifest::{FrameTest, PointerEquals};
use weir_sdk::testing::{self, context, fields, http_response, json};
use weir_sdk::types::{
    ChatEvent, ChatRequest, ChatResponse, Extension, Frame, FunctionTool, MediaKind, MediaPart, MediaSource, Message,
    Part, Role, Sampling, TextPart, Tool, ToolCall,
};

fn parameters(of: Option<&str>) -> String {
    let tool = FunctionTool { parameters: of.map(str::to_owned), ..FunctionTool::new("f") };
    let request = ChatRequest { tools: vec![Tool::Function(tool)], ..ChatRequest::default() };
    let rendered = render(Mistral::QUIRKS, &context("mistral-small-latest"), request).unwrap();
    assert!(rendered.losses.is_empty());
    json(&rendered.request.body)["tools"][0]["function"]["parameters"].to_string()
}

#[test]
fn a_function_without_a_schema_has_that_of_no_arguments() {
    assert_eq!(parameters(None), r#"{"properties":{},"type":"object"}"#);
    assert_eq!(parameters(Some(r#"{"type":"object"}"#)), r#"{"type":"object"}"#);
}

#[test]
fn members_of_requests_that_the_schema_forbids_are_not_sent() {
    let sampling = Sampling { logprobs: Some(true), top_logprobs: Some(2), ..Sampling::default() };
    let request = ChatRequest { sampling, ..ChatRequest::default() };
    let rendered = render(Mistral::QUIRKS, &context("mistral-small-latest"), request).unwrap();
    let body = json(&rendered.request.body);
    assert_eq!((body.get("logprobs"), body.get("top_logprobs")), (None, None));
    assert_eq!(fields(&rendered.losses), ["logprobs", "top_logprobs"]);
}

/// A message as it is sent, and the losses.
fn sent(message: Message) -> (String, Vec<String>) {
    let request = ChatRequest { messages: vec![message], ..ChatRequest::default() };
    let rendered = render(Mistral::QUIRKS, &context("mistral-small-latest"), request).unwrap();
    (json(&rendered.request.body)["messages"].to_string(), fields(&rendered.losses))
}

#[test]
fn members_that_the_schema_of_messages_forbids_are_not_sent() {
    let own = |key: &str, json: &str| Extension { format: FORMAT.into(), key: key.into(), json: json.into() };
    let text = TextPart { extensions: vec![own("prompt_cache_breakpoint", "{\"a\":1}")], ..TextPart::new("Hi") };
    let call = ToolCall { extensions: vec![own("caller", "\"x\"")], ..ToolCall::new("123456789", "f", "{}") };
    let mut message = Message::new(Role::Assistant, vec![Part::Text(text), Part::ToolCall(call)]);
    message.extensions = vec![own("annotations", "[]"), own("function_call", "null"), own("extra", "1")];
    let (messages, losses) = sent(message);
    let calls = r#"[{"function":{"arguments":"{}","name":"f"},"id":"123456789","type":"function"}]"#;
    let content = r#"[{"text":"Hi","type":"text"}]"#;
    assert_eq!(messages, format!(r#"[{{"content":{content},"role":"assistant","tool_calls":{calls}}}]"#));
    let expected =
        ["messages[0].content[0].prompt_cache_breakpoint", "messages[0].tool_calls[].caller", "messages[0].extra"];
    assert_eq!(losses, expected);
}

#[test]
fn a_refusal_is_sent_as_text_and_earlier_audio_not_at_all() {
    let (messages, losses) = sent(Message::new(Role::Assistant, vec![Part::Refusal("No.".into())]));
    assert_eq!(messages, r#"[{"content":"No.","prefix":true,"role":"assistant"}]"#);
    assert_eq!(losses, ["messages[0].refusal"]);
    let id = Extension { format: FORMAT.into(), key: "id".into(), json: "\"a1\"".into() };
    let media = MediaPart::new(MediaKind::Audio, MediaSource::FileId("a1".into()));
    let audio = Part::Media(MediaPart { extensions: vec![id], ..media });
    let (messages, losses) = sent(Message::new(Role::Assistant, vec![audio]));
    assert_eq!((messages.as_str(), losses), ("[]", vec!["messages[0].audio".to_owned()]));
}

#[test]
fn requests_with_members_that_messages_may_not_have_are_translated() {
    let accepted = manifest::describe(Mistral::QUIRKS).accepts;
    let chat = accepted.iter().find(|accepted| accepted.format == FORMAT).unwrap();
    for member in ["refusal", "audio", "function_call", "annotations", "content/*/cache_control"] {
        let pointer = format!("/messages/*/{member}");
        let null = PointerEquals { pointer: pointer.clone(), json: "null".into() };
        for test in [FrameTest::other_than(pointer, []), FrameTest::Equals(null)] {
            assert!(chat.exclusions.iter().any(|one| one.test == test), "{member}");
        }
    }
}

/// The words of an answer, and the references in it.
fn told(response: &ChatResponse) -> (String, Vec<String>) {
    let (mut words, mut cited) = (String::new(), Vec::new());
    for part in &response.candidates[0].parts {
        let Part::Text(text) = part else { panic!("{part:?}") };
        words.push_str(&text.text);
        cited.extend(text.citations.iter().filter_map(|one| one.source.as_ref()).map(|own| own.json.clone()));
    }
    (words, cited)
}

const REFERENCE: &str = r#"{"type":"reference","reference_ids":[1,2]}"#;

#[test]
fn references_are_citations_of_the_text_before_them() {
    let content = format!(r#"[{{"type":"text","text":"Sky"}},{REFERENCE},{{"type":"text","text":" is blue"}}]"#);
    let body = format!(r#"{{"id":"a","choices":[{{"message":{{"content":{content}}},"finish_reason":"stop"}}]}}"#);
    let ctx = context("mistral-small-latest");
    let whole = <Mistral as ProviderChat>::parse_response(&ctx, http_response(200, body)).unwrap();
    assert_eq!(told(&testing::complete(whole)), ("Sky is blue".into(), vec![REFERENCE.into()]));
    let chunk = |content: &str| Frame {
        event: None,
        data: format!(r#"{{"id":"a","choices":[{{"index":0,"delta":{{"content":{content}}}}}]}}"#),
    };
    let frames = [chunk("\"Sky\""), chunk(&format!("[{REFERENCE}]")), chunk("\" is blue\"")];
    let events = testing::decoded::<<Mistral as ProviderChat>::Decoder>(&ctx, &frames, 1);
    let words: String = events
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Delta(delta) => Some(delta.text.as_str()),
            _ => None,
        })
        .collect();
    let cited: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Citation(one) => Some(one.citation.source.as_ref()?.json.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!((words.as_str(), cited), ("Sky is blue", vec![REFERENCE]));
    let starts = events.iter().filter(|event| matches!(event, ChatEvent::PartStart(_))).count();
    assert_eq!(starts, 1);
}

#[test]
fn tokens_of_audio_are_counted_beside_the_prompt() {
    let tap = manifest::describe(Mistral::QUIRKS).formats.into_iter().find_map(|format| format.tap).unwrap();
    let input = tap.usage.iter().find(|place| place.bucket == Bucket::Input).unwrap();
    assert_eq!(input.includes, [Bucket::CacheRead, Bucket::CacheWrite, Bucket::InputImage]);
}
