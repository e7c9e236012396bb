use serde_json::{Value, json};
use weir_sdk::types::{Body, Embedding, Vector};

use super::*;

fn parse(path: &str, body: &Value) -> ParsedEmbeddings {
    let request = HttpRequest::post(path, body.to_string());
    <Gemini as DialectEmbeddings>::parse_request(&Context::default(), request).unwrap()
}

fn sent(request: EmbeddingsRequest) -> (String, Value) {
    let http = <Gemini as ProviderEmbeddings>::render_request(&Context::default(), request).unwrap().request;
    (http.path, serde_json::from_str(http.body.as_text().unwrap()).unwrap())
}

#[test]
fn c87_a_batch_keeps_every_vector() {
    let body = json!({"embeddings": [{"values": [1.5]}, {"values": [2]}, {"values": [-0.25]}]});
    let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(body.to_string()) };
    let read = <Gemini as ProviderEmbeddings>::parse_response(&Context::default(), response).unwrap();
    assert_eq!(read.embeddings.len(), 3);
    let written = <Gemini as DialectEmbeddings>::render_response(&Context::default(), read).unwrap();
    assert_eq!(serde_json::from_str::<Value>(written.response.body.as_text().unwrap()).unwrap(), body);
}

#[test]
fn c93_settings_of_each_text_come_back() {
    let request = |text: &str, title: &str| json!({"model": "models/m", "content": {"parts": [{"text": text}]}, "title": title, "taskType": "RETRIEVAL_DOCUMENT"});
    let body = json!({"requests": [request("a", "one"), request("b", "two")]});
    let parsed = parse("/v1beta/models/m:batchEmbedContents", &body);
    assert_eq!(parsed.request.title.as_deref(), Some("one"));
    assert_eq!(sent(parsed.request), ("models/m:batchEmbedContents".into(), body));
}

#[test]
fn one_text_is_asked_for_and_answered_as_one() {
    let body =
        json!({"model": "models/m", "content": {"parts": [{"text": "a"}, {"text": "b"}]}, "output_dimensionality": 8});
    let parsed = parse("/v1beta/models/m:embedContent", &body);
    let memo = parsed.memo.clone();
    let (path, back) = sent(parsed.request);
    assert_eq!(path, "models/m:embedContent");
    assert_eq!((&back["content"], &back["outputDimensionality"]), (&body["content"], &json!(8)));
    let ctx = Context { memo, ..Context::default() };
    let embeddings = vec![Embedding { index: 0, vector: Vector::Base64("zczMPQAAAMA=".into()) }];
    let response = EmbeddingsResponse { id: None, model: None, embeddings, usage: None, extensions: Vec::new() };
    let written = <Gemini as DialectEmbeddings>::render_response(&ctx, response).unwrap();
    assert_eq!(written.response.body.as_text().unwrap(), r#"{"embedding":{"values":[0.1,-2]}}"#);
}

#[test]
fn tokens_are_refused_by_name() {
    let parsed = parse("/v1beta/models/m:embedContent", &json!({"content": {"parts": [{"text": "a"}]}}));
    let inputs = vec![weir_sdk::types::EmbeddingInput::Tokens(vec![1])];
    let request = EmbeddingsRequest { inputs, ..parsed.request };
    let error = <Gemini as ProviderEmbeddings>::render_request(&Context::default(), request).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("input[0]"));
}

#[test]
fn an_unspecified_purpose_is_none() {
    for word in [json!("TASK_TYPE_UNSPECIFIED"), json!(0)] {
        let body = json!({"content": {"parts": [{"text": "a"}]}, "taskType": word});
        assert_eq!(parse("/v1beta/models/m:embedContent", &body).request.task, None);
    }
}

#[test]
fn c93_purposes_have_this_formats_names_and_being_an_image_is_none() {
    let task = |name: &str| {
        let parsed = parse("/v1beta/models/m:embedContent", &json!({"content": {"parts": [{"text": "a"}]}}));
        sent(EmbeddingsRequest { task: Some(name.into()), extensions: Vec::new(), ..parsed.request }).1["taskType"]
            .clone()
    };
    assert_eq!(task("search_query"), "RETRIEVAL_QUERY");
    assert_eq!(task("clustering"), "CLUSTERING");
    assert_eq!(task("image"), Value::Null);
}
