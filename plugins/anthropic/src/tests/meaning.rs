//! Compares the meaning of two bodies: removes members without meaning from JSON values.

use serde_json::{Value, json};
pub(super) use weir_sdk::testing::meaning::without_nulls;
use weir_sdk::testing::meaning::{numbers, remove_if};

/// The meaning of a request: one spelling for content, no empty or null members.
pub(super) fn of_request(mut body: Value) -> Value {
    without_nulls(&mut body);
    let Some(members) = body.as_object_mut() else { return body };
    if let Some(system) = members.remove("system") {
        let blocks = blocks(system);
        if blocks.as_array().is_some_and(|blocks| !blocks.is_empty()) {
            members.insert("system".into(), blocks);
        }
    }
    for message in members.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten() {
        normal_message(message);
    }
    for tool in members.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(tool) = tool.as_object_mut() else { continue };
        remove_if(tool, "strict", &json!(false));
    }
    for (key, silent) in [("stream", json!(false)), ("tools", json!([])), ("stop_sequences", json!([]))] {
        remove_if(members, key, &silent);
    }
    numbers(&mut body);
    body
}

/// The meaning of an answer.
pub(super) fn of_response(mut body: Value) -> Value {
    without_nulls(&mut body);
    if let Some(content) = body.get_mut("content").and_then(Value::as_array_mut) {
        content.retain(|block| !is_empty_text(block));
        for block in content {
            if let Some(block) = block.as_object_mut() {
                remove_if(block, "citations", &json!([]));
            }
        }
    }
    numbers(&mut body);
    body
}

fn normal_message(message: &mut Value) {
    let Some(content) = message.get_mut("content") else { return };
    *content = blocks(content.take());
    for block in content.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        if block.get("type") == Some(&json!("tool_result"))
            && let Some(content) = block.remove("content")
        {
            let content = blocks(content);
            if content != json!([]) {
                block.insert("content".into(), content);
            }
        }
    }
}

fn blocks(content: Value) -> Value {
    match content {
        Value::String(text) if text.is_empty() => json!([]),
        Value::String(text) => json!([{"type": "text", "text": text}]),
        Value::Array(blocks) => blocks.into_iter().filter(|block| !is_empty_text(block)).collect(),
        other => other,
    }
}

fn is_empty_text(block: &Value) -> bool {
    block.get("type") == Some(&json!("text")) && block.get("text") == Some(&json!(""))
}
