//! What Claude's models take, and what they cite: requests of other formats, and answers in this one.

use serde_json::{Value, json};
use weir_sdk::adapter::ProviderChat;
use weir_sdk::testing::events::{delta, finish, start, stop};
use weir_sdk::types::{
    Candidate, ChatEvent, ChatRequest, ChatResponse, Citation, Context, Extension, FinishReason, FunctionTool,
    JsonSchema, MediaKind, MediaPart, MediaSource, Message, Opaque, OutputFormat, Part, PartCitation, PartKind,
    ReasoningMode, ReasoningRequest, Role, Setting, TextPart, Tool,
};

use crate::Bedrock;

use super::{CLAUDE, context, encoded, fold, sent, written};

const NOVA: &str = "us.amazon.nova-2-lite-v1:0";
const MESSAGES: &str = "anthropic.messages";

fn asking(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { messages, ..ChatRequest::default() }
}

fn user(part: Part) -> Message {
    Message::new(Role::User, vec![part])
}

#[test]
fn white_space_at_the_end_of_what_claude_goes_on_from_is_trimmed() {
    let history = || vec![user(Part::text("? ")), Message::new(Role::Assistant, vec![Part::text("Once \n")])];
    let (body, losses) = sent(CLAUDE, asking(history())).unwrap();
    assert_eq!(body["messages"][1]["content"], json!([{"text": "Once"}]));
    assert_eq!((&body["messages"][0]["content"][0]["text"], losses.len()), (&json!("? "), 1));
    let (body, losses) = sent(NOVA, asking(history())).unwrap();
    assert_eq!((&body["messages"][1]["content"], losses.len()), (&json!([{"text": "Once \n"}]), 0));
    let own = json!({"messages": [{"role": "assistant", "content": [{"text": "Once "}]}]});
    let (back, losses) = sent(CLAUDE, super::asked(CLAUDE, "converse", &own).unwrap()).unwrap();
    assert_eq!((&back["messages"], losses.len()), (&own["messages"], 0));
}

fn function(strict: bool, parameters: &str) -> Tool {
    let parameters = Some(parameters.to_owned());
    Tool::Function(FunctionTool { strict: Some(strict), parameters, ..FunctionTool::new("f") })
}

#[test]
fn schemas_of_tools_and_answers_have_nothing_that_is_refused() {
    let limited = r#"{"type":"object","properties":{"n":{"type":"integer","minimum":1}},"additionalProperties":false}"#;
    let union = r#"{"type":"object","oneOf":[{"properties":{"a":true},"required":["a"]}]}"#;
    let output = JsonSchema { name: None, description: None, schema: limited.into(), strict: Some(true) };
    let request = ChatRequest {
        tools: vec![function(true, limited), function(false, union)],
        output: Some(OutputFormat::Schema(output)),
        ..asking(vec![user(Part::text("?"))])
    };
    let (body, losses) = sent(CLAUDE, request.clone()).unwrap();
    let schema = |body: &Value, at: usize| body["toolConfig"]["tools"][at]["toolSpec"]["inputSchema"]["json"].clone();
    let number = json!({"type": "integer", "description": "{minimum: 1}"});
    assert_eq!(schema(&body, 0)["properties"]["n"], number);
    assert_eq!(schema(&body, 1), json!({"type": "object", "properties": {"a": true}, "required": ["a"]}));
    let answer = body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(answer).unwrap()["properties"]["n"], number);
    assert_eq!(losses, ["tools[0].parameters", "tools[1].parameters", "response_format.schema"]);
    // Other vendors' models may take alternatives.
    assert!(schema(&sent(NOVA, request).unwrap().0, 1).get("oneOf").is_some());
}

#[test]
fn no_more_tools_are_strict_than_claude_takes() {
    let tools = vec![function(true, r#"{"type":"object","additionalProperties":false}"#); 21];
    let request = ChatRequest { tools, ..asking(vec![user(Part::text("?"))]) };
    let (body, losses) = sent(CLAUDE, request).unwrap();
    let tools = body["toolConfig"]["tools"].as_array().unwrap();
    let held = tools.iter().filter(|tool| tool["toolSpec"]["strict"] == true).count();
    assert_eq!((tools.len(), held, losses), (21, 20, vec!["tools[20].strict".to_owned()]));
}

/// A citation of Messages, and what it is in Converse.
fn of_messages() -> (Citation, Value) {
    let json = json!({"type": "page_location", "cited_text": "q", "document_title": "t", "document_index": 1,
        "start_page_number": 2, "end_page_number": 3, "file_id": null});
    let source = Opaque { format: MESSAGES.into(), kind: "page_location".into(), json: json.to_string() };
    let citation = Citation { url: None, title: None, quote: None, start: None, end: None, source: Some(source) };
    let here = json!({"title": "t", "sourceContent": [{"text": "q"}],
        "location": {"documentPage": {"documentIndex": 1, "start": 2, "end": 3}}});
    (citation, here)
}

#[test]
fn places_that_messages_cites_are_those_of_this_format_whole_and_streamed() {
    let (citation, here) = of_messages();
    let text = TextPart { citations: vec![citation.clone()], ..TextPart::new("x") };
    let parts = vec![Part::Text(text.clone())];
    let candidate = Candidate { index: 0, parts, finish: None, logprobs: None, extensions: Vec::new() };
    let answer = ChatResponse { candidates: vec![candidate], ..ChatResponse::default() };
    let (body, losses) = written(&context("m"), answer);
    let content = &body["output"]["message"]["content"];
    assert_eq!(*content, json!([{"text": "x"}, {"citationsContent": {"citations": [here]}}]));
    assert_eq!(losses, ["stopReason"]);
    let cited = ChatEvent::Citation(PartCitation { candidate: 0, part: 0, citation });
    let events = [start(0, PartKind::Text), delta(0, "x"), cited, stop(0), finish(FinishReason::Complete)];
    let (frames, losses) = encoded(&context("m"), &events, 1);
    assert!(fold::answer(&frames).to_string().contains(&here.to_string()) && losses.is_empty());
    // Claude has its own citations back, which no other model takes.
    let history = || {
        let answer = Message::new(Role::Assistant, vec![Part::Text(text.clone())]);
        asking(vec![Message::new(Role::User, vec![Part::text("?")]), answer])
    };
    let (body, losses) = sent(CLAUDE, history()).unwrap();
    let block = json!({"citationsContent": {"content": [{"text": "x"}], "citations": [here]}});
    assert_eq!((&body["messages"][1]["content"], losses.len()), (&json!([block]), 0));
    let (body, losses) = sent(NOVA, history()).unwrap();
    assert_eq!((&body["messages"][1]["content"], losses.len()), (&json!([{"text": "x"}]), 1));
}

#[test]
fn documents_and_search_results_of_messages_may_be_cited() {
    let document = |extensions: &[(&str, Value)]| {
        let own = |(key, json): &(&str, Value)| Extension {
            format: MESSAGES.into(),
            key: (*key).into(),
            json: json.to_string(),
        };
        let mut part = MediaPart::new(MediaKind::Document, MediaSource::Text("a\nb".into()));
        part.name = Some("t".into());
        part.extensions = extensions.iter().map(own).collect();
        asking(vec![Message::new(Role::User, vec![Part::Media(part), Part::text("?")])])
    };
    let first = |request: ChatRequest| {
        let (body, losses) = sent(CLAUDE, request).unwrap();
        assert!(losses.is_empty(), "{losses:?}");
        body["messages"][0]["content"][0].clone()
    };
    let (on, texts) = (json!({"enabled": true}), json!([{"text": "a"}, {"text": "b"}]));
    let blocks = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    let found = json!({"type": "search_result", "source": "s", "title": "t", "content": blocks, "citations": on});
    assert_eq!(
        first(document(&[("block", found)])),
        json!({"searchResult": {"source": "s", "title": "t", "content": texts, "citations": on}})
    );
    let plain = [("context", json!("c")), ("citations", on.clone())];
    assert_eq!(
        first(document(&plain)),
        json!({"document": {"format": "txt", "name": "t", "source": {"text": "a\nb"}, "context": "c", "citations": on}})
    );
    let made_of = json!({"type": "document", "source": {"type": "content", "content": blocks}, "citations": on});
    assert_eq!(first(document(&[("block", made_of)]))["document"]["source"], json!({"content": texts}));
    let (body, losses) = sent(NOVA, document(&plain)).unwrap();
    assert!(body["messages"][0]["content"][0]["document"].get("citations").is_none() && losses.len() == 2);
}

fn with_betas(asked: &str) -> ChatRequest {
    let header = Extension { format: MESSAGES.into(), key: "anthropic-beta".into(), json: json!(asked).to_string() };
    let reasoning = ReasoningRequest { budget_tokens: Some(8000), ..ReasoningRequest::default() };
    let reasoning = Some(ReasoningRequest { mode: Some(ReasoningMode::Enabled), ..reasoning });
    ChatRequest {
        extensions: vec![header],
        max_output_tokens: Some(4000),
        reasoning,
        ..asking(vec![user(Part::text("?"))])
    }
}

#[test]
fn features_on_trial_reach_claude_if_the_service_knows_them() {
    let additional = |body: &Value, key: &str| body["additionalModelRequestFields"][key].clone();
    let thinks_between = "interleaved-thinking-2025-05-14";
    let asked = format!("{thinks_between}, context-1m-2025-08-07,pdfs-2024-09-25,{thinks_between}");
    let (body, losses) = sent(CLAUDE, with_betas(&asked)).unwrap();
    assert_eq!(additional(&body, "anthropic_beta"), json!([thinks_between, "context-1m-2025-08-07"]));
    // Thinking between calls has a budget of its own.
    assert_eq!((additional(&body, "thinking")["budget_tokens"].as_u64(), losses.len()), (Some(8000), 0), "{losses:?}");
    let (body, losses) = sent(CLAUDE, with_betas("oauth-2025-04-20,claude-code-20250219")).unwrap();
    assert_eq!(additional(&body, "anthropic_beta"), Value::Null);
    assert_eq!(losses, ["anthropic-beta", "reasoning.budget_tokens"]);
    let (body, losses) = sent(NOVA, with_betas(thinks_between)).unwrap();
    assert_eq!(additional(&body, "anthropic_beta"), Value::Null);
    assert!(losses.contains(&"anthropic-beta".to_owned()), "{losses:?}");
}

#[test]
fn configured_features_stand_beside_those_of_the_client() {
    let options = vec![Setting { key: "anthropic_beta".into(), json: r#"["mine","context-1m-2025-08-07"]"#.into() }];
    let ctx = Context { options, ..context(CLAUDE) };
    let asked = with_betas("context-1m-2025-08-07");
    let rendered = <Bedrock as ProviderChat>::render_request(&ctx, asked).unwrap();
    let list = super::json(&rendered)["additionalModelRequestFields"]["anthropic_beta"].clone();
    assert_eq!(list, json!(["context-1m-2025-08-07", "mine"]));
}
