//! A guard that fails in one function is taken out of service, whichever that is and whatever it may see: also where it
//! gets nothing of the request.

use serde_json::json;
use weir_tests::{Answer, Gateway, Reply, Request, Upstream};

use super::{gateway, guard};
use crate::wire_format::{OPENAI, TEXT, provider};

/// The option that has a function fail, and what the guard is granted.
const SITES: [(&str, &str); 8] = [
    ("does", "prompt = true"),
    ("does", ""),
    ("begins", "answer = true"),
    ("answers", "answer = true"),
    ("ends", "answer = true"),
    ("ends", "prompt = true, answer = true"),
    ("at_end", ""),
    ("at_end", "prompt = true, answer = true"),
];

/// A gateway with a guard for one of two clients, which fails at one site.
async fn guarded(upstream: &Upstream, site: &str, grants: &str) -> Gateway {
    let clients = ["one", "two"].map(|name| format!("[[clients]]\nname = \"{name}\"\nkey = \"{}\"\n", key(name)));
    let lines = format!("plugin = \"sentry\"\noptions = {{ {site} = \"trap\" }}\nfor = {{ clients = [\"one\"] }}");
    let guard = guard("g", &lines).replace("prompt = true", grants);
    let rule = "[plugins.sentry]\nquarantine = { faults = 3, window = \"1m\", share = 0.1 }\n\
                [admin]\ntoken = \"an-admins-token-0123456789\"\n";
    gateway(upstream, &["openai"], &(clients.concat() + &guard + rule)).await
}

fn key(name: &str) -> String {
    format!("weir-{name}-0123456789abcdef")
}

async fn ask(gateway: &Gateway, name: &str, model: &str, stream: bool, length: usize) -> Reply {
    let body = json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "x".repeat(length)}]});
    let request = Request::post("/v1/chat/completions", body.to_string());
    gateway.ask(&request.header("authorization", &format!("Bearer {}", key(name)))).await
}

/// Whether a guard that fails there lets requests pass that are not judged before they are sent.
fn costs_nothing(site: &str) -> bool {
    site == "at_end"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_fails_in_one_function_is_withdrawn_in_every_lane_and_form_and_others_are_served() {
    let upstream = provider(OPENAI).await;
    for (site, grants) in SITES {
        for (model, stream) in [("openai", false), ("openai", true), ("openai-t", false), ("openai-t", true)] {
            let about = format!("{site}, {grants}: {model} {stream}");
            let gateway = guarded(&upstream, site, grants).await;
            for length in [10, 20, 30, 40] {
                // The same request again is the same failure.
                for _ in 0..2 {
                    let reply = ask(&gateway, "one", model, stream, length).await;
                    let is_whole = reply.status() == 200 && OPENAI.parsed(&reply, stream).error.is_none();
                    // Once it is out of service, what it would have to judge is refused.
                    assert!(!is_whole || costs_nothing(site), "{about}: {}", reply.text());
                }
            }
            gateway.until_adapter("sentry", |all| all.iter().any(|one| one["status"] == "quarantined")).await;
            assert_eq!(ask(&gateway, "one", model, stream, 50).await.status(), 503, "{about}");
            let other = ask(&gateway, "two", model, stream, 50).await;
            assert!(other.status() == 200 && OPENAI.parsed(&other, stream).text == TEXT, "{about}: {}", other.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_that_is_sent_again_and_again_withdraws_no_guard() {
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    for (site, grants) in SITES {
        let gateway = guarded(&upstream, site, grants).await;
        for _ in 0..8 {
            ask(&gateway, "one", "openai", false, 10).await;
        }
        if site == "at_end" {
            gateway.until_metric("weir_guard_ends_total{guard=\"g\",result=\"failed\"}", 8.0).await;
        }
        // The judge looks four times a second.
        tokio::time::sleep(std::time::Duration::from_millis(800)).await;
        assert_eq!(gateway.adapter("sentry").await[0]["status"], "serving", "{site}, {grants}");
    }
}
