//! Embeddings, orders of documents, counts of tokens, lists of models, availability.

use weir_embed::types::Vector;
use weir_embed::{EmbeddingsRequest, ErrorKind, RerankRequest};
use weir_tests::{Answer, Upstream};

use super::{QUICK, builder, one};
use crate::wire_format::{ANTHROPIC, OPENAI};

const EMBEDDINGS: &str = r#"{"object":"list","model":"openai","data":[
    {"object":"embedding","index":0,"embedding":[0.5,-1.0]},{"object":"embedding","index":1,"embedding":[0.25,2.0]}],
    "usage":{"prompt_tokens":5,"total_tokens":5}}"#;
const LIST: &str = r#"{"object":"list","data":[
    {"id":"small","object":"model","created":1,"owned_by":"them"},{"id":"large","object":"model","created":2,"owned_by":"them"}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn embeddings_are_numbers_in_the_order_of_the_texts() {
    let mut upstream = Upstream::always(Answer::json(200, EMBEDDINGS)).await;
    let (_folder, weir) = one(OPENAI, &upstream, QUICK).await;
    let answer = weir.embed("chat", EmbeddingsRequest::texts(["one", "two"])).await.unwrap();
    let vectors: Vec<_> = answer.response.embeddings.iter().map(|one| (one.index, one.vector.clone())).collect();
    assert_eq!(vectors, [(0, Vector::Floats(vec![0.5, -1.0])), (1, Vector::Floats(vec![0.25, 2.0]))]);
    assert_eq!(answer.usage.and_then(|usage| usage.input), Some(5));
    assert_eq!(upstream.request().await.line(), "POST /base/embeddings");
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_put_in_order() {
    let order = r#"{"id":"r-1","results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}]}"#;
    let mut upstream = Upstream::always(Answer::json(200, order)).await;
    let (_folder, builder) = builder(&["cohere"]);
    let provider = weir_embed::Provider::new("cohere").url(upstream.url());
    let weir = builder.provider("order", provider).build().await.unwrap();
    let answer = weir.rerank("order/rerank-1", RerankRequest::texts("what?", ["this", "that"])).await.unwrap();
    let order: Vec<_> = answer.response.results.iter().map(|one| (one.index, one.score)).collect();
    assert_eq!(order, [(1, 0.9), (0, 0.1)]);
    let sent = upstream.request().await.json();
    assert_eq!((&sent["model"], &sent["query"]), (&"rerank-1".into(), &"what?".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_counted_by_the_provider_or_estimated() {
    let mut upstream = Upstream::always(Answer::json(200, r#"{"input_tokens":12}"#)).await;
    let (_folder, weir) = one(ANTHROPIC, &upstream, QUICK).await;
    let answer = weir.count_tokens("chat", "How many are these?").await.unwrap();
    assert_eq!((answer.response.input, answer.is_estimate), (12, false));
    assert_eq!(upstream.request().await.line(), "POST /base/messages/count_tokens");
    upstream.now(Answer::json(404, "{}"));
    let answer = weir.count_tokens("chat", "How many are these?").await.unwrap();
    assert!(answer.is_estimate && (2..20).contains(&answer.response.input), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_listed_and_asked_whether_they_are_there() {
    let upstream = Upstream::always(Answer::json(200, LIST)).await;
    let (_folder, weir) = one(OPENAI, &upstream, QUICK).await;
    let names = |models: Vec<weir_embed::types::ModelInfo>| models.into_iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(names(weir.list_models().await.unwrap()), ["chat"]);
    assert_eq!(names(weir.models_of("first").await.unwrap()), ["small", "large"]);
    assert_eq!(weir.models_of("nobody").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(weir.is_available("chat").await.unwrap());
    assert!(weir.is_available("first/large").await.unwrap());
    assert_eq!(weir.is_available("nothing").await.unwrap_err().kind(), ErrorKind::NotFound);
    for (status, is_there) in [(401, false), (403, false), (404, true), (429, true), (500, false), (503, false)] {
        upstream.now(Answer::json(status, "{}"));
        assert_eq!(weir.is_available("chat").await.unwrap(), is_there, "{status}");
    }
    assert!(weir.models_of("first").await.is_err());
    upstream.shut();
    assert!(!weir.is_available("chat").await.unwrap());
}
