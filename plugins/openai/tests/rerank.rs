//! Reranking by compatible servers: their answers are parsed, and their requests are rendered.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test: what does not hold fails it")]

use serde_json::Value;
use weir_adapter_openai::OpenAi;
use weir_corpus::recording::all;
use weir_sdk::adapter::{About as _, ProviderRerank};
use weir_sdk::compat::rerank::FORMAT;
use weir_sdk::manifest::Operation;
use weir_sdk::types::{Context, RerankDocument, RerankRequest};

/// The figures of a result, from any server's spelling.
fn results(answer: &Value) -> Vec<(u64, f64)> {
    let list = answer["results"].as_array().or(answer["data"].as_array()).unwrap();
    let figures = |one: &Value| (one["index"].as_u64().unwrap(), one["relevance_score"].as_f64().unwrap());
    list.iter().map(figures).collect()
}

#[test]
fn recorded_answers_are_read_and_requests_written() {
    for recording in all(&["rerank"]) {
        let (asked, answered) = (recording.request_body().unwrap(), recording.response_body().unwrap());
        let answer = <OpenAi as ProviderRerank>::parse_response(&Context::default(), recording.response()).unwrap();
        let read: Vec<(u64, f64)> = answer.results.iter().map(|one| (u64::from(one.index), one.score)).collect();
        assert_eq!(read, results(answered), "{}", recording.id);
        let total = answered["usage"]["total_tokens"].as_u64();
        assert_eq!(answer.usage.and_then(|usage| usage.input).map(u64::from), total, "{}", recording.id);

        let document = |one: &Value| match one.as_str().or(one["text"].as_str()) {
            Some(text) => RerankDocument::Text(text.to_owned()),
            None => RerankDocument::Json(one.to_string()),
        };
        let request = RerankRequest {
            model: asked["model"].as_str().unwrap_or("m").to_owned(),
            query: asked["query"].as_str().unwrap().to_owned(),
            documents: asked["documents"].as_array().unwrap().iter().map(document).collect(),
            top_n: asked["top_n"].as_u64().map(|n| n as u32),
            return_documents: asked["return_documents"].as_bool(),
            extensions: Vec::new(),
        };
        let rendered = <OpenAi as ProviderRerank>::render_request(&Context::default(), request).unwrap();
        let body: Value = serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap();
        assert_eq!(rendered.request.path, "rerank");
        for member in ["query", "top_n", "return_documents"] {
            assert_eq!(body[member], asked[member], "{}: {member}", recording.id);
        }
    }
}

#[test]
fn the_shared_shape_is_relayed() {
    let accepts = OpenAi::describe().accepts;
    assert!(accepts.iter().any(|one| one.format == FORMAT && one.operation == Operation::Rerank));
}
