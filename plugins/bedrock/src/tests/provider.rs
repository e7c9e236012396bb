//! Requests that the service gets for clients of other formats.

use serde_json::{Value, json};
use weir_sdk::types::{
    AllowedTools, CacheHint, ChatRequest, ErrorKind, Extension, FunctionTool, JsonSchema, MediaKind, MediaPart,
    MediaSource, Message, Opaque, OutputFormat, Part, ReasoningMode, ReasoningPart, ReasoningRequest, ResultPart, Role,
    Signature, TextPart, Tool, ToolCall, ToolChoice, ToolResult,
};

use super::{CLAUDE, answered, context, json as body_of, sent, written};
use crate::Bedrock;

const NOVA: &str = "us.amazon.nova-2-lite-v1:0";
const LLAMA: &str = "meta.llama3-2-1b-instruct-v1:0";

fn user(text: &str) -> Message {
    Message::new(Role::User, vec![Part::text(text)])
}

fn asking(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { messages, ..ChatRequest::default() }
}

fn function(name: &str) -> Tool {
    Tool::Function(FunctionTool { description: Some(String::new()), ..FunctionTool::new(name) })
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall::new(id, name, arguments))
}

fn result(id: &str, content: Vec<ResultPart>) -> Message {
    Message::new(Role::Tool, vec![Part::ToolResult(ToolResult { content, ..ToolResult::new(id) })])
}

fn text_result(id: &str, text: &str) -> Message {
    result(id, vec![ResultPart::Text(TextPart::new(text))])
}

fn tooled(request: ChatRequest) -> ChatRequest {
    ChatRequest { tools: vec![function("f")], ..request }
}

#[test]
fn c38_results_of_parallel_calls_are_one_turn_and_come_first() {
    let messages = vec![
        user("?"),
        Message::new(Role::Assistant, vec![call("a", "f", "{}"), call("b", "f", "{}")]),
        user("also"),
        text_result("a", "1"),
        text_result("b", "2"),
        user("and?"),
    ];
    let (body, losses) = sent(CLAUDE, tooled(asking(messages))).unwrap();
    let content = &body["messages"][2]["content"];
    assert_eq!(body["messages"].as_array().unwrap().len(), 3);
    let ids: Vec<&Value> = (0..2).map(|at| &content[at]["toolResult"]["toolUseId"]).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!((&content[2]["text"], &content[3]["text"]), (&json!("also"), &json!("and?")));
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn c39_a_tools_result_is_one_with_the_id_of_its_call() {
    let failed = ToolResult { is_error: Some(true), ..ToolResult::new("call|1") };
    let messages = vec![
        Message::new(Role::Assistant, vec![call("call|1", "f", r#"{"a":1}"#)]),
        Message::new(Role::Tool, vec![Part::ToolResult(failed)]),
    ];
    let (body, _) = sent(CLAUDE, tooled(asking(messages))).unwrap();
    let (called, back) =
        (&body["messages"][0]["content"][0]["toolUse"], &body["messages"][1]["content"][0]["toolResult"]);
    assert_eq!(called["toolUseId"], back["toolUseId"]);
    assert_ne!(called["toolUseId"], "call|1");
    assert_eq!((&called["input"], &back["status"], &back["content"]), (&json!({"a": 1}), &json!("error"), &json!([])));
}

#[test]
fn c42_c90_empty_texts_vanish() {
    let mut messages = vec![user("?"), Message::new(Role::Assistant, vec![Part::text(""), call("a", "f", "")])];
    messages.push(text_result("a", " "));
    let (body, _) = sent(CLAUDE, tooled(asking(messages))).unwrap();
    let called = &body["messages"][1]["content"];
    assert_eq!(called.as_array().unwrap().len(), 1);
    assert_eq!(called[0]["toolUse"]["input"], json!({}));
    assert_eq!(body["messages"][2]["content"][0]["toolResult"]["content"], json!([]));
}

#[test]
fn c90_calls_of_a_history_bring_their_tools_and_json_keeps_its_structure() {
    let messages = vec![
        Message::new(Role::Assistant, vec![call("a", "mcp.server/tool", "{}")]),
        result("a", vec![ResultPart::Json(r#"{"a":[1,{"b":null}]}"#.into()), ResultPart::Json("[1]".into())]),
    ];
    let (body, losses) = sent(CLAUDE, asking(messages)).unwrap();
    let name = &body["messages"][0]["content"][0]["toolUse"]["name"];
    assert_eq!(&body["toolConfig"]["tools"][0]["toolSpec"]["name"], name);
    let content = &body["messages"][1]["content"][0]["toolResult"]["content"];
    assert_eq!(content, &json!([{"json": {"a": [1, {"b": null}]}}, {"text": "[1]"}]));
    assert_eq!(losses, ["tools"]);
}

#[test]
fn c47_odd_names_of_tools_come_back() {
    let request = ChatRequest { tools: vec![function("mcp.server/tool")], ..asking(vec![user("?")]) };
    let rendered = <Bedrock as weir_sdk::adapter::ProviderChat>::render_request(&context(CLAUDE), request).unwrap();
    let name = body_of(&rendered)["toolConfig"]["tools"][0]["toolSpec"]["name"].as_str().unwrap().to_owned();
    assert!(name.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-".contains(&c)) && name.len() <= 64);
    let mut ctx = context(CLAUDE);
    ctx.memo = rendered.memo;
    let called = json!({"toolUse": {"toolUseId": "t", "name": name, "input": {}}});
    let answer = json!({"output": {"message": {"role": "assistant", "content": [called]}}, "stopReason": "tool_use"});
    let response = answered(&ctx, &answer).unwrap();
    assert!(matches!(&response.candidates[0].parts[..], [Part::ToolCall(call)] if call.name == "mcp.server/tool"));
}

#[test]
fn c40_tools_that_cannot_be_expressed_are_an_error_that_names_them() {
    let hosted = Opaque { format: "openai.responses".into(), kind: "web_search".into(), json: "{}".into() };
    let request = ChatRequest { tools: vec![function("f"), Tool::Opaque(hosted)], ..asking(vec![user("?")]) };
    let error = sent(CLAUDE, request).unwrap_err();
    assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::Unsupported, Some("tools[1]")));
}

#[test]
fn c54_choices_among_tools() {
    let choice = |choice, parallel| {
        let request = asking(vec![user("?")]);
        let tools = vec![function("f"), function("g")];
        let request = ChatRequest { tools, tool_choice: choice, parallel_tool_calls: parallel, ..request };
        sent(CLAUDE, request).unwrap()
    };
    let (body, losses) = choice(Some(ToolChoice::Required), None);
    assert_eq!((&body["toolConfig"]["toolChoice"], losses.len()), (&json!({"any": {}}), 0));
    let (body, _) = choice(Some(ToolChoice::Named("g".into())), None);
    assert_eq!(body["toolConfig"]["toolChoice"], json!({"tool": {"name": "g"}}));
    let some = AllowedTools { names: vec!["g".into()], required: true };
    let (body, _) = choice(Some(ToolChoice::Allowed(some)), None);
    assert_eq!(body["toolConfig"]["tools"].as_array().unwrap().len(), 1);
    assert_eq!(body["toolConfig"]["toolChoice"], json!({"any": {}}));
    let (body, losses) = choice(Some(ToolChoice::Disabled), None);
    assert!(body.get("toolConfig").is_none());
    assert_eq!(losses, ["tool_choice"]);
    let (body, losses) = choice(Some(ToolChoice::Automatic), Some(false));
    let one_by_one = json!({"tool_choice": {"type": "auto", "disable_parallel_tool_use": true}});
    assert_eq!((&body["additionalModelRequestFields"], losses.len()), (&one_by_one, 0));
    let (_, losses) = choice(Some(ToolChoice::Required), Some(false));
    assert_eq!(losses, ["parallel_tool_calls"]);
}

#[test]
fn c37_system_text_goes_to_the_front_and_moves_are_reported() {
    let system = |text: &str| Message::new(Role::Developer, vec![Part::text(text)]);
    let (body, losses) = sent(CLAUDE, asking(vec![system("a"), user("?"), system("b")])).unwrap();
    assert_eq!(body["system"], json!([{"text": "a"}, {"text": "b"}]));
    assert_eq!(losses, ["messages[2]"]);
}

#[test]
fn c43_c89_media_stand_where_the_format_has_them() {
    let image = MediaPart::new(MediaKind::Image, MediaSource::Base64("iVBORw0KGgoAAA".into()));
    let mut document = MediaPart::new(MediaKind::Document, MediaSource::Base64("JVBERi0x".into()));
    document.name = Some("report.pdf".into());
    let mut audio = MediaPart::new(MediaKind::Audio, MediaSource::Base64("AAAA".into()));
    audio.mime = Some("audio/wav".into());
    let content = vec![ResultPart::Media(image), ResultPart::Media(document), ResultPart::Media(audio)];
    let messages = vec![Message::new(Role::Assistant, vec![call("a", "f", "{}")]), result("a", content)];
    let (body, losses) = sent(CLAUDE, tooled(asking(messages))).unwrap();
    let content = &body["messages"][1]["content"];
    let within = &content[0]["toolResult"]["content"];
    assert_eq!(within[0], json!({"image": {"format": "png", "source": {"bytes": "iVBORw0KGgoAAA"}}}));
    assert_eq!(within[1]["document"]["source"]["bytes"], "JVBERi0x");
    assert_eq!(content[1], json!({"audio": {"format": "wav", "source": {"bytes": "AAAA"}}}));
    assert_eq!(losses, ["messages[1].content[0].name", "messages[1].content[0]"]);
}

#[test]
fn c43_media_that_another_model_has_made_are_shown_by_the_user() {
    let image = Part::Media(MediaPart::new(MediaKind::Image, MediaSource::Base64("iVBORw0KGgoAAA".into())));
    let painted = Message::new(Role::Assistant, vec![image, call("a", "f", "{}")]);
    let messages = vec![user("?"), painted, text_result("a", "1")];
    let (body, losses) = sent(CLAUDE, tooled(asking(messages))).unwrap();
    let turns = &body["messages"];
    assert_eq!(turns[1]["content"].as_array().map(Vec::len), Some(1), "{turns}");
    assert!(turns[1]["content"][0]["toolUse"].is_object(), "{turns}");
    assert!(turns[2]["content"][0]["toolResult"].is_object(), "{turns}");
    assert_eq!(turns[2]["content"][1], json!({"image": {"format": "png", "source": {"bytes": "iVBORw0KGgoAAA"}}}));
    assert_eq!(losses, ["messages[1].content[0]"]);
}

#[test]
fn newer_models_of_claudes_are_asked_to_go_on_from_their_own_turn() {
    for (model, turns) in [("anthropic.claude-opus-4-6-v1:0", 3), ("anthropic.claude-haiku-4-5-20251001-v1:0", 2)] {
        let begun = vec![user("Tell."), Message::new(Role::Assistant, vec![Part::text("Once")])];
        let (body, losses) = sent(model, asking(begun)).unwrap();
        let sent = body["messages"].as_array().unwrap();
        assert_eq!((sent.len(), losses.len()), (turns, turns - 2), "{model}: {body}");
        assert_eq!(sent.get(2).is_some_and(|last| last["content"][0]["text"] == "Continue."), turns == 3, "{body}");
    }
}

#[test]
fn cache_points_are_separate_blocks() {
    let marked = |ttl: Option<&str>| {
        let text = TextPart { cache: Some(CacheHint { ttl: ttl.map(str::to_owned) }), ..TextPart::new("long") };
        asking(vec![Message::new(Role::User, vec![Part::Text(text), Part::text("short")])])
    };
    let (body, losses) = sent(CLAUDE, marked(Some("1h"))).unwrap();
    let point = json!({"cachePoint": {"type": "default", "ttl": "1h"}});
    assert_eq!(body["messages"][0]["content"], json!([{"text": "long"}, point, {"text": "short"}]));
    assert!(losses.is_empty());
    for model in [NOVA, "us.anthropic.claude-sonnet-4-20250514-v1:0"] {
        let (body, losses) = sent(model, marked(Some("1h"))).unwrap();
        assert_eq!(body["messages"][0]["content"][1], json!({"cachePoint": {"type": "default"}}), "{model}");
        assert_eq!(losses, ["messages[0].content[0].cache_control.ttl"], "{model}");
        let (body, losses) = sent(model, marked(Some("5m"))).unwrap();
        assert_eq!(body["messages"][0]["content"][1]["cachePoint"]["ttl"], "5m", "{model}");
        assert!(losses.is_empty(), "{model}");
    }
    let (body, losses) = sent(LLAMA, marked(None)).unwrap();
    assert_eq!(body["messages"][0]["content"], json!([{"text": "long"}, {"text": "short"}]));
    assert_eq!(losses, ["messages[0].content[0].cache_control"]);
}

#[test]
fn the_latest_four_cache_points_and_anthropics_automatic_one_are_sent() {
    let marked = |words: &str| {
        let text = TextPart { cache: Some(CacheHint { ttl: None }), ..TextPart::new(words) };
        Message::new(Role::User, vec![Part::Text(text)])
    };
    let automatic = |json: &str| {
        let (format, key) = ("anthropic.messages".into(), "cache_control".into());
        vec![Extension { format, key, json: json.into() }]
    };
    let mut messages: Vec<Message> = ["a", "b", "c", "d"].map(marked).into();
    messages.push(Message::new(Role::User, vec![Part::text("e")]));
    let extensions = automatic(r#"{"type":"ephemeral","ttl":"1h"}"#);
    let (body, losses) = sent(CLAUDE, ChatRequest { extensions: extensions.clone(), ..asking(messages) }).unwrap();
    let blocks = body["messages"][0]["content"].as_array().unwrap();
    assert_eq!(blocks[..2], [json!({"text": "a"}), json!({"text": "b"})]);
    assert_eq!(blocks.last(), Some(&json!({"cachePoint": {"type": "default", "ttl": "1h"}})));
    assert_eq!((blocks.len(), losses), (9, vec!["messages[0].content[0].cache_control".to_owned()]));
    let asked = ChatRequest { extensions, ..asking(vec![Message::new(Role::User, vec![Part::text("e")])]) };
    let (body, losses) = sent(LLAMA, asked).unwrap();
    assert_eq!((&body["messages"][0]["content"], losses), (&json!([{"text": "e"}]), vec!["cache_control".to_owned()]));
}

fn thinking(effort: Option<&str>, budget: Option<u32>) -> ChatRequest {
    let wish =
        ReasoningRequest { effort: effort.map(str::to_owned), budget_tokens: budget, ..ReasoningRequest::default() };
    ChatRequest { reasoning: Some(wish), ..asking(vec![user("?")]) }
}

#[test]
fn a_budget_has_room_beneath_the_limit() {
    let limit = |max_output_tokens: Option<u32>, effort: &str| {
        let request = ChatRequest { max_output_tokens, ..thinking(Some(effort), None) };
        sent(CLAUDE, request).unwrap().0["inferenceConfig"]["maxTokens"].clone()
    };
    assert_eq!(limit(None, "medium"), json!(8192 + 4096));
    assert_eq!(limit(Some(9000), "medium"), json!(9000));
}

#[test]
fn efforts_and_budgets_become_what_the_model_takes() {
    let additional = |model: &str, request| {
        let (body, losses) = sent(model, request).unwrap();
        (body["additionalModelRequestFields"].clone(), body["outputConfig"]["effort"].clone(), losses.len())
    };
    let enabled = |budget| json!({"thinking": {"type": "enabled", "budget_tokens": budget}});
    assert_eq!(additional(CLAUDE, thinking(Some("low"), None)), (enabled(2048), Value::Null, 0));
    assert_eq!(additional(CLAUDE, thinking(None, Some(100))), (enabled(1024), Value::Null, 1));
    let adaptive = json!({"thinking": {"type": "adaptive"}});
    assert_eq!(additional("anthropic.claude-opus-4-7", thinking(Some("max"), None)), (adaptive, json!("max"), 0));
    let openai = json!({"reasoning": {"effort": "xhigh"}});
    assert_eq!(additional("us.openai.gpt-5.2", thinking(Some("max"), None)), (openai, Value::Null, 1));
    let nova = json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}});
    assert_eq!(additional(NOVA, thinking(Some("xhigh"), None)), (nova, Value::Null, 1));
    let effort = json!({"reasoning_effort": "medium"});
    assert_eq!(additional("openai.gpt-oss-120b-1:0", thinking(Some("medium"), None)), (effort, Value::Null, 0));
    assert_eq!(additional(LLAMA, thinking(Some("low"), None)), (Value::Null, Value::Null, 1));
    let mut off = thinking(None, None);
    off.reasoning.as_mut().unwrap().mode = Some(ReasoningMode::Disabled);
    assert_eq!(additional(CLAUDE, off), (json!({"thinking": {"type": "disabled"}}), Value::Null, 0));
}

#[test]
fn beside_thinking_claude_takes_little_else() {
    let mut request = tooled(thinking(Some("low"), None));
    request.sampling.temperature = Some(0.5);
    request.sampling.top_p = Some(0.5);
    request.sampling.top_k = Some(3);
    request.max_output_tokens = Some(4000);
    let (body, losses) = sent(CLAUDE, request.clone()).unwrap();
    assert_eq!(body["inferenceConfig"], json!({"maxTokens": 4000, "topP": 0.95}));
    assert_eq!(losses.len(), 3, "{losses:?}");
    request.tool_choice = Some(ToolChoice::Required);
    let (body, losses) = sent(CLAUDE, request).unwrap();
    assert_eq!(body["additionalModelRequestFields"], json!({"top_k": 3}));
    assert!(losses.contains(&"reasoning".to_owned()));
}

#[test]
fn novas_highest_effort_stands_alone() {
    let mut request = thinking(Some("high"), None);
    request.sampling.temperature = Some(0.5);
    let (body, losses) = sent(NOVA, request.clone()).unwrap();
    assert!(body.get("inferenceConfig").is_none());
    assert_eq!(losses, ["temperature"]);
    request.max_output_tokens = Some(100);
    let (body, losses) = sent(NOVA, request).unwrap();
    assert_eq!(body["additionalModelRequestFields"]["reasoningConfig"]["maxReasoningEffort"], "medium");
    assert_eq!(body["inferenceConfig"], json!({"maxTokens": 100, "temperature": 0.5}));
    assert_eq!(losses, ["reasoning.effort"]);
}

#[test]
fn a_request_of_this_format_is_not_judged() {
    let point = json!({"cachePoint": {"type": "default"}});
    let spec = json!({"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}, "strict": true}});
    let call = json!({"toolUse": {"toolUseId": "functions.f:0", "name": "f", "input": {}}});
    let back = json!({"toolResult": {"toolUseId": "functions.f:0", "content": [{"json": {}}], "status": "success"}});
    let body = json!({"messages": [
            {"role": "user", "content": [{"text": "?"}, point]}, {"role": "assistant", "content": [call]},
            {"role": "user", "content": [back]}],
        "inferenceConfig": {"temperature": 0.5, "topP": 0.5}, "outputConfig": {"effort": "high"}, "toolConfig": {"tools": [spec, point]},
        "additionalModelRequestFields": {"top_k": 3, "reasoning_config": {"type": "enabled", "budget_tokens": 2000}}});
    for model in [CLAUDE, NOVA, LLAMA, "anthropic.claude-opus-4-7", "mistral.mistral-large-2402-v1:0"] {
        let mut body = body.clone();
        if !model.contains("claude") {
            body["additionalModelRequestFields"].as_object_mut().unwrap().remove("reasoning_config");
        }
        if model == NOVA {
            body["additionalModelRequestFields"] = json!({"inferenceConfig": {"topK": 3}});
        }
        let (sent, losses) = sent(model, super::asked(model, "converse", &body).unwrap()).unwrap();
        assert_eq!(super::meaning::of_request(sent), super::meaning::of_request(body), "{model}");
        assert!(losses.is_empty(), "{model}: {losses:?}");
    }
}

#[test]
fn c52_what_a_model_does_not_take_is_not_sent() {
    for (model, effort) in [("anthropic.claude-opus-4-7", true), (LLAMA, false), ("amazon.nova-pro-v1:0", false)] {
        let (body, losses) = sent(model, thinking(Some("high"), None)).unwrap();
        assert_eq!((body.get("outputConfig").is_some(), losses.is_empty()), (effort, effort), "{model}");
        assert_eq!(body.get("additionalModelRequestFields").is_some(), effort, "{model}");
    }
    let (body, losses) = sent(LLAMA, shaped(asking(vec![user("?")]))).unwrap();
    assert_eq!((body.get("outputConfig"), losses), (None, vec!["response_format".to_owned()]));
}

#[test]
fn limits_on_candidates_stand_where_each_vendor_wants_them() {
    let additional = |model: &str| {
        let mut request = asking(vec![user("?")]);
        request.sampling.top_k = Some(3);
        let (body, losses) = sent(model, request).unwrap();
        (body["additionalModelRequestFields"].clone(), losses.len())
    };
    assert_eq!(additional(CLAUDE), (json!({"top_k": 3}), 0));
    assert_eq!(additional(NOVA), (json!({"inferenceConfig": {"topK": 3}}), 0));
    assert_eq!(additional("cohere.command-r-v1:0"), (json!({"k": 3}), 0));
    assert_eq!(additional(LLAMA), (Value::Null, 1));
}

#[test]
fn values_out_of_range_are_clamped_and_values_without_a_place_are_reported() {
    let mut request = asking(vec![user("?")]);
    request.sampling.temperature = Some(1.7);
    request.sampling.seed = Some("7".into());
    request.sampling.candidates = Some(2);
    request.end_user = Some("u".into());
    request.service_tier = Some("flex".into());
    request.metadata = Some(r#"{"team":"a b"}"#.into());
    let (body, losses) = sent(LLAMA, request.clone()).unwrap();
    assert_eq!(body["inferenceConfig"], json!({"temperature": 1}));
    assert_eq!((&body["serviceTier"], &body["requestMetadata"]), (&json!({"type": "flex"}), &json!({"team": "a b"})));
    assert_eq!(losses, ["temperature", "seed", "n", "user"]);
    request.metadata = Some(r#"{"n":1}"#.into());
    assert!(sent(LLAMA, request).unwrap().1.contains(&"metadata".to_owned()));
}

fn shaped(request: ChatRequest) -> ChatRequest {
    let schema = JsonSchema {
        name: Some("city".into()),
        description: None,
        schema: r#"{"type":"object","properties":{}}"#.into(),
        strict: Some(true),
    };
    ChatRequest { output: Some(OutputFormat::Schema(schema)), ..request }
}

#[test]
fn blank_stop_sequences_are_left_out_for_claude() {
    let mut request = asking(vec![user("?")]);
    request.sampling.stop = vec!["\n".into(), "END".into()];
    let (body, losses) = sent(CLAUDE, request.clone()).unwrap();
    assert_eq!((&body["inferenceConfig"]["stopSequences"], losses.len()), (&json!(["END"]), 1));
    assert_eq!(sent(NOVA, request).unwrap().0["inferenceConfig"]["stopSequences"], json!(["\n", "END"]));
}

#[test]
fn c88_schemas_arrive_as_text_or_as_a_tool() {
    let (body, _) = sent(CLAUDE, shaped(asking(vec![user("?")]))).unwrap();
    let format = &body["outputConfig"]["textFormat"];
    assert_eq!((&format["type"], &format["structure"]["jsonSchema"]["name"]), (&json!("json_schema"), &json!("city")));
    let schema = format["structure"]["jsonSchema"]["schema"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(schema).unwrap()["additionalProperties"], false);
    let request = shaped(asking(vec![user("?")]));
    let rendered = <Bedrock as weir_sdk::adapter::ProviderChat>::render_request(&context(NOVA), request).unwrap();
    assert_eq!(body_of(&rendered)["toolConfig"]["toolChoice"], json!({"tool": {"name": "city"}}));
    let mut ctx = context(NOVA);
    ctx.memo = rendered.memo;
    let called = json!({"toolUse": {"toolUseId": "t", "name": "city", "input": {"a": 1}}});
    let answer = json!({"output": {"message": {"role": "assistant", "content": [called]}}, "stopReason": "tool_use"});
    let candidate = answered(&ctx, &answer).unwrap().candidates.remove(0);
    assert_eq!(candidate.parts, [Part::text(r#"{"a":1}"#)]);
    assert_eq!(candidate.finish.unwrap().reason, weir_sdk::types::FinishReason::Complete);
}

fn thought(issuer: &str) -> Part {
    let signature = Some(Signature { issuer: issuer.into(), value: "Eq".into() });
    Part::Reasoning(ReasoningPart { signature, ..ReasoningPart::new("") })
}

#[test]
fn c29_c33_signed_thinking_goes_back_to_claude_whole_and_no_other() {
    let history = |issuer: &str| {
        let turn = Message::new(Role::Assistant, vec![thought(issuer), Part::text("a")]);
        asking(vec![user("?"), turn, user("?")])
    };
    for issuer in ["anthropic", "bedrock"] {
        let (body, losses) = sent(CLAUDE, history(issuer)).unwrap();
        let block = json!({"reasoningContent": {"reasoningText": {"text": "", "signature": "Eq"}}});
        assert_eq!((&body["messages"][1]["content"][0], losses.len()), (&block, 0));
    }
    for (model, issuer) in [(CLAUDE, "gemini"), (NOVA, "anthropic")] {
        let (body, losses) = sent(model, history(issuer)).unwrap();
        assert_eq!(body["messages"][1]["content"], json!([{"text": "a"}]));
        assert_eq!(losses, ["messages[1].content[0].reasoning"]);
    }
    let alone = asking(vec![user("?"), Message::new(Role::Assistant, vec![thought("openai")]), user("!")]);
    let (body, _) = sent(CLAUDE, alone).unwrap();
    assert_eq!(body["messages"], json!([{"role": "user", "content": [{"text": "?"}, {"text": "!"}]}]));
}

#[test]
fn c51_nothing_of_the_gateways_own_is_sent() {
    let body = json!({"messages": [{"role": "user", "content": [
        {"document": {"format": "txt", "name": "a", "source": {"text": "x"}}},
        {"guardContent": {"text": {"text": "q"}}}, {"text": "?"}]}],
        "additionalModelRequestFields": {"thinking": {"type": "adaptive"}, "top_k": 3}, "outputConfig": {"effort": "low"}});
    let request = super::asked("arn:x:1:application-inference-profile/a", "converse", &body).unwrap();
    let (back, _) = sent("arn:x:1:application-inference-profile/a", request).unwrap();
    assert_eq!(super::meaning::of_request(back), super::meaning::of_request(body));
}

/// Converse refuses a conversation without a turn.
#[test]
fn c37_system_text_alone_is_said_by_the_user() {
    let history = vec![Message::new(Role::System, vec![Part::text("Say hi.")])];
    let (body, losses) = sent(NOVA, asking(history)).unwrap();
    assert_eq!(body["messages"], json!([{"role": "user", "content": [{"text": "Say hi."}]}]));
    assert_eq!((body.get("system"), losses), (None, vec!["messages[0]".to_owned()]));
}

#[test]
fn a_medium_that_the_service_withheld_does_not_cost_the_rest_of_the_answer() {
    let image = json!({"image": {"format": "png", "source": {}, "error": {"message": "blocked"}}});
    let audio = json!({"audio": {"format": "wav", "source": {"bytes": ""}, "error": {"message": "blocked"}}});
    let content = json!([{"text": "Here:"}, image, audio]);
    let body = json!({"output": {"message": {"role": "assistant", "content": content}}, "stopReason": "end_turn"});
    let answer = answered(&context("m"), &body).unwrap();
    let parts = &answer.candidates[0].parts;
    let [Part::Text(text), Part::Opaque(first), Part::Opaque(second)] = parts.as_slice() else { panic!("{parts:?}") };
    assert_eq!((text.text.as_str(), first.kind.as_str(), second.kind.as_str()), ("Here:", "image", "audio"));
    let (back, losses) = written(&context("m"), answer.clone());
    assert_eq!((&back["output"]["message"]["content"][1], losses), (&image, Vec::new()));
}
