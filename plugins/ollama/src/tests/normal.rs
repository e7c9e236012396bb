//! The meaning of requests and answers: equal with and without default values, and the lines of a stream are folded
//! into one answer.

use serde_json::{Map, Value, json};

/// Members whose content is not the format's.
const OPAQUE: [&str; 4] = ["arguments", "parameters", "format", "model_info"];

/// Members without nulls and without empty ones; whole numbers are equal to floats.
fn spelled(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| {
                let value = if OPAQUE.contains(&key.as_str()) { numbers(value) } else { spelled(value) };
                (key.clone(), value)
            };
            Value::Object(members.iter().filter(|(_, value)| !value.is_null()).map(member).collect())
        }
        Value::Array(list) => list.iter().map(spelled).collect(),
        other => numbers(other),
    }
}

fn numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), numbers(value))).collect(),
        Value::Array(list) => list.iter().map(numbers).collect(),
        other => other.clone(),
    }
}

/// The meaning of a request.
pub(super) fn request(body: &Value) -> Value {
    let mut body = spelled(body);
    let members = body.as_object_mut().unwrap();
    members.entry("stream").or_insert(json!(true));
    let says_nothing = |value: &Value| *value == json!("") || *value == json!([]) || *value == json!({});
    members.retain(|key, value| key == "messages" || key == "prompt" || !says_nothing(value));
    if members.get("raw") == Some(&json!(false)) {
        members.remove("raw");
    }
    if let Some(options) = members.get_mut("options").and_then(Value::as_object_mut)
        && let Some(stop) = options.get_mut("stop").filter(|stop| stop.is_string())
    {
        *stop = json!([stop.clone()]);
    }
    for message in members.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten() {
        turn(message.as_object_mut().unwrap());
    }
    body
}

fn turn(message: &mut Map<String, Value>) {
    message.retain(|key, value| key == "content" || (*value != json!("") && *value != json!([])));
    message.entry("content").or_insert(json!(""));
    for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
        let call = call.as_object_mut().unwrap();
        // Some clients omit it; there is no other type.
        call.insert("type".into(), json!("function"));
        call.get_mut("function").and_then(Value::as_object_mut).unwrap().remove("index");
    }
}

/// The meaning of an answer, whole or in lines. Times are kept to the millisecond, and a stream has one of them.
pub(super) fn answer(lines: &[Value]) -> Value {
    let mut whole = Map::new();
    let (mut given, mut logprobs) = (Map::new(), Vec::new());
    for line in lines {
        let line = spelled(line);
        let members = line.as_object().unwrap();
        if let Some(message) = members.get("message").and_then(Value::as_object) {
            message.iter().for_each(|(key, value)| add(&mut given, key, value));
        }
        for (key, value) in members {
            match key.as_str() {
                "message" | "created_at" => {}
                "response" | "thinking" | "images" | "tool_calls" => add(&mut given, key, value),
                "logprobs" => logprobs.extend(value.as_array().unwrap().clone()),
                key => _ = whole.insert(key.to_owned(), value.clone()),
            }
        }
    }
    given.retain(|_, value| *value != json!("") && *value != json!([]));
    for (at, call) in given.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten().enumerate() {
        call["function"]["index"] = json!(at as f64);
    }
    whole.insert("said".into(), Value::Object(given));
    if !logprobs.is_empty() {
        whole.insert("logprobs".into(), Value::Array(logprobs));
    }
    whole.entry("done_reason").or_insert(json!("stop"));
    Value::Object(whole)
}

fn add(given: &mut Map<String, Value>, key: &str, value: &Value) {
    match (given.get_mut(key), value) {
        (_, _) if key == "role" => _ = given.insert(key.to_owned(), value.clone()),
        (Some(Value::String(known)), Value::String(more)) => known.push_str(more),
        (Some(Value::Array(known)), Value::Array(more)) => known.extend(more.iter().cloned()),
        _ => _ = given.insert(key.to_owned(), value.clone()),
    }
}

/// A body whose members all count.
pub(super) fn plain(body: &Value) -> Value {
    spelled(body)
}
