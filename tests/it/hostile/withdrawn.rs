//! An adapter that fails in one function is taken out of service, whichever that is: also in those that get nothing of
//! the request.

use serde_json::json;
use weir_tests::{Answer, Gateway, Request, Upstream};

use super::{folder, others_are_served, settings, upstream};
use crate::wire_format::OPENAI;

/// The functions that fail, and a client's request that leads there.
const SITES: [(&str, &str); 21] = [
    ("chat", "render"),
    ("chat", "parse"),
    ("chat", "error"),
    ("stream", "open"),
    ("stream", "decode"),
    ("stream", "end"),
    ("dialect", "read"),
    ("dialect", "write"),
    ("dialect stream", "begin"),
    ("dialect stream", "encode"),
    ("dialect stream", "close"),
    ("embeddings", "render"),
    ("embeddings", "parse"),
    ("dialect embeddings", "read"),
    ("dialect embeddings", "write"),
    ("dialect rerank", "read"),
    ("dialect rerank", "write"),
    ("count", "render"),
    ("count", "parse"),
    ("dialect count", "read"),
    ("dialect count", "write"),
];

/// A request that leads to the function, with a text of this length.
fn request(kind: &str, site: &str, length: usize) -> Request {
    let (model, text) = (format!("{site}.trap"), "x".repeat(length));
    let said = json!([{"role": "user", "content": text}]);
    let body = match kind {
        "chat" | "stream" => json!({"model": model, "messages": said, "stream": kind == "stream"}),
        "count" => json!({"model": model, "messages": said}),
        "embeddings" => json!({"model": model, "input": text}),
        _ => json!({"text": text}),
    };
    let path = match kind {
        "chat" | "stream" => "/v1/chat/completions".to_owned(),
        "count" => "/v1/messages/count_tokens".to_owned(),
        "embeddings" => "/v1/embeddings".to_owned(),
        "dialect" => format!("/hostile/{model}"),
        "dialect stream" => format!("/hostile/{model}?stream=1"),
        other => format!("/hostile-{}/{model}", other.trim_start_matches("dialect ")),
    };
    let request = Request::post(&path, body.to_string());
    if kind == "count" { request.header("anthropic-version", "2023-06-01") } else { request }
}

async fn gateway(upstream: &Upstream) -> Gateway {
    let rule = "[plugins.hostile]\nquarantine = { faults = 3, window = \"1m\", share = 0.1 }\n";
    let models = ["read", "write", "begin", "encode", "close"].map(|site| {
        format!("[[models]]\nalias = \"{site}.trap\"\ntarget = {{ provider = \"hostile\", model = \"well\" }}\n")
    });
    Gateway::with(folder(), &settings(upstream, &(rule.to_owned() + &models.concat()))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_fails_in_one_function_is_withdrawn_and_the_others_serve() {
    for (kind, site) in SITES {
        let upstream = upstream().await;
        if site == "error" {
            upstream.script(|request| {
                let is_hostile = request.line().contains("/talk");
                Answer::json(if is_hostile { 500 } else { 200 }, crate::wire_format::ZETA.whole())
            });
        }
        let gateway = gateway(&upstream).await;
        let about = format!("{kind} {site}");
        for length in [100, 300, 500, 700] {
            // The same request again is the same failure.
            for _ in 0..2 {
                let reply = gateway.ask(&request(kind, site, length)).await;
                let is_failure = reply.status() == 200 && reply.cut || matches!(reply.status(), 502 | 503);
                assert!(is_failure, "{about}: {} {}", reply.status(), reply.text());
            }
        }
        gateway.until_adapter("hostile", |all| all.iter().any(|one| one["status"] == "quarantined")).await;
        let reply = gateway.ask(&request(kind, site, 900)).await;
        assert_eq!((reply.status(), reply.header("x-weir-error-source")), (503, Some("adapter")), "{about}");
        assert!(reply.text().contains("out of service"), "{about}: {}", reply.text());
        others_are_served(&gateway).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_that_is_sent_again_and_again_withdraws_nothing() {
    let upstream = upstream().await;
    let gateway = gateway(&upstream).await;
    for site in ["open", "end"] {
        for _ in 0..8 {
            let reply = gateway.ask(&OPENAI.request(&format!("{site}.trap"), true)).await;
            assert!(reply.cut || reply.status() == 502, "{site}: {}", reply.text());
        }
    }
    // Two failing requests, of which neither counts twice: the judge looks four times a second.
    tokio::time::sleep(std::time::Duration::from_millis(800)).await;
    assert_eq!(gateway.adapter("hostile").await[0]["status"], "serving");
}
