//! Round trips of the handwritten recordings: each part of the format that the specification names.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use weir_sdk::testing::recordings::files;
use weir_sdk::types::{ChatEvent, ErrorKind};

use super::{answered, asked, context, decoded, encoded, fold, meaning, sent, written};
use crate::path;

/// The chat recordings.
fn recordings() -> Vec<Value> {
    let all = files(&[PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")]);
    all.into_iter().filter(|one| one["id"].as_str().unwrap().starts_with("converse")).collect()
}

/// The bytes of a stream, in base64.
fn bytes(one: &Value) -> Option<String> {
    let chunks = one["response"]["chunks"].as_array()?;
    let pieces = chunks.iter().flat_map(|chunk| STANDARD.decode(chunk["base64"].as_str().unwrap()).unwrap());
    Some(STANDARD.encode(pieces.collect::<Vec<u8>>()))
}

#[test]
fn requests_come_back_with_their_meaning() {
    let all = recordings();
    assert!(all.len() >= 10);
    for one in all {
        let (model, operation) = path::read(one["request"]["path_and_query"].as_str().unwrap()).unwrap();
        let body = &one["request"]["body"];
        let (back, losses) = sent(&model, asked(&model, operation, body).unwrap()).unwrap();
        assert_eq!(meaning::of_request(back), meaning::of_request(body.clone()), "{}", one["id"]);
        assert!(losses.is_empty(), "{}: {losses:?}", one["id"]);
    }
}

#[test]
fn answers_and_streams_come_back_with_their_meaning() {
    for one in recordings().iter().filter(|one| one["response"]["status"] == 200) {
        let (model, _) = path::read(one["request"]["path_and_query"].as_str().unwrap()).unwrap();
        let ctx = context(&model);
        let Some(bytes) = bytes(one) else {
            let body = &one["response"]["body"];
            let (back, losses) = written(&ctx, answered(&ctx, body).unwrap());
            assert_eq!(meaning::of_answer(back), meaning::of_answer(body.clone()), "{}", one["id"]);
            assert!(losses.is_empty(), "{}: {losses:?}", one["id"]);
            continue;
        };
        let frames = fold::frames(&bytes);
        let events = decoded(&ctx, &frames, 1);
        let (back, losses) = encoded(&ctx, &events, 3);
        fold::check(&back);
        assert_eq!(
            meaning::of_answer(fold::answer(&back)),
            meaning::of_answer(fold::answer(&frames)),
            "{}: {losses:?}",
            one["id"]
        );
    }
}

#[test]
fn c19_an_exception_within_a_stream_is_a_failure_of_its_kind() {
    let all = recordings();
    let one = all.iter().find(|one| one["id"] == "converse-stream-exception").unwrap();
    let events = decoded(&context("m"), &fold::frames(&bytes(one).unwrap()), 1);
    let Some(ChatEvent::Failure(error)) = events.last() else { panic!("a failure: {events:?}") };
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Upstream, "The model broke off."));
    assert_eq!(error.code, Some("modelStreamErrorException".to_owned()), "{}", json!(error.code));
}
