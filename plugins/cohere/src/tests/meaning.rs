//! The meaning of requests and answers: equal for every spelling of the same thing.

use serde_json::{Value, json};

/// Removes members whose value is null, and writes all numbers alike.
pub(super) fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, value| !value.is_null());
            members.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        // 1.0 equals 1.
        Value::Number(number) => {
            if let Some(whole) = number.as_f64().filter(|value| value.fract() == 0.0 && value.abs() < 1e15) {
                *value = json!(whole as i64);
            }
        }
        _ => {}
    }
}

/// Removes members that mean nothing if they are empty.
fn without_empty(object: &mut Value, keys: &[&str]) {
    let Some(members) = object.as_object_mut() else { return };
    members.retain(|key, value| {
        let empty = *value == json!("") || *value == json!([]) || *value == json!({});
        !(empty && keys.contains(&key.as_str()))
    });
}

/// Rewrites content as a list of items, none of which is empty.
fn content(message: &mut Value) {
    if let Some(text) = message["content"].as_str() {
        message["content"] = json!([{"type": "text", "text": text}]);
    }
    if let Some(items) = message["content"].as_array_mut() {
        items.retain(|item| item["text"] != "" && item["thinking"] != "");
    }
    without_empty(message, &["content", "tool_plan", "tool_calls", "citations"]);
    for call in message["tool_calls"].as_array_mut().into_iter().flatten() {
        let arguments = &mut call["function"]["arguments"];
        let text = arguments.as_str().filter(|text| !text.is_empty()).unwrap_or("{}");
        *arguments = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    }
}

/// The meaning of a request.
pub(super) fn of_request(mut body: Value) -> Value {
    without_nulls(&mut body);
    body["messages"].as_array_mut().into_iter().flatten().for_each(content);
    if body["stream"] == false {
        body.as_object_mut().unwrap().remove("stream");
    }
    let format = &mut body["response_format"];
    if let Some(schema) = format.as_object_mut().and_then(|format| format.remove("schema")) {
        format["json_schema"] = schema;
    }
    without_nulls(&mut body);
    body
}

/// The meaning of an answer.
pub(super) fn of_response(mut body: Value) -> Value {
    without_nulls(&mut body);
    content(&mut body["message"]);
    without_empty(&mut body, &["logprobs"]);
    body
}
