//! A request that was written to a provider is only repeated by the retry policy, and one that creates an object is
//! sent once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use serde_json::json;
use weir_tests::{Answer, Gateway, Received, Request, Upstream};

use crate::wire_format::{EVERY, OPENAI, provider};

/// A provider whose connections serve one request and are reset once a second one has arrived in full.
async fn stale(of: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Upstream {
    let count = Arc::new(AtomicUsize::new(0));
    Upstream::scripted(
        move |request| {
            if count.fetch_add(1, SeqCst) == 1 { Answer::raw("").reset() } else { of(request) }
        },
    )
    .await
}

fn seen(upstream: &mut Upstream, what: &str) -> usize {
    let mut seen = 0;
    while let Some(request) = upstream.unseen() {
        seen += usize::from(request.line() == what);
    }
    seen
}

fn config(a: &Upstream, b: &Upstream, adapter: &str, retries: u32) -> String {
    let one = |name: &str, upstream: &Upstream| {
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"{adapter}\"\nurl = \"{}\"\napi_key = \"K\"\n\
             retry = {{ max_retries = {retries}, retry_delay_ms = 1 }}\nbreaker = {{ min_attempts = 1000000 }}\n",
            upstream.url()
        )
    };
    format!(
        "{}{}[[models]]\nalias = \"m\"\ntarget = {{ provider = \"a\", model = \"x\" }}\n\
         [[models]]\nalias = \"m-t\"\ntranslate = true\ntarget = {{ provider = \"a\", model = \"x\" }}\n",
        one("a", a),
        one("b", b)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_something_is_made_once_though_the_connection_breaks() {
    let batch = json!({"input_file_id": "file-1", "endpoint": "/v1/responses", "completion_window": "24h"}).to_string();
    let upload = Request::new("POST", "/v1/files")
        .header("content-type", "multipart/form-data; boundary=x")
        .body("--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--x--\r\n");
    for request in [Request::post("/v1/batches", batch), upload] {
        let made = |_: &Received| Answer::json(200, json!({"id": "made_1", "object": "made"}).to_string());
        let (mut a, mut b) = (stale(made).await, Upstream::always(Answer::json(200, "{\"id\":\"elsewhere\"}")).await);
        let gateway = Gateway::open(&config(&a, &b, "openai", 2)).await;
        assert_eq!(gateway.ask(&request).await.status(), 200, "the first one is fine");
        let line = a.request().await.line().to_owned();
        let broken = gateway.ask(&request).await;
        assert_eq!(broken.status(), 502, "{}", broken.text());
        assert_eq!(seen(&mut a, &line), 1, "{line} is sent once");
        assert!(b.unseen().is_none(), "nor is it made elsewhere");
        assert_eq!(gateway.ask(&request).await.status(), 200, "the next one is another");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_is_sent_again_by_the_retry_policy_alone() {
    for to in EVERY {
        for (retries, status, times) in [(0, 502, 1), (2, 200, 2)] {
            for model in ["m", "m-t"] {
                for stream in [false, true] {
                    let (mut a, b) = (stale(move |_| Answer::json(200, to.whole())).await, provider(OPENAI).await);
                    let gateway = Gateway::open(&config(&a, &b, to.name, retries)).await;
                    assert_eq!(gateway.ask(&to.request(model, false)).await.status(), 200);
                    let line = a.request().await.line().to_owned();
                    let line = if stream { None } else { Some(line) };
                    a.script({
                        let count = AtomicUsize::new(0);
                        move |_| match count.fetch_add(1, SeqCst) {
                            0 => Answer::raw("").reset(),
                            _ if stream => to.streamed(),
                            _ => Answer::json(200, to.whole()),
                        }
                    });
                    let reply = gateway.ask(&to.request(model, stream)).await;
                    assert_eq!(reply.status(), status, "{} {model} {stream} {retries}: {}", to.name, reply.text());
                    if let Some(line) = line {
                        assert_eq!(seen(&mut a, &line), times, "{} {model}", to.name);
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_changes_nothing_is_sent_again_on_a_fresh_connection() {
    let mut a = stale(|_| Answer::json(200, "{\"id\":\"file-1\",\"object\":\"file\"}")).await;
    let b = provider(OPENAI).await;
    let gateway = Gateway::open(&config(&a, &b, "openai", 0)).await;
    // A client's connection stays with its worker, whose connections to providers are its own.
    let mut client = gateway.connect().await;
    for _ in 0..2 {
        client.send(&Request::get("/v1/files/file-1")).await;
        assert_eq!(client.reply().await.status(), 200);
    }
    assert_eq!(seen(&mut a, "GET /base/files/file-1"), 3, "the second one twice");
}
