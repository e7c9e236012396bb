use serde_json::{Value, json};
use weir_sdk::types::{Body, EmbeddingInput, ErrorKind, Header};

use super::*;

fn asked(texts: &[&str]) -> EmbeddingsRequest {
    EmbeddingsRequest {
        model: String::new(),
        inputs: texts.iter().map(|text| EmbeddingInput::Text((*text).into())).collect(),
        single: texts.len() == 1,
        dimensions: Some(256),
        encoding: None,
        task: Some("RETRIEVAL_QUERY".into()),
        title: None,
        end_user: None,
        extensions: Vec::new(),
    }
}

fn sent(model: &str, request: EmbeddingsRequest) -> Result<(String, Value, Vec<String>)> {
    let ctx = Context { model: model.into(), ..Context::default() };
    let rendered = <Bedrock as ProviderEmbeddings>::render_request(&ctx, request)?;
    let body = serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap();
    Ok((rendered.request.path, body, rendered.losses.into_iter().map(|loss| loss.field).collect()))
}

fn answered(headers: Vec<Header>, body: &Value) -> EmbeddingsResponse {
    let response = HttpResponse { status: 200, headers, body: Body::Text(body.to_string()) };
    <Bedrock as ProviderEmbeddings>::parse_response(&Context::default(), response).unwrap()
}

#[test]
fn c93_titan_is_asked_for_one_text() {
    let (path, body, losses) = sent("amazon.titan-embed-text-v2:0", asked(&["a"])).unwrap();
    assert_eq!(path, "model/amazon.titan-embed-text-v2%3A0/invoke");
    assert_eq!((body, losses), (json!({"inputText": "a", "dimensions": 256}), vec!["task".to_owned()]));
    let (_, body, losses) = sent("amazon.titan-embed-text-v1", asked(&["a"])).unwrap();
    assert_eq!((body, losses.len()), (json!({"inputText": "a"}), 2));
}

#[test]
fn c93_several_texts_for_titan_are_refused_by_name() {
    let error = sent("amazon.titan-embed-text-v2:0", asked(&["a", "b"])).unwrap_err();
    assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::Unsupported, Some("input")));
    assert!(error.message.contains("one by one"));
    assert_eq!(sent("anthropic.claude-v2", asked(&["a"])).unwrap_err().kind, ErrorKind::Unsupported);
}

#[test]
fn c93_cohere_gets_the_purpose_of_the_vectors() {
    let (_, body, losses) = sent("cohere.embed-multilingual-v3", asked(&["a", "b"])).unwrap();
    assert_eq!((body, losses), (json!({"texts": ["a", "b"], "input_type": "search_query"}), vec!["dimensions".into()]));
    let (_, body, losses) = sent("us.cohere.embed-v4:0", asked(&["a"])).unwrap();
    let expected =
        json!({"texts": ["a"], "input_type": "search_query", "embedding_types": ["float"], "output_dimension": 256});
    assert_eq!((body, losses.len()), (expected, 0));
}

#[test]
fn c93_nova_is_asked_for_one_vector() {
    let (_, body, losses) = sent("amazon.nova-2-multimodal-embeddings-v1:0", asked(&["a"])).unwrap();
    let params = &body["singleEmbeddingParams"];
    assert_eq!(
        (&params["embeddingPurpose"], &params["embeddingDimension"]),
        (&json!("GENERIC_RETRIEVAL"), &json!(256))
    );
    assert_eq!((&params["text"]["value"], losses.len()), (&json!("a"), 0));
}

#[test]
fn c93_vectors_of_all_vendors_are_read_in_order() {
    let floats = |response: &EmbeddingsResponse| -> Vec<Vec<f64>> {
        let numbers = |one: &weir_sdk::types::Embedding| match &one.vector {
            weir_sdk::types::Vector::Floats(floats) => floats.clone(),
            other => panic!("{other:?}"),
        };
        response.embeddings.iter().map(numbers).collect()
    };
    let titan = answered(Vec::new(), &json!({"embedding": [0.5, -1], "inputTextTokenCount": 3}));
    assert_eq!(floats(&titan), [[0.5, -1.0]]);
    assert_eq!(titan.usage.unwrap().input, Some(3));
    let counted = vec![Header::new("x-amzn-bedrock-input-token-count", "7")];
    let cohere = answered(counted, &json!({"embeddings": [[1], [2]], "id": "x", "texts": ["a", "b"]}));
    assert_eq!(floats(&cohere), [[1.0], [2.0]]);
    assert_eq!(cohere.usage.unwrap().input, Some(7));
    assert_eq!(floats(&answered(Vec::new(), &json!({"embeddings": {"float": [[1], [2]]}}))), [[1.0], [2.0]]);
    let nova = json!({"embeddings": [{"embeddingType": "TEXT", "embedding": [3]}]});
    assert_eq!(floats(&answered(Vec::new(), &nova)), [[3.0]]);
}
