//! Requests of other formats for the server, and its whole answers.

use serde_json::{Value, json};
use weir_sdk::adapter::{ChatOutcome, ProviderChat};
use weir_sdk::types::{
    Body, CacheHint, ChatRequest, Citation, ErrorKind, Extension, FinishReason, FunctionTool, HttpResponse, MediaKind,
    MediaPart, MediaSource, Message, Opaque, Part, ReasoningPart, ResultPart, Role, Signature, TextPart, Tool,
    ToolCall, ToolChoice, ToolKind, ToolResult,
};

use super::{answered, context, generating, sent};
use crate::tools::NO_ID;
use crate::{CHAT, Ollama, is_noted};

fn request(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { model: "m".into(), messages, ..ChatRequest::default() }
}

fn user(parts: Vec<Part>) -> Message {
    Message::new(Role::User, parts)
}

fn messages(request: ChatRequest) -> (Value, Vec<String>) {
    let (path, body, losses) = sent(&context("m"), request).unwrap();
    assert_eq!(path, "api/chat");
    (body["messages"].clone(), losses)
}

fn refused(request: ChatRequest) -> String {
    let error = sent(&context("m"), request).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    error.param.unwrap()
}

fn tool(name: &str) -> Tool {
    let parameters = Some(r#"{"type":"object"}"#.to_owned());
    let (description, strict, cache, extensions) = (None, None, None, Vec::new());
    Tool::Function(FunctionTool { name: name.into(), description, parameters, strict, cache, extensions })
}

fn result(id: &str, content: Vec<ResultPart>) -> Part {
    Part::ToolResult(ToolResult { content, ..ToolResult::new(id) })
}

fn words(text: &str) -> ResultPart {
    ResultPart::Text(TextPart::new(text))
}

#[test]
fn the_stream_member_is_always_sent() {
    for stream in [true, false] {
        let (_, body, _) = sent(&context("m"), ChatRequest { stream, ..request(Vec::new()) }).unwrap();
        assert_eq!(body["stream"], stream);
    }
}

#[test]
fn c10_calls_go_to_the_servers_own_endpoint_with_objects_for_arguments() {
    let call = Part::ToolCall(ToolCall::new("c1", "f", r#"{"a":1}"#));
    let mut request = request(vec![
        user(vec![Part::text("hi")]),
        Message::new(Role::Assistant, vec![call]),
        Message::new(Role::Tool, vec![result("c1", vec![words("ok")])]),
    ]);
    request.tools = vec![tool("f")];
    let (path, body, losses) = sent(&context("m"), request).unwrap();
    assert_eq!(path, "api/chat");
    let expected = json!([
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}]},
        {"role": "tool", "content": "ok", "tool_name": "f", "tool_call_id": "c1"},
    ]);
    assert_eq!(body["messages"], expected);
    assert_eq!(body["tools"][0]["function"]["parameters"], json!({"type": "object"}));
    assert!(losses.is_empty());
}

#[test]
fn c41_results_come_before_the_words_of_their_message() {
    let parts = vec![Part::text("and now?"), result("a", vec![words("1")]), result("b", vec![words("2")])];
    let (messages, _) = messages(request(vec![user(parts)]));
    let written: Vec<_> =
        messages.as_array().unwrap().iter().map(|m| (m["role"].clone(), m["content"].clone())).collect();
    assert_eq!(written, [(json!("tool"), json!("1")), (json!("tool"), json!("2")), (json!("user"), json!("and now?"))]);
}

#[test]
fn c43_images_in_results_stay_in_them() {
    let image = MediaPart::new(MediaKind::Image, MediaSource::Base64("AAAA".into()));
    let content = vec![words("see"), ResultPart::Json(r#"{"a":1}"#.into()), ResultPart::Media(image)];
    let (messages, losses) = messages(request(vec![Message::new(Role::Tool, vec![result("c", content)])]));
    assert_eq!(messages[0]["images"], json!(["AAAA"]));
    assert_eq!(messages[0]["content"], "see\n{\"a\":1}");
    assert_eq!(losses, ["messages[0].content[0].content"]);
}

#[test]
fn several_texts_of_a_speaker_are_separate_messages() {
    let system = Message::new(Role::Developer, vec![Part::text("a"), Part::text("b")]);
    let image = Part::Media(MediaPart::new(MediaKind::Image, MediaSource::Base64("AAAA".into())));
    let (messages, losses) = messages(request(vec![system, user(vec![Part::text("c"), image, Part::text("d")])]));
    let expected = json!([
        {"role": "system", "content": "a"},
        {"role": "system", "content": "b"},
        {"role": "user", "content": "c", "images": ["AAAA"]},
        {"role": "user", "content": "d"},
    ]);
    assert_eq!(messages, expected);
    assert!(losses.is_empty());
}

#[test]
fn thinking_goes_into_the_history_and_its_signature_does_not() {
    let signature = Some(Signature { issuer: "anthropic".into(), value: "s".into() });
    let thought = Part::Reasoning(ReasoningPart { signature, ..ReasoningPart::new("hm") });
    let turn = || Message::new(Role::Assistant, vec![thought.clone(), Part::text("a")]);
    let (messages, losses) = messages(request(vec![turn(), turn()]));
    assert_eq!(messages[0], json!({"role": "assistant", "content": "a", "thinking": "hm"}));
    assert_eq!(losses, ["messages[0].content[0]"], "said once");
}

#[test]
fn c40_what_may_not_be_dropped_is_refused() {
    let medium = |kind, source| request(vec![user(vec![Part::Media(MediaPart::new(kind, source))])]);
    let url = MediaSource::Url("https://x/y.png".into());
    let by_address = sent(&context("m"), medium(MediaKind::Image, url.clone())).unwrap_err();
    assert_eq!(by_address.code.as_deref(), Some("media_url"), "the host may fetch it");
    assert_eq!(refused(medium(MediaKind::Image, url)), "messages[0].content[0]");
    assert_eq!(refused(medium(MediaKind::Audio, MediaSource::Base64("AAAA".into()))), "messages[0].content[0]");
    assert_eq!(refused(medium(MediaKind::Document, MediaSource::Base64("AAAA".into()))), "messages[0].content[0]");
    assert_eq!(refused(medium(MediaKind::Image, MediaSource::FileId("f".into()))), "messages[0].content[0]");
    let foreign = || Opaque { format: "openai.responses".into(), kind: "web_search".into(), json: "{}".into() };
    let tools = ChatRequest { tools: vec![Tool::Opaque(foreign())], ..request(Vec::new()) };
    assert_eq!(refused(tools), "tools[0]");
    let only_foreign = request(vec![user(vec![Part::Opaque(foreign())])]);
    assert_eq!(refused(only_foreign), "messages[0].content");
    let opaque_result = request(vec![Message::new(Role::Tool, vec![result("c", vec![ResultPart::Opaque(foreign())])])]);
    assert_eq!(refused(opaque_result), "messages[0].content[0].content[0]");
}

#[test]
fn text_documents_are_sent_as_text() {
    let document = MediaPart::new(MediaKind::Document, MediaSource::Text("a,b".into()));
    let (messages, losses) = messages(request(vec![user(vec![Part::text("see"), Part::Media(document)])]));
    assert_eq!(messages, json!([{"role": "user", "content": "see"}, {"role": "user", "content": "a,b"}]));
    assert_eq!(losses, ["messages[0].content[1]"]);
}

#[test]
fn c54_the_choice_among_tools_narrows_what_is_offered() {
    let choice = |choice| {
        let tools = vec![tool("f"), tool("g")];
        let (_, body, losses) =
            sent(&context("m"), ChatRequest { tools, tool_choice: Some(choice), ..request(vec![]) }).unwrap();
        let names: Vec<String> = body["tools"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|t| t["function"]["name"].as_str().unwrap().into())
            .collect();
        (names, losses)
    };
    assert_eq!(choice(ToolChoice::Automatic), (vec!["f".into(), "g".into()], vec![]));
    assert_eq!(choice(ToolChoice::Disabled), (vec![], vec![]));
    assert_eq!(choice(ToolChoice::Required).1, ["tool_choice"]);
    assert_eq!(choice(ToolChoice::Named("g".into())), (vec!["g".into()], vec!["tool_choice".into()]));
    let allowed = weir_sdk::types::AllowedTools { names: vec!["f".into()], required: false };
    assert_eq!(choice(ToolChoice::Allowed(allowed)), (vec!["f".into()], vec![]));
}

#[test]
fn c49_each_field_that_has_no_place_is_named() {
    let cached = TextPart { cache: Some(CacheHint { ttl: None }), ..TextPart::new("a") };
    let message = Message { name: Some("Ann".into()), ..user(vec![Part::Text(cached.clone()), Part::Text(cached)]) };
    let foreign = Extension { format: "openai.chat".into(), key: "logit_bias".into(), json: r#"{"7":-100}"#.into() };
    let full = ChatRequest {
        end_user: Some("u".into()),
        metadata: Some(r#"{"a":"b"}"#.into()),
        service_tier: Some("flex".into()),
        cache_key: Some("k".into()),
        parallel_tool_calls: Some(false),
        tools: vec![tool("f")],
        extensions: vec![foreign],
        ..request(vec![message])
    };
    let expected = [
        "messages[0].name",
        "messages[0].content[0].cache_control",
        "messages[0].content[1].cache_control",
        "parallel_tool_calls",
        "logit_bias",
        "user",
        "metadata",
        "service_tier",
        "prompt_cache_key",
    ];
    assert_eq!(sent(&context("m"), full).unwrap().2, expected);
}

#[test]
fn free_text_for_a_tool_becomes_an_object() {
    let call = ToolCall { kind: ToolKind::Custom, ..ToolCall::new("c", "f", "ls -l") };
    let (messages, losses) = messages(request(vec![Message::new(Role::Assistant, vec![Part::ToolCall(call)])]));
    assert_eq!(messages[0]["tool_calls"][0]["function"]["arguments"], json!({"input": "ls -l"}));
    assert_eq!(losses, ["messages[0].tool_calls[].input"]);
}

#[test]
fn a_legacy_completion_with_a_suffix_is_a_prompt() {
    let suffix = Extension { format: "openai.completions".into(), key: "suffix".into(), json: "\"end\"".into() };
    let legacy = ChatRequest { extensions: vec![suffix], ..request(vec![user(vec![Part::text("begin")])]) };
    let (path, body, losses) = sent(&context("m"), legacy).unwrap();
    assert_eq!(path, "api/generate");
    assert_eq!((&body["prompt"], &body["suffix"]), (&json!("begin"), &json!("end")));
    assert!(losses.is_empty());
}

#[test]
fn a_conversation_goes_to_chat_if_a_prompt_cannot_express_it() {
    let path = |messages| sent(&generating("m"), request(messages)).unwrap().0;
    let say = |role, text: &str| Message::new(role, vec![Part::text(text)]);
    assert_eq!(path(vec![say(Role::System, "s"), say(Role::User, "u")]), "api/generate");
    assert_eq!(path(vec![]), "api/generate");
    assert_eq!(path(vec![say(Role::User, "u"), say(Role::Assistant, "a"), say(Role::User, "u")]), "api/chat");
    assert_eq!(path(vec![user(vec![Part::text("a"), Part::text("b")])]), "api/chat");
}

#[test]
fn members_of_generate_have_no_place_in_chat() {
    let raw = Extension { format: crate::GENERATE.into(), key: "raw".into(), json: "true".into() };
    let (_, body, losses) = sent(&context("m"), ChatRequest { extensions: vec![raw], ..request(vec![]) }).unwrap();
    assert!(body.get("raw").is_none());
    assert_eq!(losses, ["raw"]);
}

#[test]
fn c12_an_answer_with_calls_ends_with_calls_whatever_its_word() {
    let body = json!({
        "model": "m", "created_at": "2025-07-07T20:22:19.184Z", "done": true, "done_reason": "stop",
        "message": {"role": "assistant", "content": "", "tool_calls": [
            {"function": {"name": "f", "arguments": {"a": 1}}}, {"id": "", "function": {"name": "f", "arguments": "{}"}}]},
    });
    let read = answered(&context("m"), &body).unwrap();
    let candidate = &read.candidates[0];
    assert_eq!(candidate.finish.as_ref().unwrap().reason, FinishReason::ToolCalls);
    let [Part::ToolCall(one), Part::ToolCall(two)] = candidate.parts.as_slice() else { panic!() };
    assert_eq!((one.id.as_str(), one.arguments.as_str()), ("call_req1_0", r#"{"a":1}"#));
    assert_eq!((two.id.as_str(), two.arguments.as_str()), ("call_req1_1", "{}"));
    assert!(is_noted(&one.extensions, NO_ID));
    assert!(read.usage.is_none(), "c82: what is not said is unknown");
}

#[test]
fn c92_optional_members_are_optional() {
    for body in [
        json!({}),
        json!({"message": null, "done": true}),
        json!({"message": {}, "done_reason": null, "created_at": 5}),
    ] {
        let read = answered(&context("m"), &body).unwrap();
        assert_eq!(read.candidates[0].finish.as_ref().unwrap().reason, FinishReason::Complete);
    }
    assert!(answered(&context("m"), &json!({"error": "no"})).is_err());
}

#[test]
fn a_server_that_streams_although_it_was_told_not_to_is_read_all_the_same() {
    let read = |text: String| {
        let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(text) };
        <Ollama as ProviderChat>::parse_response(&context("m"), response)
    };
    let line = |message: Value| json!({"model": "m", "message": message, "done": false}).to_string();
    let called = json!({"content": "b", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]});
    let pieces = [line(json!({"content": "", "thinking": "hm"})), line(json!({"content": "a"})), line(called)];
    let last = json!({"model": "m", "message": {"content": ""}, "done": true, "done_reason": "stop", "eval_count": 3});
    let ChatOutcome::Complete(answer) = read(format!("{}\n{last}\n", pieces.join("\n"))).unwrap() else { panic!() };
    let [Part::Reasoning(_), Part::Text(text), Part::ToolCall(_)] = answer.response.candidates[0].parts.as_slice()
    else {
        panic!()
    };
    assert_eq!((text.text.as_str(), answer.response.usage.unwrap().output), ("ab", Some(3)));
    assert!(read(pieces.join("\n")).is_err(), "c19: it was cut off");
    assert!(read(format!("{}\n{}", pieces[0], r#"{"error":"gone"}"#)).unwrap_err().message.contains("gone"));
    assert!(read("{} nonsense".into()).is_err());
}

#[test]
fn notes_never_leave() {
    let note = Extension { format: CHAT.into(), key: "id".into(), json: "null".into() };
    let call = ToolCall { extensions: vec![note], ..ToolCall::new("call_0_0", "f", "{}") };
    let (messages, _) = messages(request(vec![Message::new(Role::Assistant, vec![Part::ToolCall(call)])]));
    assert_eq!(messages[0]["tool_calls"], json!([{"type": "function", "function": {"name": "f", "arguments": {}}}]));
}

#[test]
fn citations_of_a_history_are_reported() {
    let url = Some("u".into());
    let citation = Citation { url, title: None, quote: None, start: None, end: None, source: None };
    let cited = Part::Text(TextPart { citations: vec![citation], ..TextPart::new("x") });
    let (sent, losses) = messages(request(vec![Message::new(Role::Assistant, vec![cited])]));
    assert_eq!(sent, json!([{"role": "assistant", "content": "x"}]));
    assert_eq!(losses, ["messages[0].content[0].citations"]);
}

#[test]
fn refusals_of_a_history_are_sent_as_text() {
    let refusal = || vec![Part::Refusal("No.".into())];
    let (sent, losses) = messages(request(vec![Message::new(Role::Assistant, refusal()), user(refusal())]));
    assert_eq!(sent, json!([{"role": "assistant", "content": "No."}, {"role": "user", "content": "No."}]));
    assert_eq!(losses, ["messages[0].content[0].refusal", "messages[1].content[0].refusal"]);
}

#[test]
fn log_probabilities_have_both_lists_of_chat() {
    let body = json!({"model": "m", "message": {"role": "assistant", "content": "a"}, "done": true, "done_reason": "stop",
        "logprobs": [{"token": "a", "logprob": -1, "bytes": [97], "top_logprobs": []}]});
    let logprobs = answered(&context("m"), &body).unwrap().candidates[0].logprobs.clone().unwrap();
    let chat: Value = serde_json::from_str(&logprobs).unwrap();
    assert_eq!(chat["content"], body["logprobs"]);
    assert_eq!(chat.get("refusal"), Some(&Value::Null));
}

#[test]
fn tokens_without_alternatives_have_the_list_that_clients_of_chat_require() {
    let token = |more: &str| format!(r#"{{"token":"a","logprob":-1,"bytes":[97]{more}}}"#);
    let line = format!(
        r#"{{"model":"m","message":{{"role":"assistant","content":"a"}},"done":true,"logprobs":[{}]}}"#,
        token("")
    );
    let expected: Value = serde_json::from_str(&token(r#","top_logprobs":[]"#)).unwrap();
    let body: Value = serde_json::from_str(&line).unwrap();
    let logprobs = answered(&context("m"), &body).unwrap().candidates[0].logprobs.clone().unwrap();
    let chat: Value = serde_json::from_str(&logprobs).unwrap();
    assert_eq!(chat["content"], json!([expected]));
}
