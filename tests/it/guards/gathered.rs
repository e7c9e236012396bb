//! Pieces of a stream that follow each other closely are judged together: nothing reaches a client unjudged, and
//! nothing is lost where a stream ends while some wait.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_tests::{Answer, Client, Gate, Gateway, Request, Upstream};

use super::{gateway, guard, secret};

const MODELS: [&str; 2] = ["openai", "openai-t"];
/// Text of more characters than the guard holds back.
const LONG: usize = 300;

/// A gateway whose guard refuses keys in answers, and judges this often.
async fn judging(upstream: &Upstream, every: &str) -> Gateway {
    let lines = format!("judge_every = \"{every}\"");
    let guards = guard("secrets", &lines).replace("grants = { prompt = true }", "grants = { answer = true }")
        + "[[budgets]]\nname = \"all\"\nfor = \"all\"\ntokens = 1000000\nper = \"month\"\n";
    gateway(upstream, &["openai", "anthropic"], &guards).await
}

fn delta(text: &str) -> String {
    let choice = json!({"index": 0, "delta": {"content": text}, "finish_reason": null});
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]});
    format!("data: {chunk}\n\n")
}

fn last() -> String {
    let choice = json!({"index": 0, "delta": {}, "finish_reason": "stop"});
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice],
        "usage": {"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17}});
    format!("data: {chunk}\n\n")
}

/// An answer whose first pieces are enough for the client to get something.
fn begun() -> Answer {
    (0..3).fold(Answer::sse(), |answer, _| answer.piece(delta(&"a".repeat(LONG))))
}

fn ask(from: &str, model: &str) -> Request {
    let body =
        json!({"model": model, "max_tokens": 9, "stream": true, "messages": [{"role": "user", "content": "Hi"}]});
    let path = if from == "anthropic" { "/v1/messages" } else { "/v1/chat/completions" };
    Request::post(path, body.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_judged_at_the_end_of_the_stream_whatever_the_time() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    for every in ["1ms", "40ms", "1h"] {
        let gateway = judging(&upstream, every).await;
        for from in ["openai", "anthropic"] {
            for model in MODELS {
                upstream.script(|_| begun().piece(delta("the end")).piece(last()).piece("data: [DONE]\n\n").end());
                let text = gateway.ask(&ask(from, model)).await.text();
                assert!(
                    text.contains("the end") && text.matches('a').count() >= 3 * LONG,
                    "{every} {from} {model}: {text}"
                );
                let key = secret();
                upstream.script(move |_| {
                    let split = begun()
                        .piece(delta(&format!(" {}", &key[..9])))
                        .piece(delta(&key[9..]))
                        .piece(delta(" the end"));
                    split.piece(last()).piece("data: [DONE]\n\n").end()
                });
                let text = gateway.ask(&ask(from, model)).await.text();
                let refused = text.contains("content_filter") || text.contains("refusal");
                assert!(
                    refused && !text.contains("AKIA") && !text.contains("the end"),
                    "{every} {from} {model}: {text}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_sent_when_its_time_is_over_though_nothing_follows() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    let gateway = judging(&upstream, "300ms").await;
    for model in MODELS {
        let (gate, begins) = (Gate::default(), Instant::now());
        let waits = gate.clone();
        upstream.script(move |_| begun().gate(&waits).piece(delta(&"b".repeat(2 * LONG))).gate(&waits).end());
        let mut client = Client::connect(gateway.address).await;
        client.send(&ask("openai", model)).await;
        client.head().await;
        client.piece().await.unwrap();
        gate.open();
        let mut text = String::new();
        while !text.contains('b') {
            text += &String::from_utf8_lossy(&client.piece().await.unwrap().unwrap());
        }
        assert!(begins.elapsed() >= Duration::from_millis(300), "{model}: it was not gathered");
        gate.open();
    }
}

/// Asks for a stream that ends while a text of it waits: its client leaves after this time, or else it breaks. Returns
/// what is booked for it at the budget.
async fn booked(gateway: &Gateway, upstream: &Upstream, (from, model): (&str, &str), left: Option<u64>) -> u64 {
    let before = settled(gateway).await;
    let gate = Gate::default();
    let waits = gate.clone();
    upstream.script(move |_| begun().gate(&waits).piece(delta(&"b".repeat(LONG))).gate(&waits).close());
    let mut client = Client::connect(gateway.address).await;
    client.send(&ask(from, model)).await;
    client.head().await;
    client.piece().await.unwrap();
    gate.open();
    if let Some(millis) = left {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        client.leave();
    } else {
        gate.open();
        drop(client.rest().await);
    }
    gateway.until_metric("weir_in_flight", 0.0).await;
    settled(gateway).await - before
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_reported_behind_text_that_is_held_back_is_booked_though_the_stream_breaks() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    for every in ["1ms", "1h"] {
        let gateway = judging(&upstream, every).await;
        for (from, model) in [("openai", "openai"), ("openai", "openai-t"), ("anthropic", "openai")] {
            let counted = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                "choices": [{"index": 0, "delta": {"content": "b"}, "finish_reason": null}],
                "usage": {"prompt_tokens": 40_000, "completion_tokens": 5000, "total_tokens": 45_000}});
            upstream.script(move |_| begun().piece(format!("data: {counted}\n\n")).close());
            let before = settled(&gateway).await;
            let mut client = Client::connect(gateway.address).await;
            client.send(&ask(from, model)).await;
            client.head().await;
            drop(client.rest().await);
            gateway.until_metric("weir_in_flight", 0.0).await;
            assert_eq!(settled(&gateway).await - before, 45_000, "{every} {from} {model}");
        }
    }
}

/// A provider's stream whose first event counts one token of output, and whose text ends with a key.
fn counted_at_the_start() -> Answer {
    let event = |name: &str, data: Value| format!("event: {name}\ndata: {data}\n\n");
    let usage = json!({"input_tokens": 10, "output_tokens": 1});
    let message =
        json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage});
    let start = event("message_start", json!({"type": "message_start", "message": message}));
    let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    let delta = |text: String| {
        let delta = json!({"type": "text_delta", "text": text});
        event("content_block_delta", json!({"type": "content_block_delta", "index": 0, "delta": delta}))
    };
    let begun = Answer::sse().piece(start).piece(event("content_block_start", block));
    let long = (0..5).fold(begun, |answer, _| answer.piece(delta("a word, ".repeat(LONG))));
    long.piece(delta(format!("{} is it", secret()))).piece(delta("b".repeat(LONG))).end()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_a_guard_refuses_is_booked_by_its_content_where_its_usage_was_not_final() {
    let upstream = Upstream::scripted(|_| counted_at_the_start()).await;
    let gateway = judging(&upstream, "40ms").await;
    for from in ["anthropic", "openai"] {
        let before = settled(&gateway).await;
        let text = gateway.ask(&ask(from, "anthropic")).await.text();
        assert!(text.contains("a word") && !text.contains("AKIA"), "{from}: {text}");
        gateway.until_metric("weir_in_flight", 0.0).await;
        let booked = settled(&gateway).await - before;
        assert!((1000..20_000).contains(&booked), "{from}: {booked}");
    }
}

async fn settled(gateway: &Gateway) -> u64 {
    gateway.get("/admin/budgets").await.json()["budgets"][0]["settled"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_when_a_stream_breaks_or_its_client_leaves_is_paid_for() {
    for lane in [("openai", "openai"), ("openai", "openai-t"), ("anthropic", "openai")] {
        let upstream = Upstream::always(Answer::json(500, "{}")).await;
        let (soon, late) = (judging(&upstream, "1ms").await, judging(&upstream, "1h").await);
        let expected = booked(&soon, &upstream, lane, None).await;
        assert!(expected > 100, "{lane:?}: {expected}");
        assert_eq!(booked(&late, &upstream, lane, None).await, expected, "{lane:?}: it breaks");
        // Nothing shows when the text has arrived: a client that leaves too early is followed by a more patient one.
        let mut found = 0;
        for attempt in 0..8 {
            found = booked(&late, &upstream, lane, Some(50 << attempt)).await;
            if found == expected {
                break;
            }
        }
        assert_eq!(found, expected, "{lane:?}: its client leaves");
    }
}
