//! Batches: what one used is not known before it is done, nor by which model, and is booked once, when its creator or
//! Weir itself first reads it so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::clients::{self, by};
use weir_tests::{Answer, Folder, Gate, Gateway, Received, Request, Upstream};

use crate::wire_format::{OPENAI, config_of};

pub(crate) const BATCH: &str = "/v1/batches/batch_0123456789abcdef";

/// A tenth of a dollar for each token of a batch, half of that for cached ones; a request of so many tokens would cost
/// more.
pub(crate) const PRICES: &str = r#"{"providers": {"openai": {"gpt-x": [
    {"input": "200000", "cache_read": "100000", "output": "200000"},
    {"when": {"batch": true}, "input": "100000", "cache_read": "50000", "output": "100000"},
    {"when": {"context_over": 1000}, "input": "900000", "output": "900000"},
    {"when": {"batch": true, "context_over": 1000}, "input": "800000", "output": "800000"}]}}}"#;

/// A batch as its provider tells of it: with the figures of none of its requests, or of all.
fn batch(status: &str) -> Value {
    let mut batch = json!({"id": "batch_0123456789abcdef", "object": "batch", "endpoint": "/v1/chat/completions",
        "status": status, "model": null,
        "usage": {"input_tokens": 0, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 0,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 0}});
    if status == "completed" {
        batch["model"] = "gpt-x".into();
        batch["usage"] = json!({"input_tokens": 4000, "input_tokens_details": {"cached_tokens": 400},
            "output_tokens": 700, "output_tokens_details": {"reasoning_tokens": 200}, "total_tokens": 4700});
    }
    batch
}

/// The tokens of the batch, 3,600 of input, 400 of cached input, 500 of output and 200 of thinking, and what they cost.
pub(crate) const TOKENS: f64 = 4700.0;
pub(crate) const DOLLARS: f64 = 450.0;

pub(crate) async fn provider(is_done: &Arc<AtomicBool>) -> Upstream {
    let is_done = Arc::clone(is_done);
    Upstream::scripted(move |request: &Received| {
        let status = match (request.line().starts_with("POST /base/batches"), is_done.load(Ordering::SeqCst)) {
            (true, _) => "validating",
            (false, false) => "in_progress",
            (false, true) => "completed",
        };
        Answer::json(200, batch(status).to_string())
    })
    .await
}

async fn open(upstream: &Upstream) -> Gateway {
    open_with(upstream, "").await
}

/// A gateway whose `[server]` has these settings.
async fn open_with(upstream: &Upstream, server: &str) -> Gateway {
    let folder = Folder::with(&["openai"]);
    std::fs::write(folder.path().join("prices.json"), PRICES).unwrap();
    Gateway::with(folder, &config(upstream, server)).await
}

/// Two clients with their budgets, which refuse nothing, so that a batch is begun on a file that nobody has read, and a
/// `[server]` with these settings.
pub(crate) fn config(upstream: &Upstream, server: &str) -> String {
    let client = |name: &str| clients::client(name, "passthrough = [\"* * *\"]");
    let budget = |name: &str, limit: &str| {
        let rest = "per = \"total\"\nwhen_over = \"notify\"";
        format!("[[budgets]]\nname = \"{name}\"\nfor = {{ key = \"one\" }}\n{limit}\n{rest}\n")
    };
    let providers = config_of(&[OPENAI], upstream).replace("timeouts =", "passthrough = [\"* *\"]\ntimeouts =");
    format!(
        "price_file = \"prices.json\"\n[server]\n{server}\n{providers}{}{}{}{}{}{}",
        client("one"),
        client("two"),
        budget("money", "usd = 1000000"),
        budget("tokens", "tokens = 1000000"),
        budget("requests", "requests = 1000"),
        "[[budgets]]\nname = \"other\"\nfor = { key = \"two\" }\nusd = 1000000\nper = \"total\"\nwhen_over = \"notify\"\n",
    )
}

async fn asked(gateway: &Gateway, request: Request) -> Option<f64> {
    let reply = gateway.ask(&by("one", request)).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    reply.header("x-weir-cost-usd").and_then(|cost| cost.parse().ok())
}

async fn expect_used(gateway: &Gateway, dollars: f64, tokens: f64) {
    gateway.until_metric("weir_budget_used{budget=\"money\"}", dollars).await;
    gateway.until_metric("weir_budget_used{budget=\"tokens\"}", tokens).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_booked_at_its_models_price_when_it_is_first_read_done() {
    // What passes through has no header of its cost.
    for (way, told) in [(BATCH, Some(DOLLARS)), ("/passthrough/openai/batches/batch_0123456789abcdef", None)] {
        let is_done = Arc::new(AtomicBool::new(false));
        let upstream = provider(&is_done).await;
        let gateway = open(&upstream).await;
        let create = Request::post("/v1/batches", r#"{"input_file_id":"file-0123456789abcdef"}"#);
        assert_eq!(asked(&gateway, create).await, None);
        for _ in 0..2 {
            asked(&gateway, Request::get(way)).await;
        }
        assert_eq!(gateway.metric("weir_tokens_total").await, 0.0, "zeros of a batch under way count nothing");
        is_done.store(true, Ordering::SeqCst);
        let other = gateway.ask(&by("two", Request::get(BATCH))).await;
        assert_eq!(other.status(), 404, "{}", other.text());
        assert_ne!(gateway.ask(&by("two", Request::get(way))).await.status(), 200, "{way}");
        asked(&gateway, Request::get("/v1/batches")).await;
        assert_eq!(asked(&gateway, Request::get(way)).await, told, "{way}");
        expect_used(&gateway, DOLLARS, TOKENS).await;
        for way in [way, BATCH] {
            asked(&gateway, Request::get(way)).await;
        }
        expect_used(&gateway, DOLLARS, TOKENS).await;
        for (bucket, tokens) in [("input", 3600.0), ("cache_read", 400.0), ("output", 500.0), ("reasoning", 200.0)] {
            let series = format!("weir_tokens_total{{bucket=\"{bucket}\"}}");
            assert_eq!(gateway.metric(&series).await, tokens, "{bucket}");
        }
    }
}

/// Waits until the provider is asked for the batch.
async fn until_read(upstream: &mut Upstream) {
    let line = format!("GET /base{}", BATCH.trim_start_matches("/v1"));
    while upstream.request().await.line() != line {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_its_creator_never_reads_is_booked_once_all_the_same() {
    for create in ["/v1/batches", "/passthrough/openai/batches"] {
        let is_done = Arc::new(AtomicBool::new(false));
        let mut upstream = provider(&is_done).await;
        let gateway = open_with(&upstream, "book_unread_after = \"100ms\"").await;
        asked(&gateway, Request::post(create, r#"{"input_file_id":"file-0123456789abcdef"}"#)).await;
        // Weir reads it, and it is not done.
        for _ in 0..2 {
            until_read(&mut upstream).await;
        }
        assert_eq!(gateway.budget_used("money").await, 0.0);
        is_done.store(true, Ordering::SeqCst);
        for way in ["/v1/batches", "/v1/files", "/v1/files/file-0123456789abcdef/content"] {
            asked(&gateway, Request::get(way)).await;
        }
        expect_used(&gateway, DOLLARS, TOKENS).await;
        let spent = "weir_cost_total{client=\"one\",provider=\"openai\"}";
        assert_eq!(gateway.metric(spent).await, DOLLARS, "{create}");
        assert_eq!(asked(&gateway, Request::get(BATCH)).await, None);
        expect_used(&gateway, DOLLARS, TOKENS).await;
        // Those of the client: one makes the batch, three look for its results, and one reads it.
        gateway.until_metric("weir_budget_used{budget=\"requests\"}", 5.0).await;
        assert_eq!(gateway.budget_used("other").await, 0.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_creator_leaves_before_its_id_is_known_is_booked_all_the_same() {
    for create in ["/v1/batches", "/passthrough/openai/batches"] {
        let gate = Gate::default();
        let own = gate.clone();
        let mut upstream = Upstream::scripted(move |request: &Received| {
            if request.line().starts_with("GET") {
                return Answer::json(200, batch("completed").to_string());
            }
            let begun = batch("validating").to_string();
            Answer::begin(200, &[("content-type", "application/json")]).gate(&own).piece(begun).end()
        })
        .await;
        let gateway = open_with(&upstream, "book_unread_after = \"100ms\"").await;
        let mut client = gateway.connect().await;
        client.send(&by("one", Request::post(create, r#"{"input_file_id":"file-0123456789abcdef"}"#))).await;
        upstream.request().await;
        client.leave();
        // Weir has time to see that.
        tokio::time::sleep(Duration::from_millis(200)).await;
        gate.open();
        expect_used(&gateway, DOLLARS, TOKENS).await;
    }
}
