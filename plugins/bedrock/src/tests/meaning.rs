//! Compares the meaning of two bodies: removes members without meaning from JSON values.

use serde_json::{Value, json};
use weir_sdk::testing::meaning::{numbers, remove_if, without_nulls};

/// The meaning of a request.
pub(super) fn of_request(mut body: Value) -> Value {
    without_nulls(&mut body);
    let Some(members) = body.as_object_mut() else { return body };
    for (key, silent) in
        [("system", json!([])), ("inferenceConfig", json!({})), ("additionalModelRequestFields", json!({}))]
    {
        remove_if(members, key, &silent);
    }
    if let Some(inference) = members.get_mut("inferenceConfig").and_then(Value::as_object_mut) {
        remove_if(inference, "stopSequences", &json!([]));
    }
    if let Some(messages) = members.get_mut("messages").and_then(Value::as_array_mut) {
        messages.iter_mut().for_each(content);
    }
    // The schema is text, whose white space and order have no meaning.
    if let Some(schema) = body.pointer_mut("/outputConfig/textFormat/structure/jsonSchema/schema")
        && let Some(text) = schema.as_str()
    {
        *schema = serde_json::from_str(text).unwrap();
    }
    numbers(&mut body);
    body
}

/// The meaning of an answer. Some counts are repeated, and `tool_use` is the type of every call.
pub(super) fn of_answer(mut body: Value) -> Value {
    without_nulls(&mut body);
    if let Some(message) = body.pointer_mut("/output/message") {
        content(message);
    }
    if let Some(usage) = body.get_mut("usage").and_then(Value::as_object_mut) {
        usage.remove("cacheReadInputTokenCount");
        usage.remove("cacheWriteInputTokenCount");
        remove_if(usage, "serverToolUsage", &json!({}));
    }
    numbers(&mut body);
    body
}

fn content(message: &mut Value) {
    let Some(blocks) = message.get_mut("content").and_then(Value::as_array_mut) else { return };
    blocks.retain(|block| block.get("text") != Some(&json!("")));
    for block in blocks {
        if let Some(call) = block.get_mut("toolUse").and_then(Value::as_object_mut) {
            remove_if(call, "type", &json!("tool_use"));
        }
        if let Some(cited) = block.get_mut("citationsContent") {
            let texts = cited["content"].as_array().cloned().unwrap_or_default();
            let text: String = texts.iter().map(|one| one["text"].as_str().unwrap_or_default()).collect();
            cited["content"] = json!([{"text": text}]);
        }
    }
}
