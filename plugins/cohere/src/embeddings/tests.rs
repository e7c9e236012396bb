use serde_json::{Value, json};
use weir_sdk::types::{Body, Embedding, EmbeddingEncoding, EmbeddingInput, Vector};

use super::*;

fn context(format: &str) -> Context {
    Context { request_id: "r".into(), format: format.into(), ..Context::default() }
}

fn parsed(format: &str, body: &Value) -> ParsedEmbeddings {
    let http = HttpRequest::post("/embed", body.to_string());
    <Cohere as DialectEmbeddings>::parse_request(&context(format), http).unwrap()
}

fn sent(request: EmbeddingsRequest) -> Value {
    let rendered = <Cohere as ProviderEmbeddings>::render_request(&context(FORMAT), request).unwrap();
    serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap()
}

fn shown(format: &str, memo: String, vectors: Vec<Vector>) -> (Value, Vec<String>) {
    let embeddings = (0..).zip(vectors).map(|(index, vector)| Embedding { index, vector }).collect();
    let response = EmbeddingsResponse { id: None, model: None, embeddings, usage: None, extensions: Vec::new() };
    let ctx = Context { memo, ..context(format) };
    let rendered = <Cohere as DialectEmbeddings>::render_response(&ctx, response).unwrap();
    let losses = rendered.losses.into_iter().map(|loss| loss.field).collect();
    (serde_json::from_str(rendered.response.body.as_text().unwrap()).unwrap(), losses)
}

fn plain(inputs: Vec<EmbeddingInput>) -> EmbeddingsRequest {
    EmbeddingsRequest {
        model: "m".into(),
        inputs,
        single: true,
        dimensions: Some(256),
        encoding: Some(EmbeddingEncoding::Base64),
        task: None,
        title: None,
        end_user: None,
        extensions: Vec::new(),
    }
}

#[test]
fn c93_requests_of_other_formats_get_what_the_service_requires() {
    let body = sent(plain(vec![EmbeddingInput::Text("a".into())]));
    let expected = json!({"model": "m", "texts": ["a"], "input_type": "search_document",
        "embedding_types": ["float"], "output_dimension": 256});
    assert_eq!(body, expected);
    let query =
        EmbeddingsRequest { task: Some("RETRIEVAL_QUERY".into()), ..plain(vec![EmbeddingInput::Text("a".into())]) };
    assert_eq!(sent(query)["input_type"], "search_query");
}

#[test]
fn c56_base64_of_this_format_is_asked_for_as_such() {
    let body = json!({"model": "m", "texts": ["a"], "input_type": "x", "embedding_types": ["base64"]});
    assert_eq!(sent(parsed(FORMAT, &body).request), body);
}

#[test]
fn tokens_are_refused_by_name() {
    let request = plain(vec![EmbeddingInput::Text("a".into()), EmbeddingInput::Tokens(vec![1])]);
    let error = <Cohere as ProviderEmbeddings>::render_request(&context(FORMAT), request).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("input[1]"));
}

#[test]
fn texts_and_images_that_make_one_vector_stay_together() {
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}});
    let both = json!({"content": [{"type": "text", "text": "a"}, image.clone()]});
    let body = json!({"model": "m", "inputs": [both, {"content": [image]}, {"content": [{"type": "text", "text": "b"}]}],
        "input_type": "search_document", "embedding_types": ["float"]});
    assert_eq!(sent(parsed(FORMAT, &body).request), body);
}

#[test]
fn c56_vectors_come_in_the_types_that_were_asked_for() {
    let ask = |types: Value| json!({"model": "m", "texts": ["a"], "input_type": "x", "embedding_types": types});
    let memo = |types: Value| parsed(FORMAT, &ask(types)).memo;
    let floats = || vec![Vector::Floats(vec![0.5])];
    let (body, losses) = shown(FORMAT, memo(json!(["base64", "float"])), floats());
    assert_eq!(body["embeddings"], json!({"base64": ["AAAAPw=="], "float": [[0.5]]}));
    assert_eq!((&body["texts"], losses.len()), (&json!(["a"]), 0));
    let (body, _) = shown(FORMAT, memo(json!(["float"])), vec![Vector::Base64("AAAAPw==".into())]);
    assert_eq!(body["embeddings"], json!({"float": [[0.5]]}));
    let (_, losses) = shown(FORMAT, memo(json!(["float", "int8"])), floats());
    assert_eq!(losses, ["embedding_types.int8"]);
}

#[test]
fn the_older_answer_is_a_bare_list_unless_types_are_named() {
    let body = json!({"model": "m", "texts": ["a"]});
    let memo = parsed(OLD, &body).memo;
    let (body, _) = shown(OLD, memo, vec![Vector::Floats(vec![0.5])]);
    assert_eq!((&body["embeddings"], &body["response_type"]), (&json!([[0.5]]), &json!("embeddings_floats")));
    let named = json!({"model": "m", "texts": ["a"], "embedding_types": ["float"]});
    let (body, _) = shown(OLD, parsed(OLD, &named).memo, vec![Vector::Floats(vec![0.5])]);
    assert_eq!(body["embeddings"], json!({"float": [[0.5]]}));
}

#[test]
fn an_empty_list_of_a_type_that_was_not_asked_for_hides_no_vectors() {
    let text = r#"{"id":"x","embeddings":{"float":[],"int8":[[1,2]]}}"#;
    let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(text.into()) };
    let vectors = <Cohere as ProviderEmbeddings>::parse_response(&context(FORMAT), response).unwrap().embeddings;
    let [Embedding { vector: Vector::Opaque(vector), .. }] = &vectors[..] else { panic!("{vectors:?}") };
    assert_eq!((vector.kind.as_str(), vector.json.as_str()), ("int8", "[1,2]"));
}

#[test]
fn an_answer_without_vectors_is_an_error() {
    for text in [r#"{"id":"x"}"#, r#"{"id":"x","embeddings":{}}"#, r#"{"message":"gone"}"#, "[]"] {
        let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(text.into()) };
        assert!(<Cohere as ProviderEmbeddings>::parse_response(&context(FORMAT), response).is_err(), "{text}");
    }
}
