//! Providers' answers for the promises.

use serde_json::{Value, json};
use weir_tests::Answer;

use crate::wire_format::{ANTHROPIC, OPENAI, WireFormat, gemini};

/// The two calls of [`calling`]: id, name and arguments.
pub(super) const CALLS: [(&str, &str, &str); 2] = [("call_1", "look", r#"{"at":1}"#), ("call_2", "rest", "{}")];

/// An answer with these frames as a stream of the format.
pub(super) fn frames(wire_format: WireFormat, frames: &[Value]) -> Answer {
    let frame = |value: &Value| match value["type"].as_str().filter(|_| wire_format == ANTHROPIC) {
        Some(name) => format!("event: {name}\ndata: {value}\n\n"),
        None => format!("data: {value}\n\n"),
    };
    let all = frames.iter().fold(wire_format.begin(), |answer, value| answer.piece(frame(value)));
    if wire_format == OPENAI { all.piece("data: [DONE]\n\n").end() } else { all.end() }
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Two calls; a stream has a finish reason after each of them.
pub(super) fn calling(to: WireFormat, stream: bool) -> Answer {
    if to == OPENAI {
        openai(stream)
    } else if to == ANTHROPIC {
        anthropic(stream)
    } else {
        let part = |(id, name, text): (&str, &str, &str)| {
            json!({"functionCall": {"id": id, "name": name, "args": value(text)}}).to_string()
        };
        let parts = CALLS.map(part);
        if stream {
            frames(to, &parts.map(|part| value(&gemini(&part, true))))
        } else {
            Answer::json(200, gemini(&parts.join(","), true))
        }
    }
}

fn openai(stream: bool) -> Answer {
    let call = |(id, name, arguments): (&str, &str, &str)| json!({"index": 0, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let answer = |member: &str, message: Value| {
        let choice = json!({"index": 0, member: message, "finish_reason": "tool_calls"});
        json!({"id": "c", "created": 1, "model": "m", "choices": [choice]})
    };
    let calls = CALLS.map(call);
    if stream {
        return frames(OPENAI, &calls.map(|call| answer("delta", json!({"tool_calls": [call]}))));
    }
    let message = json!({"role": "assistant", "content": null, "tool_calls": calls});
    Answer::json(200, answer("message", message).to_string())
}

fn block((id, name, text): (&str, &str, &str)) -> Value {
    json!({"type": "tool_use", "id": id, "name": name, "input": value(text)})
}

fn message(content: &[Value], stop: &Value) -> Value {
    json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "content": content, "stop_reason": stop,
        "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}})
}

fn delta() -> Value {
    let delta = json!({"stop_reason": "tool_use", "stop_sequence": null});
    json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 7}})
}

fn anthropic(stream: bool) -> Answer {
    if !stream {
        return Answer::json(200, message(&CALLS.map(block), &json!("tool_use")).to_string());
    }
    let mut events = vec![json!({"type": "message_start", "message": message(&[], &Value::Null)})];
    for (index, call) in CALLS.into_iter().enumerate() {
        events.push(json!({"type": "content_block_start", "index": index, "content_block": block(call)}));
        events.push(json!({"type": "content_block_stop", "index": index}));
        events.push(delta());
    }
    events.push(json!({"type": "message_stop"}));
    frames(ANTHROPIC, &events)
}

/// Calls in the beginning of a message, from code that runs at the provider.
pub(super) fn beginning() -> Answer {
    let called = |call| {
        let mut block = block(call);
        block["caller"] = json!({"type": "code_execution_20250825", "tool_id": "srvtoolu_1"});
        block
    };
    let start = json!({"type": "message_start", "message": message(&CALLS.map(called), &json!("tool_use"))});
    frames(ANTHROPIC, &[start, delta(), json!({"type": "message_stop"})])
}
