use serde_json::{Value, json};
use weir_sdk::compat::{self, Quirks};
use weir_sdk::types::Body;

use super::*;

fn context(format: &str) -> Context {
    Context { request_id: "r".into(), format: format.into(), ..Context::default() }
}

fn parsed(format: &str, body: &Value) -> RerankRequest {
    let http = HttpRequest::post("/rerank", body.to_string());
    <Cohere as DialectRerank>::parse_request(&context(format), http).unwrap().request
}

fn sent(format: &str, request: RerankRequest) -> (String, Value, Vec<String>) {
    let rendered = <Cohere as ProviderRerank>::render_request(&context(format), request).unwrap();
    let body = serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap();
    (rendered.request.path, body, rendered.losses.into_iter().map(|loss| loss.field).collect())
}

#[test]
fn members_of_every_server_are_read() {
    let usual = json!({"model": "m", "query": "q", "documents": ["a", {"text": "b"}], "top_n": 2});
    let others = json!({"model": "m", "query": "q", "texts": ["a", "b"], "top_k": 2});
    let mut read = parsed(SHARED, &others);
    // Its number of results keeps its name.
    assert_eq!(read.extensions.remove(0).key, TOP_K);
    assert_eq!(parsed(SHARED, &usual), read);
    let sent_back = compat::rerank::render(&Quirks::COMPATIBLE, &context(SHARED), &parsed(SHARED, &others));
    assert!(sent_back.request.body.as_text().unwrap().ends_with(r#""top_k":2}"#));
    assert_eq!(sent(SHARED, parsed(SHARED, &usual)).1["documents"], json!(["a", "b"]));
}

#[test]
fn settings_that_only_the_older_api_takes_are_reported() {
    let body =
        json!({"model": "m", "query": "q", "documents": [{"title": "t", "text": "b"}], "return_documents": true});
    let (path, sent_body, losses) = sent(SHARED, parsed(SHARED, &body));
    assert_eq!((path.as_str(), sent_body, losses.len()), ("v1/rerank", body.clone(), 0));
    let (path, sent_body, losses) = sent(FORMAT, parsed(SHARED, &body));
    assert_eq!((path.as_str(), &sent_body["documents"]), ("v2/rerank", &json!([body["documents"][0].to_string()])));
    assert_eq!(losses, ["documents", "return_documents"]);
}

#[test]
fn answers_take_the_shape_that_the_client_knows() {
    let text = r#"{"model":"m","results":[{"index":1,"relevance_score":0.5,"document":{"text":"b"}}],"usage":{"total_tokens":7}}"#;
    let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(text.into()) };
    let answer = parse_answer(&response).unwrap();
    let shown = |format: &str| -> Value {
        let rendered = <Cohere as DialectRerank>::render_response(&context(format), answer.clone()).unwrap();
        serde_json::from_str(rendered.response.body.as_text().unwrap()).unwrap()
    };
    let results = json!([{"index": 1, "relevance_score": 0.5, "document": {"text": "b"}}]);
    let usage = json!({"prompt_tokens": 7, "total_tokens": 7});
    assert_eq!(shown(SHARED), json!({"id": "r", "model": "m", "results": results, "usage": usage}));
    let meta = json!({"api_version": {"version": "2"}, "tokens": {"input_tokens": 7}});
    assert_eq!(shown(FORMAT), json!({"id": "r", "results": results, "meta": meta}));
}

#[test]
fn members_of_results_without_a_place_are_reported() {
    let text = r#"{"id":"r","results":[{"index":0,"relevance_score":0.5,"relevant_spans":[{"start":0}]}]}"#;
    for format in [FORMAT, SHARED] {
        let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(text.into()) };
        let answer = <Cohere as ProviderRerank>::parse_response(&context(format), response).unwrap();
        let rendered = <Cohere as DialectRerank>::render_response(&context(format), answer).unwrap();
        assert!(!rendered.response.body.as_text().unwrap().contains("relevant_spans"));
        let losses: Vec<String> = rendered.losses.into_iter().map(|loss| loss.field).collect();
        assert_eq!(losses, ["results[].relevant_spans"], "{format}");
    }
}

#[test]
fn an_error_in_an_answer_is_one() {
    let body = Body::Text(r#"{"id":"1","message":"too many tokens: 9"}"#.into());
    let response = HttpResponse { status: 200, headers: Vec::new(), body };
    let error = <Cohere as ProviderRerank>::parse_response(&context(FORMAT), response).unwrap_err();
    assert_eq!(error.kind, weir_sdk::types::ErrorKind::ContextLength);
}
