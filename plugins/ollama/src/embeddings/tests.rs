//! Embeddings between this format and others, in both directions.

use weir_sdk::types::{Body, Embedding, ErrorKind, Vector};

use super::*;

fn asked(path: &str, body: &str) -> ParsedEmbeddings {
    let ctx = Context { model: "m".into(), ..Context::default() };
    <Ollama as DialectEmbeddings>::parse_request(&ctx, HttpRequest::post(path, body.into())).unwrap()
}

fn sent(format: &str, request: EmbeddingsRequest) -> (String, String) {
    let ctx = Context { model: "m".into(), format: format.into(), ..Context::default() };
    let http = <Ollama as ProviderEmbeddings>::render_request(&ctx, request).unwrap().request;
    (http.path, http.body.as_text().unwrap().to_owned())
}

fn written(memo: &str, vectors: Vec<Vector>) -> String {
    let ctx = Context { model: "m".into(), memo: memo.into(), ..Context::default() };
    let mut embeddings: Vec<_> = (0..).zip(vectors).map(|(index, vector)| Embedding { index, vector }).collect();
    embeddings.reverse();
    let response = EmbeddingsResponse { id: None, model: None, embeddings, usage: None, extensions: Vec::new() };
    let rendered = <Ollama as DialectEmbeddings>::render_response(&ctx, response).unwrap();
    rendered.response.body.as_text().unwrap().to_owned()
}

#[test]
fn c93_batches_keep_their_order_and_base64_becomes_numbers() {
    let vectors = vec![Vector::Base64("AAAAPw==".into()), Vector::Floats(vec![1.5, -2.0])];
    assert_eq!(written("", vectors.clone()), r#"{"model":"m","embeddings":[[0.5],[1.5,-2]]}"#);
    assert_eq!(written(LEGACY, vectors), r#"{"embedding":[0.5]}"#);
}

#[test]
fn requests_of_both_endpoints_come_back() {
    let body = r#"{"model":"m","input":["a","b"],"dimensions":8,"options":{"num_ctx":5},"truncate":true}"#;
    let parsed = asked("/api/embed", body);
    assert_eq!((parsed.request.inputs.len(), parsed.request.single), (2, false));
    assert_eq!(sent("", parsed.request), ("api/embed".into(), body.into()));
    let legacy = r#"{"model":"m","prompt":"a","keep_alive":"5m"}"#;
    let parsed = asked("/api/embeddings", legacy);
    assert_eq!(parsed.memo, LEGACY);
    assert_eq!(sent(crate::EMBEDDINGS, parsed.request.clone()), ("api/embeddings".into(), legacy.into()));
    assert_eq!(sent("", parsed.request).1, r#"{"model":"m","input":"a","keep_alive":"5m"}"#);
}

#[test]
fn what_is_not_text_is_refused() {
    let request = EmbeddingsRequest {
        inputs: vec![weir_sdk::types::EmbeddingInput::Tokens(vec![1])],
        ..asked("/api/embed", r#"{"model":"m","input":"a"}"#).request
    };
    let error = <Ollama as ProviderEmbeddings>::render_request(&Context::default(), request).unwrap_err();
    assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::Unsupported, Some("input[0]")));
}

#[test]
fn an_answer_says_what_its_counts_are() {
    let body = r#"{"model":"m","embeddings":[[1,2]],"total_duration":5,"prompt_eval_count":8}"#;
    let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(body.into()) };
    let read = <Ollama as ProviderEmbeddings>::parse_response(&Context::default(), response).unwrap();
    assert_eq!(read.usage.as_ref().unwrap().input, Some(8));
    let ctx = Context::default();
    let back = <Ollama as DialectEmbeddings>::render_response(&ctx, read).unwrap();
    assert_eq!(back.response.body.as_text().unwrap(), body);
    assert!(back.losses.is_empty());
}
