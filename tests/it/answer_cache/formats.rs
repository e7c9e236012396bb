//! An answer that a client of one format caused serves clients of others who ask for the same, whole and streamed.

use serde_json::{Value, json};
use weir_tests::{Answer, Gateway, Reply, Request, Upstream};

use super::{keeping, provider, result};
use crate::wire_format::{ANTHROPIC, GEMINI, OPENAI, TEXT, WireFormat};

/// The same question in a client's format: a system text, a limit of output, a tool.
pub(super) fn question(client: WireFormat, model: &str, stream: bool) -> Request {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let body = match client.name {
        "openai" => json!({
            "model": model, "stream": stream, "stream_options": {"include_usage": true}, "max_tokens": 64, "temperature": 0.5,
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
            "tools": [{"type": "function", "function": {"name": "weather", "parameters": schema}}],
        }),
        "anthropic" => json!({
            "model": model, "stream": stream, "max_tokens": 64, "temperature": 0.5, "system": "Be brief.",
            "messages": [{"role": "user", "content": "Hi"}],
            "tools": [{"name": "weather", "input_schema": schema}],
        }),
        _ => json!({
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
            "generationConfig": {"maxOutputTokens": 64, "temperature": 0.5},
            "tools": [{"functionDeclarations": [{"name": "weather", "parametersJsonSchema": schema}]}],
        }),
    };
    let request = client.request(model, stream);
    match (client.name, stream) {
        ("openai", false) => request.body(without(body, "stream_options").to_string()),
        _ => request.body(body.to_string()),
    }
}

fn without(mut body: Value, member: &str) -> Value {
    body.as_object_mut().unwrap().remove(member);
    body
}

async fn forget(gateway: &Gateway) {
    assert_eq!(gateway.ask(&Request::new("DELETE", "/admin/cache")).await.status(), 200);
}

fn text(client: WireFormat, reply: &Reply, stream: bool) -> String {
    let parsed = client.parsed(reply, stream);
    assert!(parsed.tokens.is_some(), "usage is part of it: {}", reply.text());
    parsed.text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_one_format_gets_what_one_of_another_caused_whole_and_streamed_in_both_lanes() {
    let mut upstream = provider().await;
    let gateway = Gateway::open(&keeping(&[OPENAI, ANTHROPIC, GEMINI], &upstream)).await;
    for model in ["openai", "openai-t", "anthropic", "anthropic-t"] {
        for (first, first_streams) in [(OPENAI, false), (OPENAI, true), (ANTHROPIC, false), (ANTHROPIC, true)] {
            let about = format!("{model}, first {} {first_streams}", first.name);
            let reply = gateway.ask(&question(first, model, first_streams)).await;
            assert_eq!((reply.status(), result(&reply)), (200, Some("miss")), "{about}: {}", reply.text());
            gateway.until_metric("weir_cache_entries", 2.0).await;
            for (then, stream) in [OPENAI, ANTHROPIC, GEMINI].into_iter().flat_map(|then| [(then, false), (then, true)])
            {
                let about = format!("{about}, then {} {stream}", then.name);
                for _ in 0..2 {
                    let reply = gateway.ask(&question(then, model, stream)).await;
                    assert_eq!((reply.status(), result(&reply)), (200, Some("hit")), "{about}: {}", reply.text());
                    assert_eq!(text(then, &reply, stream), TEXT, "{about}");
                    assert_eq!(reply.header("x-weir-losses"), None, "{about}");
                }
            }
            assert_eq!(upstream.count_unseen(), 1, "{about}");
            forget(&gateway).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_something_else_in_another_format_gets_an_answer_of_its_own() {
    let mut upstream = provider().await;
    let gateway = Gateway::open(&keeping(&[OPENAI, ANTHROPIC], &upstream)).await;
    let filled = gateway.ask(&question(OPENAI, "openai", false)).await;
    assert_eq!(result(&filled), Some("miss"));
    gateway.until_metric("weir_cache_entries", 2.0).await;
    let body: Value = serde_json::from_slice(&question(ANTHROPIC, "openai", false).sent()).unwrap();
    let changed = |member: &str, value: Value| {
        let mut body = body.clone();
        body[member] = value;
        question(ANTHROPIC, "openai", false).body(body.to_string())
    };
    let others = [
        changed("max_tokens", json!(65)),
        changed("temperature", json!(0.25)),
        changed("system", json!("Be long.")),
        changed("a_member_of_tomorrow", json!(1)),
        changed("top_k", json!(5)),
        changed("model", json!("openai-t")),
        question(ANTHROPIC, "openai", false).header("anthropic-beta", "x-1"),
        question(ANTHROPIC, "openai", false).header("x-weir-strict", "true"),
    ];
    for (number, other) in others.iter().enumerate() {
        let reply = gateway.ask(other).await;
        assert!(matches!(result(&reply), Some("miss" | "bypass") | None), "number {number}: {:?}", result(&reply));
        forget(&gateway).await;
        let filled = gateway.ask(&question(OPENAI, "openai", false)).await;
        assert_eq!(result(&filled), Some("miss"));
        gateway.until_metric("weir_cache_entries", 2.0).await;
    }
    assert!(upstream.count_unseen() > others.len());
    // The control: unchanged, it is served.
    assert_eq!(result(&gateway.ask(&question(ANTHROPIC, "openai", false)).await), Some("hit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_the_adapter_does_not_know_is_answered_by_itself() {
    let mut upstream = provider().await;
    let gateway = Gateway::open(&keeping(&[OPENAI, ANTHROPIC], &upstream)).await;
    let of_version = |version: &str| {
        let body = question(ANTHROPIC, "anthropic", false).sent();
        Request::post("/v1/messages", body).header("anthropic-version", version)
    };
    // In whichever order they come, only the version that the adapter writes serves the other format.
    for (version, then) in [("2023-01-01", "miss"), ("2023-06-01", "hit")] {
        assert_eq!(result(&gateway.ask(&of_version(version)).await), Some("miss"), "{version}");
        gateway.until_metric("weir_cache_entries", 2.0).await;
        let other = gateway.ask(&question(OPENAI, "anthropic", false)).await;
        assert_eq!(result(&other), Some(then), "{version}");
        gateway.until_metric("weir_cache_entries", if then == "hit" { 3.0 } else { 4.0 }).await;
        assert_eq!(upstream.count_unseen(), if then == "hit" { 1 } else { 2 }, "{version}");
        let of_another = gateway.ask(&of_version("2099-01-01")).await;
        assert_eq!(result(&of_another), Some("miss"), "{version}");
        gateway.until_metric("weir_cache_entries", if then == "hit" { 5.0 } else { 6.0 }).await;
        assert_eq!(upstream.count_unseen(), 1, "{version}");
        forget(&gateway).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_answer_is_removed_for_all_formats() {
    let upstream = provider().await;
    let gateway = Gateway::open(&keeping(&[OPENAI, ANTHROPIC], &upstream)).await;
    let filled = gateway.ask(&question(OPENAI, "openai", false)).await;
    gateway.until_metric("weir_cache_entries", 2.0).await;
    let hit = gateway.ask(&question(ANTHROPIC, "openai", false)).await;
    assert_eq!(result(&hit), Some("hit"));
    for reply in [filled, hit] {
        let key = reply.header("x-weir-cache-key").unwrap();
        gateway.ask(&Request::new("DELETE", &format!("/admin/cache?key={key}"))).await;
    }
    assert_eq!(gateway.metric("weir_cache_entries").await, 0.0);
    assert_eq!(result(&gateway.ask(&question(ANTHROPIC, "openai", false)).await), Some("miss"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_a_translation_changed_is_for_its_own_format_only() {
    // What is signed by one provider is of no use in another format.
    let thinking = r#"{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"text""#;
    let whole = ANTHROPIC.whole().replace(r#"{"type":"text""#, thinking);
    assert!(whole.contains("signature"));
    let mut upstream = Upstream::always(Answer::json(200, whole)).await;
    let gateway = Gateway::open(&keeping(&[OPENAI, ANTHROPIC], &upstream)).await;
    for (client, expected) in [(ANTHROPIC, "miss"), (ANTHROPIC, "hit"), (OPENAI, "miss")] {
        let reply = gateway.ask(&question(client, "anthropic", false)).await;
        assert_eq!((reply.status(), result(&reply)), (200, Some(expected)), "{}: {}", client.name, reply.text());
        if expected == "miss" && client == ANTHROPIC {
            gateway.until_metric("weir_cache_entries", 1.0).await;
        }
    }
    assert_eq!(upstream.count_unseen(), 2);
}

/// An answer in OpenAI's format, whole or as a stream, with what real ones tell of their exchange, and with these
/// members.
fn with_fingerprint(stream: bool, more: &Value) -> Answer {
    let with_members = |json: &str| {
        let mut answer: Value = serde_json::from_str(json).unwrap();
        answer["system_fingerprint"] = json!("fp_1");
        answer["service_tier"] = json!("default");
        answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        if let Some(message) = answer.pointer_mut("/choices/0/message") {
            message["annotations"] = json!([]);
            message["refusal"] = json!(null);
        }
        if let Some(usage) = answer.get_mut("usage").filter(|usage| usage.is_object()) {
            usage["completion_tokens_details"] = json!({"accepted_prediction_tokens": 0, "tokens_of_tomorrow": 0});
        }
        answer.to_string()
    };
    if !stream {
        return Answer::json(200, with_members(&OPENAI.whole()));
    }
    let stream = OPENAI.stream().concat();
    let frames = stream.split("\n\n").filter_map(|frame| frame.strip_prefix("data: "));
    let pieces = frames.map(|data| if data.starts_with('{') { with_members(data) } else { data.to_owned() });
    pieces.fold(Answer::sse(), |answer, data| answer.piece(format!("data: {data}\n\n"))).end()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_answer_tells_of_its_exchange_does_not_keep_it_from_clients_of_other_formats_and_content_does() {
    for stream in [false, true] {
        for (more, expected) in [(json!({}), "hit"), (json!({"pages": [{"url": "https://a.example"}]}), "miss")] {
            let upstream = provider().await;
            let gateway = Gateway::open(&keeping(&[OPENAI, ANTHROPIC], &upstream)).await;
            upstream.now(with_fingerprint(stream, &more));
            let first = gateway.ask(&question(OPENAI, "openai", stream)).await;
            assert_eq!(result(&first), Some("miss"));
            assert!(first.text().contains("fp_1"), "its own client gets all of it");
            gateway.until_metric("weir_cache_entries", 2.0).await;
            upstream.now(Answer::json(200, OPENAI.whole()));
            for then in [false, true] {
                let about = format!("{stream} {then} {more}");
                let same = gateway.ask(&question(OPENAI, "openai", then)).await;
                assert_eq!((same.status(), result(&same)), (200, Some("hit")), "{about}");
                assert!(same.text().contains("fp_1") && same.text().contains("default"), "{about}: {}", same.text());
            }
            let reply = gateway.ask(&question(ANTHROPIC, "openai", false)).await;
            assert_eq!((reply.status(), result(&reply)), (200, Some(expected)), "{stream}: {}", reply.text());
            assert!(!reply.text().contains("fp_1"));
            assert_eq!(text(ANTHROPIC, &reply, false), TEXT);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_written_for_one_request_is_held_until_its_client_has_read_it() {
    const LARGE: f64 = (6 << 20) as f64;
    let whole = OPENAI.whole().replace(TEXT, &"a".repeat(6 << 20));
    let upstream = Upstream::always(Answer::json(200, whole)).await;
    let gateway = Gateway::open(&keeping(&[OPENAI, ANTHROPIC], &upstream)).await;
    assert_eq!(result(&gateway.ask(&question(OPENAI, "openai", false)).await), Some("miss"));
    gateway.until_metric("weir_cache_entries", 2.0).await;
    let buffered = "weir_buffered_bytes";
    gateway.until_metric(buffered, 0.0).await;
    for stream in [false, true] {
        let request = question(ANTHROPIC, "openai", stream);
        // The second one gets the same bytes as the first, which the cache counts.
        for expected in [LARGE, 0.0] {
            let mut client = gateway.connect().await;
            client.send(&request).await;
            assert_eq!(client.head().await.header("x-weir-cache"), Some("hit"));
            let held = gateway.metric(buffered).await;
            assert!(held >= expected && (held == 0.0) == (expected == 0.0), "{stream}: {held}");
            assert!(client.rest().await.0.len() > 6 << 20);
            gateway.until_metric(buffered, 0.0).await;
        }
    }
}
