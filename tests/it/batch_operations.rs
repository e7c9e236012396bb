//! Batches that are operations: their path has the model, their answers a name in place of an id, and the finished ones
//! their results or the name of a file with them. They are booked once, when their results are first read, by their
//! creator or by Weir itself.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::clients::{self, by};
use weir_tests::{Answer, Folder, Gate, Gateway, Received, Request, Upstream};

use crate::wire_format::{GEMINI, OPENAI, config_of};

pub(crate) const BATCH: &str = "/v1beta/batches/b0123456789abcdef0123";
pub(crate) const PASSED: &str = "/passthrough/gemini/batches/b0123456789abcdef0123";
pub(crate) const FILE: &str = "/download/v1beta/files/batch-b0123456789abcdef:download?alt=media";
pub(crate) const PASSED_FILE: &str = "/passthrough/gemini/files/batch-b0123456789abcdef:download?alt=media";
pub(crate) const CREATE: &str = "/v1beta/models/gemini:batchGenerateContent";
pub(crate) const CREATE_PASSED: &str = "/passthrough/gemini/models/gemini:batchGenerateContent";

/// Prices of a model: more outside of batches, and for one request of so many tokens.
pub(crate) const PRICES: &str = r#"{"providers": {"gemini": {"gemini": [
    {"input": "200000", "cache_read": "100000", "output": "400000"},
    {"when": {"batch": true}, "input": "100000", "cache_read": "50000", "output": "200000"},
    {"when": {"batch": true, "context_over": 300}, "input": "900000", "output": "900000"}]}}}"#;

/// More results than a manifest's pointer finds values of.
const RESULTS: usize = 300;
/// What they used: each 60 tokens of input, 40 of cached input, 20 of output and 5 of thinking, which is 13 dollars.
pub(crate) const TOKENS: f64 = 125.0 * RESULTS as f64;
pub(crate) const DOLLARS: f64 = 13.0 * RESULTS as f64;

/// How far the provider is.
pub(crate) const UNDER_WAY: u8 = 0;
const INLINED: u8 = 1;
pub(crate) const IN_FILE: u8 = 2;
pub(crate) const BREAKS_OFF: u8 = 3;
const FAILED: u8 = 4;

fn operation(state: &str, output: Option<Value>) -> Value {
    let mut batch = json!({"name": "batches/b0123456789abcdef0123", "metadata": {
        "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
        "model": "models/gemini", "displayName": "mine", "createTime": "2026-01-01T00:00:00Z", "state": state,
        "batchStats": {"requestCount": "301"}, "name": "batches/b0123456789abcdef0123"}});
    if let Some(output) = output {
        batch["metadata"]["output"] = output.clone();
        batch["done"] = true.into();
        batch["response"] = output;
    }
    batch
}

fn response() -> Value {
    json!({"candidates": [{"content": {"parts": [{"text": "a\n\"b"}]}, "finishReason": "STOP"}], "modelVersion": "gemini-001",
        "usageMetadata": {"promptTokenCount": 100, "cachedContentTokenCount": 40, "candidatesTokenCount": 20,
            "thoughtsTokenCount": 5, "totalTokenCount": 125}})
}

fn inlined(response: &Value, failed: bool) -> Value {
    let mut all = vec![json!({ "response": response }); RESULTS];
    if failed {
        all.insert(1, json!({"error": {"code": 3, "message": "no"}}));
    }
    operation("BATCH_STATE_SUCCEEDED", Some(json!({"inlinedResponses": {"inlinedResponses": all}})))
}

fn lines() -> String {
    let mut lines = String::from("{\"key\":\"r-f\",\"error\":{\"code\":3,\"message\":\"no\"}}\n");
    for number in 0..RESULTS {
        writeln!(lines, "{}", json!({"key": format!("r-{number}"), "response": response()})).unwrap();
    }
    lines
}

pub(crate) fn answer(line: &str, state: u8) -> Answer {
    let begins = line.starts_with("POST") && !line.ends_with(":cancel");
    let lines_of = [("content-type", "application/octet-stream")];
    let done = || json!({"responsesFile": "files/batch-b0123456789abcdef"});
    match state {
        _ if line.contains("/files/") && state == BREAKS_OFF => {
            let lines = lines();
            Answer::begin(200, &lines_of).piece(&lines[..lines.len() - 100]).reset()
        }
        _ if line.contains("/files/") => Answer::begin(200, &lines_of).pieces(lines(), 61).end(),
        _ if line.ends_with(":cancel") => Answer::json(200, "{}"),
        _ if begins => Answer::json(200, operation("BATCH_STATE_PENDING", None).to_string()),
        UNDER_WAY => Answer::json(200, operation("BATCH_STATE_RUNNING", None).to_string()),
        INLINED => Answer::json(200, inlined(&response(), true).to_string()),
        FAILED => Answer::json(200, operation("BATCH_STATE_FAILED", None).to_string()),
        _ => Answer::json(200, operation("BATCH_STATE_SUCCEEDED", Some(done())).to_string()),
    }
}

pub(crate) async fn provider(state: &Arc<AtomicU8>) -> Upstream {
    let state = Arc::clone(state);
    Upstream::scripted(move |request: &Received| answer(request.line(), state.load(Ordering::SeqCst))).await
}

/// A gateway whose `[server]` has these settings.
async fn open(upstream: &Upstream, server: &str) -> Gateway {
    let folder = Folder::with(&["gemini"]);
    std::fs::write(folder.path().join("prices.json"), PRICES).unwrap();
    Gateway::with(folder, &config(upstream, server)).await
}

/// Clients with their budgets, two of which may use certain models only, and a `[server]` with these settings.
pub(crate) fn config(upstream: &Upstream, server: &str) -> String {
    let client = |name: &str, rights: &str| clients::client(name, &format!("passthrough = [\"* * *\"]\n{rights}"));
    let budget = |name: &str, of: &str, limit: &str| {
        format!("[[budgets]]\nname = \"{name}\"\nfor = {{ key = \"{of}\" }}\n{limit}\nper = \"total\"\n")
    };
    let providers = config_of(&[GEMINI], upstream).replace("timeouts =", "passthrough = [\"* *\"]\ntimeouts =");
    [
        format!("price_file = \"prices.json\"\n[server]\n{server}\n{providers}"),
        client("one", ""),
        client("two", ""),
        client("bound", "models = [\"gemini\"]\noperations = [\"chat\", \"batches-*\"]"),
        client("elsewhere", "models = [\"other\"]\noperations = [\"chat\", \"batches-*\"]"),
        budget("money", "one", "usd = 1000000"),
        budget("tokens", "one", "tokens = 1000000"),
        budget("other", "two", "usd = 1000000"),
    ]
    .concat()
}

/// The same with the model's prices in the configuration.
pub(crate) fn config_with_prices(upstream: &Upstream, server: &str) -> String {
    let prices = "price = { input = 100000, cache_read = 50000, output = 200000 }\ntarget = {";
    config(upstream, server).replace("target = {", prices)
}

fn request() -> Value {
    json!({"request": {"contents": [{"parts": [{"text": "Hi"}]}]}, "metadata": {"key": "r-0"}})
}

fn body() -> String {
    let input = json!({"requests": {"requests": [request()]}});
    json!({"batch": {"displayName": "mine", "inputConfig": input}}).to_string()
}

/// A request that makes a batch, by any client.
pub(crate) fn create(path: &str) -> Request {
    Request::post(path, body())
}

async fn make(gateway: &Gateway, client: &str, path: &str) {
    let reply = gateway.ask(&by(client, create(path))).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
}

async fn status(gateway: &Gateway, client: &str, request: Request) -> u16 {
    gateway.ask(&by(client, request)).await.status()
}

/// What is held back for a batch until it is booked, in dollars and tokens: its input by the length of its only
/// request, and the longest answer.
pub(crate) fn reserved() -> [f64; 2] {
    let input = request().to_string().len().div_ceil(4) as f64;
    [(input + 8_192.0) / 10.0, input + 4_096.0]
}

async fn used(gateway: &Gateway) -> [f64; 2] {
    [gateway.budget_used("money").await, gateway.budget_used("tokens").await]
}

async fn until_booked(gateway: &Gateway) {
    gateway.until_metric("weir_budget_used{budget=\"money\"}", DOLLARS).await;
    gateway.until_metric("weir_budget_used{budget=\"tokens\"}", TOKENS).await;
    assert_eq!(used(gateway).await, [DOLLARS, TOKENS]);
    assert_eq!(gateway.budget_used("other").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_booked_by_each_of_its_results_when_it_is_first_read_finished() {
    // What passes through has no header of its cost.
    for (create, way, told) in [(CREATE, BATCH, Some("3900")), (CREATE_PASSED, PASSED, None)] {
        let state = Arc::new(AtomicU8::new(UNDER_WAY));
        let upstream = provider(&state).await;
        let gateway = open(&upstream, "").await;
        make(&gateway, "one", create).await;
        assert_eq!(status(&gateway, "one", Request::get(way)).await, 200);
        assert_eq!(used(&gateway).await, reserved());
        state.store(INLINED, Ordering::SeqCst);
        for other in ["two", "bound"] {
            for way in [way, BATCH, PASSED] {
                assert_eq!(status(&gateway, other, Request::get(way)).await, 404, "{other} {way}");
                let cancel = Request::post(&format!("{way}:cancel"), "{}");
                assert_eq!(status(&gateway, other, cancel).await, 404, "{other} {way}");
                assert_ne!(status(&gateway, other, Request::new("DELETE", way)).await, 200, "{other} {way}");
            }
        }
        assert_eq!(status(&gateway, "bound", Request::get("/v1beta/batches")).await, 403, "it shows all");
        assert_eq!(status(&gateway, "one", Request::get("/v1beta/batches")).await, 200);
        assert_eq!(used(&gateway).await, reserved(), "others' reads and lists book nothing");
        let reply = gateway.ask(&by("one", Request::get(way))).await;
        assert_eq!((reply.status(), reply.header("x-weir-cost-usd")), (200, told), "{way}");
        assert_eq!(reply.json(), inlined(&response(), true), "it comes unchanged");
        until_booked(&gateway).await;
        for way in [BATCH, PASSED] {
            let reply = gateway.ask(&by("one", Request::get(way))).await;
            assert_eq!((reply.status(), reply.header("x-weir-cost-usd")), (200, None), "{way}");
        }
        until_booked(&gateway).await;
        let count = RESULTS as f64;
        for (bucket, tokens) in [("input", 60.0), ("cache_read", 40.0), ("output", 20.0), ("reasoning", 5.0)] {
            let series = format!("weir_tokens_total{{bucket=\"{bucket}\"}}");
            assert_eq!(gateway.metric(&series).await, tokens * count, "{bucket}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_a_file_of_results_is_booked_when_that_is_first_read() {
    for (create, way, file, told) in [(CREATE, BATCH, FILE, Some("3900")), (CREATE_PASSED, PASSED, PASSED_FILE, None)] {
        let state = Arc::new(AtomicU8::new(IN_FILE));
        let mut upstream = provider(&state).await;
        let gateway = open(&upstream, "").await;
        make(&gateway, "one", create).await;
        let reply = gateway.ask(&by("one", Request::get(way))).await;
        assert_eq!((reply.status(), reply.header("x-weir-cost-usd")), (200, None));
        assert_eq!(used(&gateway).await, reserved(), "its results tell what it used");
        for other in ["two", "bound"] {
            for file in [FILE, PASSED_FILE] {
                assert_eq!(status(&gateway, other, Request::get(file)).await, 404, "{other} {file}");
            }
            let input = json!({"batch": {"inputConfig": {"fileName": "files/batch-b0123456789abcdef"}}}).to_string();
            for create in [CREATE, CREATE_PASSED] {
                assert_eq!(status(&gateway, other, Request::post(create, input.clone())).await, 404, "{other}");
            }
            let url = "https://generativelanguage.googleapis.com/v1beta/files/batch-b0123456789abcdef";
            let chat = json!({"contents": [{"parts": [{"fileData": {"fileUri": url}}]}]}).to_string();
            for path in ["/v1beta/models/gemini:generateContent", "/passthrough/gemini/models/gemini:generateContent"] {
                assert_eq!(status(&gateway, other, Request::post(path, chat.clone())).await, 404, "{other} {path}");
            }
        }
        while upstream.unseen().is_some() {}
        let reply = gateway.ask(&by("one", Request::get(file))).await;
        assert_eq!((reply.status(), reply.header("x-weir-cost-usd")), (200, told), "{file}");
        assert_eq!(reply.text(), lines(), "they come unchanged");
        assert_eq!(upstream.request().await.line(), "GET /base/files/batch-b0123456789abcdef:download?alt=media");
        until_booked(&gateway).await;
        for file in [FILE, PASSED_FILE] {
            let reply = gateway.ask(&by("one", Request::get(file))).await;
            assert_eq!((reply.status(), reply.header("x-weir-cost-usd")), (200, None), "{file}");
        }
        until_booked(&gateway).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_its_creator_never_reads_is_booked_once_all_the_same() {
    for (create, done) in [(CREATE, INLINED), (CREATE, IN_FILE), (CREATE_PASSED, INLINED), (CREATE_PASSED, IN_FILE)] {
        let state = Arc::new(AtomicU8::new(UNDER_WAY));
        let mut upstream = provider(&state).await;
        let gateway = open(&upstream, "book_unread_after = \"100ms\"").await;
        make(&gateway, "one", create).await;
        for _ in 0..2 {
            while !upstream.request().await.line().starts_with("GET /base/batches/") {}
        }
        assert_eq!(used(&gateway).await, reserved());
        if done == IN_FILE {
            state.store(BREAKS_OFF, Ordering::SeqCst);
            while !upstream.request().await.line().contains("/files/") {}
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert_eq!(used(&gateway).await, reserved(), "they broke off");
        }
        state.store(done, Ordering::SeqCst);
        assert_eq!(status(&gateway, "one", Request::get("/v1beta/batches")).await, 200);
        until_booked(&gateway).await;
        let spent = "weir_cost_total{client=\"one\",provider=\"gemini\"}";
        assert_eq!(gateway.metric(spent).await, DOLLARS, "{create}");
        for way in [BATCH, FILE] {
            let reply = gateway.ask(&by("one", Request::get(way))).await;
            assert_eq!((reply.status(), reply.header("x-weir-cost-usd")), (200, None));
        }
        assert_eq!(status(&gateway, "two", Request::get(FILE)).await, if done == IN_FILE { 404 } else { 200 });
        until_booked(&gateway).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_came_to_nothing_costs_nothing_and_is_not_asked_for_again() {
    let state = Arc::new(AtomicU8::new(UNDER_WAY));
    let mut upstream = provider(&state).await;
    let gateway = open(&upstream, "book_unread_after = \"100ms\"").await;
    make(&gateway, "one", CREATE).await;
    assert_eq!(status(&gateway, "one", Request::post(&format!("{BATCH}:cancel"), "{}")).await, 200);
    state.store(FAILED, Ordering::SeqCst);
    // A read of the client's may be cut down, so that only Weir's own shows that there is nothing.
    assert_eq!(status(&gateway, "one", Request::get(BATCH)).await, 200);
    while !upstream.request().await.line().starts_with("GET /base/batches/") {}
    while !upstream.request().await.line().starts_with("GET /base/batches/") {}
    tokio::time::sleep(Duration::from_millis(300)).await;
    while upstream.unseen().is_some() {}
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert!(upstream.unseen().is_none(), "it is asked for again");
    assert_eq!(used(&gateway).await, [0.0, 0.0]);
    assert_eq!(gateway.metric("weir_unbooked_dropped_total").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_embeddings_is_booked_by_the_tokens_of_each() {
    let state = Arc::new(AtomicU8::new(UNDER_WAY));
    let own = Arc::clone(&state);
    let upstream = Upstream::scripted(move |request: &Received| match own.load(Ordering::SeqCst) {
        UNDER_WAY => answer(request.line(), UNDER_WAY),
        _ => {
            Answer::json(200, inlined(&json!({"embedding": {"values": [0.5]}, "tokenCount": "10"}), false).to_string())
        }
    })
    .await;
    let gateway = open(&upstream, "").await;
    make(&gateway, "one", "/v1beta/models/gemini:asyncBatchEmbedContent").await;
    state.store(INLINED, Ordering::SeqCst);
    assert_eq!(status(&gateway, "one", Request::get(BATCH)).await, 200);
    gateway.until_metric("weir_budget_used{budget=\"tokens\"}", 10.0 * RESULTS as f64).await;
    gateway.until_metric("weir_budget_used{budget=\"money\"}", RESULTS as f64).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_cuts_down_what_a_batch_is_booked_by() {
    let state = Arc::new(AtomicU8::new(UNDER_WAY));
    let mut upstream = provider(&state).await;
    let gateway = open(&upstream, "").await;
    let masks = "?fields=metadata.state&$alt=proto&alt=sse&prettyPrint=false";
    for (path, line) in [
        (CREATE, "POST /base/models/gemini:batchGenerateContent?prettyPrint=false"),
        (CREATE_PASSED, "POST /base/models/gemini:batchGenerateContent?prettyPrint=false"),
    ] {
        let masked = create(&format!("{path}{masks}")).header("x-goog-fieldmask", "metadata");
        assert_eq!(status(&gateway, "one", masked).await, 200);
        let sent = upstream.request().await;
        assert_eq!((sent.line(), sent.header("x-goog-fieldmask")), (line, None), "{path}");
    }
    for (path, line) in [
        (BATCH, "GET /base/batches/b0123456789abcdef0123?prettyPrint=false"),
        (PASSED, "GET /base/batches/b0123456789abcdef0123?prettyPrint=false"),
        (FILE.trim_end_matches("?alt=media"), "GET /base/files/batch-b0123456789abcdef:download?alt=media"),
        (PASSED_FILE.trim_end_matches("?alt=media"), "GET /base/files/batch-b0123456789abcdef:download?alt=media"),
    ] {
        let masked = Request::get(&format!("{path}{masks}")).header("x-goog-fieldmask", "metadata");
        assert_eq!(status(&gateway, "one", masked).await, 200);
        let sent = upstream.request().await;
        assert_eq!((sent.line(), sent.header("x-goog-fieldmask")), (line, None), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_of_a_model_that_its_client_may_use() {
    let mut upstream = provider(&Arc::new(AtomicU8::new(UNDER_WAY))).await;
    let gateway = open(&upstream, "").await;
    let named = |place: &str| {
        let request = json!({"request": {"model": if place == "request" { "models/secret" } else { "models/gemini" }}});
        let input = json!({"requests": {"requests": [request]}});
        let model = if place == "batch" { "models/secret" } else { "models/gemini" };
        json!({"batch": {"model": model, "inputConfig": input}}).to_string()
    };
    for path in [CREATE, CREATE_PASSED] {
        assert_eq!(status(&gateway, "elsewhere", create(path)).await, 403, "{path}");
        for place in ["batch", "request"] {
            let status = status(&gateway, "bound", Request::post(path, named(place))).await;
            if path == CREATE {
                assert_eq!(status, 200);
                assert!(!upstream.request().await.text().contains("secret"), "the path's model takes its place");
            } else {
                assert!(matches!(status, 400 | 403), "{place}: {status}");
            }
        }
        assert!(upstream.unseen().is_none(), "{path}");
        let unknown = json!({"batch": {"inputConfig": {"fileName": "files/f0123456789unknown"}}}).to_string();
        assert_eq!(status(&gateway, "bound", Request::post(path, unknown)).await, 404, "{path}");
        assert!(upstream.unseen().is_none(), "{path}");
        assert_eq!(status(&gateway, "bound", Request::post(path, named(""))).await, 200, "{path}");
        assert!(upstream.unseen().is_some(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_creator_leaves_before_its_name_is_known_is_booked_all_the_same() {
    for path in [CREATE, CREATE_PASSED] {
        let gate = Gate::default();
        let own = gate.clone();
        let mut upstream = Upstream::scripted(move |request: &Received| {
            if request.line().starts_with("GET") {
                return answer(request.line(), INLINED);
            }
            let begun = operation("BATCH_STATE_PENDING", None).to_string();
            Answer::begin(200, &[("content-type", "application/json")]).gate(&own).piece(begun).end()
        })
        .await;
        let gateway = open(&upstream, "book_unread_after = \"100ms\"").await;
        let mut client = gateway.connect().await;
        client.send(&by("one", create(path))).await;
        upstream.request().await;
        client.leave();
        // Weir has time to see that.
        tokio::time::sleep(Duration::from_millis(200)).await;
        gate.open();
        until_booked(&gateway).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_two_formats_have_are_told_apart_by_the_clients_key() {
    let mut upstream = provider(&Arc::new(AtomicU8::new(UNDER_WAY))).await;
    let config = config_of(&[GEMINI, OPENAI], &upstream);
    let gateway = Gateway::with(Folder::with(&["gemini", "openai"]), &config).await;
    let at = |path: &str| Request::get(&format!("{path}/batches/b0123456789abcdef0123"));
    for (request, key) in [
        (at("/v1").header("authorization", "Bearer x"), None),
        (at("/v1").header("x-goog-api-key", "x"), Some("KEY-OF-gemini")),
        (at("/genai/v1"), Some("KEY-OF-gemini")),
        (at("/v1beta"), Some("KEY-OF-gemini")),
        (at("/genai/v1beta"), Some("KEY-OF-gemini")),
    ] {
        let reply = gateway.ask(&request).await;
        assert_eq!(reply.status(), 200, "{}: {}", request.head(), reply.text());
        assert_eq!(upstream.request().await.header("x-goog-api-key"), key, "{}", request.head());
    }
}
