//! Health checks of providers, and concurrency limits that adapt to their capacity.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;
use weir_tests::{Answer, Gate, Gateway, Request, Upstream};

use crate::wire_format::{ANTHROPIC, OPENAI, ZETA};

const ROSTER: &str = "{\"minds\":[{\"called\":\"zeta\"}]}";

/// One provider with a model of the same name.
fn config(upstream: &Upstream, name: &str, more: &str) -> String {
    format!(
        "[[providers]]\nname = \"{name}\"\nadapter = \"{name}\"\nurl = \"{}\"\napi_key = \"KEY\"\n\
         retry = {{ max_retries = 0 }}\n{more}\n\
         [[models]]\nalias = \"{name}\"\ntarget = {{ provider = \"{name}\", model = \"{name}\" }}\n",
        upstream.url()
    )
}

fn checks(provider: &str, result: &str) -> String {
    format!("weir_health_checks_total{{provider=\"{provider}\",result=\"{result}\"}}")
}

/// Waits until a provider has this state in `/ready`.
async fn until_ready(gateway: &Gateway, provider: &str, status: &str) -> serde_json::Value {
    let expected = async {
        loop {
            let ready = gateway.get("/ready").await.json();
            if ready["providers"][provider]["status"] == status {
                return ready;
            }
            tokio::task::yield_now().await;
        }
    };
    weir_tests::soon("a provider's state", expected).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_fails_its_checks_rests_until_they_go_well() {
    let well = Arc::new(AtomicBool::new(false));
    let is_well = Arc::clone(&well);
    let mut upstream = Upstream::scripted(move |received| match received.line() {
        "GET /base/roster" if is_well.load(Ordering::SeqCst) => Answer::json(200, ROSTER),
        "GET /base/roster" => Answer::json(503, "{\"woe\":{\"sort\":\"swamped\"}}"),
        _ => Answer::json(200, ZETA.whole()),
    })
    .await;
    let check = "check = { every = \"50ms\", timeout = \"20s\", failures = 2 }";
    let gateway = Gateway::open(&config(&upstream, "zeta", check)).await;
    let ready = until_ready(&gateway, "zeta", "resting").await;
    assert_eq!((&ready["status"], &ready["providers"]["zeta"]["breaker"]), (&json!("degraded"), &json!("open")));
    assert_eq!(gateway.get("/ready").await.status(), 200, "another Weir has the same providers");
    let reply = gateway.ask(&ZETA.request("zeta", false)).await;
    assert_eq!(reply.status(), 503, "{}", reply.text());
    assert!(reply.header("retry-after").is_some());
    assert!(gateway.metric("weir_health_checks_total{provider=\"zeta\",result=\"failed\"}").await >= 2.0);
    assert_eq!(gateway.metric("weir_breaker_trips_total{model=\"zeta\",provider=\"zeta\"}").await, 1.0);
    let seen = upstream.request().await;
    assert_eq!((seen.line(), seen.header("zeta-seal")), ("GET /base/roster", Some("wax:KEY")));
    well.store(true, Ordering::SeqCst);
    let ready = until_ready(&gateway, "zeta", "ok").await;
    assert_eq!((&ready["status"], &ready["providers"]["zeta"]["breaker"]), (&json!("ready"), &json!("closed")));
    assert_eq!(gateway.ask(&ZETA.request("zeta", false)).await.status(), 200);
    assert!(gateway.metric("weir_health_checks_total{provider=\"zeta\",result=\"ok\"}").await >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_does_not_let_its_list_be_had_is_not_left_alone_for_that() {
    let upstream = Upstream::scripted(move |received| match received.line() {
        "GET /base/roster" => Answer::json(403, "{}"),
        _ => Answer::json(200, ZETA.whole()),
    })
    .await;
    let gateway = Gateway::open(&config(&upstream, "zeta", "check = { every = \"20ms\", failures = 1 }")).await;
    weir_tests::soon("three checks", async {
        while gateway.metric("weir_health_checks_total{provider=\"zeta\",result=\"unclear\"}").await < 3.0 {}
    })
    .await;
    assert_eq!(gateway.get("/ready").await.json()["providers"]["zeta"]["status"], "ok");
    assert_eq!(gateway.ask(&ZETA.request("zeta", false)).await.status(), 200);
}

/// Whether a request is the health check's: its limit is one token.
fn is_check(body: &serde_json::Value) -> bool {
    ["max_completion_tokens", "max_tokens"].iter().any(|limit| body[limit] == 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_a_model_requests_one_token_and_charges_no_client() {
    for wire_format in [OPENAI, ANTHROPIC] {
        let status = Arc::new(AtomicUsize::new(503));
        let answered = Arc::clone(&status);
        let mut upstream = Upstream::scripted(move |_| match answered.load(Ordering::SeqCst) {
            200 => Answer::json(200, wire_format.whole()),
            status => Answer::json(u16::try_from(status).unwrap(), "{\"error\":{\"message\":\"no\"}}"),
        })
        .await;
        let check = "check = { every = \"30ms\", timeout = \"20s\", failures = 2, model = \"small\" }";
        let gateway = Gateway::open(&config(&upstream, wire_format.name, check)).await;
        until_ready(&gateway, wire_format.name, "resting").await;
        let seen = upstream.request().await;
        assert!(seen.line().starts_with("POST"), "{}", seen.head);
        let body = seen.json();
        assert!(body["model"] == "small" && is_check(&body) && body["stream"] != true, "{body}");
        assert!(seen.head.contains("KEY"), "{}", seen.head);
        status.store(200, Ordering::SeqCst);
        let ready = until_ready(&gateway, wire_format.name, "ok").await;
        assert_eq!(ready["providers"][wire_format.name]["breaker"], "closed");
        assert!(gateway.metric(&checks(wire_format.name, "ok")).await >= 1.0);
        // A refusal by the provider does not show its health.
        for refusal in [400, 404, 429] {
            status.store(refusal, Ordering::SeqCst);
            let before = gateway.metric(&checks(wire_format.name, "unclear")).await;
            weir_tests::soon("two more checks", async {
                while gateway.metric(&checks(wire_format.name, "unclear")).await < before + 2.0 {}
            })
            .await;
            assert_eq!(gateway.get("/ready").await.json()["providers"][wire_format.name]["status"], "ok", "{refusal}");
        }
        let metrics = gateway.metrics().await;
        for counted in ["weir_requests_total{", "weir_tokens_total{", "weir_upstream_attempts_total{"] {
            assert!(!metrics.contains(counted), "{metrics}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_failed_its_requests_has_its_trial_once_a_chat_is_answered() {
    let well = Arc::new(AtomicBool::new(false));
    let is_well = Arc::clone(&well);
    let upstream = Upstream::scripted(move |received| match is_check(&received.json()) {
        _ if is_well.load(Ordering::SeqCst) => Answer::json(200, OPENAI.whole()),
        true => Answer::json(404, "{}"),
        false => Answer::json(500, "{}"),
    })
    .await;
    let more = "check = { every = \"30ms\", model = \"openai\" }\nbreaker = { min_attempts = 1, open = \"1h\" }";
    let gateway = Gateway::open(&config(&upstream, "openai", more)).await;
    assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 500);
    assert_eq!(gateway.get("/ready").await.json()["providers"]["openai"]["breaker"], "open");
    well.store(true, Ordering::SeqCst);
    weir_tests::soon("its trial", async {
        while gateway.ask(&OPENAI.request("openai", false)).await.status() != 200 {}
    })
    .await;
    assert_eq!(gateway.get("/ready").await.json()["providers"]["openai"]["breaker"], "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_no_provider_is_checked() {
    let mut upstream = Upstream::always(Answer::json(200, ZETA.whole())).await;
    let gateway = Gateway::open(&config(&upstream, "zeta", "")).await;
    assert_eq!(gateway.ask(&ZETA.request("zeta", false)).await.status(), 200);
    assert!(upstream.request().await.line().starts_with("POST"));
    assert!(upstream.unseen().is_none());
    assert!(!gateway.metrics().await.contains("weir_health_checks_total{"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_closes_gives_checks_up() {
    let upstream = Upstream::always(Answer::silence()).await;
    let mut upstream = upstream;
    let gateway = Gateway::open(&config(&upstream, "zeta", "check = { every = \"10ms\", timeout = \"10m\" }")).await;
    upstream.request().await;
    gateway.stop();
    weir_tests::soon("the end", gateway.ended()).await;
    upstream.departure().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overloaded_provider_is_sent_less_and_more_again_when_it_is_well() {
    let answers = Arc::new(AtomicUsize::new(0));
    let given = Arc::clone(&answers);
    let upstream = Upstream::scripted(move |_| match given.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Answer::json(503, "{\"error\":{\"message\":\"overloaded\"}}"),
        _ => Answer::json(200, OPENAI.whole()),
    })
    .await;
    let more = "max_concurrency = 4\nadaptive = true\nbreaker = { min_attempts = 1000, max_cooldown = \"0s\" }";
    let gateway = Gateway::open(&config(&upstream, "openai", more)).await;
    let limit = "weir_concurrency_limit{provider=\"openai\"}";
    assert_eq!(gateway.metric(limit).await, 4.0);
    for left in [2.0, 1.0] {
        assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 503);
        assert_eq!(gateway.metric(limit).await, left);
    }
    // Sequential requests use one place, and earn a second one; of two they use half, which earns no more.
    for _ in 0..20 {
        assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 200);
    }
    assert_eq!(gateway.metric(limit).await, 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_beyond_the_lowered_limit_is_turned_away() {
    let gate = Gate::default();
    let (shut, first) = (gate.clone(), AtomicBool::new(true));
    let upstream = Upstream::scripted(move |_| {
        if first.swap(false, Ordering::SeqCst) {
            return Answer::json(503, "{\"error\":{\"message\":\"overloaded\"}}");
        }
        let body = OPENAI.whole();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        Answer::default().gate(&shut).piece(head + &body)
    })
    .await;
    let mut upstream = upstream;
    let more = "max_concurrency = 2\nadaptive = true\nbreaker = { min_attempts = 1000, max_cooldown = \"0s\" }";
    let gateway = Gateway::open(&config(&upstream, "openai", more)).await;
    let request: Request = OPENAI.request("openai", false);
    assert_eq!(gateway.ask(&request).await.status(), 503);
    upstream.request().await;
    let mut held = gateway.connect().await;
    held.send(&request).await;
    upstream.request().await;
    let reply = gateway.ask(&request).await;
    assert_eq!(reply.status(), 503, "{}", reply.text());
    assert_eq!(gateway.metric("weir_shed_total{reason=\"provider\"}").await, 1.0);
    gate.open();
    assert_eq!(held.reply().await.status(), 200);
}
