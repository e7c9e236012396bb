//! Batches that tell nothing of what they used, while each of their results does, by a model of its own: they are
//! booked once, when all results have first been read, by their creator or by Weir itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::{Answer, Folder, Gateway, Received, Request, Upstream, clients};

use crate::wire_format::{ANTHROPIC, config_of};

pub(crate) const BATCH: &str = "/v1/messages/batches/msgbatch_0123456789abcdef";
const PASSED: &str = "/passthrough/anthropic/messages/batches/msgbatch_0123456789abcdef";

/// Prices of two models: more outside of batches, and for one request of so many tokens.
pub(crate) const PRICES: &str = r#"{"providers": {"anthropic": {
    "claude-a": [
        {"input": "200000", "cache_read": "100000", "output": "400000"},
        {"when": {"batch": true}, "input": "100000", "cache_read": "50000", "output": "200000"},
        {"when": {"batch": true, "context_over": 300}, "input": "900000", "output": "900000"}],
    "claude-b": [
        {"input": "1000000", "output": "1000000"},
        {"when": {"batch": true}, "input": "500000", "output": "1000000"}]}}}"#;

/// What the results below used: of `claude-a` three times 100 tokens of input, 40 of cached input and 20 of output,
/// which is 16 dollars each, and of `claude-b` 10 and 5, which is 10 dollars.
pub(crate) const TOKENS: f64 = 495.0;
pub(crate) const DOLLARS: f64 = 58.0;

/// How far the provider is.
pub(crate) const UNDER_WAY: u8 = 0;
pub(crate) const BREAKS_OFF: u8 = 1;
pub(crate) const DONE: u8 = 2;

fn batch(status: &str) -> Value {
    json!({"id": "msgbatch_0123456789abcdef", "type": "message_batch", "processing_status": status,
        "request_counts": {"processing": 0, "succeeded": 4, "errored": 1, "canceled": 0, "expired": 0}, "results_url": null})
}

fn result(number: usize, model: &str, usage: &Value) -> Value {
    json!({"custom_id": format!("r-{number}"), "result": {"type": "succeeded", "message": {
        "id": format!("msg_{number}"), "type": "message", "role": "assistant", "model": model,
        "content": [{"type": "text", "text": "a\nb"}], "stop_reason": "end_turn", "usage": usage}}})
}

fn results() -> String {
    let first = json!({"input_tokens": 100, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 40,
        "output_tokens": 20, "service_tier": "batch"});
    let second = json!({"input_tokens": 10, "output_tokens": 5, "service_tier": "batch"});
    let failed = json!({"custom_id": "r-2", "result": {"type": "errored", "error": {"type": "error",
        "error": {"type": "invalid_request_error", "message": "usage"}}}});
    let lines = [
        result(0, "claude-a", &first),
        result(1, "claude-b", &second),
        failed,
        result(3, "claude-a", &first),
        result(4, "claude-a", &first),
    ];
    lines.map(|line| format!("{line}\n")).concat()
}

pub(crate) async fn provider(state: &Arc<AtomicU8>) -> Upstream {
    let state = Arc::clone(state);
    Upstream::scripted(move |request: &Received| {
        let (state, line) = (state.load(Ordering::SeqCst), request.line());
        let lines = [("content-type", "application/x-jsonl")];
        match (line.ends_with("/results"), state) {
            (true, UNDER_WAY) => Answer::json(404, r#"{"type":"error","error":{"type":"not_found_error"}}"#),
            (true, BREAKS_OFF) => {
                let results = results();
                Answer::begin(200, &lines).piece(&results[..results.len() - 100]).reset()
            }
            (true, _) => Answer::begin(200, &lines).pieces(results(), 61).end(),
            (false, UNDER_WAY) => Answer::json(200, batch("in_progress").to_string()),
            _ if line.starts_with("POST") => Answer::json(200, batch("in_progress").to_string()),
            _ => Answer::json(200, batch("ended").to_string()),
        }
    })
    .await
}

/// A gateway whose `[server]` has these settings.
async fn open(upstream: &Upstream, server: &str) -> Gateway {
    let folder = Folder::with(&["anthropic"]);
    std::fs::write(folder.path().join("prices.json"), PRICES).unwrap();
    Gateway::with(folder, &config(upstream, server)).await
}

/// Two clients with their budgets, and a `[server]` with these settings.
pub(crate) fn config(upstream: &Upstream, server: &str) -> String {
    let client = |name: &str| clients::client(name, "passthrough = [\"* * *\"]");
    let budget = |name: &str, of: &str, limit: &str| {
        format!("[[budgets]]\nname = \"{name}\"\nfor = {{ key = \"{of}\" }}\n{limit}\nper = \"total\"\n")
    };
    let providers = config_of(&[ANTHROPIC], upstream).replace("timeouts =", "passthrough = [\"* *\"]\ntimeouts =");
    format!(
        "price_file = \"prices.json\"\n[server]\n{server}\n{providers}{}{}{}{}{}",
        client("one"),
        client("two"),
        budget("money", "one", "usd = 1000000"),
        budget("tokens", "one", "tokens = 1000000"),
        budget("other", "two", "usd = 1000000"),
    )
}

fn by(client: &str, request: Request) -> Request {
    clients::by(client, request).header("anthropic-version", "2023-06-01")
}

/// The only request of a batch.
fn request() -> Value {
    let params = json!({"model": "claude-a", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]});
    json!({"custom_id": "r-0", "params": params})
}

pub(crate) fn body() -> String {
    json!({ "requests": [request()] }).to_string()
}

/// What is held back for it until it is booked, in dollars and tokens: its input by its length, and the most output.
pub(crate) fn reserved() -> [f64; 2] {
    let input = request().to_string().len().div_ceil(4) as f64;
    [(input + 128.0) / 10.0, input + 64.0]
}

pub(crate) fn create(path: &str) -> Request {
    by("one", Request::post(path, body()))
}

/// Makes a batch.
async fn make(gateway: &Gateway, path: &str) {
    let reply = gateway.ask(&create(path)).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
}

async fn used(gateway: &Gateway) -> [f64; 2] {
    [gateway.budget_used("money").await, gateway.budget_used("tokens").await]
}

async fn until_booked(gateway: &Gateway) {
    gateway.until_metric("weir_budget_used{budget=\"money\"}", DOLLARS).await;
    assert_eq!(used(gateway).await, [DOLLARS, TOKENS]);
    assert_eq!(gateway.budget_used("other").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_booked_by_each_of_its_results_when_they_are_first_read() {
    // What passes through has no header of its cost.
    for (way, told) in [(BATCH, Some("58")), (PASSED, None)] {
        let state = Arc::new(AtomicU8::new(UNDER_WAY));
        let upstream = provider(&state).await;
        let gateway = open(&upstream, "").await;
        make(&gateway, "/v1/messages/batches").await;
        let results = format!("{way}/results");
        assert_eq!(gateway.ask(&by("one", Request::get(&results))).await.status(), 404);
        assert_eq!(gateway.ask(&by("one", Request::get(way))).await.status(), 200);
        state.store(DONE, Ordering::SeqCst);
        let reply = gateway.ask(&by("one", Request::get(way))).await;
        assert_eq!((reply.status(), reply.header("x-weir-cost-usd")), (200, None), "{}", reply.text());
        assert_ne!(gateway.ask(&by("two", Request::get(&results))).await.status(), 200, "{way}");
        assert_eq!(used(&gateway).await, reserved(), "a batch tells nothing itself");
        let reply = gateway.ask(&by("one", Request::get(&results))).await;
        assert_eq!((reply.status(), reply.header("x-weir-cost-usd")), (200, told), "{way}");
        assert_eq!(reply.text(), self::results(), "they come unchanged");
        until_booked(&gateway).await;
        for way in [results, format!("{BATCH}/results"), format!("{PASSED}/results")] {
            let reply = gateway.ask(&by("one", Request::get(&way))).await;
            assert_eq!((reply.status(), reply.header("x-weir-cost-usd")), (200, None), "{way}");
        }
        until_booked(&gateway).await;
        for (bucket, tokens) in [("input", 310.0), ("cache_read", 120.0), ("output", 65.0)] {
            let series = format!("weir_tokens_total{{bucket=\"{bucket}\"}}");
            assert_eq!(gateway.metric(&series).await, tokens, "{bucket}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_break_off_are_booked_when_they_are_next_read_as_a_whole() {
    for way in [BATCH, PASSED] {
        let state = Arc::new(AtomicU8::new(BREAKS_OFF));
        let upstream = provider(&state).await;
        let gateway = open(&upstream, "").await;
        make(&gateway, "/v1/messages/batches").await;
        let results = format!("{way}/results");
        let mut client = gateway.connect().await;
        client.send(&by("one", Request::get(&results))).await;
        // The provider's connection breaks, and so does the client's.
        gateway.until_metric("weir_requests_total{outcome=\"broken\"}", 1.0).await;
        assert_eq!(used(&gateway).await, reserved());
        state.store(DONE, Ordering::SeqCst);
        for _ in 0..2 {
            assert_eq!(gateway.ask(&by("one", Request::get(&results))).await.status(), 200);
            until_booked(&gateway).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_results_are_never_read_is_booked_once_all_the_same() {
    for path in ["/v1/messages/batches", "/passthrough/anthropic/messages/batches"] {
        let state = Arc::new(AtomicU8::new(UNDER_WAY));
        let mut upstream = provider(&state).await;
        let gateway = open(&upstream, "book_unread_after = \"100ms\"").await;
        make(&gateway, path).await;
        let mut reads = Vec::new();
        while reads.len() < 2 {
            let line = upstream.request().await.line().to_owned();
            reads.extend(Some(line).filter(|line| line.starts_with("GET")));
        }
        assert!(reads.iter().all(|line| !line.ends_with("/results")), "there are none yet: {reads:?}");
        state.store(BREAKS_OFF, Ordering::SeqCst);
        while !upstream.request().await.line().ends_with("/results") {}
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(used(&gateway).await, reserved(), "they broke off");
        state.store(DONE, Ordering::SeqCst);
        gateway.ask(&by("one", Request::get("/v1/messages/batches"))).await;
        until_booked(&gateway).await;
        let spent = "weir_cost_total{client=\"one\",provider=\"anthropic\"}";
        assert_eq!(gateway.metric(spent).await, DOLLARS, "{path}");
        let reply = gateway.ask(&by("one", Request::get(&format!("{BATCH}/results")))).await;
        assert_eq!((reply.status(), reply.header("x-weir-cost-usd")), (200, None));
        until_booked(&gateway).await;
    }
}
