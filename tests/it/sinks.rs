//! Facts of requests that go to webhooks, buckets and chats.

mod lines;
mod signature;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use weir_config::{Config, Environment};
use weir_tests::{Answer, Gateway, Upstream};

use crate::retries::{QUICK, provider};
use crate::wire_format::{self, ANTHROPIC, OPENAI, TEXT};

/// A sink with these settings, which sends at once and may be on this machine.
fn sink(kind: &str, url: &str, more: &str) -> String {
    format!(
        "[[sinks]]\nname = \"s\"\nkind = \"{kind}\"\nurl = \"{url}\"\nprivate = true\ninterval = \"1ms\"\n\
         retry_delay = \"1ms\"\n{more}\n"
    )
}

async fn gateway(upstream: &Upstream, sink: &str) -> Gateway {
    Gateway::open(&(provider(upstream, OPENAI, "first", QUICK) + sink)).await
}

async fn ask(gateway: &Gateway) -> u16 {
    gateway.ask(&OPENAI.request("first", false)).await.status()
}

fn events(result: &str) -> String {
    format!("weir_sink_events_total{{result=\"{result}\",sink=\"s\"}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_gets_the_fact_of_each_request_and_no_content() {
    let upstream = wire_format::provider(OPENAI).await;
    let mut hook = Upstream::always(Answer::json(200, "{}")).await;
    let settings = sink("webhook", &hook.url(), "headers = \"authorization=Bearer%20of-the-hook\"");
    let gateway = gateway(&upstream, &settings).await;
    gateway.ask(&OPENAI.request("first", false).header("x-request-id", "mine")).await;
    let received = hook.request().await;
    assert_eq!((received.line(), received.header("authorization")), ("POST /base/", Some("Bearer of-the-hook")));
    let event = &received.json()["events"][0];
    assert_eq!((&event["model_asked"], &event["status"]), (&"first".into(), &200.into()));
    assert_eq!(event["client_request_id"], "mine");
    assert!(event["tokens"]["output"].as_u64() > Some(0) && event["time"].is_string(), "{event}");
    assert!(!received.text().contains(TEXT));
    gateway.until_metric(&events("sent"), 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_gets_the_text_of_an_error_without_what_a_provider_quotes() {
    let told = "Invalid value for 'user': ada.king@analytical-engines.org";
    let body = serde_json::json!({"error": {"message": told, "type": "invalid_request_error"}}).to_string();
    let upstream = Upstream::always(Answer::json(400, body)).await;
    let mut hook = Upstream::always(Answer::json(200, "{}")).await;
    let gateway = gateway(&upstream, &sink("webhook", &hook.url(), "")).await;
    for streamed in [false, true] {
        assert_eq!(gateway.ask(&ANTHROPIC.request("first", streamed)).await.status(), 400);
        let event = hook.request().await.json()["events"][0].clone();
        let text = event["error_text"].as_str().unwrap_or_default();
        assert!(text.contains("Invalid value for 'user': ") && !text.contains("ada.king"), "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_comes_again_after_a_passing_failure_and_is_given_up_after_the_last_attempt() {
    let upstream = wire_format::provider(OPENAI).await;
    let cases = [(2, [503, 429, 500], "sent"), (3, [503, 429, 500], "dead"), (3, [401, 403, 404], "dead")];
    for (failures, failure, result) in cases {
        let seen = Arc::new(AtomicUsize::new(0));
        let script = move |_: &_| match seen.fetch_add(1, Ordering::Relaxed) {
            count if count < failures => Answer::json(failure[count], "{}"),
            _ => Answer::json(204, ""),
        };
        let hook = Upstream::scripted(script).await;
        let gateway = gateway(&upstream, &sink("webhook", &hook.url(), "attempts = 3")).await;
        assert_eq!(ask(&gateway).await, 200);
        gateway.until_metric(&events(result), 1.0).await;
        let failed = gateway.metric("weir_sink_failures_total{sink=\"s\"}").await;
        assert_eq!(failed, f64::from(u8::try_from(failures).unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let upstream = wire_format::provider(OPENAI).await;
    let mut elsewhere = Upstream::always(Answer::json(200, "{}")).await;
    let away = Answer::whole(307, &[("location", &elsewhere.url())], "");
    let hook = Upstream::always(away).await;
    let gateway = gateway(&upstream, &sink("webhook", &hook.url(), "")).await;
    ask(&gateway).await;
    gateway.until_metric(&events("dead"), 1.0).await;
    assert_eq!(gateway.metric("weir_sink_failures_total{sink=\"s\"}").await, 1.0, "it is not tried again");
    assert!(elsewhere.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_hangs_delays_no_request_and_its_queue_is_bounded() {
    let upstream = wire_format::provider(OPENAI).await;
    let mut hook = Upstream::always(Answer::silence()).await;
    let settings = sink("webhook", &hook.url(), "batch = 1\nmax_queue_rows = 2\ntimeout = \"1h\"");
    let gateway = gateway(&upstream, &settings).await;
    assert_eq!(ask(&gateway).await, 200);
    hook.request().await;
    for _ in 0..9 {
        assert_eq!(ask(&gateway).await, 200);
    }
    gateway.until_metric(&events("dropped"), 7.0).await;
    assert_eq!(gateway.metric("weir_sink_queued{sink=\"s\"}").await, 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_takes_too_long_has_failed() {
    let upstream = wire_format::provider(OPENAI).await;
    let hook = Upstream::always(Answer::silence()).await;
    let gateway = gateway(&upstream, &sink("webhook", &hook.url(), "timeout = \"10ms\"\nattempts = 2")).await;
    ask(&gateway).await;
    gateway.until_metric(&events("dead"), 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_gets_lines_under_a_signature() {
    let upstream = wire_format::provider(OPENAI).await;
    let mut bucket = Upstream::always(Answer::whole(200, &[], "")).await;
    let more = "key = \"KEYID:storage-secret:session\"\nregion = \"eu-1\"\nprefix = \"facts of weir/\"";
    let gateway = gateway(&upstream, &sink("s3", &bucket.url(), more)).await;
    ask(&gateway).await;
    let received = bucket.request().await;
    let line = received.line().to_owned();
    assert!(line.starts_with("PUT /base/facts%20of%20weir/2"), "{line}");
    assert_eq!(received.header("x-amz-security-token"), Some("session"));
    let expected = signature::of(&received, &bucket.origin(), "storage-secret");
    let sent = received.header("authorization").unwrap();
    assert!(sent.starts_with("AWS4-HMAC-SHA256 Credential=KEYID/") && sent.contains("/eu-1/s3/aws4_request"), "{sent}");
    assert_eq!(sent.rsplit("Signature=").next(), Some(&*expected));
    let lines: Vec<serde_json::Value> =
        received.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["provider"]), (1, &"first".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_gets_failed_requests_only() {
    let upstream = wire_format::provider(OPENAI).await;
    let mut chat = Upstream::always(Answer::json(200, "ok")).await;
    let gateway = gateway(&upstream, &sink("slack", &chat.url(), "")).await;
    ask(&gateway).await;
    assert_eq!(gateway.ask(&OPENAI.request("unknown", false)).await.status(), 404);
    let text = chat.request().await.json()["text"].as_str().unwrap().to_owned();
    assert_eq!(text, "Weir: 1 request failed\n1 × not_found, model unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_sent_before_the_end() {
    let upstream = wire_format::provider(OPENAI).await;
    let mut hook = Upstream::always(Answer::json(200, "{}")).await;
    let settings = sink("webhook", &hook.url(), "").replace("interval = \"1ms\"", "interval = \"1h\"");
    let gateway = gateway(&upstream, &settings).await;
    ask(&gateway).await;
    ask(&gateway).await;
    gateway.ended().await;
    assert_eq!(hook.request().await.json()["events"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sink_does_not_take_before_the_end_is_counted() {
    let upstream = wire_format::provider(OPENAI).await;
    let mut hook = Upstream::always(Answer::silence()).await;
    let settings = sink("webhook", &hook.url(), "batch = 1\ntimeout = \"1h\"").replace("\"s\"", "\"left-behind\"");
    let gateway = gateway(&upstream, &settings).await;
    for _ in 0..3 {
        assert_eq!(ask(&gateway).await, 200);
    }
    hook.request().await;
    gateway.ended().await;
    let log = weir_tests::log::text();
    let given_up = log.lines().filter(|line| line.contains("given up") && line.contains("left-behind"));
    let events = given_up.filter_map(|line| line.rsplit_once("events=")?.1.split(' ').next()?.parse::<usize>().ok());
    assert_eq!(events.sum::<usize>(), 3, "one on its way, two in the queue");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_public_needs_a_permission() {
    for url in
        ["http://example.com/", "https://127.0.0.1/", "https://[::1]/", "https://localhost/", "https://10.0.0.1/"]
    {
        let text = sink("webhook", url, "").replace("private = true", "private = false")
            + "[store]\nurl = \"none\"\n[plugins]\nallow_empty = true\ndir = \"none\"\n[server]\nport = 0\n";
        let config = Config::parse("weir.toml", &text, Path::new(""), Environment::default()).unwrap();
        let error = weir::app::App::build(config).await.expect_err(url).to_string();
        assert!(error.contains("the sink `s`") && error.contains("`private = true`"), "{url}: {error}");
    }
}
