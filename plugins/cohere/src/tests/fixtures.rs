//! Round trips of the handwritten recordings: each is unchanged by a translation to the same format.

use serde_json::Value;
use weir_sdk::adapter::{DialectEmbeddings, DialectRerank, ProviderEmbeddings, ProviderErrors, ProviderRerank};
use weir_sdk::types::{Context, ErrorKind, HttpRequest};

use super::{decoded, encoded, fold, http_response, json, meaning};
use crate::{Cohere, embeddings, rerank};

fn fixture(name: &str) -> (Value, Value) {
    let path = format!("{}/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let read: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    (read["request"]["body"].clone(), read["response"].clone())
}

fn request(name: &str) {
    let body = fixture(name).0;
    let (back, losses) = super::sent(body["model"].as_str().unwrap(), super::parsed(&body));
    assert_eq!(meaning::of_request(body), meaning::of_request(back));
    assert!(losses.is_empty(), "{losses:?}");
}

fn stream(name: &str) -> Value {
    let response = fixture(name).1;
    let frames = fold::frames(response["body_text"].as_str().unwrap());
    let events = decoded(&frames, 1);
    assert_eq!(decoded(&frames, frames.len()), events);
    let (back, losses) = encoded(&events);
    assert!(losses.is_empty(), "{losses:?}");
    fold::check(&back);
    let (before, back) = (fold::answer(&frames), fold::answer(&back));
    assert_eq!(meaning::of_response(before), meaning::of_response(back.clone()));
    back
}

#[test]
fn a_chat_with_documents_comes_back() {
    request("chat");
    let body = fixture("chat").1["body"].clone();
    let (back, losses) = super::shown(super::answered(&body));
    assert_eq!(meaning::of_response(body), meaning::of_response(back));
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn c77_a_stream_with_thinking_comes_back() {
    request("stream");
    assert_eq!(stream("stream")["message"]["content"][0]["thinking"], "It is a comparative.");
}

#[test]
fn c91_a_stream_with_a_plan_and_calls_comes_back() {
    request("tools");
    let answer = stream("tools");
    assert_eq!(answer["message"]["tool_plan"], "Now I will look at the tide.");
    assert_eq!(answer["message"]["tool_calls"][1]["function"]["arguments"], "{}");
}

#[test]
fn c93_vectors_of_two_types_come_back() {
    let (body, response) = fixture("embed");
    let ctx = Context { format: embeddings::FORMAT.into(), ..super::context("embed-v4.0") };
    let http = HttpRequest::post("/v2/embed", body.to_string());
    let parsed = <Cohere as DialectEmbeddings>::parse_request(&ctx, http).unwrap();
    let rendered = <Cohere as ProviderEmbeddings>::render_request(&ctx, parsed.request).unwrap();
    assert_eq!((body, Vec::new()), (json(&rendered.request.body), rendered.losses));
    let answer = http_response(200, response["body"].to_string());
    let answer = <Cohere as ProviderEmbeddings>::parse_response(&ctx, answer).unwrap();
    let shown = <Cohere as DialectEmbeddings>::render_response(&Context { memo: parsed.memo, ..ctx }, answer).unwrap();
    assert_eq!((response["body"].clone(), Vec::new()), (json(&shown.response.body), shown.losses));
}

#[test]
fn reranking_comes_back() {
    let (body, response) = fixture("rerank");
    let ctx = Context { format: rerank::FORMAT.into(), ..super::context("rerank-v3.5") };
    let http = HttpRequest::post("/v2/rerank", body.to_string());
    let parsed = <Cohere as DialectRerank>::parse_request(&ctx, http).unwrap();
    let rendered = <Cohere as ProviderRerank>::render_request(&ctx, parsed.request).unwrap();
    assert_eq!((body, Vec::new()), (json(&rendered.request.body), rendered.losses));
    let answer = http_response(200, response["body"].to_string());
    let answer = <Cohere as ProviderRerank>::parse_response(&ctx, answer).unwrap();
    let shown = <Cohere as DialectRerank>::render_response(&ctx, answer).unwrap();
    assert_eq!((response["body"].clone(), Vec::new()), (json(&shown.response.body), shown.losses));
}

#[test]
fn c83_an_error_is_understood() {
    let response = fixture("error").1;
    let answer = http_response(400, response["body"].to_string());
    let error = Cohere::parse_error(&Context::default(), answer);
    assert_eq!((error.kind, error.status), (ErrorKind::InvalidRequest, Some(400)));
    assert_eq!(response["body"]["message"], error.message);
}
