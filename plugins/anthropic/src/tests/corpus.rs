//! Replays the recordings of this format: a translation to the same format preserves the meaning.

use std::path::PathBuf;

use serde_json::Value;
use weir_sdk::adapter::{
    DialectChat, DialectCountTokens, DialectModels, ProviderChat, ProviderCountTokens, ProviderErrors, ProviderModels,
};
use weir_sdk::testing::recordings::{Recording, assert_same, files, shared};
use weir_sdk::types::{Context, ErrorKind, Header, LossKind};

use super::{context, decoded, encoded, fold, http_response, json, meaning};
use crate::Anthropic;

/// Requests that change on purpose, and why.
const REQUESTS: [(&str, &str); 2] = [
    ("anthropic-chat-4352ced2d14a", "asks for an effort that its model refuses, which is what the answer says"),
    ("anthropic-chat-6db8a3abda7c", "names no limit of output tokens, which the format requires"),
];
/// Answers that cannot be parsed, and why.
const ANSWERS: [(&str, &str); 1] = [("anthropic-chat-6db8a3abda7c", "an answer of another format")];

/// All recordings of an operation; none if they are not available.
fn recordings(operation: &str) -> Vec<Recording> {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let all = files(&[own, shared("fixtures/anthropic").join(operation)]);
    all.iter().filter(|one| one["operation"] == operation).map(Recording::of).collect()
}

fn excepted(list: &[(&str, &str)], id: &str) -> bool {
    list.iter().any(|(known, _)| *known == id)
}

#[test]
fn requests_come_back_with_their_meaning() {
    for recording in recordings("chat").iter().filter(|recording| !excepted(&REQUESTS, &recording.id)) {
        let parsed = <Anthropic as DialectChat>::parse_request(&Context::default(), recording.http_request()).unwrap();
        assert!(parsed.losses.is_empty(), "{}: {:?}", recording.id, parsed.losses);
        let ctx = context(recording.model());
        let rendered = <Anthropic as ProviderChat>::render_request(&ctx, parsed.request).unwrap();
        let back = meaning::of_request(json(&rendered.request.body));
        let refused = recording.status() == 400 && recording.body().get("temperature").is_some();
        if refused {
            // The service refused the temperature, so it is moved into the accepted range.
            assert!(rendered.losses.iter().all(|loss| loss.kind == LossKind::Clamped), "{}", recording.id);
            continue;
        }
        assert_same(&recording.id, &meaning::of_request(recording.body().clone()), &back);
        assert!(rendered.losses.is_empty(), "{}: {:?}", recording.id, rendered.losses);
        let beta = |headers: &[Header]| headers.iter().find(|h| h.name == "anthropic-beta").map(|h| h.value.clone());
        assert_eq!(beta(&rendered.request.headers), beta(&recording.http_request().headers), "{}", recording.id);
    }
}

#[test]
fn whole_answers_come_back_with_their_meaning() {
    for recording in recordings("chat") {
        let body = &recording.response["body"];
        if recording.status() >= 400 || body.is_null() {
            continue;
        }
        let outcome =
            <Anthropic as ProviderChat>::parse_response(&Context::default(), http_response(200, body.to_string()));
        if excepted(&ANSWERS, &recording.id) {
            assert!(outcome.is_err(), "{} can be read after all", recording.id);
            continue;
        }
        let response = super::answered(body);
        let ctx = context(body["model"].as_str().unwrap());
        let rendered = <Anthropic as DialectChat>::render_response(&ctx, response).unwrap();
        assert!(rendered.losses.is_empty(), "{}: {:?}", recording.id, rendered.losses);
        let back = meaning::of_response(json(&rendered.response.body));
        assert_same(&recording.id, &meaning::of_response(body.clone()), &back);
    }
}

/// Removes the caller of calls by the model itself: the default, which streams leave out.
fn without_direct_callers(mut message: Value) -> Value {
    for block in message["content"].as_array_mut().into_iter().flatten() {
        if block["type"] == "tool_use" && block["caller"]["type"] == "direct" {
            block.as_object_mut().unwrap().remove("caller");
        }
    }
    message
}

#[test]
fn c08_streams_come_back_with_their_meaning_however_they_are_grouped() {
    for recording in recordings("chat") {
        let Some(text) = recording.response["body_text"].as_str() else { continue };
        let frames = fold::frames(text);
        let events = decoded(&frames, 1);
        for group in [2, 3, 7, frames.len().max(1)] {
            assert_eq!(decoded(&frames, group), events, "{} in groups of {group}", recording.id);
        }
        let before = fold::message(&frames);
        let (back, losses) = encoded(&context(before["model"].as_str().unwrap()), &events);
        assert!(losses.is_empty(), "{}: {losses:?}", recording.id);
        fold::check(&back);
        let expected = without_direct_callers(meaning::of_response(before));
        assert_same(&recording.id, &expected, &meaning::of_response(fold::message(&back)));
    }
}

#[test]
fn c83_recorded_errors_are_understood() {
    for recording in recordings("chat").iter().chain(&recordings("models")) {
        if recording.status() < 400 {
            continue;
        }
        let error = Anthropic::parse_error(&Context::default(), http_response(recording.status(), recording.answer()));
        let message = recording.response["body"]["error"]["message"].as_str().unwrap();
        let kind = match recording.status() {
            401 => ErrorKind::Authentication,
            404 => ErrorKind::NotFound,
            529 => ErrorKind::Overloaded,
            _ if message.contains("too long") => ErrorKind::ContextLength,
            _ => ErrorKind::InvalidRequest,
        };
        assert_eq!((error.kind, error.message.as_str()), (kind, message), "{}", recording.id);
    }
}

#[test]
fn c59_recorded_counts_come_back() {
    for recording in recordings("count_tokens") {
        let parsed =
            <Anthropic as DialectCountTokens>::parse_request(&Context::default(), recording.http_request()).unwrap();
        let ctx = context(recording.model());
        let rendered = <Anthropic as ProviderCountTokens>::render_request(&ctx, parsed.request).unwrap();
        let back = meaning::of_request(json(&rendered.request.body));
        assert_same(&recording.id, &meaning::of_request(recording.body().clone()), &back);
        let answer = http_response(200, recording.answer());
        let count = <Anthropic as ProviderCountTokens>::parse_response(&ctx, answer).unwrap();
        let shown = <Anthropic as DialectCountTokens>::render_response(&ctx, count).unwrap();
        assert_same(&recording.id, &recording.response["body"], &json(&shown.response.body));
    }
}

#[test]
fn recorded_lists_of_models_come_back() {
    for recording in recordings("models").iter().filter(|recording| recording.status() == 200) {
        let ctx = Context::default();
        let list = <Anthropic as ProviderModels>::parse_response(&ctx, http_response(200, recording.answer())).unwrap();
        let shown = <Anthropic as DialectModels>::render_response(&ctx, list).unwrap();
        let mut back = json(&shown.response.body);
        for model in back["data"].as_array_mut().unwrap() {
            // The schema requires it, and the recordings are older.
            model.as_object_mut().unwrap().remove("lifecycle");
        }
        let mut body = recording.response["body"].clone();
        meaning::without_nulls(&mut body);
        assert_same(&recording.id, &body, &back);
    }
}

#[test]
fn what_is_written_has_the_members_that_the_schemas_require() {
    let Ok(schema) = std::fs::read_to_string(shared("specs/anthropic/messages.response.schema.json")) else {
        println!("skipped: the schemas are not at hand");
        return;
    };
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let empty = weir_sdk::types::ChatResponse::default();
    let (answer, _) = super::shown(empty);
    let required = |schema: &Value| schema["required"].as_array().cloned().unwrap_or_default();
    for member in required(&schema) {
        assert!(answer.get(member.as_str().unwrap()).is_some(), "{member} is missing");
    }
    for member in required(&schema["$defs"]["Usage"]) {
        assert!(answer["usage"].get(member.as_str().unwrap()).is_some(), "usage.{member} is missing");
    }
}
