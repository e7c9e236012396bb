//! Whatever the entry point, a request leaves a fact that says who was asked and how it ended.

use serde_json::{Value, json};
use tonic::transport::Endpoint;
use weir_grpc::messages::{EmbedRequest, EmbedResponse};
use weir_tests::{Answer, Request, Upstream, WebSocket};
use weir_types::contract::types::EmbeddingsRequest;

use super::{Kept, text};
use crate::grpc::{Read, chat, generate, unary, with};
use crate::wire_format::{ANTHROPIC, OPENAI, config_of};

/// The members of a fact in which the two differ: what is of one request only, and its format's own.
const OWN: [&str; 12] = [
    "id",
    "client_request_id",
    "time",
    "total_us",
    "own_us",
    "first_token_us",
    "bytes_in",
    "bytes_out",
    "dialect",
    "sequence",
    "client",
    "process",
];
const KEY: &str = "weir-some-0123456789";

const MODELS: &str = "[[models]]\nalias = \"failing\"\ntarget = { provider = \"openai\", model = \"failing\" }\n\
    [[models]]\nalias = \"refusing\"\ntarget = { provider = \"openai\", model = \"refusing\" }\n\
    [[models]]\nalias = \"broken\"\ntarget = { provider = \"openai\", model = \"broken\" }\n\
    [[models]]\nalias = \"patient\"\ntargets = [{ provider = \"openai\", model = \"failing\" }, \
    { provider = \"openai\", model = \"m\" }]\n\
    [[providers]]\nname = \"gone\"\nadapter = \"openai\"\nurl = \"http://127.0.0.1:9/v1/\"\napi_key = \"K\"\n\
    [[models]]\nalias = \"gone\"\ntarget = { provider = \"gone\", model = \"m\" }\n\
    [[models]]\nalias = \"dear\"\ntarget = { provider = \"openai\", model = \"m\" }\n\
    [[budgets]]\nname = \"dear\"\nfor = { model = \"dear\" }\nrequests = 1\nper = \"month\"\n\
    [[clients]]\nname = \"some\"\nkey = \"weir-some-0123456789\"\nteam = \"red\"\ntags = [\"batch\"]\n";

async fn provider() -> Upstream {
    Upstream::scripted(|request| match request.text() {
        text if text.contains("\"failing\"") => Answer::json(500, json!({"error": {"message": "no"}}).to_string()),
        text if text.contains("\"refusing\"") => Answer::json(400, json!({"error": {"message": "no"}}).to_string()),
        text if text.contains("\"broken\"") => {
            let begun = OPENAI.stream().iter().take(2).fold(OPENAI.begin(), Answer::piece);
            begun.reset()
        }
        _ if OPENAI.wants_stream(request) => OPENAI.streamed(),
        _ => Answer::json(200, OPENAI.whole()),
    })
    .await
}

fn shared(mut fact: Value) -> Value {
    let members = fact.as_object_mut().unwrap();
    members.retain(|name, _| !OWN.contains(&name.as_str()));
    for attempt in members.get_mut("attempts").and_then(Value::as_array_mut).into_iter().flatten() {
        attempt.as_object_mut().unwrap().retain(|name, _| !name.ends_with("_us"));
    }
    fact
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_over_grpc_leaves_the_same_fact_as_a_request_in_a_dialect() {
    let upstream = provider().await;
    let config = config_of(&[OPENAI], &upstream) + MODELS;
    let (by_dialect, by_grpc) = (Kept::start(&config), Kept::start(&config));
    let endpoint = Endpoint::from_shared(format!("http://{}", by_grpc.address)).unwrap();
    let channel = endpoint.connect().await.unwrap();
    let mut differences = Vec::new();
    for (model, outcome) in [
        ("openai", "ok"),
        ("patient", "ok"),
        ("failing", "failed"),
        ("refusing", "failed"),
        ("gone", "failed"),
        ("broken", "cut"),
        ("nothing", "refused"),
        ("dear", "ok"),
        ("dear", "refused"),
    ] {
        for stream in [false, true] {
            if model == "dear" && stream || model == "broken" && !stream {
                continue;
            }
            let id = format!("{model}-{outcome}-{stream}");
            let request: Request = ANTHROPIC.request(model, stream).header("x-request-id", &id);
            by_dialect.ask(&request.header("x-api-key", KEY)).await;
            let metadata = [("x-request-id", &*id), ("authorization", &format!("Bearer {KEY}"))];
            if let Ok(stream) = generate(&channel, chat(model, stream), &metadata).await {
                Read::all(stream).await;
            }
            let [in_dialect, over_grpc] = [by_dialect.of(&id).await, by_grpc.of(&id).await];
            assert_eq!(text(&in_dialect, "outcome"), outcome, "{id}: {in_dialect}");
            let [in_dialect, over_grpc] = [in_dialect, over_grpc].map(shared);
            for (name, value) in in_dialect.as_object().unwrap() {
                if over_grpc[name] != *value {
                    differences.push(format!("{id}: {name} is {value} in a dialect, {} over gRPC", over_grpc[name]));
                }
            }
        }
    }
    assert_eq!(differences, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_no_target_grants_leaves_a_fact_with_the_one_that_was_asked_last() {
    let upstream = Upstream::always(Answer::json(503, json!({"error": {"message": "busy"}}).to_string())).await;
    let kept = Kept::start(&(config_of(&[OPENAI], &upstream) + MODELS));
    for (model, target, status) in [("patient", "openai/m", 503), ("gone", "gone/m", 502)] {
        let headers = [("authorization", &*format!("Bearer {KEY}")), ("x-request-id", model)];
        let refused = WebSocket::ask(kept.address, &format!("/v1/realtime?model={model}"), &headers).await.unwrap_err();
        assert_eq!(refused.0, status, "{}", refused.1);
        let fact = kept.of(model).await;
        assert_eq!((text(&fact, "target"), text(&fact, "adapter")), (target, "openai"), "{fact}");
        assert_eq!((text(&fact, "operation"), text(&fact, "outcome")), ("realtime", "failed"), "{fact}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn embeddings_over_grpc_leave_the_same_fact_as_those_in_a_dialect() {
    let answer = json!({"object": "list", "model": "e", "usage": {"prompt_tokens": 4, "total_tokens": 4},
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}]});
    let upstream = Upstream::scripted(move |request| {
        let is_failing = request.text().contains("\"failing\"");
        if is_failing { Answer::json(500, "{}") } else { Answer::json(200, answer.to_string()) }
    })
    .await;
    let translated = MODELS.replace("\"\ntarget", "\"\ntranslate = true\ntarget");
    let config = config_of(&[OPENAI], &upstream) + &translated;
    let (by_dialect, by_grpc) = (Kept::start(&config), Kept::start(&config));
    let channel = Endpoint::from_shared(format!("http://{}", by_grpc.address)).unwrap().connect().await.unwrap();
    for (model, outcome) in [("openai-t", "ok"), ("failing", "failed"), ("nothing", "refused")] {
        let body = json!({"model": model, "input": ["Hi"]}).to_string();
        let request = Request::post("/v1/embeddings", body).header("x-request-id", model);
        by_dialect.ask(&request.header("authorization", &format!("Bearer {KEY}"))).await;
        let metadata = [("x-request-id", model), ("authorization", &format!("Bearer {KEY}"))];
        let asked = EmbeddingsRequest { model: model.into(), ..EmbeddingsRequest::texts(["Hi"]) };
        let asked = EmbedRequest { embeddings: Some(asked.into()) };
        let _answer: Result<tonic::Response<EmbedResponse>, _> =
            unary(&channel, "/weir.v1.Inference/Embed", with(asked, &metadata)).await;
        let [in_dialect, over_grpc] = [by_dialect.of(model).await, by_grpc.of(model).await];
        assert_eq!(text(&in_dialect, "outcome"), outcome, "{in_dialect}");
        assert_eq!(shared(over_grpc), shared(in_dialect), "{model}: gRPC on the left");
    }
}
