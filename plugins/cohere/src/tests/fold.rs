//! Folds a stream into the answer that a client builds from it, and checks that the stream is well-formed.

use serde_json::{Value, json};
use weir_sdk::testing::frames::sse;
use weir_sdk::types::Frame;

/// Splits recorded bytes into frames: events, or lines.
pub(super) fn frames(text: &str) -> Vec<Frame> {
    if text.contains("data:") {
        return sse(text);
    }
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(|line| Frame { event: None, data: line.to_owned() }).collect()
}

fn append(place: &mut Value, more: &Value) {
    let text = [place.as_str().unwrap_or_default(), more.as_str().unwrap_or_default()].concat();
    *place = json!(text);
}

fn push(list: &mut Value, one: Value) {
    let mut all = list.as_array().cloned().unwrap_or_default();
    all.push(one);
    *list = json!(all);
}

/// The answer of a whole stream.
pub(super) fn answer(frames: &[Frame]) -> Value {
    let mut answer = json!({"message": {"role": "assistant"}});
    for frame in frames {
        let Ok(event) = serde_json::from_str::<Value>(&frame.data) else { continue };
        let index = event["index"].as_u64().unwrap_or(0) as usize;
        let delta = &event["delta"]["message"];
        let message = &mut answer["message"];
        match event["type"].as_str().unwrap_or_default() {
            "message-start" => answer["id"] = event["id"].clone(),
            "content-start" => push(&mut message["content"], delta["content"].clone()),
            "content-delta" => {
                for key in ["text", "thinking"] {
                    if delta["content"].get(key).is_some() {
                        append(&mut message["content"][index][key], &delta["content"][key]);
                    }
                }
                if !event["logprobs"].is_null() {
                    push(&mut answer["logprobs"], event["logprobs"].clone());
                }
            }
            "tool-plan-delta" => append(&mut message["tool_plan"], &delta["tool_plan"]),
            "tool-call-start" => push(&mut message["tool_calls"], delta["tool_calls"].clone()),
            "tool-call-delta" => append(
                &mut message["tool_calls"][index]["function"]["arguments"],
                &delta["tool_calls"]["function"]["arguments"],
            ),
            "citation-start" => push(&mut message["citations"], delta["citations"].clone()),
            "message-end" => {
                for (key, value) in event["delta"].as_object().into_iter().flatten() {
                    answer[key] = value.clone();
                }
            }
            _ => {}
        }
    }
    answer
}

/// Fails unless the frames are a stream that every client of the format understands.
pub(super) fn check(frames: &[Frame]) {
    let (mut begun, mut ended) = (false, false);
    let (mut contents, mut calls) = (Vec::new(), Vec::new());
    for frame in frames {
        if frame.data == "[DONE]" {
            assert!(ended && frame.event.is_none(), "the end comes last");
            continue;
        }
        let event: Value = serde_json::from_str(&frame.data).expect("every frame is JSON");
        let kind = event["type"].as_str().expect("a type");
        assert_eq!(frame.event.as_deref(), Some(kind), "the event has the name of its type");
        assert!(!ended, "{kind} after the end");
        assert_eq!(begun, kind != "message-start", "message-start comes first, once");
        let list: &mut Vec<bool> = if kind.starts_with("tool-call") { &mut calls } else { &mut contents };
        let index = event["index"].as_u64().unwrap_or(0) as usize;
        match kind {
            "message-start" => begun = true,
            "content-start" | "tool-call-start" => {
                assert_eq!(list.len(), index, "{kind} is numbered one after the other");
                list.push(true);
            }
            "content-delta" | "tool-call-delta" => assert!(list[index], "{kind} belongs to an open part"),
            "content-end" | "tool-call-end" => assert!(std::mem::take(&mut list[index]), "{kind} comes once"),
            "message-end" => {
                ended = true;
                let failed = event["delta"]["finish_reason"] == "ERROR";
                assert!(failed || !contents.iter().chain(&calls).any(|open| *open), "all parts have ended");
            }
            _ => {}
        }
    }
    assert!(ended, "the stream has an end");
}
