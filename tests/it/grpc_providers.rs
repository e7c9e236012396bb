//! Providers whose API is gRPC: SGLang's own service, against a server made from its published messages.

mod bounds;
mod failures;
mod hostile;
mod tls;

use prost::Message;
use serde_json::{Value, json};
use weir_tests::parsed_answer::{Format, ParsedAnswer};
use weir_tests::{Folder, Gate, Gateway, Request, RpcAnswer, RpcCall, RpcServer};

use crate::wire_format::{ANTHROPIC, OPENAI};

const CHAT: &str = "/sglang.runtime.v1.SglangService/ChatComplete";
const KEY: &str = "key-of-the-engine-0123456789";

/// SGLang's `OpenAIRequest`, with the field that is not sent.
#[derive(Clone, PartialEq, Message)]
struct OpenAiRequest {
    #[prost(bytes = "vec", tag = "1")]
    json_body: Vec<u8>,
    #[prost(map = "string, string", tag = "2")]
    trace_headers: std::collections::HashMap<String, String>,
}

/// SGLang's `OpenAIStreamChunk`.
#[derive(Clone, PartialEq, Message)]
struct OpenAiStreamChunk {
    #[prost(bytes = "vec", tag = "1")]
    json_chunk: Vec<u8>,
    #[prost(bool, tag = "2")]
    finished: bool,
}

/// SGLang's `OpenAIResponse`.
#[derive(Clone, PartialEq, Message)]
struct OpenAiResponse {
    #[prost(bytes = "vec", tag = "1")]
    json_body: Vec<u8>,
    #[prost(int32, tag = "2")]
    status_code: i32,
}

fn chunk(json: &Value, finished: bool) -> OpenAiStreamChunk {
    OpenAiStreamChunk { json_chunk: json.to_string().into_bytes(), finished }
}

fn last() -> OpenAiStreamChunk {
    OpenAiStreamChunk { json_chunk: Vec::new(), finished: true }
}

fn delta(text: &str) -> Value {
    json!({"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
           "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": null}]})
}

fn finish() -> Value {
    json!({"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
           "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
}

fn usage() -> Value {
    json!({"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [],
           "usage": {"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17}})
}

fn whole() -> Value {
    json!({"id": "c-1", "object": "chat.completion", "created": 1, "model": "m",
           "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello there"}, "finish_reason": "stop"}],
           "usage": {"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17}})
}

/// What a client asked for, in OpenAI's format.
fn asked(call: &RpcCall) -> Value {
    serde_json::from_slice(&call.message::<OpenAiRequest>().json_body).unwrap()
}

/// A server that answers as the engine does.
fn engine(call: &RpcCall) -> RpcAnswer {
    if asked(call)["stream"] != true {
        return RpcAnswer::begin().message(&chunk(&whole(), true)).end(0, &[]);
    }
    [delta("Hello "), delta("there"), finish(), usage()]
        .iter()
        .fold(RpcAnswer::begin(), |answer, json| answer.message(&chunk(json, false)))
        .message(&last())
        .end(0, &[])
}

fn provider(name: &str, url: &str) -> String {
    format!(
        "[[providers]]\nname = \"{name}\"\nadapter = \"sglang\"\nurl = \"{url}\"\napi_key = \"{KEY}\"\n\
         options = {{ auth = \"bearer\" }}\nretry = {{ max_retries = 0 }}\n\
         breaker = {{ min_attempts = 1000000, max_cooldown = \"0s\" }}\n"
    )
}

fn config(url: &str) -> String {
    provider("engine", url) + "[[models]]\nalias = \"m\"\ntarget = { provider = \"engine\", model = \"served\" }\n"
}

async fn open(config: &str) -> Gateway {
    Gateway::with(Folder::with(&["openai", "anthropic", "sglang"]), config).await
}

async fn gateway(server: &RpcServer) -> Gateway {
    open(&config(&server.url())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_client_chats_whole_and_streamed() {
    let mut server = RpcServer::scripted(engine).await;
    let gateway = gateway(&server).await;
    for (client, format) in [(OPENAI, Format::OpenAi), (ANTHROPIC, Format::Anthropic)] {
        for stream in [false, true] {
            let request = client.request("m", stream).header("authorization", "Bearer of-the-client");
            let reply = gateway.ask(&request).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
            let read = if stream {
                ParsedAnswer::stream(format, &reply.body)
            } else {
                ParsedAnswer::whole(format, &reply.json())
            };
            assert_eq!(read.text, "Hello there", "{} {stream}: {}", client.name, reply.text());
            assert!(reply.text().contains('7') && reply.text().contains("10"), "{}", reply.text());

            let call = server.call().await;
            assert_eq!(call.path, CHAT);
            assert_eq!(call.metadata("content-type"), Some("application/grpc"));
            assert_eq!(call.metadata("te"), Some("trailers"));
            assert_eq!(call.metadata("authorization"), Some(&*format!("Bearer {KEY}")));
            let json = asked(&call);
            assert_eq!((&json["model"], &json["messages"][0]["role"]), (&json!("served"), &json!("user")));
            assert!(call.message::<OpenAiRequest>().trace_headers.is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn embeddings_have_a_method_of_their_own() {
    let mut server = RpcServer::scripted(|call| {
        assert_eq!(asked(call)["input"], "Hi");
        let vectors = json!({"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}],
                             "usage": {"prompt_tokens": 3, "total_tokens": 3}});
        let message = OpenAiResponse { json_body: vectors.to_string().into_bytes(), status_code: 200 };
        RpcAnswer::begin().message(&message).end(0, &[])
    })
    .await;
    let gateway = gateway(&server).await;
    let reply = gateway.post("/v1/embeddings", "{\"model\":\"m\",\"input\":\"Hi\"}").await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(reply.json()["data"][0]["embedding"], json!([0.5, -1]));
    assert_eq!(server.call().await.path, "/sglang.runtime.v1.SglangService/OpenAIEmbed");
}

/// SGLang's `ListModelsResponse`.
#[derive(Clone, PartialEq, Message)]
struct ListModelsResponse {
    #[prost(message, repeated, tag = "1")]
    models: Vec<ModelCard>,
}

#[derive(Clone, PartialEq, Message)]
struct ModelCard {
    #[prost(string, tag = "1")]
    id: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_put_in_order_and_models_are_listed() {
    let mut server = RpcServer::scripted(|call| {
        if call.path.ends_with("/ListModels") {
            let models = ["served", "other"].map(|id| ModelCard { id: id.to_owned() }).into();
            return RpcAnswer::begin().message(&ListModelsResponse { models }).end(0, &[]);
        }
        assert_eq!((&asked(call)["query"], &asked(call)["model"]), (&json!("what?"), &json!("served")));
        let order = json!([{"score": 0.1, "document": "a", "index": 0}, {"score": 0.9, "document": "b", "index": 1}]);
        let message = OpenAiResponse { json_body: order.to_string().into_bytes(), status_code: 200 };
        RpcAnswer::begin().message(&message).end(0, &[])
    })
    .await;
    let every = "[[models]]\nalias = \"serv*\"\ntarget = { provider = \"engine\" }\n";
    let folder = Folder::with(&["openai", "cohere", "sglang"]);
    let gateway = Gateway::with(folder, &(config(&server.url()) + every)).await;
    let body = json!({"model": "m", "query": "what?", "documents": ["a", "b"]});
    let reply = gateway.post("/v2/rerank", &body.to_string()).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let order = reply.json()["results"].as_array().unwrap().iter().map(|one| one["index"].clone()).collect::<Vec<_>>();
    assert_eq!(order, [1, 0], "{}", reply.text());
    assert_eq!(server.call().await.path, "/sglang.runtime.v1.SglangService/Rerank");
    let reply = gateway.ask(&Request::get("/v1/models")).await;
    let reply = reply.text();
    assert!(reply.contains("\"served\"") && !reply.contains("\"other\""), "{reply}");
    assert_eq!(server.call().await.path, "/sglang.runtime.v1.SglangService/ListModels");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_request_is_the_deadline_of_its_call() {
    let mut server = RpcServer::scripted(engine).await;
    let gateway = gateway(&server).await;
    gateway.ask(&OPENAI.request("m", false)).await;
    assert_eq!(server.call().await.metadata("grpc-timeout"), None);
    gateway.ask(&OPENAI.request("m", false).header("x-weir-timeout-ms", "15000")).await;
    let call = server.call().await;
    let timeout = call.metadata("grpc-timeout").and_then(|text| text.strip_suffix('m')?.parse::<u32>().ok());
    assert!(timeout.is_some_and(|ms| (1..=15_000).contains(&ms)), "{:?}", call.headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_as_they_are_sent_and_a_client_that_leaves_cancels_the_call() {
    let gate = Gate::default();
    let held = gate.clone();
    let mut server = RpcServer::scripted(move |_| {
        let begun = RpcAnswer::begin().message(&chunk(&delta("one"), false));
        begun.gate(&held).message(&chunk(&delta("two"), false)).hang()
    })
    .await;
    let gateway = gateway(&server).await;
    let mut client = gateway.connect().await;
    client.send(&OPENAI.request("m", true)).await;
    assert_eq!(client.head().await.status, 200);
    client.until("one").await;
    gate.open();
    client.until("two").await;
    client.leave();
    server.departure().await;
    gateway.until_metric("weir_in_flight", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_and_costs_hold() {
    let server = RpcServer::scripted(engine).await;
    let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\ntokens = 57\nper = \"month\"\n";
    let gateway = open(&(config(&server.url()) + budget)).await;
    let request = |stream| {
        let message = "[{\"role\":\"user\",\"content\":\"Hi\"}]";
        let body = format!("{{\"model\":\"m\",\"max_tokens\":8,\"stream\":{stream},\"messages\":{message}}}");
        Request::post("/v1/chat/completions", body)
    };
    for stream in [false, true] {
        assert_eq!(gateway.ask(&request(stream)).await.status(), 200);
    }
    gateway.until_metric("weir_budget_used{budget=\"all\"}", 34.0).await;
    let refused = gateway.ask(&request(false)).await;
    assert_eq!(refused.status(), 429, "{}", refused.text());
}
