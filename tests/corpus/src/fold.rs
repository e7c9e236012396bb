//! Folds chunks into one answer, independently of the adapter.

use serde_json::{Value, json};
use weir_sdk::types::Frame;

/// Splits server-sent events.
pub fn frames(text: &str) -> Vec<Frame> {
    let text = text.replace("\r\n", "\n");
    let mut frames = Vec::new();
    for block in text.split("\n\n") {
        let line = |name: &str| {
            block
                .lines()
                .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(str::trim_start)
                .collect::<Vec<_>>()
        };
        let data = line("data").join("\n");
        if !data.is_empty() {
            frames.push(Frame { event: line("event").first().map(|&event| event.to_owned()), data });
        }
    }
    frames
}

/// Folds chunks.
pub fn fold(frames: &[Frame]) -> Value {
    let mut answer = json!({"choices": []});
    for frame in frames.iter().filter(|frame| frame.data != "[DONE]") {
        let chunk: Value = serde_json::from_str(&frame.data).unwrap();
        for (key, value) in chunk.as_object().unwrap() {
            match key.as_str() {
                "choices" => value.as_array().unwrap().iter().for_each(|choice| fold_choice(&mut answer, choice)),
                "object" | "obfuscation" => {}
                _ if value.is_null() || value == "" => {}
                // One id, one time and one model: the first.
                "id" | "created" | "model" if answer.get(key).is_some() => {}
                _ => answer[key] = value.clone(),
            }
        }
    }
    answer["choices"].as_array_mut().unwrap().sort_by_key(|choice| choice["index"].as_u64());
    answer
}

fn fold_choice(answer: &mut Value, choice: &Value) {
    let index = choice["index"].as_u64().unwrap_or(0);
    let choices = answer["choices"].as_array_mut().unwrap();
    let at = choices.iter().position(|known| known["index"] == index).unwrap_or_else(|| {
        choices.push(json!({"index": index, "message": {}}));
        choices.len() - 1
    });
    let known = &mut choices[at];
    if let Some(list) = choice["logprobs"]["content"].as_array() {
        extend(&mut known["logprobs"]["content"], list);
    }
    if known["finish_reason"].is_null() {
        known["finish_reason"] = choice["finish_reason"].clone();
    }
    if let Some(text) = choice["text"].as_str().filter(|_| choice.get("delta").is_none()) {
        add(&mut known["text"], text);
    }
    let Some(delta) = choice["delta"].as_object() else { return };
    for (key, value) in delta {
        let message = &mut known["message"];
        match (key.as_str(), value) {
            (_, Value::Null) | ("role", _) => {}
            ("content", Value::Array(parts)) => parts.iter().for_each(|part| fold_part(message, part)),
            ("tool_calls", Value::Array(calls)) => calls.iter().for_each(|call| fold_call(message, call)),
            // TGI's, up to its version 3.0.
            ("tool_calls", call @ Value::Object(_)) => fold_call(message, call),
            ("content" | "reasoning" | "reasoning_content" | "refusal", Value::String(text)) => {
                add(&mut message[key], text);
            }
            ("annotations", Value::Array(list)) => extend(&mut message[key], list),
            ("reasoning_details", Value::Array(list)) => {
                for entry in list {
                    fold_detail(&mut message[key], entry);
                }
            }
            _ => message[key] = value.clone(),
        }
    }
}

/// The response object of the last event that has one.
pub fn last_response(frames: &[Frame]) -> Value {
    let events = frames.iter().rev().filter_map(|frame| serde_json::from_str::<Value>(&frame.data).ok());
    events.map(|mut event| event["response"].take()).find(Value::is_object).unwrap_or_default()
}

/// Pieces of one entry share its type and its index.
fn fold_detail(place: &mut Value, entry: &Value) {
    if place.is_null() {
        *place = json!([]);
    }
    let list = place.as_array_mut().unwrap();
    let key = if entry["type"] == "reasoning.summary" { "summary" } else { "text" };
    match list.last_mut() {
        Some(last) if last["type"] == entry["type"] && last["index"] == entry["index"] && entry[key].is_string() => {
            add(&mut last[key], entry[key].as_str().unwrap());
        }
        _ => list.push(entry.clone()),
    }
}

/// Content of Mistral and Databricks: thinking and text as parts.
fn fold_part(message: &mut Value, part: &Value) {
    if let Some(text) = part["text"].as_str() {
        add(&mut message["content"], text);
    }
    let lists = [&part["thinking"], &part["summary"]];
    for thought in lists.into_iter().flat_map(|list| list.as_array().into_iter().flatten()) {
        add(&mut message["reasoning"], thought["text"].as_str().unwrap_or_default());
    }
}

fn fold_call(message: &mut Value, call: &Value) {
    if message["tool_calls"].is_null() {
        message["tool_calls"] = json!([]);
    }
    let calls = message["tool_calls"].as_array_mut().unwrap();
    let index = call.get("index").cloned().unwrap_or(Value::Null);
    let opens = call["id"].as_str().is_some_and(|id| !id.is_empty() && calls.iter().all(|known| known["id"] != id));
    let at = if opens { None } else { calls.iter().rposition(|known| known["index"] == index) };
    let at = at.unwrap_or_else(|| {
        calls.push(json!({"index": index, "id": call["id"], "function": {"name": call["function"]["name"]}}));
        calls.len() - 1
    });
    add(&mut calls[at]["function"]["arguments"], call["function"]["arguments"].as_str().unwrap_or_default());
}

fn add(place: &mut Value, text: &str) {
    let known = place.as_str().unwrap_or_default();
    if !text.is_empty() {
        *place = Value::String(format!("{known}{text}"));
    }
}

fn extend(place: &mut Value, list: &[Value]) {
    if place.is_null() {
        *place = json!([]);
    }
    place.as_array_mut().unwrap().extend(list.iter().cloned());
}
