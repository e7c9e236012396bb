//! Replays the recordings of this format: a translation to the same format preserves the meaning.

use std::path::{Path, PathBuf};

use serde_json::Value;
use weir_sdk::adapter::{DialectCountTokens, ProviderCountTokens, ProviderErrors};
use weir_sdk::types::{ChatEvent, ErrorKind, Frame, Header, HttpRequest, HttpResponse};

use super::{answered, asked, context, decoded, encoded, fold, http_response, json, meaning, sent, written};
use crate::{Bedrock, path};

/// Recordings that change on purpose, and why.
const EXCEPTIONS: [(&str, &str); 0] = [];

struct Recording {
    id: String,
    request: Value,
    response: Value,
}

impl Recording {
    fn body(&self) -> &Value {
        &self.request["body"]
    }

    fn path(&self) -> &str {
        self.request["path_and_query"].as_str().unwrap()
    }

    fn target(&self) -> (String, &str) {
        path::read(self.path()).unwrap()
    }

    fn model(&self) -> String {
        self.target().0
    }

    fn status(&self) -> u16 {
        self.response["status"].as_u64().unwrap() as u16
    }

    fn frames(&self) -> Option<Vec<Frame>> {
        self.response["body_base64"].as_str().map(fold::frames)
    }

    /// The recorded answer, whole.
    fn answer(&self) -> HttpResponse {
        let headers = self.response["headers"].as_object().into_iter().flatten();
        let headers = headers.map(|(name, value)| Header::new(name, value.as_str().unwrap_or_default())).collect();
        HttpResponse { headers, ..http_response(self.status(), self.response["body"].to_string()) }
    }
}

/// All recordings of an operation in this format; none if they are not available.
fn recordings(operation: &str) -> Vec<Recording> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/bedrock");
    let folder = shared.join(operation);
    let Ok(files) = std::fs::read_dir(&folder) else {
        println!("skipped: there are no recordings in {}", folder.display());
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let recording: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let member = |key: &str| recording[key].clone();
        Recording {
            id: member("id").as_str().unwrap().into(),
            request: member("request"),
            response: member("response"),
        }
    };
    // At other paths the service has another format.
    let ours = |one: &Recording| path::read(one.path()).is_some_and(|(_, name)| !name.starts_with("invoke"));
    let excepted = |one: &Recording| EXCEPTIONS.iter().any(|(id, _)| *id == one.id);
    let all: Vec<Recording> = paths.iter().map(read).collect();
    all.into_iter().filter(|one| operation == "invoke" || ours(one) && !excepted(one)).collect()
}

#[track_caller]
fn assert_same(id: &str, left: &Value, right: &Value) {
    assert_eq!(
        serde_json::to_string_pretty(left).unwrap(),
        serde_json::to_string_pretty(right).unwrap(),
        "{id}: what came (left) and what became of it (right)"
    );
}

#[test]
fn requests_come_back_with_their_meaning() {
    for one in recordings("chat") {
        let (model, operation) = one.target();
        let request = asked(&model, operation, one.body()).unwrap();
        assert_eq!(request.stream, operation == "converse-stream", "{}", one.id);
        let (back, losses) = sent(&model, request).unwrap();
        assert_same(&one.id, &meaning::of_request(one.body().clone()), &meaning::of_request(back));
        assert!(losses.is_empty(), "{}: {losses:?}", one.id);
    }
}

#[test]
fn whole_answers_come_back_with_their_meaning() {
    for one in recordings("chat").iter().filter(|one| one.status() == 200 && one.frames().is_none()) {
        let body = &one.response["body"];
        let ctx = context(&one.model());
        let (back, losses) = written(&ctx, answered(&ctx, body).unwrap());
        assert_same(&one.id, &meaning::of_answer(body.clone()), &meaning::of_answer(back));
        assert!(losses.is_empty(), "{}: {losses:?}", one.id);
    }
}

#[test]
fn c08_streams_come_back_with_their_meaning_however_they_are_grouped() {
    for one in recordings("chat") {
        let Some(frames) = one.frames() else { continue };
        let ctx = context(&one.model());
        let events = decoded(&ctx, &frames, 1);
        assert!(!events.iter().any(|event| matches!(event, ChatEvent::Failure(_))), "{}", one.id);
        for group in [2, 3, 7, frames.len()] {
            assert_eq!(decoded(&ctx, &frames, group), events, "{} in groups of {group}", one.id);
        }
        let wanted = meaning::of_answer(fold::answer(&frames));
        for group in [1, 5, events.len()] {
            let (back, losses) = encoded(&ctx, &events, group);
            assert!(losses.is_empty(), "{}: {losses:?}", one.id);
            fold::check(&back);
            assert_same(&one.id, &wanted, &meaning::of_answer(fold::answer(&back)));
        }
    }
}

#[test]
fn c83_recorded_errors_are_understood() {
    let all = ["chat", "count_tokens", "invoke"].map(recordings);
    for one in all.iter().flatten().filter(|one| one.status() >= 400) {
        let error = <Bedrock as ProviderErrors>::parse_error(&context("m"), one.answer());
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
        let ctx = context(&one.model());
        let request = HttpRequest::post(one.path(), one.body().to_string());
        let parsed = <Bedrock as DialectCountTokens>::parse_request(&ctx, request).unwrap();
        let rendered = <Bedrock as ProviderCountTokens>::render_request(&ctx, parsed.request).unwrap();
        assert!(one.path().ends_with(&rendered.request.path), "{}", one.id);
        let inner = |body: &Value| meaning::of_request(body["input"]["converse"].clone());
        assert_same(&one.id, &inner(one.body()), &inner(&json(&rendered)));
        let count = <Bedrock as ProviderCountTokens>::parse_response(&ctx, one.answer()).unwrap();
        let shown = <Bedrock as DialectCountTokens>::render_response(&ctx, count).unwrap().response;
        let shown: Value = serde_json::from_str(shown.body.as_text().unwrap()).unwrap();
        assert_same(&one.id, &one.response["body"], &shown);
    }
}
