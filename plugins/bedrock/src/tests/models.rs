//! What models of other vendors than Anthropic's and Amazon's take of requests in other formats.

use serde_json::{Value, json};
use weir_sdk::adapter::{ProviderChat, ProviderCountTokens};
use weir_sdk::types::{
    AllowedTools, ChatRequest, Framing, FunctionTool, Message, Part, ResultPart, Role, Setting, TextPart, Tool,
    ToolCall, ToolChoice, ToolResult,
};

use super::{CLAUDE, asked, context, sent};
use crate::Bedrock;

const LLAMA: &str = "us.meta.llama3-3-70b-instruct-v1:0";
const SMALL_LLAMA: &str = "us.meta.llama3-2-3b-instruct-v1:0";
const MISTRAL: &str = "mistral.mistral-large-2407-v1:0";
const WRITER: &str = "us.writer.palmyra-x5-v1:0";
const KIMI: &str = "moonshot.kimi-k2-thinking";

fn asking() -> ChatRequest {
    let tools = ["f", "g"].map(|name| Tool::Function(FunctionTool::new(name))).to_vec();
    let messages = vec![Message::new(Role::User, vec![Part::text("?")])];
    ChatRequest { messages, tools, ..ChatRequest::default() }
}

#[test]
fn c54_a_choice_that_a_model_does_not_take_becomes_the_nearest_one() {
    let chosen = |model: &str, choice: ToolChoice| {
        let (body, losses) = sent(model, ChatRequest { tool_choice: Some(choice), ..asking() }).unwrap();
        let config = &body["toolConfig"];
        (config["toolChoice"].clone(), config["tools"].as_array().unwrap().len(), losses.len())
    };
    let named = || ToolChoice::Named("g".into());
    let some = || ToolChoice::Allowed(AllowedTools { names: vec!["g".into()], required: true });
    let (auto, any) = (json!({"auto": {}}), json!({"any": {}}));
    assert_eq!(chosen(KIMI, named()), (json!({"tool": {"name": "g"}}), 2, 0));
    assert_eq!(chosen(MISTRAL, named()), (any.clone(), 1, 1));
    assert_eq!(chosen(MISTRAL, some()), (any.clone(), 1, 0));
    assert_eq!(chosen(MISTRAL, ToolChoice::Required), (any, 2, 0));
    assert_eq!(chosen(LLAMA, named()), (auto.clone(), 2, 1));
    assert_eq!(chosen(LLAMA, ToolChoice::Required), (auto.clone(), 2, 1));
    assert_eq!(chosen(LLAMA, ToolChoice::Automatic), (auto, 2, 0));
    assert_eq!(chosen(SMALL_LLAMA, ToolChoice::Required), (Value::Null, 2, 1));
    assert_eq!(chosen(SMALL_LLAMA, ToolChoice::Automatic), (Value::Null, 2, 0));
    let own = json!({"messages": [{"role": "user", "content": [{"text": "?"}]}], "toolConfig": {
        "tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {}}}}], "toolChoice": {"tool": {"name": "f"}}}});
    let (back, _) = sent(LLAMA, asked(LLAMA, "converse", &own).unwrap()).unwrap();
    assert_eq!(back["toolConfig"]["toolChoice"], own["toolConfig"]["toolChoice"]);
}

#[test]
fn models_that_stream_no_calls_answer_at_once() {
    let rendered = |model: &str, request: ChatRequest| {
        let rendered = <Bedrock as ProviderChat>::render_request(&context(model), request).unwrap();
        let operation = rendered.request.path.rsplit('/').next().unwrap().to_owned();
        (operation, rendered.framing, rendered.losses.len())
    };
    let stream = ChatRequest { stream: true, ..asking() };
    let streamed = ("converse-stream".to_owned(), Some(Framing::EventStream), 0);
    for model in [LLAMA, MISTRAL, WRITER] {
        assert_eq!(rendered(model, stream.clone()), ("converse".to_owned(), None, 1), "{model}");
        assert_eq!(rendered(model, ChatRequest { tools: Vec::new(), ..stream.clone() }), streamed, "{model}");
        assert_eq!(rendered(model, asking()), ("converse".to_owned(), None, 0), "{model}");
    }
    for model in [KIMI, CLAUDE, "an-own-name"] {
        assert_eq!(rendered(model, stream.clone()), streamed, "{model}");
    }
}

/// A history with a result of a call, and words of the user's behind it.
fn history(failed: Option<bool>, behind: &str) -> ChatRequest {
    let content = vec![ResultPart::Text(TextPart::new("1"))];
    let result = ToolResult { is_error: failed, content, ..ToolResult::new("a") };
    let messages = vec![
        Message::new(Role::User, vec![Part::text("?")]),
        Message::new(Role::Assistant, vec![Part::ToolCall(ToolCall::new("a", "f", "{}"))]),
        Message::new(Role::User, vec![Part::ToolResult(result), Part::text(behind)]),
    ];
    ChatRequest { messages, ..asking() }
}

#[test]
fn the_status_of_a_result_is_sent_to_models_that_take_it() {
    let status = |model: &str, failed| {
        let (body, losses) = sent(model, history(Some(failed), "")).unwrap();
        (body["messages"][2]["content"][0]["toolResult"]["status"].clone(), losses)
    };
    let (success, error) = (json!("success"), json!("error"));
    for (model, failed, expected) in [
        (CLAUDE, false, &success),
        ("an-own-name", false, &success),
        (LLAMA, false, &Value::Null),
        (LLAMA, true, &error),
        (WRITER, false, &Value::Null),
    ] {
        assert_eq!(status(model, failed), (expected.clone(), vec![]), "{model}");
    }
    assert_eq!(status(WRITER, true), (Value::Null, vec!["messages[2].content[0].is_error".to_owned()]));
}

#[test]
fn results_stand_alone_where_the_model_wants_them_so() {
    let turns = |model: &str, behind: &str| {
        let (body, losses) = sent(model, history(None, behind)).unwrap();
        let turns: Vec<Value> = body["messages"].as_array().unwrap().iter().skip(3).cloned().collect();
        (turns, losses)
    };
    let parted = vec![
        json!({"role": "assistant", "content": [{"text": "."}]}),
        json!({"role": "user", "content": [{"text": "and?"}]}),
    ];
    for model in [LLAMA, MISTRAL, WRITER] {
        assert_eq!(turns(model, "and?"), (parted.clone(), vec!["messages".to_owned()]), "{model}");
        assert_eq!(turns(model, ""), (vec![], vec![]), "{model}");
    }
    assert_eq!(turns(KIMI, "and?"), (vec![], vec![]));
}

#[test]
fn c59_tokens_are_counted_for_the_model_behind_a_profile() {
    let path = |model: &str, base: Option<&str>| {
        let mut ctx = context(model);
        ctx.options.extend(base.map(|base| Setting { key: "base_model".into(), json: format!("\"{base}\"") }));
        <Bedrock as ProviderCountTokens>::render_request(&ctx, asking()).unwrap().request.path
    };
    let expected = "model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens";
    assert_eq!(path(CLAUDE, None), expected);
    assert_eq!(path("arn:aws:bedrock:us-east-1:1:application-inference-profile/a", Some(CLAUDE)), expected);
}

#[test]
fn the_user_begins_where_the_model_may_not() {
    let greeting = || Message::new(Role::Assistant, vec![Part::text("Hello!")]);
    let begins = |model: &str, messages: Vec<Message>| {
        let (body, losses) = sent(model, ChatRequest { messages, ..ChatRequest::default() }).unwrap();
        (body["messages"][0].clone(), body["messages"].as_array().unwrap().len(), losses)
    };
    let hi = || Message::new(Role::User, vec![Part::text("Hi")]);
    let system = Message::new(Role::System, vec![Part::text("s")]);
    let filler = json!({"role": "user", "content": [{"text": "."}]});
    for model in
        ["amazon.nova-micro-v1:0", "us.anthropic.claude-3-5-sonnet-20241022-v2:0", "meta.llama3-1-8b-instruct-v1:0"]
    {
        let (first, n_turns, losses) = begins(model, vec![system.clone(), greeting(), hi()]);
        assert_eq!((&first, n_turns, losses), (&filler, 3, vec!["messages[1]".to_owned()]), "{model}");
    }
    let (first, n_turns, losses) = begins("us.anthropic.claude-sonnet-4-5-20250929-v1:0", vec![greeting(), hi()]);
    assert_eq!((&first["role"], n_turns, losses.len()), (&json!("assistant"), 2, 0));
}
