//! Folds a stream into the whole answer that a client builds from it, and checks that the official clients can read it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use weir_sdk::types::Frame;

/// Splits recorded bytes into frames: total length, length of the headers, a checksum, headers, payload, a checksum.
pub(super) fn frames(base64: &str) -> Vec<Frame> {
    let bytes = STANDARD.decode(base64).unwrap();
    let mut rest = bytes.as_slice();
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let number = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().unwrap()) as usize;
        let (total, headers) = (number(0), number(4));
        let message = &rest[..total];
        let data = String::from_utf8(message[12 + headers..total - 4].to_vec()).unwrap();
        frames.push(Frame { event: event(&message[12..12 + headers]), data });
        rest = &rest[total..];
    }
    frames
}

fn event(mut headers: &[u8]) -> Option<String> {
    let mut event = None;
    while let Some((&length, rest)) = headers.split_first() {
        let (name, rest) = rest.split_at(usize::from(length));
        assert_eq!(rest[0], 7, "a text");
        let length = usize::from(u16::from_be_bytes([rest[1], rest[2]]));
        if matches!(name, b":event-type" | b":exception-type") {
            event = Some(String::from_utf8(rest[3..3 + length].to_vec()).unwrap());
        }
        headers = &rest[3 + length..];
    }
    event
}

/// The whole answer of a stream.
pub(super) fn answer(frames: &[Frame]) -> Value {
    let mut answer = json!({"output": {"message": {"role": "assistant", "content": []}}});
    let mut blocks: Vec<(u64, Value)> = Vec::new();
    for frame in frames {
        let mut event: Value = serde_json::from_str(&frame.data).unwrap();
        event.as_object_mut().unwrap().remove("p");
        match frame.event.as_deref().unwrap() {
            "contentBlockStart" => blocks.push((event["contentBlockIndex"].as_u64().unwrap(), event["start"].clone())),
            "contentBlockDelta" => {
                let index = event["contentBlockIndex"].as_u64().unwrap();
                if blocks.last().is_none_or(|(known, _)| *known != index) {
                    blocks.push((index, json!({})));
                }
                add(&mut blocks.last_mut().unwrap().1, &event["delta"]);
            }
            "messageStop" | "metadata" => {
                for (key, value) in event.as_object().unwrap() {
                    answer[key] = value.clone();
                }
            }
            _ => {}
        }
    }
    let blocks: Vec<Value> = blocks.into_iter().map(|(_, block)| whole(block)).collect();
    answer["output"]["message"]["content"] = json!(blocks);
    answer
}

/// Adds a delta to a block. Citations are collected in a separate member.
fn add(block: &mut Value, delta: &Value) {
    let append = |place: &mut Value, more: &Value| {
        *place = json!([place.as_str().unwrap_or_default(), more.as_str().unwrap_or_default()].concat());
    };
    for (kind, more) in delta.as_object().unwrap() {
        match kind.as_str() {
            "text" => append(&mut block["text"], more),
            "toolUse" => append(&mut block["toolUse"]["input"], &more["input"]),
            "toolResult" => block["toolResult"]["content"] = more.clone(),
            "citation" => {
                let mut known = block["citations"].as_array().cloned().unwrap_or_default();
                known.push(more.clone());
                block["citations"] = json!(known);
            }
            "reasoningContent" => {
                for (member, more) in more.as_object().unwrap() {
                    match member.as_str() {
                        "redactedContent" => append(&mut block["reasoningContent"][member], more),
                        member => append(&mut block["reasoningContent"]["reasoningText"][member], more),
                    }
                }
            }
            other => panic!("a delta of the unknown kind {other}"),
        }
    }
}

fn whole(mut block: Value) -> Value {
    if let Some(input) = block["toolUse"]["input"].as_str() {
        block["toolUse"]["input"] = serde_json::from_str(input).expect("whole arguments");
    }
    if let Some(citations) = block.get("citations").cloned() {
        return json!({"citationsContent": {"content": [{"text": block["text"]}], "citations": citations}});
    }
    if let Value::Object(members) = &mut block {
        members.retain(|_, value| !value.is_null());
    }
    block
}

/// Fails unless the frames are a stream that every client of the format understands (C-05, C-06, C-85).
pub(super) fn check(frames: &[Frame]) {
    let (mut open, mut next, mut stopped, mut done) = (None, 0, false, false);
    for (at, frame) in frames.iter().enumerate() {
        let event: Value = serde_json::from_str(&frame.data).expect("every frame is JSON");
        let name = frame.event.as_deref().expect("every frame has a name");
        let index = event["contentBlockIndex"].as_u64();
        assert!(!done, "{name} after the end");
        assert_eq!(at == 0, name == "messageStart", "messageStart comes first, once");
        match name {
            "contentBlockStart" => {
                assert!(event["start"].as_object().is_some_and(|start| start.len() == 1), "C-85: {event}");
                assert_eq!((open, index), (None, Some(next)), "blocks follow one another");
                (open, next) = (index, next + 1);
            }
            "contentBlockDelta" if open.is_none() => {
                assert_eq!(index, Some(next), "blocks follow one another");
                assert!(event["delta"].get("toolUse").is_none(), "calls are begun");
                (open, next) = (index, next + 1);
            }
            "contentBlockDelta" => assert_eq!(index, open),
            "contentBlockStop" => {
                assert_eq!(index, open);
                open = None;
            }
            "messageStop" => {
                assert!(open.is_none() && event["stopReason"].is_string());
                stopped = true;
            }
            "metadata" => {
                assert!(stopped && event["usage"]["totalTokens"].is_number() && event["metrics"].is_object());
                done = true;
            }
            name => done = name.ends_with("Exception"),
        }
    }
    assert!(done, "the stream has an end");
}
