//! A service judges as a component does: within its rights, its deadline and its breaker.

use serde_json::{Value, json};
use weir_tests::{Answer, Gate, Gateway, Received, Upstream};

use super::{asks, gateway, guard, upstream};

/// A guard that is the service at this address.
fn webhook(service: &Upstream, lines: &str, deadline: &str) -> String {
    let hook =
        format!("webhook = {{ url = \"{}judge\", private = true, secret = \"a-shared-secret\" }}", service.url());
    guard("hook", &format!("{hook}\n{lines}")).replace("20s", deadline)
}

/// A service that refuses what has the word `no`, and writes in capitals what has the word `loud`.
fn judge(call: &Received) -> Answer {
    let call = call.json();
    let mut request = call["asked"]["request"].clone();
    let text = request["messages"][0]["parts"][0]["Text"]["text"].as_str().unwrap_or_default().to_owned();
    let verdict = if text.contains("no") {
        json!({"verdict": "deny", "message": "not this", "code": "topic", "annotations": {"topic": "bank"}})
    } else if text.contains("loud") {
        request["messages"][0]["parts"][0]["Text"]["text"] = Value::from(text.to_uppercase());
        request["model"] = json!("another");
        json!({"verdict": "replace", "request": request})
    } else {
        json!({"verdict": "allow"})
    };
    Answer::json(200, verdict.to_string())
}

async fn begin(service: &Upstream, upstream: &Upstream, lines: &str) -> Gateway {
    gateway(upstream, &["openai"], &webhook(service, lines, "20s")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_allows_refuses_and_changes_requests() {
    let mut upstream = upstream().await;
    let mut service = Upstream::scripted(judge).await;
    let gateway = begin(&service, &upstream, "options = { level = 3 }").await;
    let request = asks("openai", "yes");
    let reply = gateway.ask(&request).await;
    assert_eq!((reply.status(), reply.header("x-weir-guards")), (200, Some("hook=allow")), "{}", reply.text());
    assert_eq!(reply.header("x-weir-lane"), Some("relay"));
    assert!(request.sent().ends_with(upstream.request().await.text().as_bytes()));
    let call = service.request().await;
    assert!(call.header("x-weir-signature").is_some_and(|text| text.starts_with("t=") && text.contains(",v1=")));
    assert!(call.header("authorization").is_none());
    let body = call.json();
    assert_eq!((&body["protocol"], &body["facts"]["model"]), (&json!(1), &json!("openai")));
    assert_eq!((&body["facts"]["options"]["level"], &body["asked"]["kind"]), (&json!(3), &json!("chat")));
    assert!(!call.text().contains("KEY-OF"), "{}", call.text());

    let reply = gateway.ask(&asks("openai", "no")).await;
    assert_eq!((reply.status(), reply.header("x-weir-guards")), (400, Some("hook=deny;topic=bank")));
    assert_eq!(reply.json()["error"]["message"], "not this");
    assert_eq!(reply.json()["error"]["code"], "topic");
    assert!(upstream.unseen().is_none());

    let reply = gateway.ask(&asks("openai", "loud")).await;
    assert_eq!((reply.status(), reply.header("x-weir-guards")), (200, Some("hook=replace")), "{}", reply.text());
    assert_eq!(reply.header("x-weir-lane"), Some("translate"));
    let sent = upstream.request().await.json();
    assert_eq!((&sent["messages"][0]["content"], &sent["model"]), (&json!("LOUD"), &json!("openai")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_the_grant_gets_facts_only_and_may_change_nothing() {
    let upstream = upstream().await;
    let mut service = Upstream::always(Answer::json(200, "{\"verdict\":\"replace\",\"request\":{}}")).await;
    let lines = webhook(&service, "", "20s").replace("prompt = true", "");
    let gateway = gateway(&upstream, &["openai"], &lines).await;
    let reply = gateway.ask(&asks("openai", "a private matter")).await;
    assert_eq!((reply.status(), reply.header("x-weir-guards")), (503, Some("hook=failed")), "{}", reply.text());
    let call = service.request().await;
    assert_eq!(call.json()["asked"], json!({"kind": "withheld"}));
    assert!(!call.text().contains("private matter"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_fails_refuses_or_passes_as_configured() {
    let mut upstream = upstream().await;
    for (fail, status) in [("closed", 503), ("open", 200)] {
        for answer in [
            Answer::json(500, "{}"),
            Answer::json(200, "{\"verdict\":\"perhaps\"}"),
            Answer::whole(302, &[("location", "/elsewhere")], ""),
            Answer::json(200, format!("{{\"verdict\":\"allow\",\"message\":\"{}\"}}", "x".repeat(1 << 20))),
            Answer::raw("nonsense").close(),
        ] {
            let service = Upstream::always(answer).await;
            let gateway = begin(&service, &upstream, &format!("fail = \"{fail}\"")).await;
            let reply = gateway.ask(&asks("openai", "Hi")).await;
            assert_eq!((reply.status(), reply.header("x-weir-guards")), (status, Some("hook=failed")));
            assert_eq!(upstream.unseen().is_some(), fail == "open");
        }
        let service = Upstream::always(Answer::silence()).await;
        let lines = webhook(&service, &format!("fail = \"{fail}\""), "50ms");
        let gateway = gateway(&upstream, &["openai"], &lines).await;
        let reply = gateway.ask(&asks("openai", "Hi")).await;
        assert_eq!((reply.status(), reply.header("x-weir-guards")), (status, Some("hook=failed")));
        assert_eq!(upstream.unseen().is_some(), fail == "open");
    }
}

/// Two clients, by their keys.
const KEYS: [&str; 2] = ["weir-a-0123456789abcdef", "weir-b-0123456789abcdef"];

/// How many of eight requests, of these clients in turn, the service is called for. All fail.
async fn calls(answer: Answer, keys: &[&str]) -> usize {
    let upstream = upstream().await;
    let mut service = Upstream::always(answer).await;
    let client = |key: &str| format!("[[clients]]\nname = \"{key}\"\nkey = \"{key}\"\n");
    let lines = webhook(&service, "", "20s") + &KEYS.map(client).concat();
    let gateway = gateway(&upstream, &["openai"], &lines).await;
    for key in keys.iter().cycle().take(8) {
        let request = asks("openai", "Hi").header("authorization", &format!("Bearer {key}"));
        assert_eq!(gateway.ask(&request).await.status(), 503);
    }
    service.count_unseen()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_keeps_failing_is_left_alone() {
    assert_eq!(calls(Answer::json(500, "{}"), &KEYS).await, 5, "after five failures it is not called");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_does_not_take_a_service_out_of_the_way() {
    assert_eq!(calls(Answer::json(500, "{}"), &KEYS[..1]).await, 8, "its requests may be the reason");
    let long = || Answer::json(200, format!("{{\"verdict\":\"allow\",\"message\":\"{}\"}}", "x".repeat(1 << 20)));
    for answer in [Answer::json(413, "{}"), Answer::json(400, "{}"), long()] {
        assert_eq!(calls(answer, &KEYS).await, 8, "the requests are the reason");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_cannot_be_reached_is_left_alone() {
    let upstream = upstream().await;
    let mut service = Upstream::scripted(judge).await;
    let gateway = begin(&service, &upstream, "").await;
    service.shut();
    for _ in 0..5 {
        assert_eq!(gateway.ask(&asks("openai", "Hi")).await.status(), 503);
    }
    service.reopen();
    assert_eq!(gateway.ask(&asks("openai", "Hi")).await.status(), 503);
    assert!(service.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_is_sent_counts_as_held() {
    let upstream = upstream().await;
    let gate = Gate::default();
    let shut = gate.clone();
    let script = move |_: &_| Answer::begin(200, &[]).gate(&shut).piece("{\"verdict\":\"allow\"}").end();
    let mut service = Upstream::scripted(script).await;
    let gateway = begin(&service, &upstream, "").await;
    let text = "a word ".repeat(20_000);
    let mut client = gateway.connect().await;
    client.send(&asks("openai", &text)).await;
    let call = service.request().await;
    let held = gateway.metric("weir_buffered_bytes").await;
    assert!(held >= (text.len() + 2 * call.body.len()) as f64, "{held} of {}", call.body.len());
    gate.open();
    assert_eq!(client.reply().await.status(), 200);
    gateway.until_metric("weir_buffered_bytes", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_public_needs_leave() {
    let upstream = upstream().await;
    let mut service = Upstream::scripted(judge).await;
    let lines = webhook(&service, "", "20s").replace(", private = true", "");
    let gateway = gateway(&upstream, &["openai"], &lines).await;
    let reply = gateway.ask(&asks("openai", "yes")).await;
    assert_eq!((reply.status(), reply.header("x-weir-guards")), (503, Some("hook=failed")), "{}", reply.text());
    assert!(service.unseen().is_none());
}
