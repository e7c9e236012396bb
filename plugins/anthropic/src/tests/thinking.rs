//! Requests: the settings for thinking.

use serde_json::{Value, json};
use weir_sdk::thinking::EFFORT_ONLY;
use weir_sdk::types::{
    AllowedTools, ChatRequest, Extension, Message, Part, ReasoningMode, ReasoningPart, ReasoningRequest, Role,
    Signature, ToolChoice,
};

use super::request::{NEW, OLD, call, chat, hello, result, tool};
use super::{parsed, sent};

fn thinking(model: &str, max_tokens: Option<u32>, reasoning: ReasoningRequest) -> (Value, Vec<String>) {
    sent(model, ChatRequest { max_output_tokens: max_tokens, reasoning: Some(reasoning), ..hello() })
}

fn effort(level: &str) -> ReasoningRequest {
    ReasoningRequest { effort: Some(level.into()), ..ReasoningRequest::default() }
}

#[test]
fn an_effort_becomes_a_budget_where_the_model_has_budgets() {
    for (level, budget) in [("minimal", 1024), ("low", 2048), ("medium", 8192), ("high", 24_576)] {
        let (body, losses) = thinking(OLD, Some(64_000), effort(level));
        assert_eq!(body["thinking"], json!({"type": "enabled", "budget_tokens": budget}), "{level}");
        assert!(losses.is_empty() && body.get("output_config").is_none());
    }
    let (body, _) = thinking(OLD, None, effort("high"));
    assert!(body["max_tokens"].as_u64().unwrap() > 24_576, "the limit exceeds the budget");
    let (body, _) = thinking(OLD, Some(4096), effort("high"));
    assert_eq!(body["thinking"]["budget_tokens"], 3072, "the budget leaves room for an answer");
    let (body, losses) = thinking(OLD, Some(1000), effort("high"));
    assert!(body.get("thinking").is_none() && losses == ["reasoning"]);
    assert_eq!(thinking(OLD, None, effort("none")).0["thinking"], json!({"type": "disabled"}));
}

#[test]
fn newer_models_decide_themselves_by_the_effort() {
    let (body, losses) = thinking(NEW, None, effort("medium"));
    assert_eq!(
        (&body["thinking"], &body["output_config"]),
        (&json!({"type": "adaptive"}), &json!({"effort": "medium"}))
    );
    assert!(losses.is_empty());
    let budget = ReasoningRequest {
        mode: Some(ReasoningMode::Enabled),
        budget_tokens: Some(20_000),
        ..ReasoningRequest::default()
    };
    let (body, losses) = thinking(NEW, None, budget);
    assert_eq!((&body["thinking"]["type"], &body["output_config"]["effort"]), (&json!("adaptive"), &json!("high")));
    assert_eq!(losses, ["reasoning.budget_tokens"]);
    let (body, losses) = thinking("claude-fable-5", None, effort("none"));
    assert!(body.get("thinking").is_none() && losses == ["reasoning"]);
    let (body, losses) = thinking("claude-3-5-haiku-20241022", None, effort("low"));
    assert!(body.get("thinking").is_none() && losses == ["reasoning"]);
}

#[test]
fn thinking_is_not_asked_for_where_the_history_would_have_the_service_refuse_it() {
    let history = |first: Vec<Part>| {
        let mut parts = first;
        parts.push(call("a", "f", "{}"));
        vec![Message::new(Role::Assistant, parts), Message::new(Role::Tool, vec![result("a", "1")])]
    };
    let ask = |model: &str, first: Vec<Part>| {
        sent(model, ChatRequest { reasoning: Some(effort("low")), ..chat(history(first)) })
    };
    let (body, losses) = ask(OLD, Vec::new());
    assert!(body.get("thinking").is_none() && losses == ["reasoning"]);
    let own = Signature { issuer: "anthropic".into(), value: "Eq".into() };
    let thought = ReasoningPart { signature: Some(own), ..ReasoningPart::new("hm") };
    assert_eq!(ask(OLD, vec![Part::Reasoning(thought)]).0["thinking"]["type"], "enabled");
    assert_eq!(ask("claude-sonnet-4-6", Vec::new()).0["thinking"], json!({"type": "adaptive"}));
}

#[test]
fn a_loop_of_calls_that_begins_with_thinking_goes_on_with_it() {
    let own = Signature { issuer: "anthropic".into(), value: "Eq".into() };
    let thought = ReasoningPart { signature: Some(own), ..ReasoningPart::new("hm") };
    let history = vec![
        Message::new(Role::Assistant, vec![Part::Reasoning(thought), call("a", "f", "{}")]),
        Message::new(Role::Tool, vec![result("a", "1")]),
        Message::new(Role::Assistant, vec![call("b", "f", "{}")]),
        Message::new(Role::Tool, vec![result("b", "2")]),
    ];
    let (body, losses) = sent(OLD, ChatRequest { reasoning: Some(effort("low")), ..chat(history) });
    assert_eq!((&body["thinking"]["type"], losses.len()), (&json!("enabled"), 0));
}

#[test]
fn thinking_is_switched_off_as_far_as_the_model_allows() {
    let off = |effort: Option<&str>| ReasoningRequest {
        mode: Some(ReasoningMode::Disabled),
        effort: effort.map(str::to_owned),
        ..ReasoningRequest::default()
    };
    let (body, losses) = thinking("claude-sonnet-5-5", None, off(Some("max")));
    assert_eq!(
        (&body["thinking"], &body["output_config"]["effort"]),
        (&json!({"type": "between_tools"}), &json!("high"))
    );
    assert_eq!(losses, ["reasoning", "reasoning.effort"]);
    let (body, losses) = thinking("claude-opus-5-5", None, off(Some("max")));
    assert_eq!((body.get("thinking"), &body["output_config"]["effort"]), (None, &json!("max")));
    assert_eq!(losses, ["reasoning"]);
    let (body, losses) = thinking("claude-haiku-5-5", None, off(Some("low")));
    assert_eq!((&body["thinking"], &body["output_config"]["effort"]), (&json!({"type": "disabled"}), &json!("low")));
    assert!(losses.is_empty());
}

#[test]
fn without_tools_only_a_choice_that_makes_the_model_call_one_is_lost() {
    for (choice, lost) in [(ToolChoice::Automatic, 0), (ToolChoice::Disabled, 0), (ToolChoice::Required, 1)] {
        let request = ChatRequest { tool_choice: Some(choice), ..hello() };
        assert_eq!(sent(NEW, request).1.len(), lost);
    }
}

#[test]
fn models_that_cannot_be_made_to_call_a_tool_choose_themselves() {
    let allowed = AllowedTools { names: vec!["f".into()], required: true };
    let choices = [ToolChoice::Required, ToolChoice::Named("f".into()), ToolChoice::Allowed(allowed)];
    for tool_choice in choices.into_iter().map(Some) {
        let request = ChatRequest { tools: vec![tool("f")], tool_choice, parallel_tool_calls: Some(false), ..hello() };
        let (body, losses) = sent("claude-sonnet-5-5", request.clone());
        assert_eq!(body["tool_choice"], json!({"type": "auto", "disable_parallel_tool_use": true}));
        assert_eq!(losses, ["tool_choice"]);
        assert!(sent(NEW, request).1.is_empty());
    }
}

#[test]
fn a_forced_call_excludes_thinking_by_budget_only() {
    let ask = |model: &str| {
        let tool_choice = Some(ToolChoice::Required);
        sent(model, ChatRequest { tools: vec![tool("f")], tool_choice, reasoning: Some(effort("low")), ..hello() })
    };
    let (body, losses) = ask(OLD);
    assert!(body.get("thinking").is_none() && losses == ["reasoning"]);
    assert_eq!(ask(NEW).0["thinking"], json!({"type": "adaptive"}));
}

#[test]
fn an_effort_without_thinking_stays_one_in_this_format_and_is_no_loss_to_others() {
    let body = json!({"model": "m", "max_tokens": 9, "output_config": {"effort": "low"},
        "messages": [{"role": "user", "content": "a"}]});
    let request = parsed(&body);
    assert!(request.reasoning.as_ref().unwrap().extensions.iter().all(|extension| extension.json == "null"));
    let (back, losses) = sent(NEW, request);
    assert!(back.get("thinking").is_none() && losses.is_empty());
    assert_eq!(back["output_config"], json!({"effort": "low"}));
}

#[test]
fn an_effort_of_another_format_that_asks_for_no_thinking_asks_for_none_here() {
    let note = Extension { format: "another".into(), key: EFFORT_ONLY.into(), json: "null".into() };
    let wish = || ReasoningRequest { extensions: vec![note.clone()], ..effort("low") };
    let (body, losses) = thinking(NEW, None, wish());
    assert!(body.get("thinking").is_none() && losses.is_empty());
    assert_eq!(body["output_config"], json!({"effort": "low"}));
    let (body, losses) = thinking(OLD, None, wish());
    assert!(body.get("thinking").is_none() && body.get("output_config").is_none());
    assert_eq!(losses, ["reasoning.effort"]);
}

#[test]
fn thinking_of_a_kind_without_a_name_goes_back_as_it_came() {
    let body = json!({"model": "m", "max_tokens": 9, "thinking": {"type": "between_tools"},
        "messages": [{"role": "user", "content": "a"}]});
    let request = parsed(&body);
    assert_eq!(request.reasoning.as_ref().unwrap().mode, Some(ReasoningMode::Adaptive));
    assert_eq!(sent(NEW, request).0["thinking"], json!({"type": "between_tools"}));
}

#[test]
fn thinking_that_no_one_signed_goes_back_to_models_that_sign_none() {
    let thought = |signature: Option<&str>| {
        let mut block = json!({"type": "thinking", "thinking": "hm"});
        block["signature"] = json!(signature);
        block
    };
    let called = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
    let back = json!({"type": "tool_result", "tool_use_id": "t", "content": "1"});
    for signature in [None, Some("")] {
        let messages = json!([{"role": "user", "content": "a"},
            {"role": "assistant", "content": [thought(signature), called]}, {"role": "user", "content": [back]}]);
        let body = json!({"model": "m", "max_tokens": 9000, "messages": messages,
            "thinking": {"type": "enabled", "budget_tokens": 2000}});
        let (kept, losses) = sent("qwen3:8b", parsed(&body));
        assert_eq!((&kept["messages"][1]["content"][0], losses.len()), (&thought(Some("")), 0));
        assert_eq!(kept["thinking"], body["thinking"]);
        for claude in [OLD, NEW, "claude-latest"] {
            let (left, losses) = sent(claude, parsed(&body));
            assert_eq!(left["messages"][1]["content"], json!([called]), "{claude}");
            assert_eq!(losses[0], "messages[1].content[0].reasoning", "{claude}");
        }
    }
    // Thinking of another format says nothing of whether it was signed.
    let history = vec![Message::new(Role::Assistant, vec![Part::Reasoning(ReasoningPart::new("hm")), Part::text("b")])];
    assert_eq!(sent("qwen3:8b", chat(history)).1, ["messages[0].content[0].reasoning"]);
}
