//! Options choose between Azure's paths, in the same way in both lanes.
#![allow(clippy::unwrap_used, reason = "a test: what does not hold fails it")]

use weir_adapter_azure_openai::AzureOpenAi;
use weir_sdk::adapter::{About, ProviderChat, ProviderEmbeddings};
use weir_sdk::manifest::{Acceptance, FrameTest};
use weir_sdk::types::{ChatRequest, Context, EmbeddingInput, EmbeddingsRequest, HttpRequest, Sampling, Setting};

fn ctx(option: Option<&str>, format: &str) -> Context {
    let set = |key: &str| Setting { key: key.into(), json: "\"2024-10-21\"".into() };
    let options = option.map(set).into_iter().collect();
    Context { model: "my model".into(), format: format.into(), options, ..Context::default() }
}

fn chat(option: Option<&str>, format: &str) -> HttpRequest {
    <AzureOpenAi as ProviderChat>::render_request(&ctx(option, format), ChatRequest::default()).unwrap().request
}

fn embeddings(option: Option<&str>) -> HttpRequest {
    let request = EmbeddingsRequest {
        model: "m".into(),
        inputs: vec![EmbeddingInput::Text("x".into())],
        single: true,
        dimensions: None,
        encoding: None,
        task: None,
        title: None,
        end_user: None,
        extensions: Vec::new(),
    };
    <AzureOpenAi as ProviderEmbeddings>::render_request(&ctx(option, "openai.embeddings"), request).unwrap().request
}

fn version(request: &HttpRequest) -> Option<(&str, &str)> {
    request.query.first().map(|query| (query.name.as_str(), query.value.as_str()))
}

#[test]
fn c55_deployments_and_version_are_explicit() {
    let plain = chat(None, "openai.chat");
    assert_eq!((plain.path.as_str(), version(&plain)), ("openai/v1/chat/completions", None));
    let deployed = chat(Some("api_version"), "openai.chat");
    assert_eq!(deployed.path, "openai/deployments/my%20model/chat/completions");
    assert_eq!(version(&deployed), Some(("api-version", "2024-10-21")));
    let inferred = chat(Some("inference_version"), "openai.chat");
    assert_eq!((inferred.path.as_str(), inferred.query.len()), ("models/chat/completions", 1));
}

#[test]
fn responses_and_embeddings_have_their_own_paths() {
    assert_eq!(chat(None, "openai.responses").path, "openai/v1/responses");
    assert_eq!(chat(Some("api_version"), "openai.responses").path, "openai/responses");
    assert_eq!(embeddings(None).path, "openai/v1/embeddings");
    assert_eq!(embeddings(Some("api_version")).path, "openai/deployments/my%20model/embeddings");
}

#[test]
fn the_relay_lane_chooses_in_the_same_way() {
    let accepts = <AzureOpenAi as About>::describe().accepts;
    let chat: Vec<_> = accepts.iter().filter(|one| one.format == "openai.chat").collect();
    let ways: Vec<_> =
        chat.iter().map(|one| (one.path.as_str(), one.query.first().map(|q| q.value.as_str()))).collect();
    assert_eq!(
        ways,
        [
            ("openai/deployments/{model}/chat/completions", Some("{option.api_version}")),
            ("models/chat/completions", Some("{option.inference_version}")),
            ("openai/v1/chat/completions", None),
        ]
    );
}

#[test]
fn parameters_that_only_other_servers_have_are_not_sent() {
    let sampling = Sampling { top_k: Some(5), ..Sampling::default() };
    let request = ChatRequest { sampling, ..ChatRequest::default() };
    let rendered = <AzureOpenAi as ProviderChat>::render_request(&ctx(None, "openai.chat"), request).unwrap();
    assert!(!rendered.request.body.as_text().unwrap().contains("top_k"));
    assert_eq!(rendered.losses[0].field, "top_k");
    let accepts = <AzureOpenAi as About>::describe().accepts;
    let chat = accepts.iter().filter(|one| one.format == "openai.chat");
    for member in ["/top_k", "/min_p", "/repetition_penalty"] {
        let is_excluded =
            |one: &Acceptance| one.exclusions.iter().any(|excluded| excluded.test == FrameTest::present(member));
        assert!(chat.clone().all(is_excluded), "{member} is not relayed");
    }
}
