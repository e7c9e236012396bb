//! Tests of which recording answers a request, and of its playback.

use std::fs;

use bytes::Bytes;
use serde_json::Value;

use super::*;
use crate::{Base, Decoded, Settings, Timeouts, UpstreamRequest, UpstreamResponse, Upstreams};

/// A folder with the given recordings, each `(name, recording)`.
fn folder(recordings: &[(&str, Value)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, recording) in recordings {
        fs::write(dir.path().join(format!("{name}.json")), recording.to_string()).unwrap();
    }
    dir
}

#[expect(clippy::needless_pass_by_value, reason = "every call makes its body on the spot")]
fn recording(path: &str, body: Value, streaming: bool, answer: &str) -> Value {
    json!({
        "streaming": streaming,
        "request": {"method": "POST", "path_and_query": path, "body": body},
        "response": {"status": 200, "headers": {"content-type": "text/plain"}, "body_text": answer},
    })
}

async fn answered(dir: &Path, path: &str, body: Value, stream: bool, model: &str) -> (u16, String) {
    let replay = Replay::open(dir, None, Limits::default()).unwrap();
    let body = Chunks::from(Bytes::from(body.to_string()));
    let asked = ReplayRequest { method: &Method::POST, path, body: &body, stream, model };
    let mut played = replay.answer(&asked);
    let mut text = Vec::new();
    while let Some(piece) = std::future::poll_fn(|cx| played.body.poll_piece(cx)).await {
        text.extend_from_slice(&piece);
    }
    (played.status.as_u16(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn the_recorded_request_finds_its_own_answer() {
    let dir = folder(&[
        ("a", recording("/v1/talk", json!({"model": "m", "say": "one", "n": 1}), false, "first")),
        ("b", recording("/v1/talk", json!({"model": "m", "say": "two", "n": 1}), false, "second")),
    ]);
    let body = json!({"n": 1, "say": "two", "model": "m"});
    assert_eq!(answered(dir.path(), "talk", body, false, "m").await, (200, "second".into()));
}

#[tokio::test]
async fn a_request_of_the_same_shape_finds_the_answer_to_that_shape() {
    let turn = |role: &str| json!({"role": role, "content": "something"});
    let dir = folder(&[
        ("a", recording("/v1/talk", json!({"model": "m", "turns": [turn("user")]}), false, "plain")),
        (
            "b",
            recording(
                "/v1/talk",
                json!({"model": "m", "turns": [turn("user")], "tools": [{"name": "x"}]}),
                false,
                "call",
            ),
        ),
        (
            "c",
            recording(
                "/v1/talk",
                json!({"model": "m", "turns": [turn("user"), turn("tool")], "tools": [{"name": "x"}]}),
                false,
                "result",
            ),
        ),
    ]);
    let ask = |turns: Value, tools: bool| {
        let mut body = json!({"model": "other", "turns": turns, "temperature": 0.5});
        if tools {
            body["tools"] = json!([{"name": "y", "about": "z"}]);
        }
        body
    };
    for (body, expected) in [
        (ask(json!([turn("user")]), false), "plain"),
        (ask(json!([turn("user")]), true), "call"),
        (ask(json!([turn("user"), turn("tool")]), true), "result"),
    ] {
        assert_eq!(answered(dir.path(), "talk", body, false, "other").await.1, expected);
    }
}

#[tokio::test]
async fn the_model_decides_between_equals_wherever_it_stands() {
    let dir = folder(&[
        ("a", recording("/v1/talk", json!({"model": "small", "say": "x"}), false, "small")),
        ("b", recording("/v1/talk", json!({"model": "large", "say": "x"}), false, "large")),
        ("c", recording("/v1/models/small:run", json!({"say": "x"}), false, "small path")),
        ("d", recording("/v1/models/large:run", json!({"say": "x"}), false, "large path")),
    ]);
    let body = json!({"model": "large", "say": "y"});
    assert_eq!(answered(dir.path(), "talk", body, false, "large").await.1, "large");
    let body = json!({"say": "y"});
    assert_eq!(answered(dir.path(), "models/large:run", body.clone(), false, "large").await.1, "large path");
    assert_eq!(answered(dir.path(), "models/unknown:run", body.clone(), false, "unknown").await.1, "small path");
    assert_eq!(answered(dir.path(), "models/unknown:walk", body, false, "unknown").await.0, 404);
}

#[tokio::test]
async fn streams_answer_streams_and_errors_only_what_caused_them() {
    let mut refused = recording("/v1/talk", json!({"say": "bad"}), false, "refused");
    refused["response"]["status"] = json!(400);
    let dir = folder(&[
        ("a", refused),
        ("b", recording("/v1/talk", json!({"say": "x", "long": [1, 2, 3]}), false, "whole")),
        ("c", recording("/v1/talk", json!({"say": "x"}), true, "stream")),
    ]);
    assert_eq!(answered(dir.path(), "talk", json!({"say": "x"}), false, "").await.1, "whole");
    assert_eq!(answered(dir.path(), "talk", json!({"say": "x"}), true, "").await.1, "stream");
    assert_eq!(answered(dir.path(), "talk", json!({"say": "bad"}), false, "").await, (400, "refused".into()));
}

#[tokio::test]
async fn nothing_similar_is_a_404_that_names_both_sides() {
    let dir = folder(&[("a", recording("/v1/talk", json!({}), false, "x"))]);
    let (status, text) = answered(dir.path(), "sing", json!({}), true, "m").await;
    let error: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status, 404);
    assert_eq!(error["error"]["looked_for"], json!({"method": "POST", "path": "sing", "stream": true, "model": "m"}));
    assert_eq!(error["error"]["recorded"], json!(["POST /v1/talk"]));
}

#[test]
fn a_folder_that_cannot_be_used_is_refused_with_the_reason() {
    let open = |dir: &Path, limits| Replay::open(dir, None, limits).unwrap_err().to_string();
    let limits = Limits::default();
    assert!(open(Path::new("/nowhere/at/all"), limits).contains("/nowhere/at/all"));
    assert!(open(folder(&[]).path(), limits).contains("no recording"));
    let good = recording("/a", json!({}), false, "x");
    let two = folder(&[("a", good.clone()), ("b", good.clone())]);
    assert!(open(two.path(), Limits { recordings: 1, ..limits }).contains("more than 1 recordings"));
    assert!(open(two.path(), Limits { file_bytes: 10, ..limits }).contains("more than 10 bytes in one"));
    assert!(open(two.path(), Limits { total_bytes: 200, ..limits }).contains("bytes in all"));
    for (member, value) in [("body_base64", json!("eA==")), ("status", json!(99)), ("headers", json!({"a b": "c"}))] {
        let mut bad = good.clone();
        bad["response"][member] = value;
        let error = open(folder(&[("bad", bad)]).path(), limits);
        assert!(error.contains("bad.json"), "{error}");
    }
    assert!(Replay::at("somewhere?fast=1").unwrap_err().to_string().contains("pace_ms"));
}

#[tokio::test]
async fn chunks_come_as_they_were_recorded_and_other_streams_frame_by_frame() {
    let pieces = |response: Value| async move {
        let recording =
            json!({"streaming": true, "request": {"method": "GET", "path_and_query": "/a"}, "response": response});
        let dir = folder(&[("a", recording)]);
        let replay = Replay::open(dir.path(), Some(Duration::ZERO), Limits::default()).unwrap();
        let asked = ReplayRequest { method: &Method::GET, path: "a", body: &Chunks::empty(), stream: true, model: "" };
        let mut body = replay.answer(&asked).body;
        let mut pieces = Vec::new();
        while let Some(piece) = std::future::poll_fn(|cx| body.poll_piece(cx)).await {
            pieces.push(String::from_utf8_lossy(&piece).into_owned());
        }
        pieces
    };
    let chunks = json!([{"text": "da", "after_ms": 100_000}, {"base64": "dGE6IDE="}, {"text": "\n\n"}]);
    assert_eq!(pieces(json!({"status": 200, "chunks": chunks})).await, ["da", "ta: 1", "\n\n"]);
    let sse = json!({"status": 200, "body_text": "event: a\ndata: 1\n\ndata: 2\n\ndata: 3"});
    assert_eq!(pieces(sse).await, ["event: a\ndata: 1\n\n", "data: 2\n\n", "data: 3"]);
    assert_eq!(pieces(json!({"status": 200, "body_text": "{}\r\n{}\r\n"})).await, ["{}\r\n", "{}\r\n"]);
    let binary = json!({"status": 200, "body_base64": "A".repeat(1000)});
    assert_eq!(pieces(binary).await.iter().map(String::len).collect::<Vec<_>>(), [512, 238]);
}

async fn sent(base: &Base, path: &str, body: Value, stream: bool) -> UpstreamResponse {
    let method = if body.is_null() { Method::GET } else { Method::POST };
    let body = if body.is_null() { Chunks::empty() } else { Chunks::from(Bytes::from(body.to_string())) };
    let request = UpstreamRequest {
        method,
        address: base.join(path, []).unwrap(),
        headers: HeaderMap::new(),
        body,
        timeouts: Timeouts::default(),
        credential: None,
        stream,
        model: "any",
        grpc: None,
        hand_over: None,
    };
    Upstreams::new(&Settings::default()).send(request).await.unwrap()
}

#[tokio::test]
async fn the_recordings_of_the_example_configuration_answer_through_the_client() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/recordings");
    let hello = json!({"model": "any", "messages": [{"role": "user", "content": "Who are you?"}], "temperature": 0});
    for (name, path) in [("openai", "chat/completions"), ("anthropic", "messages")] {
        let base = Base::open(&format!("replay:{dir}/{name}?pace_ms=0"), &[], false).unwrap();
        let whole = sent(&base, path, hello.clone(), false).await;
        assert_eq!(whole.headers[CONTENT_TYPE], "application/json");
        let text = Decoded::new(&whole.headers, whole.body, crate::decode::Bound::default()).unwrap();
        let text = text.collect(1 << 20).await.unwrap();
        assert!(String::from_utf8_lossy(&text).contains("Hello from Weir's recorded provider!"));
        let stream = sent(&base, path, hello.clone(), true).await;
        assert!(stream.headers[CONTENT_TYPE].to_str().unwrap().starts_with("text/event-stream"));
        assert!(stream.body.collect(1 << 20).await.unwrap().ends_with(b"\n\n"));
        assert_eq!(sent(&base, "models", Value::Null, false).await.status, 200);
        assert_eq!(sent(&base, "songs", hello.clone(), false).await.status, 404);
    }
}

#[tokio::test]
async fn every_shared_fixture_is_found_by_its_own_request() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures"));
    let Ok(providers) = fs::read_dir(root) else {
        println!("skipped: no shared fixtures beside the repository");
        return;
    };
    let mut count = 0;
    for provider in providers.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let Ok(replay) = Replay::open(&provider, Some(Duration::ZERO), Limits::default()) else { continue };
        for recording in &replay.recordings {
            count += 1;
            let body = Chunks::from(Bytes::from(recording.likeness.body.to_string()));
            let path = recording.path.trim_start_matches('/');
            let (method, stream) = (&recording.method, recording.likeness.stream);
            let found = likeness::best(
                &Likeness::of_request(&ReplayRequest { method, path, body: &body, stream, model: "" }, usize::MAX),
                &replay.recordings,
            );
            assert_eq!(found.unwrap().likeness.body, recording.likeness.body, "{}", recording.id);
        }
    }
    println!("{count} fixtures");
}

#[tokio::test]
async fn c_23_an_encoded_answer_is_decoded_piece_by_piece_and_a_broken_one_ends_the_exchange() {
    use base64::Engine as _;
    use std::io::Write as _;

    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut chunk = |text: &str| {
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.flush().unwrap();
        json!({"base64": base64::engine::general_purpose::STANDARD.encode(std::mem::take(encoder.get_mut()))})
    };
    let chunks =
        json!([chunk("data: 1\n\n"), chunk("data: 2\n\n"), {"text": "this is not gzip"}, {"text": "nor is this"}]);
    let dir = folder(&[(
        "a",
        json!({
            "streaming": true,
            "request": {"method": "GET", "path_and_query": "/v1/a"},
            "response": {"status": 200, "headers": {"content-encoding": "gzip"}, "chunks": chunks},
        }),
    )]);
    let base = Base::open(&format!("replay:{}", dir.path().display()), &[], false).unwrap();
    let answer = sent(&base, "a", Value::Null, true).await;
    let bound = crate::decode::Bound::default();
    let mut body = Decoded::new(&answer.headers, answer.body, bound).unwrap();
    assert_eq!(body.next_piece().await.unwrap().unwrap(), "data: 1\n\n");
    assert_eq!(body.next_piece().await.unwrap().unwrap(), "data: 2\n\n");
    assert_eq!(body.next_piece().await.unwrap_err().kind, crate::UpstreamErrorKind::Encoding);
    assert_eq!(body.next_piece().await.unwrap(), None);

    let answer = sent(&base, "a", Value::Null, true).await;
    let bound = crate::decode::Bound { total: 12, ..bound };
    let body = Decoded::new(&answer.headers, answer.body, bound).unwrap();
    assert_eq!(body.collect(100).await.unwrap_err().kind, crate::UpstreamErrorKind::BodyTooLarge);
}
