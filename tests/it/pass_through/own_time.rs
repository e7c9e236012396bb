//! How long a client waits, as it says, holds for what passes through as for all else.

use std::time::{Duration, Instant};

use serde_json::json;
use weir_tests::{Answer, Gateway, Request, Upstream};

use super::provider;
use crate::keys::code;

/// A budget that books nothing but what it is told.
const TOKENS: &str = "[[budgets]]\nname = \"all\"\nfor = \"all\"\ntokens = 1000000000\nper = \"total\"\n";
/// Far longer than a test waits.
const WAITS: &str = "timeouts = { first_byte = \"10m\", idle = \"10m\" }\n";

fn chat(millis: &str) -> Request {
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let body = json!({"model": "gpt", "max_tokens": 5000, "stream": true, "messages": messages});
    Request::post("/passthrough/p/chat/completions", body.to_string()).header("x-weir-timeout-ms", millis)
}

async fn open(upstream: &Upstream) -> Gateway {
    let settings = provider(upstream, "[\"* *\"]").replace("[[models]]", &format!("{WAITS}[[models]]"));
    Gateway::open(&(settings + TOKENS)).await
}

async fn booked(gateway: &Gateway) -> u64 {
    gateway.until_metric("weir_in_flight", 0.0).await;
    gateway.get("/admin/budgets").await.json()["budgets"][0]["settled"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_ends_when_its_client_waits_no_longer_and_keeps_what_it_reserved() {
    let delta = json!({"role": "assistant", "content": ""});
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt",
        "choices": [{"index": 0, "delta": delta, "finish_reason": null}]});
    let begun = Answer::sse().piece(format!("data: {chunk}\n\n")).hang();
    for (answer, status) in [(Answer::silence(), 504), (begun, 200)] {
        let mut upstream = Upstream::always(answer).await;
        let gateway = open(&upstream).await;
        let begun = Instant::now();
        // On a busy machine the time may end before the request has left, which then costs nothing.
        let mut reply = gateway.ask(&chat("500")).await;
        while upstream.count_unseen() == 0 {
            assert_eq!(reply.status(), 504, "{}", reply.text());
            reply = gateway.ask(&chat("500")).await;
        }
        assert_eq!((reply.status(), reply.cut), (status, status == 200), "{}", reply.text());
        assert!(begun.elapsed() < Duration::from_mins(1));
        let sum = booked(&gateway).await;
        assert!((5_000..6_000).contains(&sum), "{status}: {sum}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_whose_time_is_over() {
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    let gateway = open(&upstream).await;
    for request in [chat("0"), Request::get("/passthrough/p/things").header("x-weir-timeout-ms", "0")] {
        let reply = gateway.ask(&request).await;
        assert_eq!(reply.status(), 504, "{}", reply.text());
    }
    let reply = gateway.ask(&chat("5s")).await;
    assert_eq!((reply.status(), code(&reply).as_str()), (400, ""), "{}", reply.text());
    assert!(upstream.unseen().is_none());
    assert_eq!(booked(&gateway).await, 0);
}
