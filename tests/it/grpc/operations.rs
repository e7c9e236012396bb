//! The calls that answer with one message, and health.

use tonic::Code;
use weir_grpc::messages::{
    CountTokensRequest, CountTokensResponse, EmbedRequest, EmbedResponse, ListModelsRequest, ListModelsResponse,
    RerankRequest, RerankResponse,
};
use weir_grpc::types::vector::Kind;
use weir_tests::{Answer, Folder, Gateway, Upstream};
use weir_types::contract::types;

use super::{chat, connect, unary, with};
use crate::wire_format::{ANTHROPIC, OPENAI, config, config_of, provider};

#[tokio::test(flavor = "multi_thread")]
async fn models_are_those_that_the_key_may_use() {
    let upstream = provider(OPENAI).await;
    let clients = "[[clients]]\nname = \"one\"\nkey = \"weir-one-0123456789abcdef\"\nmodels = [\"openai*\"]\n";
    let gateway = Gateway::open(&(config(&upstream) + clients)).await;
    let channel = connect(&gateway).await;
    let key = [("x-api-key", "weir-one-0123456789abcdef")];
    let path = "/weir.v1.Inference/ListModels";
    let listed: ListModelsResponse =
        unary(&channel, path, with(ListModelsRequest {}, &key)).await.unwrap().into_inner();
    let mut names: Vec<&str> = listed.models.iter().map(|model| model.id.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["openai", "openai-t"]);
    let refused: Result<tonic::Response<ListModelsResponse>, _> =
        unary(&channel, path, with(ListModelsRequest {}, &[])).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn embeddings_are_numbers_in_the_order_of_the_texts() {
    let vectors = r#"{"object":"list","model":"openai","data":[
        {"object":"embedding","index":0,"embedding":[0.5,-1.0]},{"object":"embedding","index":1,"embedding":[0.25,2.0]}],
        "usage":{"prompt_tokens":5,"total_tokens":5}}"#;
    let mut upstream = Upstream::always(Answer::json(200, vectors)).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let channel = connect(&gateway).await;
    let mut request = types::EmbeddingsRequest::texts(["one", "two"]);
    request.model = "openai".into();
    let request = EmbedRequest { embeddings: Some(request.into()) };
    let answer: tonic::Response<EmbedResponse> =
        unary(&channel, "/weir.v1.Inference/Embed", with(request, &[])).await.unwrap();
    let answer = answer.into_inner();
    let floats = |one: &weir_grpc::types::Embedding| match &one.vector.as_ref().unwrap().kind {
        Some(Kind::Floats(floats)) => floats.values.clone(),
        other => panic!("{other:?}"),
    };
    let vectors: Vec<Vec<f64>> = answer.embeddings.unwrap().embeddings.iter().map(floats).collect();
    assert_eq!(vectors, [[0.5, -1.0], [0.25, 2.0]]);
    assert_eq!(answer.summary.unwrap().usage.unwrap().input, Some(5));
    assert_eq!(upstream.request().await.line(), "POST /base/embeddings");
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_put_in_order() {
    let order = r#"{"id":"r-1","results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}]}"#;
    let mut upstream = Upstream::always(Answer::json(200, order)).await;
    let settings = format!(
        "[[providers]]\nname = \"order\"\nadapter = \"cohere\"\nurl = \"{}\"\napi_key = \"KEY\"\n\
         [[models]]\nalias = \"order\"\ntarget = {{ provider = \"order\", model = \"rerank-1\" }}\n",
        upstream.url()
    );
    let gateway = Gateway::with(Folder::with(&["cohere"]), &settings).await;
    let channel = connect(&gateway).await;
    let mut request = types::RerankRequest::texts("what?", ["this", "that"]);
    request.model = "order".into();
    let request = RerankRequest { rerank: Some(request.into()) };
    let answer: tonic::Response<RerankResponse> =
        unary(&channel, "/weir.v1.Inference/Rerank", with(request, &[])).await.unwrap();
    let results = answer.into_inner().rerank.unwrap().results;
    let order: Vec<_> = results.iter().map(|one| (one.index, one.score)).collect();
    assert_eq!(order, [(1, 0.9), (0, 0.1)]);
    let sent = upstream.request().await.json();
    assert_eq!((&sent["model"], &sent["query"]), (&"rerank-1".into(), &"what?".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_counted_by_the_provider_or_estimated() {
    let upstream = Upstream::always(Answer::json(200, r#"{"input_tokens":12}"#)).await;
    let gateway = Gateway::open(&config_of(&[ANTHROPIC, OPENAI], &upstream)).await;
    let channel = connect(&gateway).await;
    let count = async |model: &str| {
        let request = CountTokensRequest { chat: Some(chat(model, false)) };
        let answer: tonic::Response<CountTokensResponse> =
            unary(&channel, "/weir.v1.Inference/CountTokens", with(request, &[])).await.unwrap();
        let answer = answer.into_inner();
        (answer.count.unwrap().input, answer.is_estimate)
    };
    assert_eq!(count("anthropic").await, (12, false));
    upstream.now(Answer::json(404, "{}"));
    let (tokens, is_estimate) = count("anthropic").await;
    assert!(is_estimate && (1..20).contains(&tokens), "{tokens}");
}
