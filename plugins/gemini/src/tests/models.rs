//! What only some models take.

use serde_json::{Value, json};
use weir_sdk::types::{
    AllowedTools, ChatRequest, Context, FunctionTool, JsonSchema, Message, OutputFormat, Part, ReasoningRequest, Role,
    Sampling, Setting, Tool, ToolChoice,
};

use super::{asked, context, sent, sent_to};

const OLD: &str = "gemini-2.5-flash";
const NEW: &str = "gemini-3-flash-preview";

fn say(role: Role, text: &str) -> Message {
    Message::new(role, vec![Part::text(text)])
}

fn ask() -> ChatRequest {
    ChatRequest { messages: vec![say(Role::User, "x")], ..ChatRequest::default() }
}

fn function() -> Tool {
    Tool::Function(FunctionTool::new("f"))
}

fn allowing(model: &str, option: &str) -> Context {
    let mut ctx = context(model);
    ctx.options.push(Setting { key: option.into(), json: "true".into() });
    ctx
}

#[test]
fn a_json_format_beside_functions_is_for_new_models() {
    let schema = JsonSchema { name: None, description: Some("d".into()), schema: "{}".into(), strict: None };
    for output in [OutputFormat::Json, OutputFormat::Schema(schema)] {
        let with = |tools| ChatRequest { tools, output: Some(output.clone()), ..ask() };
        let (body, losses) = sent(OLD, with(vec![function()])).unwrap();
        assert_eq!((body.get("generationConfig"), losses), (None, vec!["response_format".to_owned()]));
        let mime = |(body, _): (Value, Vec<String>)| body["generationConfig"]["responseMimeType"].clone();
        assert_eq!(mime(sent(NEW, with(vec![function()])).unwrap()), "application/json");
        assert_eq!(mime(sent(OLD, with(Vec::new())).unwrap()), "application/json");
        let allowed = allowing(OLD, "json_with_functions");
        assert_eq!(mime(sent_to(&allowed, with(vec![function()])).unwrap()), "application/json");
    }
}

#[test]
fn a_format_in_the_services_own_words_stays_beside_functions() {
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}],
        "tools": [{"functionDeclarations": [{"name": "f"}]}],
        "generationConfig": {"responseMimeType": "application/json", "responseSchema": {"type": "OBJECT"}}});
    let (back, losses) = sent(OLD, asked(OLD, "generateContent", &body).unwrap()).unwrap();
    assert_eq!(back["generationConfig"], body["generationConfig"]);
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn penalties_are_for_models_that_take_them() {
    let sampling = Sampling { frequency_penalty: Some(0.5), presence_penalty: Some(0.0), ..Sampling::default() };
    let request = || ChatRequest { sampling: sampling.clone(), ..ask() };
    let both = json!({"presencePenalty": 0, "frequencyPenalty": 0.5});
    for model in [OLD, NEW, "gemini-flash-latest"] {
        let (body, losses) = sent(model, request()).unwrap();
        assert_eq!(body["generationConfig"], json!({"presencePenalty": 0}));
        assert_eq!(losses, ["frequency_penalty"]);
    }
    for ctx in [context("gemini-2.0-flash"), allowing(OLD, "penalties")] {
        let (body, losses) = sent_to(&ctx, request()).unwrap();
        assert_eq!((&body["generationConfig"], losses.len()), (&both, 0));
    }
}

#[test]
fn a_choice_without_functions_is_not_sent() {
    let choose = |choice| {
        let (body, losses) = sent(OLD, ChatRequest { tool_choice: Some(choice), ..ask() }).unwrap();
        assert_eq!(body.get("toolConfig"), None);
        losses
    };
    let some = |required| ToolChoice::Allowed(AllowedTools { names: vec!["f".into()], required });
    for free in [ToolChoice::Automatic, ToolChoice::Disabled, some(false)] {
        assert!(choose(free).is_empty());
    }
    for required in [ToolChoice::Required, ToolChoice::Named("f".into()), some(true)] {
        assert_eq!(choose(required), ["tool_choice"]);
    }
}

#[test]
fn other_settings_for_tools_stay_without_functions() {
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}], "tools": [{"googleMaps": {}}],
        "toolConfig": {"retrievalConfig": {"languageCode": "de"}, "functionCallingConfig": {"mode": "VALIDATED"}}});
    let (back, losses) = sent(OLD, asked(OLD, "generateContent", &body).unwrap()).unwrap();
    assert_eq!(back["toolConfig"], json!({"retrievalConfig": {"languageCode": "de"}}));
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn the_user_says_system_text_to_models_without_a_place_for_it() {
    let history = vec![say(Role::User, "hi"), say(Role::System, "one"), say(Role::Developer, "two")];
    let request = || ChatRequest { messages: history.clone(), ..ChatRequest::default() };
    for model in ["gemma-3-27b-it", "models/gemma-2-9b-it"] {
        let (body, losses) = sent(model, request()).unwrap();
        let parts = json!([{"text": "one"}, {"text": "two"}, {"text": "hi"}]);
        assert_eq!(body["contents"], json!([{"role": "user", "parts": parts}]));
        assert_eq!(body.get("systemInstruction"), None);
        assert_eq!(losses, ["messages[1]", "messages[2]"]);
    }
    let (body, _) = sent("gemma-4-31b-it", request()).unwrap();
    assert_eq!(body["systemInstruction"]["parts"], json!([{"text": "one"}, {"text": "two"}]));
}

#[test]
fn the_least_budget_of_a_model_is_sent_for_a_smaller_one() {
    let reasoning = Some(ReasoningRequest { budget_tokens: Some(100), ..ReasoningRequest::default() });
    let (body, losses) = sent("gemini-2.5-flash-lite", ChatRequest { reasoning, ..ask() }).unwrap();
    assert_eq!(body["generationConfig"]["thinkingConfig"]["thinkingBudget"], 512);
    assert_eq!(losses, ["reasoning.budget_tokens"]);
}
