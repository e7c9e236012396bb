//! The format in which requests go, by their models.

use weir_sdk::adapter::{ChatOutcome, ProviderChat};
use weir_sdk::compat::wire;
use weir_sdk::testing::{context, json, request};
use weir_sdk::types::{Body, Context, HttpResponse, Part};

use crate::OpenAi;

fn chat(model: &str) -> Context {
    Context { format: wire::FORMAT.to_owned(), ..context(model) }
}

#[test]
fn a_request_goes_where_its_model_takes_it() {
    for (model, effort, has_tools, is_responses) in [
        ("gpt-5.1-codex-max", None, false, true),
        ("gpt-5-codex", None, false, true),
        ("gpt-5.2-pro-2025-12-11", None, false, true),
        ("o3-deep-research", None, false, true),
        ("o1-pro", None, false, true),
        ("computer-use-preview", None, false, true),
        ("gpt-5.4", Some("high"), true, true),
        ("gpt-5.4-mini-2026-03-17", Some("low"), true, true),
        ("gpt-5.6-terra", None, true, true),
        ("gpt-6-astra", Some("high"), true, true),
        ("gpt-6.1-terra", None, true, true),
        ("gpt-6-luna", Some("none"), true, false),
        ("gpt-6-luna", Some("high"), false, false),
        ("gpt-5.5", Some("none"), true, false),
        ("gpt-5.4", Some("none"), true, false),
        ("gpt-5.4", None, true, false),
        ("gpt-5.4", Some("high"), false, false),
        ("gpt-5.6", None, false, false),
        ("gpt-5.2", Some("high"), true, false),
        ("gpt-5.3-chat-latest", Some("high"), true, false),
        ("gpt-5", Some("high"), true, false),
        ("gpt-4o", None, true, false),
        ("o3", Some("high"), true, false),
        ("my-deployment", Some("high"), true, false),
    ] {
        let rendered = OpenAi::render_request(&chat(model), request(effort, has_tools)).unwrap();
        let body = json(&rendered.request.body);
        let case = format!("{model}, {effort:?}, {has_tools}: {body}");
        assert_eq!(rendered.request.path.ends_with("responses"), is_responses, "{case}");
        assert_eq!(body.get("input").is_some(), is_responses, "{case}");
        assert_eq!(rendered.memo.starts_with("responses\n"), is_responses, "{case}");
    }
}

#[test]
fn its_answer_is_read_as_one_of_that_format() {
    let rendered = OpenAi::render_request(&chat("gpt-5.4"), request(Some("high"), true)).unwrap();
    let ctx = Context { memo: rendered.memo, ..chat("gpt-5.4") };
    let body = r#"{"id":"resp_1","object":"response","status":"completed","model":"gpt-5.4","output":[
        {"id":"fc_1","type":"function_call","status":"completed","call_id":"c","name":"look","arguments":"{}"}]}"#;
    let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(body.to_owned()) };
    let ChatOutcome::Complete(answer) = OpenAi::parse_response(&ctx, response).unwrap() else { panic!() };
    assert!(matches!(&answer.response.candidates[0].parts[..], [Part::ToolCall(call)] if call.name == "look"));
}
