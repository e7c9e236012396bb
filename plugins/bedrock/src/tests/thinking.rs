//! Requests that Claude gets on this service: thinking, effort and forced calls.

use serde_json::{Value, json};
use weir_sdk::thinking::EFFORT_ONLY;
use weir_sdk::types::{
    ChatRequest, Extension, FunctionTool, Message, Part, ReasoningMode, ReasoningRequest, Role, Tool, ToolChoice,
};

use super::{CLAUDE, sent};

const OPUS: &str = "anthropic.claude-opus-4-5-20251101-v1:0";

fn asking(reasoning: Option<ReasoningRequest>) -> ChatRequest {
    let messages = vec![Message::new(Role::User, vec![Part::text("?")])];
    ChatRequest { messages, reasoning, ..ChatRequest::default() }
}

fn wish(mode: Option<ReasoningMode>, effort: &str, budget_tokens: Option<u32>) -> ReasoningRequest {
    ReasoningRequest { mode, effort: Some(effort.into()), budget_tokens, ..ReasoningRequest::default() }
}

/// What a model gets: its own members, and the effort; and the losses.
fn gets(model: &str, reasoning: ReasoningRequest) -> (Value, Value, Vec<String>) {
    let (body, losses) = sent(model, asking(Some(reasoning))).unwrap();
    (body["additionalModelRequestFields"].clone(), body["outputConfig"]["effort"].clone(), losses)
}

#[test]
fn an_effort_of_another_format_that_asks_for_no_thinking_asks_for_none_here() {
    let note = Extension { format: "another".into(), key: EFFORT_ONLY.into(), json: "null".into() };
    let only = || ReasoningRequest { extensions: vec![note.clone()], ..wish(None, "low", None) };
    let mut request = asking(Some(only()));
    request.sampling.temperature = Some(0.2);
    let (body, losses) = sent(OPUS, request).unwrap();
    assert_eq!(
        (&body["outputConfig"], &body["inferenceConfig"]),
        (&json!({"effort": "low"}), &json!({"temperature": 0.2}))
    );
    assert!(body.get("additionalModelRequestFields").is_none() && losses.is_empty());
    assert_eq!(gets(CLAUDE, only()), (Value::Null, Value::Null, vec!["reasoning.effort".to_owned()]));
}

#[test]
fn an_effort_beside_thinking_or_without_it_is_not_lost() {
    let enabled = json!({"thinking": {"type": "enabled", "budget_tokens": 2000}});
    let both = wish(Some(ReasoningMode::Enabled), "medium", Some(2000));
    assert_eq!(gets(OPUS, both.clone()), (enabled.clone(), json!("medium"), vec![]));
    assert_eq!(gets(CLAUDE, both), (enabled, Value::Null, vec!["reasoning.effort".to_owned()]));
    let disabled = json!({"thinking": {"type": "disabled"}});
    let off = |effort| wish(Some(ReasoningMode::Disabled), effort, None);
    assert_eq!(gets(OPUS, off("low")), (disabled.clone(), json!("low"), vec![]));
    assert_eq!(gets(OPUS, wish(None, "none", None)), (disabled, Value::Null, vec![]));
}

#[test]
fn thinking_is_switched_off_as_far_as_the_model_allows() {
    let off = || wish(Some(ReasoningMode::Disabled), "max", None);
    let lost = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>();
    let between = json!({"thinking": {"type": "between_tools"}});
    let expected = (between, json!("high"), lost(&["reasoning", "reasoning.effort"]));
    assert_eq!(gets("us.anthropic.claude-sonnet-5-5", off()), expected);
    assert_eq!(gets("anthropic.claude-opus-5-5", off()), (Value::Null, json!("max"), lost(&["reasoning"])));
    assert_eq!(gets("anthropic.claude-mythos-preview", off()).0, Value::Null);
    let disabled = json!({"thinking": {"type": "disabled"}});
    assert_eq!(gets("anthropic.claude-opus-5", off()), (disabled, json!("high"), lost(&["reasoning.effort"])));
}

#[test]
fn without_tools_only_a_choice_that_makes_the_model_call_one_is_lost() {
    for (choice, lost) in [(ToolChoice::Automatic, 0), (ToolChoice::Disabled, 0), (ToolChoice::Required, 1)] {
        let request = ChatRequest { tool_choice: Some(choice), ..asking(None) };
        assert_eq!(sent("anthropic.claude-opus-5", request).unwrap().1.len(), lost);
    }
}

#[test]
fn models_that_cannot_be_made_to_call_a_tool_choose_themselves() {
    let tools = vec![Tool::Function(FunctionTool::new("f"))];
    for tool_choice in [ToolChoice::Required, ToolChoice::Named("f".into())].map(Some) {
        let request = ChatRequest { tools: tools.clone(), tool_choice, ..asking(None) };
        let (body, losses) = sent("global.anthropic.claude-opus-5-5", request.clone()).unwrap();
        assert_eq!((&body["toolConfig"]["toolChoice"], losses), (&json!({"auto": {}}), vec!["tool_choice".to_owned()]));
        assert!(sent("anthropic.claude-opus-5", request).unwrap().1.is_empty());
    }
}
