//! Requests of clients of this format, and whole answers for them.

use serde_json::{Value, json};
use weir_sdk::types::{
    Candidate, ChatResponse, ErrorKind, Finish, FinishReason, MediaSource, OutputFormat, Part, ReasoningMode,
    ReasoningPart, ResultPart, Role, Signature, ToolCall, Usage,
};

use super::{asked, context, generating, written};

fn chat(messages: &Value) -> weir_sdk::types::ChatRequest {
    asked("/api/chat", &json!({"model": "m", "messages": messages})).unwrap()
}

fn calls(request: &weir_sdk::types::ChatRequest) -> Vec<(String, String)> {
    let call = |part: &Part| match part {
        Part::ToolCall(call) => Some((call.id.clone(), call.name.clone())),
        _ => None,
    };
    request.messages.iter().flat_map(|message| &message.parts).filter_map(call).collect()
}

fn answers(request: &weir_sdk::types::ChatRequest) -> Vec<(String, Option<String>)> {
    let result = |part: &Part| match part {
        Part::ToolResult(result) => Some((result.call_id.clone(), result.name.clone())),
        _ => None,
    };
    request.messages.iter().flat_map(|message| &message.parts).filter_map(result).collect()
}

fn call(name: &str, arguments: &Value) -> Value {
    json!({"function": {"name": name, "arguments": arguments}})
}

#[test]
fn a_request_that_says_nothing_about_streaming_asks_for_a_stream() {
    let stream = |body: &Value| asked("/api/chat", body).unwrap().stream;
    assert!(stream(&json!({"model": "m", "messages": []})));
    assert!(stream(&json!({"model": "m", "messages": [], "stream": null})));
    assert!(!stream(&json!({"model": "m", "messages": [], "stream": false})));
}

#[test]
fn c10_arguments_are_an_object_and_become_its_text() {
    let messages = json!([{"role": "assistant", "content": "", "tool_calls": [call("f", &json!({"a": 1}))]}]);
    let request = chat(&messages);
    let [Part::ToolCall(call)] = request.messages[0].parts.as_slice() else { panic!("c42: no empty text beside it") };
    assert_eq!(call.arguments, r#"{"a":1}"#);
}

#[test]
fn results_without_ids_answer_the_calls_of_their_name_and_else_those_in_order() {
    let turns = |results: Value| {
        let mut messages = vec![json!({"role": "assistant", "content": "", "tool_calls": [
                call("a", &json!({})), call("b", &json!({})), call("a", &json!({}))]})];
        messages.extend(results.as_array().unwrap().clone());
        chat(&Value::Array(messages))
    };
    let tool = |name: &str| json!({"role": "tool", "content": "x", "tool_name": name});
    let request = turns(json!([tool("b"), tool("a"), tool("a")]));
    let ids: Vec<String> = calls(&request).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["call_0_0", "call_0_1", "call_0_2"]);
    let answered: Vec<String> = answers(&request).into_iter().map(|(id, _)| id).collect();
    assert_eq!(answered, ["call_0_1", "call_0_0", "call_0_2"]);
    let nameless = json!({"role": "tool", "content": "x"});
    let request = turns(json!([nameless, nameless]));
    let expected = [("call_0_0".to_owned(), Some("a".to_owned())), ("call_0_1".to_owned(), Some("b".to_owned()))];
    assert_eq!(answers(&request), expected);
}

#[test]
fn ids_of_results_say_nothing_where_calls_came_without() {
    let made = |name: &str| json!({"function": {"name": name, "arguments": {}}});
    let result = |id: &str| json!({"role": "tool", "content": "x", "tool_call_id": id});
    let asked = json!({"role": "assistant", "content": "", "tool_calls": [made("a"), made("b")]});
    let request = chat(&json!([asked, result("left"), result("right")]));
    let expected = [("call_0_0".to_owned(), Some("a".to_owned())), ("call_0_1".to_owned(), Some("b".to_owned()))];
    assert_eq!(answers(&request), expected);
}

#[test]
fn c90_a_result_without_its_call_is_still_a_result() {
    let request = chat(&json!([{"role": "tool", "content": "x", "tool_name": "f"}]));
    assert_eq!(answers(&request), [("call_0".to_owned(), Some("f".to_owned()))]);
    assert!(matches!(request.messages[0].role, Role::Tool));
}

#[test]
fn ids_that_clients_give_are_kept() {
    let mut called = call("f", &json!({}));
    called["id"] = json!("c1");
    let request = chat(&json!([
        {"role": "assistant", "content": "", "tool_calls": [called]},
        {"role": "tool", "content": "x", "tool_call_id": "c1"},
    ]));
    assert_eq!(calls(&request)[0].0, "c1");
    assert_eq!(answers(&request), [("c1".to_owned(), Some("f".to_owned()))]);
}

#[test]
fn images_stand_in_front_of_the_words_and_in_results() {
    let request = chat(&json!([
        {"role": "user", "content": "see", "images": ["iVBORw0KGgo="]},
        {"role": "tool", "content": "shot", "images": ["/9j/4AAQ"], "tool_name": "f"},
    ]));
    let [Part::Media(media), Part::Text(_)] = request.messages[0].parts.as_slice() else { panic!() };
    assert_eq!(
        (media.mime.as_deref(), &media.source),
        (Some("image/png"), &MediaSource::Base64("iVBORw0KGgo=".into()))
    );
    let [Part::ToolResult(result)] = request.messages[1].parts.as_slice() else { panic!() };
    assert!(matches!(&result.content[1], ResultPart::Media(media) if media.mime.as_deref() == Some("image/jpeg")));
}

#[test]
fn a_prompt_is_what_the_user_says() {
    let body = json!({
        "model": "m", "prompt": "p", "system": "s", "images": ["iVBORw0KGgo="], "format": "json", "think": "low",
        "suffix": "x", "raw": true, "template": "", "context": [], "keep_alive": 0, "options": {"num_ctx": 9},
    });
    let request = asked("/api/generate", &body).unwrap();
    let [system, user] = request.messages.as_slice() else { panic!() };
    assert!(matches!((&system.role, &user.role), (Role::System, Role::User)));
    assert!(matches!(user.parts.as_slice(), [Part::Media(_), Part::Text(text)] if text.text == "p"));
    assert!(matches!(request.output, Some(OutputFormat::Json)));
    assert_eq!(request.reasoning.as_ref().unwrap().effort.as_deref(), Some("low"));
    let own = request.extensions.iter().filter(|extension| extension.format != weir_sdk::spelling::FORMAT);
    let keys: Vec<&str> = own.map(|extension| extension.key.as_str()).collect();
    assert_eq!(keys, ["options.num_ctx", "keep_alive", "raw", "suffix"]);
}

#[test]
fn a_request_that_only_loads_a_model_has_no_messages() {
    assert!(asked("/api/generate", &json!({"model": "m"})).unwrap().messages.is_empty());
    assert!(asked("/api/chat", &json!({"model": "m", "messages": [], "keep_alive": 0})).unwrap().messages.is_empty());
}

#[test]
fn what_cannot_be_read_is_named() {
    let error = |body: Value| asked("/api/chat", &body).unwrap_err();
    assert_eq!(error(json!({"messages": []})).param.as_deref(), Some("model"));
    let no_role = error(json!({"model": "m", "messages": [{"content": "x"}]}));
    assert_eq!((no_role.kind, no_role.param.as_deref()), (ErrorKind::InvalidRequest, Some("messages[0].role")));
    let bad = error(json!({"model": "m", "messages": [{"role": "user", "content": 5}]}));
    assert!(bad.message.contains("messages: [0]: content"), "{}", bad.message);
    let nameless = error(json!({"model": "m", "messages": [], "tools": [{"type": "function", "function": {}}]}));
    assert_eq!(nameless.param.as_deref(), Some("tools[0]"));
}

#[test]
fn thinking_is_asked_for_and_comes_back() {
    let request = chat(&json!([{"role": "assistant", "content": "a", "thinking": "t"}]));
    assert!(matches!(&request.messages[0].parts[0], Part::Reasoning(part) if part.text.as_deref() == Some("t")));
    let off = asked("/api/chat", &json!({"model": "m", "messages": [], "think": false})).unwrap();
    assert_eq!(off.reasoning.unwrap().mode, Some(ReasoningMode::Disabled));
}

fn response(parts: Vec<Part>, reason: FinishReason) -> ChatResponse {
    let finish = Some(Finish { reason, raw: None, stop_sequence: None });
    let candidate = Candidate { index: 0, parts, finish, logprobs: None, extensions: Vec::new() };
    ChatResponse {
        id: "i".into(),
        created_ms: Some(0.0),
        candidates: vec![candidate],
        usage: Some(Usage { input: Some(3), cache_read: Some(4), output: Some(5), ..Usage::default() }),
        ..ChatResponse::default()
    }
}

#[test]
fn c77_an_answer_of_another_format_has_its_thinking_its_words_and_its_calls() {
    let signature = Some(Signature { issuer: "anthropic".into(), value: "s".into() });
    let parts = vec![
        Part::Reasoning(ReasoningPart { signature, ..ReasoningPart::new("hm") }),
        Part::text("a"),
        Part::text("b"),
        Part::ToolCall(ToolCall::new("c1", "f", r#"{"x":1}"#)),
        Part::ToolCall(ToolCall::new("c2", "g", "")),
    ];
    let (body, losses) = written(&context("alias"), response(parts, FinishReason::ToolCalls));
    let expected = json!({
        "model": "alias", "created_at": "1970-01-01T00:00:00Z",
        "message": {"role": "assistant", "content": "ab", "thinking": "hm", "tool_calls": [
            {"id": "c1", "function": {"index": 0, "name": "f", "arguments": {"x": 1}}},
            {"id": "c2", "function": {"index": 1, "name": "g", "arguments": {}}},
        ]},
        "done": true, "done_reason": "stop", "prompt_eval_count": 7, "eval_count": 5,
    });
    assert_eq!(body, expected);
    assert_eq!(losses, ["signature"]);
}

#[test]
fn an_answer_to_a_prompt_has_its_own_member() {
    let parts = vec![Part::Reasoning(ReasoningPart::new("hm")), Part::text("a")];
    let (body, losses) = written(&generating("m"), response(parts, FinishReason::Length));
    assert_eq!((&body["response"], &body["thinking"]), (&json!("a"), &json!("hm")));
    assert_eq!((&body["done"], &body["done_reason"]), (&json!(true), &json!("length")));
    assert!(body.get("message").is_none() && losses.is_empty());
}

#[test]
fn c84_a_filtered_answer_is_empty_and_reported_as_a_loss() {
    let (body, losses) = written(&context("m"), response(Vec::new(), FinishReason::ContentFilter));
    assert_eq!(body["message"]["content"], "");
    assert_eq!(losses, ["finish_reason"]);
    let (body, losses) = written(&context("m"), response(vec![Part::Refusal("no".into())], FinishReason::Refusal));
    assert_eq!(body["message"]["content"], "no");
    assert_eq!(losses, ["refusal", "finish_reason"]);
}

#[test]
fn c80_of_several_candidates_the_first_is_rendered() {
    let mut two = response(vec![Part::text("a")], FinishReason::Complete);
    two.candidates.extend(response(vec![Part::text("b")], FinishReason::Complete).candidates);
    let (body, losses) = written(&context("m"), two);
    assert_eq!(body["message"]["content"], "a");
    assert_eq!(losses, ["candidates"]);
}

#[test]
fn log_probabilities_are_lists_of_tokens() {
    let mut response = response(vec![Part::text("a")], FinishReason::Complete);
    let token = r#"{"token":"a","logprob":-1,"bytes":null,"top_logprobs":[{"token":"b","logprob":-2,"bytes":null}]}"#;
    response.candidates[0].logprobs = Some(format!(r#"{{"content":[{token}],"refusal":null}}"#));
    let whole = json!([{"token": "a", "logprob": -1, "bytes": [97],
        "top_logprobs": [{"token": "b", "logprob": -2, "bytes": [98]}]}]);
    assert_eq!(written(&context("m"), response).0["logprobs"], whole);
}
