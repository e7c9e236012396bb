//! What is sent of thinking and sampling, by the models' names.

use serde_json::Value;
use weir_sdk::compat::wire::FORMAT;
use weir_sdk::compat::{Quirks, request, responses};
use weir_sdk::testing::{context, fields, json};
use weir_sdk::types::{
    ChatRequest, Context, Error, Extension, FunctionTool, ReasoningMode, ReasoningRequest, RenderedRequest, Sampling,
    Tool,
};

use crate::quirks::QUIRKS;

type Render = fn(&Quirks, &Context, ChatRequest) -> Result<RenderedRequest, Error>;
const BOTH: [Render; 2] = [request::render, responses::request::render];

fn off() -> ReasoningRequest {
    ReasoningRequest { mode: Some(ReasoningMode::Disabled), ..ReasoningRequest::default() }
}

fn level(effort: &str) -> ReasoningRequest {
    ReasoningRequest { effort: Some(effort.to_owned()), ..ReasoningRequest::default() }
}

/// The level that is sent, and the losses.
fn sent(render: Render, model: &str, reasoning: ReasoningRequest) -> (Option<String>, Vec<String>) {
    let request = ChatRequest { reasoning: Some(reasoning), ..ChatRequest::default() };
    let rendered = render(&QUIRKS, &context(model), request).unwrap();
    let body = json(&rendered.request.body);
    let effort = body.get("reasoning_effort").or_else(|| body.get("reasoning").map(|object| &object["effort"]));
    (effort.and_then(Value::as_str).map(str::to_owned), fields(&rendered.losses))
}

#[test]
fn no_thinking_is_said_in_the_words_of_the_model() {
    for (model, effort, lost) in [
        ("gpt-4o", None, false),
        ("gpt-4.1-mini", None, false),
        ("gpt-3.5-turbo", None, false),
        ("ft:gpt-4o-2024-08-06:org::id", None, false),
        ("gpt-5-chat-latest", None, false),
        ("gpt-5", Some("minimal"), true),
        ("gpt-5-mini-2025-08-07", Some("minimal"), true),
        ("gpt-5-codex", Some("low"), true),
        ("gpt-5-pro", Some("high"), true),
        ("o1", Some("low"), true),
        ("o3-mini", Some("low"), true),
        ("o4-mini-2025-04-16", Some("low"), true),
        ("gpt-5.1", Some("none"), false),
        ("gpt-5.4-nano", Some("none"), false),
        // Names that say nothing.
        ("gpt-oss-120b", Some("none"), false),
        ("my-deployment", Some("none"), false),
        ("o3x", Some("none"), false),
    ] {
        for render in BOTH {
            let expected = if lost { vec!["reasoning_effort".to_owned()] } else { Vec::new() };
            assert_eq!(sent(render, model, off()), (effort.map(str::to_owned), expected), "{model}");
        }
    }
}

#[test]
fn only_models_that_may_think_are_asked_for_encrypted_thinking() {
    let include = |model: &str, logprobs: Option<bool>| {
        let sampling = Sampling { logprobs, ..Sampling::default() };
        let request = ChatRequest { sampling, ..ChatRequest::default() };
        let rendered = responses::request::render(&QUIRKS, &context(model), request).unwrap();
        assert!(rendered.losses.is_empty(), "{model}: {:?}", rendered.losses);
        json(&rendered.request.body).get("include").cloned()
    };
    let (thinking, logprobs) = ("reasoning.encrypted_content", "message.output_text.logprobs");
    for model in ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-5-chat-latest", "ft:gpt-4o-2024-08-06:org::id"] {
        assert_eq!(include(model, None), None, "{model}");
        assert_eq!(include(model, Some(true)), Some(serde_json::json!([logprobs])), "{model}");
    }
    for model in ["gpt-5", "gpt-5.1", "o3", "gpt-oss-120b", "my-deployment"] {
        assert_eq!(include(model, None), Some(serde_json::json!([thinking])), "{model}");
    }
    assert_eq!(include("my-deployment", Some(true)), Some(serde_json::json!([thinking, logprobs])));
}

#[test]
fn a_level_that_the_model_lacks_becomes_its_nearest() {
    for (model, asked, nearest) in [
        ("gpt-5", "max", "high"),
        ("gpt-5-mini", "xhigh", "high"),
        ("gpt-5-codex", "minimal", "low"),
        ("gpt-5-pro", "low", "high"),
        ("gpt-5-pro", "max", "high"),
        ("gpt-5.1", "xhigh", "high"),
        ("gpt-5.1-2025-11-13", "minimal", "low"),
        ("gpt-5.2", "max", "xhigh"),
        ("gpt-5.4-nano-2026-03-17", "minimal", "low"),
        ("o1", "xhigh", "high"),
        ("o3", "minimal", "low"),
        ("o4-mini", "max", "high"),
    ] {
        for render in BOTH {
            let expected = (Some(nearest.to_owned()), vec!["reasoning_effort".to_owned()]);
            assert_eq!(sent(render, model, level(asked)), expected, "{model} {asked}");
        }
    }
    let large = ReasoningRequest { budget_tokens: Some(100_000), ..ReasoningRequest::default() };
    for render in BOTH {
        let lost = vec!["reasoning.budget_tokens".to_owned(), "reasoning_effort".to_owned()];
        assert_eq!(sent(render, "gpt-5", large.clone()), (Some("high".to_owned()), lost));
    }
}

#[test]
fn who_wants_thinking_and_names_no_level_gets_the_usual_one() {
    for mode in [ReasoningMode::Adaptive, ReasoningMode::Enabled] {
        for render in BOTH {
            let wish = ReasoningRequest { mode: Some(mode), ..ReasoningRequest::default() };
            let expected = (Some("medium".to_owned()), vec!["reasoning".to_owned()]);
            assert_eq!(sent(render, "gpt-5.1", wish), expected);
        }
    }
}

#[test]
fn a_level_that_the_model_may_have_stays() {
    for (model, asked) in [
        ("gpt-5", "minimal"),
        ("gpt-5.2", "xhigh"),
        ("gpt-5.6", "max"),
        ("gpt-5.10", "minimal"),
        ("gpt-5.1-codex-max", "xhigh"),
        ("gpt-5.2-pro", "xhigh"),
        ("gpt-6", "max"),
        ("o3-deep-research", "max"),
        ("my-deployment", "max"),
        ("o3", "another"),
    ] {
        for render in BOTH {
            assert_eq!(sent(render, model, level(asked)), (Some(asked.to_owned()), Vec::new()), "{model} {asked}");
        }
    }
}

#[test]
fn a_level_stays_as_the_host_has_left_it() {
    for render in BOTH {
        for model in ["gpt-4o", "o3", "gpt-5", "gpt-5.2", "my-deployment"] {
            assert_eq!(sent(render, model, level("high")), (Some("high".to_owned()), Vec::new()), "{model}");
        }
    }
}

fn sampled(model: &str, reasoning: Option<ReasoningRequest>, temperature: f64) -> (Value, Vec<String>) {
    let sampling = Sampling {
        temperature: Some(temperature),
        frequency_penalty: Some(0.0),
        top_logprobs: Some(2),
        stop: vec!["END".to_owned()],
        ..Sampling::default()
    };
    let bias = Extension { format: FORMAT.to_owned(), key: "logit_bias".to_owned(), json: r#"{"1":2}"#.to_owned() };
    let request = ChatRequest { sampling, reasoning, extensions: vec![bias], ..ChatRequest::default() };
    let rendered = request::render(&QUIRKS, &context(model), request).unwrap();
    (json(&rendered.request.body), fields(&rendered.losses))
}

#[test]
fn models_that_think_get_no_parameters_that_they_refuse() {
    let lost = ["temperature", "logprobs", "logit_bias", "stop"].map(str::to_owned);
    for (model, reasoning) in
        [("o3", None), ("gpt-5-mini", None), ("gpt-5.1", Some(level("low"))), ("gpt-5.5", None), ("gpt-5.6-sol", None)]
    {
        let (body, losses) = sampled(model, reasoning.clone(), 0.2);
        assert_eq!(losses, lost, "{model}");
        for member in ["temperature", "frequency_penalty", "top_logprobs", "logit_bias", "stop"] {
            assert_eq!(body.get(member), None, "{model}");
        }
        // The usual value has the same meaning if it is left out.
        assert_eq!(sampled(model, reasoning, 1.0).1, lost[1..], "{model}");
    }
    for model in ["o1", "o3-mini", "o3-mini-2025-01-31"] {
        assert_eq!(sampled(model, None, 0.2).0["stop"], serde_json::json!(["END"]), "{model}");
    }
}

#[test]
fn other_models_keep_their_parameters() {
    for (model, reasoning) in [
        ("gpt-4o", None),
        ("gpt-5.1", None),
        ("gpt-5.2", Some(off())),
        ("gpt-5.5", Some(off())),
        ("my-deployment", Some(level("low"))),
    ] {
        let (body, losses) = sampled(model, reasoning, 0.2);
        assert!(losses.is_empty(), "{model}: {losses:?}");
        assert_eq!((&body["temperature"], &body["stop"][0]), (&0.2.into(), &"END".into()), "{model}");
    }
}

#[test]
fn models_that_call_one_tool_at_a_time_are_not_told_how_many_to_call() {
    for (model, told) in [("o3", false), ("o4-mini-2025-04-16", false), ("gpt-5", true), ("gpt-4o", true)] {
        for render in BOTH {
            let tools = vec![Tool::Function(FunctionTool::new("f"))];
            let request = ChatRequest { tools, parallel_tool_calls: Some(false), ..ChatRequest::default() };
            let rendered = render(&QUIRKS, &context(model), request).unwrap();
            let body = json(&rendered.request.body);
            assert_eq!(body.get("parallel_tool_calls").is_some(), told, "{model}: {body}");
            assert!(rendered.losses.is_empty(), "{model}: {:?}", rendered.losses);
        }
    }
}
