//! Answers that follow a schema, from models that support it and from those that are forced to call a tool.

use serde_json::{Value, json};
use weir_sdk::adapter::{ChatOutcome, Decoder as _, ProviderChat};
use weir_sdk::types::{
    ChatEvent, ChatRequest, Context, FinishReason, Frame, FunctionTool, JsonSchema, OutputFormat, Part, PartDelta,
    PartKind, Tool,
};

use super::request::{OLD, hello, tool};
use super::{context, fields, http_response, json, rendered, sent};
use crate::Anthropic;

const OLDEST: &str = "claude-sonnet-4-20250514";

fn schema() -> OutputFormat {
    OutputFormat::Schema(JsonSchema {
        name: Some("person".into()),
        description: None,
        schema: r#"{"type":"object","properties":{"name":{"type":"string"}}}"#.into(),
        strict: Some(true),
    })
}

#[test]
fn c88_schemas_arrive_with_their_objects_closed_and_a_mode_without_schema_is_reported() {
    let (body, losses) = sent(OLD, ChatRequest { output: Some(schema()), ..hello() });
    let closed = json!({"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": false});
    assert_eq!(body["output_config"], json!({"format": {"type": "json_schema", "schema": closed}}));
    assert_eq!(losses, ["response_format.schema"]);
    let (body, losses) = sent(OLD, ChatRequest { output: Some(OutputFormat::Json), ..hello() });
    assert!(body.get("output_config").is_none() && losses == ["response_format"]);
}

/// The context for answers to a request whose schema became a tool.
fn forced() -> Context {
    let rendered = rendered(OLDEST, ChatRequest { output: Some(schema()), ..hello() });
    let body = json(&rendered.request.body);
    assert_eq!(body["tools"][0]["name"], "person");
    let choice = json!({"type": "tool", "name": "person", "disable_parallel_tool_use": true});
    assert_eq!(body["tool_choice"], choice);
    assert_eq!(fields(&rendered.losses), ["response_format"]);
    Context { memo: rendered.memo, ..context(OLDEST) }
}

#[test]
fn models_without_schemas_answer_by_a_call_that_becomes_text() {
    let call = json!({"type": "tool_use", "id": "t", "name": "person", "input": {"name": "Ann"}});
    let body = json!({"id": "m", "content": [call], "stop_reason": "tool_use"});
    let outcome = <Anthropic as ProviderChat>::parse_response(&forced(), http_response(200, body.to_string()));
    let Ok(ChatOutcome::Complete(answer)) = outcome else { panic!("an answer") };
    let candidate = &answer.response.candidates[0];
    assert_eq!(candidate.parts, [Part::text(r#"{"name":"Ann"}"#)]);
    assert_eq!(candidate.finish.as_ref().unwrap().reason, FinishReason::Complete);
}

#[test]
fn streams_of_such_models_are_text_too() {
    let mut decoder = <Anthropic as ProviderChat>::Decoder::new(forced());
    let block = json!({"type": "tool_use", "id": "t", "name": "person", "input": {}});
    let piece = |text: &str| json!({"type": "input_json_delta", "partial_json": text});
    let frames: Vec<Frame> = [
        json!({"type": "content_block_start", "index": 0, "content_block": block}),
        json!({"type": "content_block_delta", "index": 0, "delta": piece("{\"name\":")}),
        json!({"type": "content_block_delta", "index": 0, "delta": piece("\"Ann\"}")}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}}),
    ]
    .iter()
    .map(|data: &Value| Frame { event: None, data: data.to_string() })
    .collect();
    let events = decoder.push(frames).unwrap().events;
    assert!(matches!(&events[0], ChatEvent::PartStart(start) if start.kind == PartKind::Text));
    let text: String = events.iter().filter_map(words).collect();
    assert_eq!(text, r#"{"name":"Ann"}"#);
    assert!(matches!(events.last(), Some(ChatEvent::Finish(end)) if end.finish.reason == FinishReason::Complete));
}

fn words(event: &ChatEvent) -> Option<&str> {
    match event {
        ChatEvent::Delta(PartDelta { text, .. }) => Some(text),
        _ => None,
    }
}

#[test]
fn beside_tools_of_the_clients_no_call_is_forced() {
    let request = ChatRequest { output: Some(schema()), tools: vec![tool("f")], ..hello() };
    let (body, losses) = sent(OLDEST, request);
    assert!(body.get("tool_choice").is_none() && losses == ["response_format"]);
}

#[test]
fn c88_a_description_and_limits_reach_the_model_in_the_schema() {
    let limited = JsonSchema {
        name: None,
        description: Some("A person.".into()),
        schema: r#"{"type":"object","properties":{"age":{"type":"integer","minimum":0}},"additionalProperties":false}"#
            .into(),
        strict: Some(true),
    };
    let output = |schema: JsonSchema| ChatRequest { output: Some(OutputFormat::Schema(schema)), ..hello() };
    let (body, losses) = sent(OLD, output(limited.clone()));
    let schema = &body["output_config"]["format"]["schema"];
    assert_eq!(schema["properties"]["age"], json!({"type": "integer", "description": "{minimum: 0}"}));
    assert_eq!((&schema["description"], losses), (&json!("A person."), vec!["response_format.schema".to_owned()]));
    let own = JsonSchema { schema: r#"{"type":"string","description":"Mine."}"#.into(), ..limited };
    let (body, losses) = sent(OLD, output(own));
    assert_eq!(body["output_config"]["format"]["schema"]["description"], "Mine.");
    assert_eq!(losses, ["response_format.description"]);
}

fn strict(parameters: &str) -> Tool {
    let parameters = Some(parameters.to_owned());
    Tool::Function(FunctionTool { strict: Some(true), parameters, ..FunctionTool::new("f") })
}

#[test]
fn strict_tools_have_schemas_that_are_taken_and_are_no_more_than_are_taken() {
    let limited =
        strict(r#"{"type":"object","properties":{"n":{"type":"number","maximum":9}},"additionalProperties":false}"#);
    let (body, losses) = sent(OLD, ChatRequest { tools: vec![limited], ..hello() });
    let tool = &body["tools"][0];
    assert_eq!(tool["input_schema"]["properties"]["n"], json!({"type": "number", "description": "{maximum: 9}"}));
    assert_eq!((&tool["strict"], losses), (&json!(true), vec!["tools[0].parameters".to_owned()]));
    let many = vec![strict(r#"{"type":"object","additionalProperties":false}"#); 22];
    let (body, losses) = sent(OLD, ChatRequest { tools: many, ..hello() });
    let held = body["tools"].as_array().unwrap().iter().filter(|tool| tool["strict"] == true).count();
    assert_eq!((held, losses), (20, vec!["tools[20].strict".to_owned(), "tools[21].strict".to_owned()]));
}

#[test]
fn alternatives_at_the_top_of_a_tools_arguments_are_one_object() {
    let parameters = r#"{"anyOf":[{"properties":{"a":true},"required":["a"]},{"properties":{"b":true}}]}"#;
    let function = FunctionTool { parameters: Some(parameters.into()), ..FunctionTool::new("f") };
    let (body, losses) = sent(OLD, ChatRequest { tools: vec![Tool::Function(function)], ..hello() });
    assert_eq!(body["tools"][0]["input_schema"], json!({"type": "object", "properties": {"a": true, "b": true}}));
    assert_eq!(losses, ["tools[0].parameters"]);
}
