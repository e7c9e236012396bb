//! Restricted keys: requests without a model, objects of other clients, and facts that a client must not learn.

mod made_beside;
mod over_grpc;
mod unknown_makers;

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use weir_tests::clients::{self, by, key};
use weir_tests::code::pack;
use weir_tests::{Answer, Folder, Gateway, Received, Reply, Request, Upstream};

use crate::wire_format::{ANTHROPIC, OPENAI};

/// All operations that are relayed without a model.
const WITHOUT_A_MODEL: [(&str, &str, &str); 14] = [
    ("files-create", "POST", "/v1/files"),
    ("files-list", "GET", "/v1/files"),
    ("files-get", "GET", "/v1/files/ID"),
    ("files-delete", "DELETE", "/v1/files/ID"),
    ("files-content", "GET", "/v1/files/ID/content"),
    ("batches-create", "POST", "/v1/batches"),
    ("batches-list", "GET", "/v1/batches"),
    ("batches-get", "GET", "/v1/batches/ID"),
    ("batches-cancel", "POST", "/v1/batches/ID/cancel"),
    ("responses-get", "GET", "/v1/responses/ID"),
    ("responses-delete", "DELETE", "/v1/responses/ID"),
    ("responses-cancel", "POST", "/v1/responses/ID/cancel"),
    ("responses-items", "GET", "/v1/responses/ID/input_items"),
    ("moderations", "POST", "/v1/moderations"),
];

/// The clients: two that may have their own files, two that may use everything, one with models only.
const CLIENTS: [(&str, &str); 5] = [
    ("one", "models = [\"fast*\"]\noperations = [\"chat\", \"files-*\", \"batches-*\", \"responses-*\"]\n"),
    ("two", "models = [\"fast*\"]\noperations = [\"chat\", \"files-*\", \"batches-*\", \"responses-*\"]\n"),
    ("free", ""),
    ("other", ""),
    ("closed", "models = [\"fast*\"]\n"),
];

fn config(upstream: &Upstream) -> String {
    let provider = format!(
        "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"KEY\"\nretry = {{ max_retries = 0 }}\n\
         [[models]]\nalias = \"fast\"\ntarget = {{ provider = \"p\", model = \"m\" }}\n\
         [[models]]\nalias = \"fast-t\"\ntranslate = true\ntarget = {{ provider = \"p\", model = \"m\" }}\n\
         [[models]]\nalias = \"secret\"\ntarget = {{ provider = \"p\", model = \"m\" }}\n",
        upstream.url()
    );
    let client = |(name, more): (&str, &str)| clients::client(name, more);
    provider + &CLIENTS.map(client).concat()
}

/// A provider that stores each request's content under its own id, and returns it to any client.
async fn store(is_packed: bool) -> Upstream {
    let count = Arc::new(AtomicUsize::new(0));
    Upstream::scripted(move |request| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let response = stored(request, number);
        if request.line().contains("/responses") && request.line().starts_with("POST") && streams(request) {
            let event =
                |kind: &str| format!("event: {kind}\ndata: {}\n\n", json!({"type": kind, "response": response}));
            return Answer::sse().pieces(event("response.created") + &event("response.completed"), 30).end();
        }
        if is_packed {
            let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
            return Answer::whole(200, &headers, pack("gzip", response.to_string().as_bytes()));
        }
        Answer::json(200, response.to_string())
    })
    .await
}

fn streams(request: &Received) -> bool {
    serde_json::from_slice::<Value>(&request.body).is_ok_and(|body| body["stream"] == true)
}

fn stored(request: &Received, number: usize) -> Value {
    let line = request.line();
    let id = |kind: &str| format!("{kind}0123456789abcdef{number}");
    let sent: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    if line.starts_with("POST /base/files") {
        return json!({"id": id("file-"), "object": "file", "metadata": sent["metadata"]});
    }
    if line == "POST /base/batches" {
        let file = &sent["input_file_id"];
        return json!({"id": id("batch_"), "object": "batch", "input_file_id": file, "metadata": sent["metadata"]});
    }
    if line == "POST /base/responses" {
        return json!({"id": id("resp_"), "object": "response", "model": "m-2024-08-06-is-a-model", "status": "completed",
            "metadata": sent["metadata"], "output": [{"type": "message", "id": id("msg_"), "role": "assistant",
            "status": "completed", "content": [{"type": "output_text", "text": "Yes.", "annotations": []}]}],
            "usage": {"input_tokens": 1, "output_tokens": 1}});
    }
    if line.contains("/chat/completions") {
        return serde_json::from_str(&OPENAI.whole()).unwrap();
    }
    if let Some(batch) = line.strip_prefix("GET /base/batches/") {
        return json!({"id": batch, "object": "batch", "output_file_id": format!("file-of-{batch}")});
    }
    json!({"object": "whatever"})
}

fn upload() -> Request {
    let upload = Request::new("POST", "/v1/files").header("content-type", "multipart/form-data; boundary=x");
    let request = json!({"url": "/v1/responses", "body": {"model": "fast", "input": "Hi"}});
    upload.body(format!(
        "--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--x\r\n\
         content-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n{request}\r\n--x--\r\n"
    ))
}

fn answer(model: &str, stream: bool, more: Value) -> Request {
    let mut body = json!({"model": model, "stream": stream, "input": "Hi"});
    if let Value::Object(more) = more {
        body.as_object_mut().unwrap().extend(more);
    }
    Request::post("/v1/responses", body.to_string())
}

/// A request for a summary of a conversation.
fn compaction(model: &str, more: Value) -> Request {
    let mut body = json!({"model": model});
    if let Value::Object(more) = more {
        body.as_object_mut().unwrap().extend(more);
    }
    Request::post("/v1/responses/compact", body.to_string())
}

/// Creates an object and returns its id.
async fn made(gateway: &Gateway, client: &str, request: Request) -> String {
    let reply = gateway.ask(&by(client, request)).await;
    assert_eq!(reply.status(), 200, "{client}: {}", reply.text());
    let text = if reply.header("content-encoding").is_some() { unpacked(&reply.body) } else { reply.text() };
    let begin = text.find("\"id\":\"").map(|at| at + 6).unwrap();
    text[begin..].split('"').next().unwrap().to_owned()
}

fn unpacked(bytes: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

/// Checks that the object seems not to exist, and that the request does not reach the upstream.
async fn hidden(gateway: &Gateway, upstream: &mut Upstream, client: &str, request: Request) {
    while upstream.unseen().is_some() {}
    let what = request.head().lines().next().unwrap_or_default().to_owned();
    let reply = gateway.ask(&by(client, request)).await;
    assert_eq!(reply.status(), 404, "{client}: {what}: {}", reply.text());
    assert!(OPENAI.error(&reply).is_some_and(|message| message.contains("there is no")), "{}", reply.text());
    assert!(upstream.unseen().is_none(), "{client}: {what}");
}

async fn open(gateway: &Gateway, client: &str, request: Request) -> Reply {
    let what = request.head().lines().next().unwrap_or_default().to_owned();
    let reply = gateway.ask(&by(client, request)).await;
    assert_eq!(reply.status(), 200, "{client}: {what}: {}", reply.text());
    reply
}

/// All requests for an object by its id alone; the one that deletes it comes last.
fn about(id: &str) -> Vec<Request> {
    let paths: &[(&str, &str)] = match id.split(['-', '_']).next().unwrap_or_default() {
        "file" => &[("GET", "/v1/files/ID"), ("GET", "/v1/files/ID/content"), ("DELETE", "/v1/files/ID")],
        "batch" => &[("GET", "/v1/batches/ID"), ("POST", "/v1/batches/ID/cancel")],
        _ => &[
            ("GET", "/v1/responses/ID"),
            ("GET", "/v1/responses/ID/input_items"),
            ("POST", "/v1/responses/ID/cancel"),
            ("DELETE", "/v1/responses/ID"),
        ],
    };
    paths.iter().map(|(method, path)| Request::new(method, &path.replace("ID", id))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_names_no_model_is_closed_to_a_key_with_models_unless_it_is_allowed() {
    let mut upstream = store(false).await;
    let all = WITHOUT_A_MODEL.map(|(name, ..)| format!("\"{name}\"")).join(",");
    let allowed = format!(
        "[[clients]]\nname = \"allowed\"\nkey = \"{}\"\nmodels = [\"fast\"]\noperations = [\"chat\",{all}]\n",
        key("allowed")
    );
    let gateway = Gateway::open(&(config(&upstream) + &allowed)).await;
    for (name, method, path) in WITHOUT_A_MODEL {
        let id = made(&gateway, "allowed", upload()).await;
        upstream.request().await;
        let body = if name == "batches-create" { json!({"input_file_id": id}) } else { json!({}) };
        let ask = || {
            let request = Request::new(method, &path.replace("ID", &id));
            request.header("content-type", "application/json").body(body.to_string())
        };
        let reply = gateway.ask(&by("closed", ask())).await;
        assert_eq!(reply.status(), 403, "{name}: {}", reply.text());
        let error = OPENAI.error(&reply).unwrap_or_default();
        assert!(error.contains(name) && error.contains("`operations`"), "{error}");
        assert!(upstream.unseen().is_none(), "{name}");
        open(&gateway, "allowed", ask()).await;
        upstream.request().await;
        open(&gateway, "other", Request::new(method, &path.replace("ID", "free-0123456789abcd")).body("{}")).await;
        upstream.request().await;
    }
    // For a request with a model, the model's permission counts.
    let moderation = |model: &str| Request::post("/v1/moderations", json!({"model": model, "input": "x"}).to_string());
    assert_eq!(gateway.ask(&by("closed", moderation("fast"))).await.status(), 200);
    assert_eq!(gateway.ask(&by("closed", moderation("secret"))).await.status(), 403);
    assert_eq!(gateway.ask(&by("closed", OPENAI.request("fast", false))).await.status(), 200);
    let embeddings = Request::post("/v1/embeddings", json!({"model": "fast", "input": "x"}).to_string());
    let reply = gateway.ask(&by("one", embeddings)).await;
    assert_eq!(reply.status(), 403, "a list of operations is the whole list: {}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_made_is_not_there_for_another() {
    for is_packed in [false, true] {
        let mut upstream = store(is_packed).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        for (owner, others) in [("one", ["two", "free"]), ("free", ["other", "one"])] {
            let file = made(&gateway, owner, upload()).await;
            let batch = |file: &str| {
                let body = json!({"input_file_id": file, "endpoint": "/v1/responses", "completion_window": "24h"});
                Request::post("/v1/batches", body.to_string())
            };
            let made_batch = made(&gateway, owner, batch(&file)).await;
            open(&gateway, owner, Request::get(&format!("/v1/batches/{made_batch}"))).await;
            let output = format!("file-of-{made_batch}");
            let mut answers = Vec::new();
            for stream in [false, true] {
                answers.push(made(&gateway, owner, answer("fast", stream, json!({}))).await);
            }
            for other in others {
                hidden(&gateway, &mut upstream, other, batch(&file)).await;
                for id in answers.iter().chain([&file, &made_batch, &output]) {
                    for request in about(id) {
                        hidden(&gateway, &mut upstream, other, request).await;
                    }
                }
            }
            for id in answers.iter().chain([&made_batch, &output, &file]) {
                for request in about(id) {
                    open(&gateway, owner, request).await;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_goes_on_with_or_reads_what_another_client_made() {
    let mut upstream = store(false).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    for (owner, others) in [("one", ["two", "other"]), ("free", ["other", "two"])] {
        let file = made(&gateway, owner, upload()).await;
        let kept = made(&gateway, owner, answer("fast", false, json!({}))).await;
        let escaped = kept.replace('p', "\\u0070");
        for (model, stream) in [("fast", false), ("fast", true), ("fast-t", false), ("fast-t", true)] {
            let part = json!([{"role": "user", "content": [{"type": "input_file", "file_id": file}]}]);
            let search = json!([{"type": "code_interpreter", "container": {"type": "auto", "file_ids": [file]}}]);
            let attempts = [
                answer(model, stream, json!({"previous_response_id": kept})),
                answer(model, stream, json!({"conversation": {"id": kept}})),
                answer(model, stream, json!({"input": part})),
                answer(model, stream, json!({"tools": search})),
                Request::post(
                    "/v1/responses",
                    format!(
                        "{{\"model\":\"{model}\",\"stream\":{stream},\"input\":\"Hi\",\"previous_response_id\":\"{escaped}\"}}"
                    ),
                ),
                compaction(model, json!({"previous_response_id": kept})),
                compaction(model, json!({"input": part})),
                Request::post(
                    "/v1/chat/completions",
                    json!({"model": model, "stream": stream, "messages": [
                        {"role": "user", "content": [{"type": "file", "file": {"file_id": file}}]},
                    ]})
                    .to_string(),
                ),
            ];
            for other in others {
                for attempt in &attempts {
                    hidden(&gateway, &mut upstream, other, attempt.clone()).await;
                }
            }
            if model == "fast" {
                open(&gateway, owner, attempts[0].clone()).await;
                open(&gateway, owner, attempts[2].clone()).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_without_a_known_maker_is_closed_to_restricted_keys_and_open_to_others() {
    let mut upstream = store(false).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    for id in ["file-0123456789unknown", "batch_0123456789unknown", "resp_0123456789unknown", "resp_7"] {
        for request in about(id) {
            hidden(&gateway, &mut upstream, "one", request.clone()).await;
            open(&gateway, "free", request).await;
        }
    }
    for stream in [false, true] {
        for named in [
            json!({"previous_response_id": "resp_0123456789unknown"}),
            json!({"conversation": "conv_0123456789unknown"}),
            json!({"conversation": {"id": "conv_0123456789unknown"}}),
            json!({"tools": [{"type": "file_search", "vector_store_ids": ["vs_0123456789unknown"]}]}),
            json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-0123456789unknown"}]}]}),
            json!({"input": [{"type": "function_call_output", "call_id": "c", "output": [
                {"type": "input_file", "file_id": "file-0123456789unknown"},
            ]}]}),
            json!({"input": [{"type": "computer_call_output", "call_id": "c", "output":
                {"type": "computer_screenshot", "file_id": "file-0123456789unknown"},
            }]}),
            json!({"tools": [{"type": "image_generation", "input_image_mask": {"file_id": "file-0123456789unknown"}}]}),
            json!({"prompt": {"id": "pmpt_0123456789unknown"}}),
        ] {
            hidden(&gateway, &mut upstream, "one", answer("fast", stream, named.clone())).await;
            open(&gateway, "free", answer("fast", stream, named)).await;
        }
    }
    let batch = Request::post("/v1/batches", json!({"input_file_id": "file-0123456789unknown"}).to_string());
    hidden(&gateway, &mut upstream, "one", batch).await;
    let file = json!({"type": "file", "file": {"file_id": "file-0123456789unknown"}});
    let chat = json!({"model": "fast", "messages": [{"role": "user", "content": [file]}]}).to_string();
    hidden(&gateway, &mut upstream, "one", Request::post("/v1/chat/completions", chat.clone())).await;
    open(&gateway, "free", Request::post("/v1/chat/completions", chat)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_number_of_values_hides_the_object_of_another_client_behind_them() {
    let mut upstream = store(false).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let unknown = "file-0123456789unknown";
    for filler in [json!(null), json!(1), json!({}), json!("")] {
        let part = |id: &Value| json!({"type": "input_file", "file_id": id});
        let mut parts = vec![part(&filler); 64];
        parts.push(part(&json!(unknown)));
        let of_chat = |part: &Value| json!({"type": "file", "file": {"file_id": part["file_id"]}});
        let files: Vec<Value> = parts.iter().map(of_chat).collect();
        let repeated = format!("\"input_file_id\":{filler},").repeat(64);
        for request in [
            answer("fast", false, json!({"input": [{"role": "user", "content": parts}]})),
            Request::post(
                "/v1/chat/completions",
                json!({"model": "fast", "messages": [{"role": "user", "content": files}]}).to_string(),
            ),
            Request::post("/v1/batches", format!("{{{repeated}\"input_file_id\":\"{unknown}\"}}")),
        ] {
            let reply = gateway.ask(&by("one", request.clone())).await;
            assert_eq!(reply.status(), 400, "{filler}: {}", reply.text());
            assert!(upstream.unseen().is_none(), "{filler}");
            open(&gateway, "free", request).await;
            upstream.request().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_repeats_an_id_gives_its_client_no_claim_to_it() {
    let mut upstream = store(false).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let stolen = "file-0123456789of-another";
    for stream in [false, true] {
        let repeated = answer("fast", stream, json!({"metadata": {"id": stolen, "file_id": stolen}}));
        open(&gateway, "one", repeated).await;
    }
    let file = made(&gateway, "one", upload()).await;
    let batch = json!({"input_file_id": file, "metadata": {"id": stolen, "output_file_id": stolen}});
    open(&gateway, "one", Request::post("/v1/batches", batch.to_string())).await;
    for request in about(stolen) {
        hidden(&gateway, &mut upstream, "one", request).await;
    }
    // Nor does an answer to a client that only reads.
    open(&gateway, "free", Request::get("/v1/batches/batch_0123456789of-another")).await;
    for request in about("file-of-batch_0123456789of-another") {
        open(&gateway, "other", request).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_what_others_made_are_refused_to_restricted_keys_unless_they_are_named() {
    let mut upstream = store(false).await;
    let named = format!(
        "[[clients]]\nname = \"named\"\nkey = \"{}\"\nmodels = [\"fast\"]\noperations = [\"chat\", \"files-list\"]\n",
        key("named")
    );
    let gateway = Gateway::open(&(config(&upstream) + &named)).await;
    for path in ["/v1/files", "/v1/batches", "/openai/v1/files?limit=2"] {
        let reply = gateway.ask(&by("one", Request::get(path))).await;
        assert_eq!(reply.status(), 403, "{path}: {}", reply.text());
        assert!(OPENAI.error(&reply).is_some_and(|error| error.contains("which shows what others made")));
        open(&gateway, "free", Request::get(path)).await;
        upstream.request().await;
    }
    open(&gateway, "named", Request::get("/v1/files")).await;
    assert_eq!(gateway.ask(&by("named", Request::get("/v1/batches"))).await.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forbidden_models_name_is_not_confirmed() {
    let upstream = store(false).await;
    let gateway = Gateway::with(Folder::with(&["openai", "anthropic", "gemini"]), &config(&upstream)).await;
    let same = |reply: &Reply, name: &str| {
        let id = reply.header("x-request-id").unwrap();
        reply.text().replace(id, "ID").replace(name, "NAME")
    };
    let models: [fn(&str) -> Request; 4] = [
        |name| Request::get(&format!("/v1/models/{name}")),
        |name| Request::get(&format!("/v1/models/{name}")).header("anthropic-version", "2023-06-01"),
        |name| Request::get(&format!("/v1beta/models/{name}")),
        |name| Request::get(&format!("/anthropic/v1/models/{name}")),
    ];
    for (n, ask) in models.iter().enumerate() {
        let refused = gateway.ask(&by("closed", ask("secret"))).await;
        let unknown = gateway.ask(&by("closed", ask("nowhere"))).await;
        assert_eq!((refused.status(), unknown.status()), (404, 404), "{n}: {}", refused.text());
        assert_eq!(same(&refused, "secret"), same(&unknown, "nowhere"), "{n}");
        assert_eq!(gateway.ask(&by("closed", ask("fast"))).await.status(), 200, "{n}");
        assert_eq!(gateway.ask(&by("free", ask("secret"))).await.status(), 200, "{n}");
        let list = gateway.ask(&by("closed", Request::get("/v1/models"))).await.text();
        assert!(list.contains("fast") && !list.contains("secret"), "{list}");
    }
    for wire_format in [OPENAI, ANTHROPIC] {
        for stream in [false, true] {
            let refused = gateway.ask(&by("closed", wire_format.request("secret", stream))).await;
            let unknown = gateway.ask(&by("closed", wire_format.request("nowhere", stream))).await;
            assert_eq!((refused.status(), unknown.status()), (403, 403), "{}", refused.text());
            assert_eq!(same(&refused, "secret"), same(&unknown, "nowhere"));
        }
    }
}
