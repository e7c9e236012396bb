//! Every recording of the server, and every handwritten one: a translation to the same format preserves the meaning.

use std::path::PathBuf;

use serde_json::Value;
use weir_sdk::adapter::{
    DialectChat, DialectEmbeddings, DialectModels, ProviderEmbeddings, ProviderErrors, ProviderModels,
};
use weir_sdk::testing::meaning;
use weir_sdk::testing::recordings::{files, id, shared};
use weir_sdk::types::{Body, ChatEvent, Context, ErrorKind, HttpRequest, HttpResponse};

use super::{answered, asked, context, decoded, encoded, generating, normal, sent, written};
use crate::Ollama;

/// The recordings below one of these paths, those of the server and handwritten ones; prints a message if a folder does
/// not exist.
fn recordings(paths: &[&str]) -> Vec<Value> {
    let operations = ["chat", "completions", "embeddings", "models"];
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")];
    folders.extend(operations.map(|operation| shared("fixtures/ollama").join(operation)));
    let mut all = files(&folders);
    all.retain(|one: &Value| paths.iter().any(|expected| path(one) == *expected));
    assert!(!all.is_empty(), "there are always some of our own: {paths:?}");
    all
}

fn conversations() -> Vec<Value> {
    recordings(&["/api/chat", "/api/generate"])
}

fn same(left: &Value, right: &Value, id: &str) {
    meaning::assert_alike(left, right, id, &[]);
}

fn path(recording: &Value) -> &str {
    recording["request"]["path_and_query"].as_str().unwrap()
}

fn status(recording: &Value) -> u16 {
    recording["response"]["status"].as_u64().unwrap() as u16
}

/// The context of a client's side, or of the server's.
fn ctx(recording: &Value) -> Context {
    let model = recording["request"]["body"]["model"].as_str().unwrap_or_default();
    if path(recording) == "/api/generate" { generating(model) } else { context(model) }
}

fn response(recording: &Value) -> HttpResponse {
    let body = &recording["response"]["body"];
    let text = recording["response"]["body_text"].as_str().map_or_else(|| body.to_string(), str::to_owned);
    HttpResponse { status: status(recording), headers: Vec::new(), body: Body::Text(text) }
}

/// The lines of a streamed recording.
fn lines(recording: &Value) -> Option<Vec<String>> {
    let text = recording["response"]["body_text"].as_str().filter(|_| status(recording) == 200)?;
    Some(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}

fn values(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Answers name the model as the client did.
fn model_named(mut answer: Value, recording: &Value) -> Value {
    answer["model"].clone_from(&recording["request"]["body"]["model"]);
    answer
}

#[test]
fn recorded_requests_come_back_with_the_same_meaning() {
    for one in conversations() {
        let recorded = &one["request"]["body"];
        let (there, body, losses) = sent(&ctx(&one), asked(path(&one), recorded).unwrap()).unwrap();
        assert_eq!(format!("/{there}"), path(&one), "{}", id(&one));
        same(&normal::request(&body), &normal::request(recorded), id(&one));
        assert!(losses.is_empty(), "{}: {losses:?}", id(&one));
    }
}

#[test]
fn recorded_answers_come_back_with_the_same_meaning() {
    for one in conversations().iter().filter(|one| status(one) == 200 && lines(one).is_none()) {
        let body = &one["response"]["body"];
        let read = answered(&ctx(one), body).unwrap();
        let wanted_calls = body["message"]["tool_calls"].as_array().map_or(0, Vec::len);
        let calls = read.candidates[0].parts.iter().filter(|part| matches!(part, weir_sdk::types::Part::ToolCall(_)));
        assert_eq!(calls.count(), wanted_calls, "{}", id(one));
        let (mut back, losses) = written(&ctx(one), read);
        assert_eq!(back["created_at"].as_str().unwrap()[..19], body["created_at"].as_str().unwrap()[..19]);
        without_made_ids(&mut back);
        same(&normal::answer(&[back]), &model_named(normal::answer(std::slice::from_ref(body)), one), id(one));
        assert!(losses.is_empty(), "{}: {losses:?}", id(one));
    }
}

/// Removes generated ids, for answers of an old server without ids.
fn without_made_ids(line: &mut Value) {
    for call in line["message"]["tool_calls"].as_array_mut().into_iter().flatten() {
        if call["id"].as_str().is_some_and(|id| id.starts_with("call_req1_")) {
            call.as_object_mut().unwrap().remove("id");
        }
    }
}

#[test]
fn recorded_streams_come_back_with_the_same_meaning() {
    for one in conversations() {
        let Some(lines) = lines(&one) else { continue };
        if one["features"].as_array().is_some_and(|all| all.iter().any(|name| name == "error")) {
            continue;
        }
        let expected = model_named(normal::answer(&values(&lines)), &one);
        for group in [1, 3, usize::MAX] {
            let events = decoded(&ctx(&one), &lines, group);
            assert!(!events.iter().any(|event| matches!(event, ChatEvent::Failure(_))), "{}", id(&one));
            let (mut back, losses) = encoded(&ctx(&one), &events, group);
            back.iter_mut().for_each(without_made_ids);
            assert_eq!(back.iter().filter(|line| line["done"] == true).count(), 1, "{}", id(&one));
            same(&normal::answer(&back), &expected, id(&one));
            assert!(losses.is_empty(), "{}: {losses:?}", id(&one));
        }
    }
}

#[test]
fn recorded_streams_give_the_same_events_however_they_are_cut() {
    for one in conversations() {
        let Some(lines) = lines(&one) else { continue };
        let events = decoded(&ctx(&one), &lines, 1);
        for group in [2, 5, usize::MAX] {
            assert_eq!(decoded(&ctx(&one), &lines, group), events, "{}", id(&one));
        }
    }
}

#[test]
fn recorded_errors_are_understood() {
    for one in conversations().iter().filter(|one| status(one) >= 400) {
        let error = <Ollama as ProviderErrors>::parse_error(&context("m"), response(one));
        assert_eq!(error.kind, ErrorKind::of_status(status(one)), "{}: {error:?}", id(one));
        assert_eq!(Some(error.message.as_str()), one["response"]["body"]["error"].as_str(), "{}", id(one));
    }
}

#[test]
fn recorded_embeddings_come_back() {
    for one in recordings(&["/api/embed", "/api/embeddings"]) {
        let model = one["request"]["body"]["model"].as_str().unwrap();
        let format = if path(&one) == "/api/embed" { crate::EMBED } else { crate::EMBEDDINGS };
        let ctx = Context { format: format.into(), ..context(model) };
        let request = HttpRequest::post(path(&one), one["request"]["body"].to_string());
        let parsed = <Ollama as DialectEmbeddings>::parse_request(&ctx, request).unwrap();
        let rendered = <Ollama as ProviderEmbeddings>::render_request(&ctx, parsed.request).unwrap();
        assert_eq!(format!("/{}", rendered.request.path), path(&one), "{}", id(&one));
        let body: Value = serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap();
        let mut recorded = one["request"]["body"].clone();
        recorded.as_object_mut().unwrap().retain(|_, value| *value != serde_json::json!({}));
        same(&normal::plain(&body), &normal::plain(&recorded), id(&one));
        let vectors = <Ollama as ProviderEmbeddings>::parse_response(&ctx, response(&one)).unwrap();
        let ctx = Context { memo: parsed.memo, ..ctx };
        let back = <Ollama as DialectEmbeddings>::render_response(&ctx, vectors).unwrap().response;
        let back: Value = serde_json::from_str(back.body.as_text().unwrap()).unwrap();
        same(&normal::plain(&back), &normal::plain(&one["response"]["body"]), id(&one));
    }
}

#[test]
fn recorded_lists_of_models_come_back() {
    for one in recordings(&["/api/tags"]) {
        let parsed = <Ollama as DialectModels>::parse_request(&context(""), HttpRequest::get(path(&one))).unwrap();
        let rendered = <Ollama as ProviderModels>::render_request(&context(""), parsed.request).unwrap();
        assert_eq!(format!("/{}", rendered.request.path), path(&one));
        let list = <Ollama as ProviderModels>::parse_response(&context(""), response(&one)).unwrap();
        let back = <Ollama as DialectModels>::render_response(&context(""), list).unwrap().response;
        let back: Value = serde_json::from_str(back.body.as_text().unwrap()).unwrap();
        let in_seconds = |mut list: Value| {
            for model in list["models"].as_array_mut().unwrap() {
                let at = weir_sdk::time::parse(model["modified_at"].as_str().unwrap()).unwrap();
                model["modified_at"] = serde_json::json!((at / 1000.0).floor());
            }
            normal::plain(&list)
        };
        same(&in_seconds(back), &in_seconds(one["response"]["body"].clone()), id(&one));
    }
}

#[test]
fn recorded_models_come_back() {
    for one in recordings(&["/api/show"]).iter().filter(|one| status(one) == 200) {
        let request = HttpRequest::post(path(one), one["request"]["body"].to_string());
        let parsed = <Ollama as DialectModels>::parse_request(&context(""), request).unwrap();
        let rendered = <Ollama as ProviderModels>::render_request(&context(""), parsed.request).unwrap();
        assert_eq!(format!("/{}", rendered.request.path), path(one));
        let provider = Context { memo: rendered.memo, ..context("") };
        let models = <Ollama as ProviderModels>::parse_response(&provider, response(one)).unwrap();
        let client = Context { memo: parsed.memo, ..context("") };
        let back = <Ollama as DialectModels>::render_response(&client, models).unwrap().response;
        let back: Value = serde_json::from_str(back.body.as_text().unwrap()).unwrap();
        let without_time = |mut model: Value| {
            model.as_object_mut().unwrap().remove("modified_at");
            normal::plain(&model)
        };
        same(&without_time(back), &without_time(one["response"]["body"].clone()), id(one));
    }
}

/// The memo names the endpoint of each request, so that the answer is rendered for it.
#[test]
fn every_request_is_remembered_with_its_endpoint() {
    for one in conversations() {
        let request = HttpRequest::post(path(&one), one["request"]["body"].to_string());
        let parsed = <Ollama as DialectChat>::parse_request(&context("m"), request).unwrap();
        assert_eq!(parsed.memo == crate::dialect::GENERATES, path(&one) == "/api/generate");
    }
}
