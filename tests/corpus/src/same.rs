//! Decides when two spellings have the same meaning.

use serde_json::{Map, Value, json};

/// A request in normal form: without nulls and defaults, a single plain text as a string, stop sequences as a list.
pub fn normal_request(body: &Value) -> Value {
    let mut body = tidy(body);
    let Some(object) = body.as_object_mut() else { return body };
    if let Some(limit) = object.remove("max_tokens") {
        object.entry("max_completion_tokens").or_insert(limit);
    }
    if let Some(stop) = object.get_mut("stop").filter(|stop| stop.is_string()) {
        *stop = json!([stop]);
    }
    if object.get("stream") == Some(&json!(false)) {
        object.remove("stream");
    }
    if object.get("stream") == Some(&json!(true)) {
        // The gateway always requests usage (C-57).
        object.insert("stream_options".into(), json!({"include_usage": true}));
    }
    for tool in object.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
        if tool.get("type").is_none() {
            tool["type"] = json!("function");
        }
    }
    for message in object.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten() {
        for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
            // A number that only the pieces of an answer need.
            call.as_object_mut().unwrap().remove("index");
        }
        for part in message.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(url) = part.get_mut("image_url").filter(|url| url.is_string()) {
                *url = json!({ "url": url.clone() });
            }
        }
        if let Some(content) = message.get_mut("content")
            && let Some([part]) = content.as_array().map(Vec::as_slice)
            && part["type"] == "text"
            && part.as_object().is_some_and(|part| part.len() == 2)
        {
            *content = part["text"].clone();
        }
        if message.get("content") == Some(&json!("")) && message.get("tool_calls").is_some() {
            message.as_object_mut().unwrap().remove("content");
        }
    }
    body
}

/// A request of Responses in normal form: a single text is a message, and content is a list.
pub fn normal_items_request(body: &Value) -> Value {
    let mut body = tidy(body);
    let Some(object) = body.as_object_mut() else { return body };
    if object.get("stream") == Some(&json!(false)) {
        object.remove("stream");
    }
    if let Some(input) = object.get_mut("input").filter(|input| input.is_string()) {
        *input = json!([{"role": "user", "content": input.clone()}]);
    }
    for item in object.get_mut("input").and_then(Value::as_array_mut).into_iter().flatten() {
        if item["type"] == "message" {
            item.as_object_mut().unwrap().remove("type");
        }
        let kind = if item["role"] == "assistant" { "output_text" } else { "input_text" };
        if let Some(content) = item.get_mut("content").filter(|content| content.is_string()) {
            *content = json!([{"type": kind, "text": content.clone()}]);
        }
        // The schema requires the default.
        for part in item.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
            if part["type"] == "input_image" && part["detail"].is_null() {
                part["detail"] = json!("auto");
            }
        }
    }
    body
}

/// Texts, thinking, calls and status of a response.
pub fn items_essence(response: &Value) -> Value {
    let items = response["output"].as_array().cloned().unwrap_or_default();
    let texts = |item: &Value, key: &str| -> Vec<String> {
        let parts = item[key].as_array().into_iter().flatten();
        let text = |part: &Value| part["text"].as_str().or(part["refusal"].as_str()).map(str::to_owned);
        parts.filter_map(text).collect()
    };
    let item = |item: &Value| match item["type"].as_str().unwrap_or_default() {
        "message" => json!({"text": texts(item, "content").concat()}),
        "reasoning" => {
            let thought = [texts(item, "summary"), texts(item, "content")].concat().join("\n\n");
            json!({ "thought": thought })
        }
        "function_call" => json!({"name": item["name"], "arguments": item["arguments"], "id": item["call_id"]}),
        other => json!({ "other": other }),
    };
    let usage = &response["usage"];
    json!({
        "items": items.iter().map(item).collect::<Vec<_>>(),
        "status": response["status"],
        "usage": [usage["input_tokens"], usage["output_tokens"]],
    })
}

/// The parts of a response that every client reads, in the shape of `reading`.
pub fn items_reading(response: &Value) -> Value {
    let items = response["output"].as_array().cloned().unwrap_or_default();
    let of = |kind: &str| items.iter().filter(|item| item["type"] == kind).cloned().collect::<Vec<_>>();
    let content = || of("message").into_iter().flat_map(|item| item["content"].as_array().cloned().unwrap_or_default());
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(|part| part["text"].as_str().map(str::to_owned)).collect()
    };
    let thought = |item: &Value| [texts(&item["summary"]), texts(&item["content"])].concat().join("\n\n");
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    let call = |item: &Value| match item["type"].as_str().unwrap_or_default() {
        "function_call" => Some(json!({"name": item["name"], "arguments": item["arguments"]})),
        "custom_tool_call" => Some(json!({"name": item["name"], "arguments": item["input"]})),
        _ => None,
    };
    let calls: Vec<Value> = items.iter().filter_map(call).collect();
    let finish = match (response["status"].as_str(), response["incomplete_details"]["reason"].as_str()) {
        (Some("incomplete"), Some("content_filter")) => "content_filter",
        (Some("incomplete"), _) => "length",
        (Some("failed" | "cancelled"), _) => "error",
        _ if calls.is_empty() => "stop",
        _ => "tool_calls",
    };
    let failed = response["error"].is_object();
    json!({
        "choices": [{
            "text": content().filter_map(|part| part["text"].as_str().map(str::to_owned)).collect::<String>(),
            "thought": filled(of("reasoning").iter().map(thought).collect()),
            "refusal": filled(content().filter_map(|part| part["refusal"].as_str().map(str::to_owned)).collect()),
            "finish": finish,
            "calls": calls,
        }],
        "usage": items_tokens(&response["usage"]),
        "error": failed,
    })
}

fn items_tokens(usage: &Value) -> Value {
    if !usage.is_object() {
        return Value::Null;
    }
    json!({
        "input": usage["input_tokens"],
        "cached": usage["input_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0),
        "output": usage["output_tokens"],
        "reasoning": usage["output_tokens_details"]["reasoning_tokens"].as_u64().unwrap_or(0),
    })
}

/// An answer in normal form: without nulls and empty lists.
pub fn normal_answer(body: &Value) -> Value {
    tidy(body)
}

/// Removes nulls and empty lists, and writes every number as a float.
fn tidy(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let members = object.iter().map(|(key, value)| (key.clone(), tidy(value)));
            Value::Object(members.filter(|(_, value)| !value.is_null() && *value != json!([])).collect::<Map<_, _>>())
        }
        Value::Array(list) => Value::Array(list.iter().map(tidy).collect()),
        Value::Number(number) => json!(number.as_f64()),
        other => other.clone(),
    }
}

/// Text, thinking, calls, finish and tokens of an answer, in one spelling.
pub fn essence(answer: &Value) -> Value {
    let choices = answer["choices"].as_array().cloned().unwrap_or_default();
    let usage = &answer["usage"];
    let failed = answer.get("error").is_some();
    json!({
        "choices": choices.iter().map(choice).collect::<Vec<_>>(),
        "prompt": prompt(usage).filter(|_| !failed),
        "error": failed,
    })
}

/// The parts of an answer that every client reads, tokens included, as a simple reader finds them.
pub fn reading(answer: &Value) -> Value {
    let mut read = essence(answer);
    let usage = &answer["usage"];
    let usage = if usage.is_object() { usage } else { &answer["x_groq"]["usage"] };
    let object = read.as_object_mut().unwrap();
    object.remove("prompt");
    let failed = object["error"] == true;
    object.insert("usage".into(), if failed { Value::Null } else { tokens(usage) });
    read
}

/// The tokens of the prompt. Audio that is counted beside it shows in the total.
fn prompt(usage: &Value) -> Option<u64> {
    let number = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64);
    let prompt = number("/prompt_tokens")?;
    let audio = number("/prompt_tokens_details/audio_tokens").unwrap_or(0);
    let total = prompt + audio + number("/completion_tokens").unwrap_or(0);
    Some(if number("/total_tokens") == Some(total) { prompt + audio } else { prompt })
}

/// All input with the cached part, all output with the thinking.
fn tokens(usage: &Value) -> Value {
    let number = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64);
    let Some(prompt) = prompt(usage) else { return Value::Null };
    let cached = ["/prompt_tokens_details/cached_tokens", "/prompt_cache_hit_tokens", "/cached_tokens"];
    let cached = cached.iter().chain(&["/num_cached_tokens", "/cache_read_input_tokens"]).find_map(|at| number(at));
    let (cached, thought) = (cached.unwrap_or(0), number("/completion_tokens_details/reasoning_tokens").unwrap_or(0));
    let output = number("/completion_tokens").unwrap_or(0);
    // A server that does not include thinking is detected by the total; if the total is the sum, the parts cannot
    // exceed it.
    let apart = thought > 0 && number("/total_tokens") == Some(prompt + output + thought);
    let whole = number("/total_tokens") == Some(prompt + output);
    json!({
        "input": if cached > prompt && !whole { prompt + cached } else { prompt },
        "cached": if whole { cached.min(prompt) } else { cached },
        "output": if apart { output + thought } else { output },
        "reasoning": if whole { thought.min(output) } else { thought },
    })
}

fn choice(choice: &Value) -> Value {
    let message = if choice["message"].is_object() { &choice["message"] } else { &choice["delta"] };
    let calls: Vec<Value> = message["tool_calls"].as_array().into_iter().flatten().filter_map(call).collect();
    let filled = |key: &str| message[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let (text, thinking) = content(&message["content"]);
    let details = message["reasoning_details"].as_array().into_iter().flatten();
    let details: String = details.filter_map(|d| d["text"].as_str().or(d["summary"].as_str())).collect();
    let thought = filled("reasoning_content").or_else(|| filled("reasoning")).or(thinking);
    json!({
        "text": text,
        "thought": thought.or(Some(details).filter(|text| !text.is_empty())),
        "refusal": filled("refusal"),
        "finish": finish(&choice["finish_reason"], !calls.is_empty()),
        "calls": calls,
    })
}

fn call(call: &Value) -> Option<Value> {
    let name = call["function"]["name"].as_str().filter(|name| !name.is_empty())?;
    let arguments = match &call["function"]["arguments"] {
        Value::String(text) if !text.is_empty() => text.clone(),
        object @ Value::Object(_) => object.to_string(),
        _ => "{}".to_owned(),
    };
    Some(json!({"name": name, "arguments": arguments}))
}

/// Content in any of its shapes, and the thinking among its parts.
fn content(content: &Value) -> (String, Option<String>) {
    match content {
        Value::String(text) => (text.clone(), None),
        Value::Array(parts) => {
            let text = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            let lists = parts.iter().flat_map(|part| [&part["thinking"], &part["summary"]]);
            let thoughts = lists.flat_map(|list| list.as_array().into_iter().flatten());
            let thinking: String = thoughts.filter_map(|thought| thought["text"].as_str()).collect();
            (text, Some(thinking).filter(|text| !text.is_empty()))
        }
        Value::Object(_) => (content.to_string(), None),
        _ => (String::new(), None),
    }
}

fn finish(reason: &Value, called: bool) -> &str {
    match reason.as_str().unwrap_or_default() {
        "stop" | "eos" | "eos_token" | "" | "completed" if called => "tool_calls",
        "eos" | "eos_token" | "stop_sequence" | "" | "completed" => "stop",
        "model_length" => "length",
        other => other,
    }
}

/// The differences of two values.
pub fn describe(path: &str, was: &Value, is: &Value) -> String {
    match (was, is) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.iter().map(|key| describe(&format!("{path}.{key}"), &was[key.as_str()], &is[key.as_str()])).collect()
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            (0..a.len()).map(|at| describe(&format!("{path}[{at}]"), &was[at], &is[at])).collect()
        }
        _ if was == is => String::new(),
        _ => format!("\n  {path}: was {was:.300} is {is:.300}"),
    }
}

/// Replaces encrypted thinking by a mark.
pub fn sealed(mut response: Value) -> Value {
    for item in response["output"].as_array_mut().into_iter().flatten() {
        if item["encrypted_content"].is_string() {
            item["encrypted_content"] = json!("sealed");
        }
    }
    response
}
