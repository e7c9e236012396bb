//! Replays the recordings of this format: a translation to the same format preserves the meaning.

use serde_json::Value;
use weir_sdk::adapter::{DialectCountTokens, ProviderCountTokens, ProviderErrors};
use weir_sdk::testing::recordings::{Recording, assert_same, files, shared};
use weir_sdk::types::{ChatEvent, ErrorKind, Frame, HttpRequest};

use super::{answered, asked, context, decoded, encoded, fold, json, meaning, sent, written};
use crate::{Bedrock, path};

/// Recordings that change on purpose, and why.
const EXCEPTIONS: [(&str, &str); 0] = [];

/// All recordings of an operation in this format; none if they are not available.
fn recordings(operation: &str) -> Vec<Recording> {
    let all = files(&[shared("fixtures/bedrock").join(operation)]);
    // At other paths the service has another format.
    let ours = |one: &Recording| path::read(one.path()).is_some_and(|(_, name)| !name.starts_with("invoke"));
    let excepted = |one: &Recording| EXCEPTIONS.iter().any(|(id, _)| *id == one.id);
    let all = all.iter().map(Recording::of);
    all.filter(|one| operation == "invoke" || ours(one) && !excepted(one)).collect()
}

/// The model and the operation that a request's path names.
fn target(one: &Recording) -> (String, &str) {
    path::read(one.path()).unwrap()
}

fn model(one: &Recording) -> String {
    target(one).0
}

fn frames(one: &Recording) -> Option<Vec<Frame>> {
    one.response["body_base64"].as_str().map(fold::frames)
}

#[test]
fn requests_come_back_with_their_meaning() {
    for one in recordings("chat") {
        let (model, operation) = target(&one);
        let request = asked(&model, operation, one.body()).unwrap();
        assert_eq!(request.stream, operation == "converse-stream", "{}", one.id);
        let (back, losses) = sent(&model, request).unwrap();
        assert_same(&one.id, &meaning::of_request(one.body().clone()), &meaning::of_request(back));
        assert!(losses.is_empty(), "{}: {losses:?}", one.id);
    }
}

#[test]
fn whole_answers_come_back_with_their_meaning() {
    for one in recordings("chat").iter().filter(|one| one.status() == 200 && frames(one).is_none()) {
        let body = &one.response["body"];
        let ctx = context(&model(one));
        let (back, losses) = written(&ctx, answered(&ctx, body).unwrap());
        assert_same(&one.id, &meaning::of_answer(body.clone()), &meaning::of_answer(back));
        assert!(losses.is_empty(), "{}: {losses:?}", one.id);
    }
}

#[test]
fn c08_streams_come_back_with_their_meaning_however_they_are_grouped() {
    for one in recordings("chat") {
        let Some(frames) = frames(&one) else { continue };
        let ctx = context(&model(&one));
        let events = decoded(&ctx, &frames, 1);
        assert!(!events.iter().any(|event| matches!(event, ChatEvent::Failure(_))), "{}", one.id);
        for group in [2, 3, 7, frames.len()] {
            assert_eq!(decoded(&ctx, &frames, group), events, "{} in groups of {group}", one.id);
        }
        let expected = meaning::of_answer(fold::answer(&frames));
        for group in [1, 5, events.len()] {
            let (back, losses) = encoded(&ctx, &events, group);
            assert!(losses.is_empty(), "{}: {losses:?}", one.id);
            fold::check(&back);
            assert_same(&one.id, &expected, &meaning::of_answer(fold::answer(&back)));
        }
    }
}

#[test]
fn c83_recorded_errors_are_understood() {
    let all = ["chat", "count_tokens", "invoke"].map(recordings);
    for one in all.iter().flatten().filter(|one| one.status() >= 400) {
        let error = <Bedrock as ProviderErrors>::parse_error(&context("m"), one.http_response());
        let message = one.response["body"]["message"].as_str().unwrap();
        let kind = match one.status() {
            400 if message.contains("identifier is invalid") => ErrorKind::NotFound,
            400 if message.contains("Input Tokens Exceeded") => ErrorKind::ContextLength,
            400 => ErrorKind::InvalidRequest,
            _ if message.contains("security token") => ErrorKind::Authentication,
            _ => ErrorKind::Permission,
        };
        assert_eq!((error.kind, error.message.as_str()), (kind, message), "{}", one.id);
        assert_eq!(error.status, Some(one.status()), "{}", one.id);
    }
}

#[test]
fn c59_recorded_counts_come_back() {
    for one in recordings("count_tokens").iter().filter(|one| one.status() == 200) {
        let ctx = context(&model(one));
        let request = HttpRequest::post(one.path(), one.body().to_string());
        let parsed = <Bedrock as DialectCountTokens>::parse_request(&ctx, request).unwrap();
        let rendered = <Bedrock as ProviderCountTokens>::render_request(&ctx, parsed.request).unwrap();
        assert!(one.path().ends_with(&rendered.request.path), "{}", one.id);
        let inner = |body: &Value| meaning::of_request(body["input"]["converse"].clone());
        assert_same(&one.id, &inner(one.body()), &inner(&json(&rendered)));
        let count = <Bedrock as ProviderCountTokens>::parse_response(&ctx, one.http_response()).unwrap();
        let shown = <Bedrock as DialectCountTokens>::render_response(&ctx, count).unwrap().response;
        let shown: Value = serde_json::from_str(shown.body.as_text().unwrap()).unwrap();
        assert_same(&one.id, &one.response["body"], &shown);
    }
}
