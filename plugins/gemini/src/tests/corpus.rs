//! Every recording of the service, and of the cloud's service with the same format: a translation to the same format
//! preserves the meaning.

use std::path::PathBuf;

use serde_json::Value;
use weir_sdk::adapter::{
    DialectCountTokens, DialectEmbeddings, DialectModels, ProviderCountTokens, ProviderEmbeddings, ProviderErrors,
    ProviderModels,
};
use weir_sdk::model::header;
use weir_sdk::testing::meaning;
use weir_sdk::testing::recordings::{files, id, shared};
use weir_sdk::types::{Body, ChatEvent, Context, ErrorKind, Header, HttpRequest, HttpResponse, Setting};

use super::normal;
use super::{answered, asked, context, decoded, encoded, sent_to, written};
use crate::{Gemini, path};

/// Recordings that change on purpose, and why.
const EXCEPTIONS: [(&str, &str, &str); 3] = [
    (
        "gemini-chat-7e75019de452",
        "/usageMetadata/totalTokenCount",
        "its last frame leaves out the candidates' count of an earlier one; the count is kept, so the total is greater",
    ),
    ("vertex-chat-0fc47fdbf37a", "/contents/0/role", "the recording of a mistake: no role has this name"),
    ("vertex-chat-d9474ce9a700", "/generationConfig/temperature", "the recording of a mistake: 1000 is clamped to 2"),
];

/// The recordings of an operation; none, with a message, if the folder does not exist.
fn recordings(operation: &str) -> Vec<Value> {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let providers = ["gemini", "vertex"].map(|provider| shared("fixtures").join(provider).join(operation));
    let mut all = files(&[&[own][..], &providers].concat());
    all.retain(|one| one["operation"] == operation);
    // The cloud has other formats too.
    all.retain(|one: &Value| !target(one).contains("/anthropic/") && !target(one).ends_with(":predict"));
    all
}

fn same(left: &Value, right: &Value, id: &str) {
    meaning::assert_alike(left, right, id, &EXCEPTIONS);
}

fn target(recording: &Value) -> &str {
    recording["request"]["path_and_query"].as_str().unwrap()
}

/// The path, and the parsed query.
fn head(recording: &Value) -> (&str, Vec<Header>) {
    let (path, query) = target(recording).split_once('?').unwrap_or((target(recording), ""));
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Header::new(name, value)
    };
    (path, query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect())
}

/// The context for a recording's target. The cloud takes penalties that the service itself refuses.
fn target_of(recording: &Value) -> Context {
    let mut ctx = context(&model(recording));
    if id(recording).starts_with("vertex-") {
        ctx.options.push(Setting { key: "penalties".into(), json: "true".into() });
    }
    ctx
}

fn model(recording: &Value) -> String {
    path::model(head(recording).0).unwrap()
}

fn client(recording: &Value) -> HttpRequest {
    let (path, query) = head(recording);
    HttpRequest { query, ..HttpRequest::post(path, recording["request"]["body"].to_string()) }
}

fn status(recording: &Value) -> u16 {
    recording["response"]["status"].as_u64().unwrap() as u16
}

fn response(recording: &Value) -> HttpResponse {
    let body = &recording["response"]["body"];
    let text = recording["response"]["body_text"].as_str().map_or_else(|| body.to_string(), str::to_owned);
    HttpResponse { status: status(recording), headers: Vec::new(), body: Body::Text(text) }
}

/// The frames of a streamed recording.
fn frames(recording: &Value) -> Option<Vec<String>> {
    let text = recording["response"]["body_text"].as_str()?;
    if status(recording) != 200 {
        return None;
    }
    if recording["framing"] == "json_array" {
        let list: Vec<Value> = serde_json::from_str(text).unwrap();
        return Some(list.iter().map(Value::to_string).collect());
    }
    let data = |line: &str| line.strip_prefix("data:").map(|data| data.trim().to_owned());
    Some(text.lines().filter_map(data).collect())
}

#[test]
fn recorded_requests_come_back_with_the_same_meaning() {
    for one in recordings("chat") {
        let (model, method) = (model(&one), path::method_of(head(&one).0));
        let request = asked(&model, method, &one["request"]["body"]).unwrap();
        assert_eq!(request.stream, method == "streamGenerateContent", "{}", id(&one));
        let (body, losses) = sent_to(&target_of(&one), request).unwrap();
        same(&normal::request(&body), &normal::request(&one["request"]["body"]), id(&one));
        let excepted = EXCEPTIONS.iter().any(|(excepted, ..)| *excepted == id(&one));
        assert!(losses.is_empty() || excepted, "{}: {losses:?}", id(&one));
    }
}

#[test]
fn recorded_answers_come_back_with_the_same_meaning() {
    for one in recordings("chat").iter().filter(|one| status(one) == 200 && frames(one).is_none()) {
        let body = &one["response"]["body"];
        let ctx = context(body["modelVersion"].as_str().unwrap());
        let (mut back, losses) = written(&ctx, answered(&ctx, body).unwrap());
        if body.get("responseId").is_none() {
            back.as_object_mut().unwrap().remove("responseId");
        }
        same(&normal::answer(&back), &normal::answer(body), id(one));
        assert!(losses.is_empty(), "{}: {losses:?}", id(one));
    }
}

#[test]
fn recorded_streams_come_back_with_the_same_meaning() {
    for one in recordings("chat") {
        let Some(frames) = frames(&one) else { continue };
        let values: Vec<Value> = frames.iter().map(|data| serde_json::from_str(data).unwrap()).collect();
        let ctx = context(values[0]["modelVersion"].as_str().unwrap());
        let expected = normal::fold(&values);
        for group in [1, 3, usize::MAX] {
            let events = decoded(&ctx, &frames, group);
            assert!(!events.iter().any(|event| matches!(event, ChatEvent::Failure(_))), "{}", id(&one));
            let back = encoded(&ctx, &events, group);
            assert!(back[..back.len() - 1].iter().all(|frame| frame["candidates"][0].get("finishReason").is_none()));
            same(&normal::fold(&back), &expected, id(&one));
        }
    }
}

#[test]
fn recorded_streams_give_the_same_events_however_they_are_cut() {
    for one in recordings("chat") {
        let Some(frames) = frames(&one) else { continue };
        let ctx = context("m");
        let events = decoded(&ctx, &frames, 1);
        for group in [2, 5, usize::MAX] {
            assert_eq!(decoded(&ctx, &frames, group), events, "{}", id(&one));
        }
    }
}

#[test]
fn recorded_errors_are_understood() {
    let all = ["chat", "embeddings", "models"].map(recordings);
    for one in all.iter().flatten().filter(|one| status(one) >= 400) {
        let error = <Gemini as ProviderErrors>::parse_error(&context("m"), response(one));
        let text = response(one).body.as_text().unwrap().to_owned();
        let expected = match status(one) {
            404 => ErrorKind::NotFound,
            429 => ErrorKind::RateLimited,
            _ if text.contains("API_KEY_INVALID") => ErrorKind::Authentication,
            _ if text.contains("input token count") => ErrorKind::ContextLength,
            _ => ErrorKind::InvalidRequest,
        };
        assert_eq!(error.kind, expected, "{}: {error:?}", id(one));
        assert_eq!(error.retry_after_ms.is_some(), text.contains("retryDelay"), "{}", id(one));
    }
}

#[test]
fn recorded_counts_come_back() {
    for one in recordings("count_tokens") {
        let ctx = context(&model(&one));
        let parsed = <Gemini as DialectCountTokens>::parse_request(&ctx, client(&one)).unwrap();
        let rendered = <Gemini as ProviderCountTokens>::render_request(&ctx, parsed.request).unwrap();
        let body = &super::body(&rendered)["generateContentRequest"];
        let recorded = &one["request"]["body"];
        let expected = recorded.get("generateContentRequest").unwrap_or(recorded);
        same(&normal::request(body), &normal::request(expected), id(&one));
        let count = <Gemini as ProviderCountTokens>::parse_response(&ctx, response(&one)).unwrap();
        let back = <Gemini as DialectCountTokens>::render_response(&ctx, count).unwrap().response;
        let back: Value = serde_json::from_str(back.body.as_text().unwrap()).unwrap();
        // The contract has no place for the count of each kind of content.
        assert_eq!(back["totalTokens"], one["response"]["body"]["totalTokens"], "{}", id(&one));
    }
}

#[test]
fn recorded_embeddings_come_back() {
    for one in recordings("embeddings") {
        let ctx = context(&model(&one));
        let parsed = <Gemini as DialectEmbeddings>::parse_request(&ctx, client(&one)).unwrap();
        let memo = parsed.memo.clone();
        let rendered = <Gemini as ProviderEmbeddings>::render_request(&ctx, parsed.request).unwrap();
        assert!(head(&one).0.ends_with(&rendered.request.path), "{}", id(&one));
        let texts = |body: &Value| normal::fold(std::slice::from_ref(body))["requests"].clone();
        assert_eq!(texts(&super::body(&rendered)), texts(&one["request"]["body"]), "{}", id(&one));
        if status(&one) != 200 {
            continue;
        }
        let vectors = <Gemini as ProviderEmbeddings>::parse_response(&ctx, response(&one)).unwrap();
        let ctx = Context { memo, ..ctx };
        let back = <Gemini as DialectEmbeddings>::render_response(&ctx, vectors).unwrap().response;
        let back: Value = serde_json::from_str(back.body.as_text().unwrap()).unwrap();
        same(&normal::fold(&[back]), &normal::fold(&[one["response"]["body"].clone()]), id(&one));
    }
}

#[test]
fn recorded_lists_of_models_come_back() {
    for one in recordings("models").iter().filter(|one| status(one) == 200) {
        let parsed = <Gemini as DialectModels>::parse_request(&context(""), client(one)).unwrap();
        let rendered = <Gemini as ProviderModels>::render_request(&context(""), parsed.request).unwrap();
        for expected in head(one).1 {
            assert_eq!(header(&rendered.request.query, &expected.name), Some(expected.value.as_str()), "{}", id(one));
        }
        let list = <Gemini as ProviderModels>::parse_response(&context(""), response(one)).unwrap();
        let back = <Gemini as DialectModels>::render_response(&context(""), list).unwrap().response;
        let back: Value = serde_json::from_str(back.body.as_text().unwrap()).unwrap();
        same(&normal::fold(&[back]), &normal::fold(&[one["response"]["body"].clone()]), id(one));
    }
}
