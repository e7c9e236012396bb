//! A guard that is replaced keeps the streams that it judges.

use serde_json::{Value, json};
use weir_sandbox::Digest;
use weir_tests::plugins::twin;
use weir_tests::{Answer, Gate, Upstream};

use super::everywhere::{ADAPTERS, Dialect};
use super::{gateway, guard, secret};
use crate::wire_format::OPENAI;

fn piece(text: &str, reason: &Value) -> String {
    let body = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "openai",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason}]});
    format!("data: {body}\n\n")
}

/// A stream with a secret, half of it behind the gate. The guard holds back the last piece with words.
fn split(gate: &Gate) -> Answer {
    let key = secret();
    let (first, second) = key.split_at(9);
    let words = "words ".repeat(100);
    let words = piece(&words, &Value::Null);
    let answer = Answer::sse().piece(words.clone()).piece(words).piece(piece(first, &Value::Null)).gate(gate);
    let answer = answer.piece(piece(second, &Value::Null)).piece(piece(".", &json!("stop")));
    answer.piece("data: [DONE]\n\n").end()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_is_replaced_in_the_midst_of_a_stream_judges_it_to_its_end() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    let sees = guard("secrets", "").replace("grants = { prompt = true }", "grants = { answer = true }");
    for model in ["openai", "openai-t"] {
        let gate = Gate::default();
        let answer = split(&gate);
        upstream.script(move |_| answer.clone());
        let gateway = gateway(&upstream, &ADAPTERS, &sees).await;
        let mut client = gateway.connect().await;
        client.send(&Dialect::Chat.request(model, &Dialect::Chat.ask(model, true), true)).await;
        assert_eq!(client.head().await.status, 200);
        let mut text = client.until("words").await;
        let new = twin("secrets", 7);
        gateway.folder.put("secrets", &new);
        let digest = Digest::of(&new).hex();
        let serves = |one: &Value| one["status"] == "serving" && one["digest"] == digest;
        gateway.until_adapter("secrets", |all| all.iter().any(serves)).await;
        gate.open();
        text.extend(client.rest().await.0);
        let text = String::from_utf8_lossy(&text);
        // Each half by itself is no secret: only a guard that saw both finds it.
        assert!(text.contains("content_filter") && !text.contains("AKI") && !text.contains("2345"), "{model}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_has_one_version_of_a_guard_and_of_the_dialect_from_its_request_to_its_end() {
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let sees = guard("sentry", "").replace("grants = { prompt = true }", "grants = { prompt = true, answer = true }");
    let trials =
        ["sentry", "anthropic"].map(|name| format!("[plugins.{name}]\ncanary = {{ share = 0.5, requests = 1000 }}\n"));
    let gateway = gateway(&upstream, &["openai", "anthropic"], &(sees + &trials.concat())).await;
    for name in ["sentry", "anthropic"] {
        gateway.folder.put(name, &twin(name, 7));
        gateway.until_adapter(name, |all| all.iter().any(|one| one["canary"].is_object())).await;
    }
    for _ in 0..4 {
        let body = Dialect::Messages.ask("openai", false);
        let reply = gateway.ask(&Dialect::Messages.request("openai", &body, false)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
    }
    gateway.until_metric("weir_guard_ends_total{guard=\"sentry\",result=\"notified\"}", 4.0).await;
    for name in ["sentry", "anthropic"] {
        let canary = gateway.adapter(name).await[0]["canary"].clone();
        let exchanges = [&canary["exchanges"], &canary["beside"]["exchanges"]];
        assert_eq!(exchanges, [2, 2], "{name}: {canary}");
    }
}
