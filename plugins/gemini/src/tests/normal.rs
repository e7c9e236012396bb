//! The meaning of requests and answers: equal for both spellings, for both alphabets of base64, for omitted defaults,
//! and for joined turns and texts.

use serde_json::{Map, Value, json};

use crate::wire::camel;

/// Members whose content is not the format's.
const OPAQUE: [&str; 5] = ["args", "response", "parametersJsonSchema", "responseJsonSchema", "labels"];
const TYPES: [&str; 7] = ["", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT"];
const REASONS: [&str; 3] = ["FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS"];

/// Members in camelCase, without nulls; whole numbers are equal to floats.
fn spelled(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| {
                let key = camel(key);
                let value = match (key.as_str(), value) {
                    ("data", Value::String(bytes)) => json!(bytes.replace('-', "+").replace('_', "/")),
                    (opaque, value) if OPAQUE.contains(&opaque) => numbers(value),
                    (_, value) => spelled(value),
                };
                (key, value)
            };
            Value::Object(members.iter().filter(|(_, value)| !value.is_null()).map(member).collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(spelled).collect()),
        other => numbers(other),
    }
}

fn numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(list) => Value::Array(list.iter().map(numbers).collect()),
        Value::Object(members) => Value::Object(members.iter().map(|(k, v)| (k.clone(), numbers(v))).collect()),
        other => other.clone(),
    }
}

fn list(value: Option<Value>) -> Vec<Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
    }
}

/// The meaning of a request.
pub(super) fn request(raw: &Value) -> Value {
    let mut value = spelled(raw);
    let Some(members) = value.as_object_mut() else { return value };
    members.remove("model");
    if let Some(system) = members.remove("systemInstruction") {
        let texts = match system {
            Value::String(text) => vec![json!({"text": text})],
            mut object => parts(object.as_object_mut().and_then(|system| system.remove("parts"))),
        };
        members.insert("systemInstruction".into(), json!(texts));
    }
    members.insert("contents".into(), json!(contents(list(members.get("contents").cloned()))));
    let tools = tools(list(members.remove("tools")));
    if !tools.is_empty() {
        members.insert("tools".into(), json!(tools));
    }
    if let Some(config) = members.get_mut("generationConfig").and_then(Value::as_object_mut) {
        settings(config);
    }
    members.retain(|_, value| *value != json!({}) && *value != json!([]));
    value
}

/// Adjacent turns of the same role become one; the results of functions come first in it.
fn contents(turns: Vec<Value>) -> Vec<Value> {
    let mut merged: Vec<(Value, Vec<Value>)> = Vec::new();
    for mut turn in turns {
        let role = turn.get("role").cloned().unwrap_or_else(|| json!("user"));
        let parts = parts(turn.as_object_mut().and_then(|turn| turn.remove("parts")));
        match merged.last_mut() {
            _ if parts.is_empty() => {}
            Some((last, known)) if *last == role => known.extend(parts),
            _ => merged.push((role, parts)),
        }
    }
    let turn = |(role, mut parts): (Value, Vec<Value>)| {
        parts.sort_by_key(|part| part.get("functionResponse").is_none());
        json!({"role": role, "parts": parts})
    };
    merged.into_iter().map(turn).collect()
}

/// Parts without empty texts.
fn parts(value: Option<Value>) -> Vec<Value> {
    let mut parts = list(value);
    for part in &mut parts {
        if part.get("thought") == Some(&json!(false)) {
            part.as_object_mut().unwrap().remove("thought");
        }
    }
    parts.retain(|part| *part != json!({"text": ""}));
    parts
}

/// The service's own tools, then all functions.
fn tools(entries: Vec<Value>) -> Vec<Value> {
    let (mut hosted, mut functions) = (Vec::new(), Vec::new());
    for entry in entries {
        for (key, value) in entry.as_object().unwrap() {
            match key.as_str() {
                "functionDeclarations" => functions.extend(list(Some(value.clone())).into_iter().map(function)),
                _ => hosted.push(json!({key: value})),
            }
        }
    }
    hosted.extend(functions);
    hosted
}

fn function(mut declaration: Value) -> Value {
    let members = declaration.as_object_mut().unwrap();
    if let Some(schema) = members.remove("parameters") {
        let schema = schema_of(&schema);
        if schema != json!({"type": "OBJECT"}) {
            members.insert("parameters".into(), schema);
        }
    }
    declaration
}

/// A schema of the older kind: types in capitals, in any order.
fn schema_of(value: &Value) -> Value {
    let Value::Object(members) = value else { return value.clone() };
    let mut out = Map::new();
    for (key, value) in members {
        let value = match (key.as_str(), value) {
            ("properties" | "required", empty) if *empty == json!({}) || *empty == json!([]) => continue,
            ("type", Value::String(name)) => json!(name.to_uppercase()),
            ("type", Value::Number(number)) => json!(TYPES[number.as_f64().unwrap() as usize]),
            ("properties", Value::Object(properties)) => {
                Value::Object(properties.iter().map(|(name, schema)| (name.clone(), schema_of(schema))).collect())
            }
            ("items", schema) => schema_of(schema),
            ("anyOf", Value::Array(list)) => Value::Array(list.iter().map(schema_of).collect()),
            (_, value) => value.clone(),
        };
        out.insert(key.clone(), value);
    }
    Value::Object(out)
}

fn settings(config: &mut Map<String, Value>) {
    if let Some(schema) = config.get_mut("responseSchema") {
        *schema = schema_of(schema);
    }
    if let Some(thinking) = config.get_mut("thinkingConfig").and_then(Value::as_object_mut) {
        if let Some(Value::String(level)) = thinking.get_mut("thinkingLevel") {
            *level = level.to_uppercase();
        }
        thinking.retain(|key, value| key != "includeThoughts" || *value == json!(true));
    }
    config.retain(|_, value| *value != json!({}) && *value != json!("text/plain"));
}

/// The meaning of an answer; a frame is an answer too.
pub(super) fn answer(raw: &Value) -> Value {
    fold(std::slice::from_ref(raw))
}

/// The meaning of a stream's frames together.
pub(super) fn fold(frames: &[Value]) -> Value {
    let mut whole = Map::new();
    let mut candidates: Vec<Value> = Vec::new();
    for frame in frames {
        for (key, value) in spelled(frame).as_object().unwrap() {
            match key.as_str() {
                "candidates" => {
                    for (at, candidate) in list(Some(value.clone())).into_iter().enumerate() {
                        add(&mut candidates, at, candidate);
                    }
                }
                "usageMetadata" => {
                    let known = whole.entry(key.clone()).or_insert_with(|| json!({}));
                    let known = known.as_object_mut().unwrap();
                    known.extend(counted(value.as_object().unwrap().clone()));
                    known.retain(|_, value| *value != json!([]));
                }
                _ => {
                    whole.insert(key.clone(), value.clone());
                }
            }
        }
    }
    whole.insert("candidates".into(), json!(candidates));
    Value::Object(whole)
}

/// Adds a count of zero, which the service omits, if the total is the sum of the others.
fn counted(mut usage: Map<String, Value>) -> Map<String, Value> {
    let count = |name: &str| usage.get(name).and_then(Value::as_f64);
    let others = ["promptTokenCount", "toolUsePromptTokenCount", "thoughtsTokenCount"].map(count);
    let sum: f64 = others.into_iter().flatten().sum();
    if others[2].is_some() && count("totalTokenCount") == Some(sum) && count("candidatesTokenCount").is_none() {
        usage.insert("candidatesTokenCount".into(), json!(0.0));
    }
    usage
}

fn add(candidates: &mut Vec<Value>, at: usize, mut piece: Value) {
    let members = piece.as_object_mut().unwrap();
    let index = members.remove("index").and_then(|index| index.as_f64()).unwrap_or(at as f64);
    let content = members.remove("content").unwrap_or_else(|| json!({}));
    if let Some(reason) = members.get_mut("finishReason")
        && let Some(number) = reason.as_f64()
    {
        *reason = json!(REASONS[number as usize]);
    }
    members.retain(|_, value| *value != json!({}) && *value != json!([]));
    let known = candidates.iter().position(|known| known["index"] == json!(index)).unwrap_or_else(|| {
        candidates.push(json!({"index": index, "parts": []}));
        candidates.len() - 1
    });
    let known = candidates[known].as_object_mut().unwrap();
    known.extend(members.clone());
    let all = known["parts"].as_array_mut().unwrap();
    for part in list(content.get("parts").cloned()) {
        join(all, part);
    }
}

/// Adjacent texts of one kind become one, until a signature ends them.
fn join(all: &mut Vec<Value>, part: Value) {
    let is_text = |part: &Value| part.get("text").is_some();
    if part == json!({"text": ""}) || part == json!({"text": "", "thought": true}) {
        return;
    }
    if let Some(last) = all.last_mut()
        && is_text(last)
        && is_text(&part)
        && last.get("thought") == part.get("thought")
        && last.get("thoughtSignature").is_none()
    {
        let text = format!("{}{}", last["text"].as_str().unwrap(), part["text"].as_str().unwrap());
        let last = last.as_object_mut().unwrap();
        last.extend(part.as_object().unwrap().clone());
        last.insert("text".into(), json!(text));
        return;
    }
    all.push(part);
}
