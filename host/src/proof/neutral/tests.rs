//! There and back, and what is wrong with what.

use serde_json::json;

use super::*;
use crate::contract::types::{ChatEvent, ChatRequest, ChatResponse, Error, FinishReason, Part, Role, ToolKind};

#[test]
fn a_request_written_by_hand_is_read_with_everything_else_empty() {
    let value = json!({
        "model": "m",
        "messages": [
            {"role": "user", "parts": ["Hi"]},
            {"role": {"other": "critic"}, "parts": [{"text": {"text": "Ho"}}]},
        ],
        "sampling": {"temperature": 0.5},
        "tool_choice": "automatic",
        "tools": [{"function": {"name": "look", "parameters": {"type": "object"}}}],
    });
    let request: ChatRequest = read(&value).unwrap();
    assert_eq!(request.messages[0].role, Role::User);
    assert!(matches!(&request.messages[0].parts[0], Part::Text(text) if text.text == "Hi"));
    assert_eq!(request.messages[1].role, Role::Other("critic".to_owned()));
    assert_eq!((request.stream, request.sampling.temperature), (false, Some(0.5)));
    let again = write(&request);
    assert_eq!(again["messages"][0]["parts"], json!([{"text": {"text": "Hi"}}]));
    assert_eq!(again["tools"], value["tools"]);
    assert_eq!(again.get("stream"), None);
    assert_eq!(read::<ChatRequest>(&again).unwrap(), request);
}

#[test]
fn none_and_the_empty_value_of_an_optional_member_differ() {
    let value = json!({"candidates": [{"finish": {"reason": "length"}}], "id": "a", "usage": {"input": 0}});
    let response: ChatResponse = read(&value).unwrap();
    assert_eq!(response.usage.as_ref().unwrap().input, Some(0));
    assert_eq!(response.usage.as_ref().unwrap().output, None);
    assert_eq!(response.candidates[0].finish.as_ref().unwrap().reason, FinishReason::Length);
    assert_eq!(write(&response), value);
}

#[test]
fn arguments_are_shown_as_what_they_are() {
    let of = |arguments: serde_json::Value| {
        let call = json!({"tool_call": {"id": "1", "name": "f", "kind": "function", "arguments": arguments}});
        match read::<Part>(&call).unwrap() {
            Part::ToolCall(call) => {
                assert_eq!(call.kind, ToolKind::Function);
                call.arguments
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(of(json!({"a": [1]})), r#"{"a":[1]}"#);
    assert_eq!(of(json!(r#"{"a": "#)), r#"{"a": "#, "what is no JSON stays text");
    let broken = json!({"delta": {"text": "{\"a\":1}", "part": 1}});
    assert_eq!(write(&read::<ChatEvent>(&broken).unwrap()), broken, "only members that hold JSON are opened");
}

#[test]
fn a_mistake_is_named_with_its_place() {
    let wrong = |value: serde_json::Value| read::<ChatResponse>(&value).unwrap_err().to_string();
    assert!(
        wrong(json!({"id": "a", "candidates": [{"finish": {"reason": "stop"}}]}))
            .starts_with("at /candidates/0/finish/reason: there is no `stop`; there are complete, stop_sequence")
    );
    assert!(wrong(json!({"id": "a", "candidate": []})).starts_with("there is no member `candidate`; there are id"));
    assert!(wrong(json!({"id": 1})).starts_with("at /id: "));
    let error = read::<Error>(&json!({"message": "m"})).unwrap_err().to_string();
    assert!(error.starts_with("at /kind: it is missing"), "{error}");
}
