//! Models that Chat refuses are asked in Responses, as far as a name or an option tells the model.
#![allow(clippy::unwrap_used, reason = "a test: what does not hold fails it")]
#![allow(clippy::panic, reason = "a test: what does not hold fails it")]

use weir_adapter_azure_openai::AzureOpenAi;
use weir_sdk::adapter::{ChatOutcome, Decoder, ProviderChat};
use weir_sdk::testing::{context, fields, json, request};
use weir_sdk::types::{
    Body, ChatEvent, ChatRequest, Context, Frame, HttpResponse, OutputFormat, Part, RenderedRequest, Sampling, Setting,
};

fn ctx(model: &str, options: &[(&str, &str)]) -> Context {
    let set = |(key, value): &(&str, &str)| Setting { key: (*key).into(), json: format!("\"{value}\"") };
    Context { format: "openai.chat".into(), options: options.iter().map(set).collect(), ..context(model) }
}

fn sent(ctx: &Context, request: ChatRequest) -> RenderedRequest {
    <AzureOpenAi as ProviderChat>::render_request(ctx, request).unwrap()
}

#[test]
fn a_model_that_is_known_goes_where_it_is_taken() {
    let base = |model| ("base_model", model);
    for (deployment, options, effort, has_tools, path) in [
        ("gpt-5.1-codex", vec![], None, false, "openai/v1/responses"),
        ("mine", vec![base("gpt-5.1-codex")], None, false, "openai/v1/responses"),
        ("mine", vec![base("o3-pro"), ("api_version", "2025-03-01-preview")], None, false, "openai/responses"),
        ("gpt-5.4", vec![], Some("low"), true, "openai/v1/responses"),
        // Unlike OpenAI, Azure refuses functions in Chat beside any effort that is named.
        ("gpt-5.6-luna", vec![], Some("none"), true, "openai/v1/responses"),
        ("gpt-6-astra", vec![], None, true, "openai/v1/responses"),
        ("gpt-5.4", vec![], None, true, "openai/v1/chat/completions"),
        ("gpt-5.4", vec![], Some("low"), false, "openai/v1/chat/completions"),
        ("gpt-5-mini", vec![], Some("high"), true, "openai/v1/chat/completions"),
        // A name that tells nothing, one that the option corrects, and a place without Responses.
        ("codex", vec![], Some("low"), true, "openai/v1/chat/completions"),
        ("gpt-5-pro", vec![base("gpt-4.1")], None, true, "openai/v1/chat/completions"),
        ("gpt-5-pro", vec![("inference_version", "2024-05-01-preview")], None, false, "models/chat/completions"),
    ] {
        let rendered = sent(&ctx(deployment, &options), request(effort, has_tools));
        let body = json(&rendered.request.body);
        assert_eq!(rendered.request.path, path, "{deployment} {options:?}");
        assert_eq!(body.get("input").is_some(), path.ends_with("responses"), "{body}");
        assert_eq!(body["model"], deployment);
    }
}

#[test]
fn its_answer_is_read_as_one_of_responses_whole_and_streamed() {
    let asked = ctx("gpt-5-codex", &[]);
    let ctx = Context { memo: sent(&asked, request(None, true)).memo, ..asked };
    let answer = r#"{"id":"resp_1","object":"response","status":"completed","model":"gpt-5-codex","output":[
        {"id":"fc_1","type":"function_call","status":"completed","call_id":"c","name":"look","arguments":"{}"}]}"#;
    let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(answer.to_owned()) };
    let outcome = <AzureOpenAi as ProviderChat>::parse_response(&ctx, response).unwrap();
    let ChatOutcome::Complete(whole) = outcome else { panic!("an answer") };
    assert!(matches!(&whole.response.candidates[0].parts[..], [Part::ToolCall(call)] if call.name == "look"));
    let data = [
        r#"{"type":"response.created","response":{"id":"resp_1"}}"#,
        r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"Hi"}"#,
    ];
    let frames = data.map(|data| Frame { event: None, data: data.to_owned() }).into();
    let mut decoder = <AzureOpenAi as ProviderChat>::Decoder::new(ctx);
    let events = decoder.push(frames).unwrap().events;
    assert!(events.iter().any(|event| matches!(event, ChatEvent::Delta(delta) if delta.text == "Hi")), "{events:?}");
}

#[test]
fn known_models_get_no_members_that_they_refuse() {
    let sampling = Sampling { temperature: Some(0.2), ..Sampling::default() };
    let output = Some(OutputFormat::Json);
    let asked = ChatRequest { sampling, output, ..request(None, false) };
    for (deployment, base, lost) in [
        ("gpt-5-mini", None, vec!["response_format", "temperature"]),
        ("mine", Some("o4-mini"), vec!["response_format", "temperature"]),
        ("gpt-35-turbo", None, vec!["response_format"]),
        ("mine", None, vec![]),
        ("grok-4-1-fast-non-reasoning", None, vec![]),
    ] {
        let options: Vec<_> = base.into_iter().map(|base| ("base_model", base)).collect();
        let rendered = sent(&ctx(deployment, &options), asked.clone());
        assert_eq!(fields(&rendered.losses), lost, "{deployment}");
    }
}
