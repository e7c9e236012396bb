//! Folds a stream into the message that a client builds from it, and checks that the stream is well-formed.

use serde_json::{Map, Value, json};
pub(super) use weir_sdk::testing::frames::sse as frames;
use weir_sdk::types::Frame;

/// The message of a whole stream.
pub(super) fn message(frames: &[Frame]) -> Value {
    let mut message = Value::Null;
    let mut input = String::new();
    for frame in frames {
        let Ok(event) = serde_json::from_str::<Value>(&frame.data) else { continue };
        let index = event["index"].as_u64().unwrap_or(0) as usize;
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                input.clear();
                let content = message["content"].as_array_mut().expect("a message before its blocks");
                assert_eq!(content.len(), index, "blocks are numbered one after the other");
                content.push(event["content_block"].clone());
            }
            "content_block_delta" => add(&mut message["content"][index], &event["delta"], &mut input),
            "content_block_stop" if !input.is_empty() => {
                message["content"][index]["input"] = serde_json::from_str(&input).expect("whole arguments");
            }
            "message_delta" => end(&mut message, &event),
            _ => {}
        }
    }
    message
}

fn add(block: &mut Value, delta: &Value, input: &mut String) {
    let mut append = |key: &str, more: &Value| {
        let text = [block[key].as_str().unwrap_or_default(), more.as_str().unwrap_or_default()].concat();
        block[key] = json!(text);
    };
    match delta["type"].as_str().unwrap_or_default() {
        "text_delta" => append("text", &delta["text"]),
        "thinking_delta" => append("thinking", &delta["thinking"]),
        "signature_delta" => append("signature", &delta["signature"]),
        "input_json_delta" => input.push_str(delta["partial_json"].as_str().unwrap_or_default()),
        "citations_delta" => {
            let mut citations = block["citations"].as_array().cloned().unwrap_or_default();
            citations.push(delta["citation"].clone());
            block["citations"] = json!(citations);
        }
        other => panic!("a delta of the unknown type {other}"),
    }
}

fn end(message: &mut Value, event: &Value) {
    let known = |members: &Value| members.as_object().cloned().unwrap_or_default();
    let set = |target: &mut Value, members: Map<String, Value>| {
        for (key, value) in members.into_iter().filter(|(_, value)| !value.is_null()) {
            target[key] = value;
        }
    };
    set(message, known(&event["delta"]));
    set(&mut message["usage"], known(&event["usage"]));
    let mut rest = known(event);
    rest.retain(|key, _| !["type", "delta", "usage"].contains(&key.as_str()));
    set(message, rest);
}

/// Fails unless the frames are a stream that every client of the format understands (C-05, C-06, C-86).
pub(super) fn check(frames: &[Frame]) {
    let (mut open, mut next, mut begun, mut ended) = (None, 0, false, false);
    for frame in frames {
        let event: Value = serde_json::from_str(&frame.data).expect("every frame is JSON: there is no [DONE]");
        let kind = event["type"].as_str().expect("a type");
        assert_eq!(frame.event.as_deref(), Some(kind), "the event has the name of its type");
        assert!(!ended, "{kind} after the end");
        assert_eq!(begun, kind != "message_start", "message_start comes first, once");
        match kind {
            "message_start" => begun = true,
            "content_block_start" => {
                assert_eq!((open, &event["index"]), (None, &json!(next)), "blocks follow one another");
                open = Some(next);
                next += 1;
            }
            "content_block_delta" => assert_eq!(Some(&event["index"]), open.map(|n| json!(n)).as_ref()),
            "content_block_stop" => {
                assert_eq!(Some(&event["index"]), open.map(|n| json!(n)).as_ref());
                open = None;
            }
            "message_delta" => assert!(open.is_none() && event["delta"]["stop_reason"].is_string()),
            "message_stop" | "error" => ended = true,
            _ => {}
        }
    }
    assert!(ended, "the stream has an end");
}
