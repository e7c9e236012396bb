//! Thinking that a provider requires back and a client's format cannot carry, and how clients see it.

use serde_json::{Value, json};
use weir_tests::{Answer, Gateway, Request, Upstream};

use crate::wire_format::{OPENAI, config};

const THOUGHT: &str = "I should look.";
const VALUE: &str = "EqQBCgIYAhIM";

/// A turn of thinking and a tool call, whole.
fn turn() -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "anthropic", "stop_reason": "tool_use",
        "content": [
            {"type": "thinking", "thinking": THOUGHT, "signature": VALUE},
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "sky"}},
        ],
        "usage": {"input_tokens": 5, "output_tokens": 9},
    })
}

/// The same as a stream.
fn streamed() -> Answer {
    let events = [
        json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
            "model": "anthropic", "content": [], "usage": {"input_tokens": 5, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": THOUGHT}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": VALUE}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1,
            "content_block": {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}}),
        json!({"type": "content_block_delta", "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": "{\"at\":\"sky\"}"}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}),
        json!({"type": "message_stop"}),
    ];
    let frame = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    let text = events.iter().map(frame).collect::<Vec<_>>().concat();
    Answer::sse().piece(text).end()
}

fn asking(stream: bool, messages: &Value) -> String {
    let tool = json!({"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}});
    let body = json!({
        "model": "anthropic", "stream": stream, "max_tokens": 2000, "reasoning_effort": "low", "tools": [tool],
        "messages": messages,
    });
    body.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn c30_a_chat_client_need_not_carry_signatures_of_thinking() {
    for stream in [false, true] {
        let answer = if stream { streamed() } else { Answer::json(200, turn().to_string()) };
        let mut upstream = Upstream::always(answer).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        let question = json!({"role": "user", "content": "Is it blue?"});
        let reply = gateway.post("/v1/chat/completions", &asking(stream, &json!([question]))).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        upstream.request().await;
        let call = json!({"id": "toolu_1", "type": "function",
            "function": {"name": "look", "arguments": "{\"at\":\"sky\"}"}});
        let history = json!([
            question,
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "toolu_1", "content": "yes"},
        ]);
        upstream.now(Answer::json(200, turn().to_string()));
        gateway.post("/v1/chat/completions", &asking(false, &history)).await;
        let sent = upstream.request().await.json();
        let assistant = &sent["messages"][1]["content"];
        let thinking = json!({"type": "thinking", "thinking": THOUGHT, "signature": VALUE});
        assert_eq!(assistant[0], thinking, "stream: {stream}: {sent}");
        assert_eq!(assistant[1]["id"], "toolu_1", "stream: {stream}");
    }
}

/// As LiteLLM keeps it, and what is built on that.
#[tokio::test(flavor = "multi_thread")]
async fn a_chat_client_may_carry_thinking_in_the_blocks_of_another_gateway() {
    let mut upstream = Upstream::always(Answer::json(200, turn().to_string())).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let thinking = json!({"type": "thinking", "thinking": THOUGHT, "signature": VALUE});
    let redacted = json!({"type": "redacted_thinking", "data": "EmwKAhgB"});
    let call = json!({"id": "toolu_9", "type": "function", "function": {"name": "look", "arguments": "{}"}});
    let history = json!([
        {"role": "user", "content": "Is it blue?"},
        {"role": "assistant", "content": null, "reasoning_content": THOUGHT, "thinking_blocks": [thinking, redacted],
            "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "toolu_9", "content": "yes"},
    ]);
    let reply = gateway.post("/v1/chat/completions", &asking(false, &history)).await;
    assert_eq!((reply.status(), reply.header("x-weir-dropped-params")), (200, None), "{}", reply.text());
    let sent = upstream.request().await.json();
    let assistant = &sent["messages"][1]["content"];
    assert_eq!(
        (&assistant[0], &assistant[1], &assistant[2]["id"]),
        (&thinking, &redacted, &json!("toolu_9")),
        "{sent}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn c35_thinking_is_in_a_separate_field_and_never_in_tags() {
    for stream in [false, true] {
        let answer = if stream { streamed() } else { Answer::json(200, turn().to_string()) };
        let upstream = Upstream::always(answer).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        let question = json!([{"role": "user", "content": "Is it blue?"}]);
        let reply = gateway.post("/v1/chat/completions", &asking(stream, &question)).await;
        let text = reply.text();
        assert!(text.contains("reasoning_content") && text.contains(THOUGHT), "stream: {stream}: {text}");
        for tag in ["<think", "</think", "\\u003cthink"] {
            assert!(!text.contains(tag), "stream: {stream}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c36_thinking_is_relayed_byte_for_byte_both_ways() {
    let answer = turn().to_string().replace(':', ": ");
    let mut upstream = Upstream::always(Answer::json(200, &answer)).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let block = format!("{{\"type\": \"thinking\",\"signature\": \"{VALUE}\", \"thinking\":\"\"}}");
    let redacted = r#"{"data":"EmwKAhgB","type":"redacted_thinking"}"#;
    let body = format!(
        "{{\"model\":\"anthropic\",\"max_tokens\":2000,\"messages\":[{{\"role\":\"user\",\"content\":\"Hi\"}},\
         {{\"role\":\"assistant\",\"content\":[{block},{redacted}]}},{{\"role\":\"user\",\"content\":\"So?\"}}]}}"
    );
    let reply = gateway.post("/v1/messages", &body).await;
    assert_eq!(reply.text(), answer);
    assert_eq!(upstream.request().await.text(), body);
}

/// A conversation in which the model has thought, with a signature and encrypted.
fn thought(model: &str) -> String {
    let turn_sent = json!([
        {"type": "thinking", "thinking": THOUGHT, "signature": VALUE},
        {"type": "redacted_thinking", "data": "EmwKAhgB"},
        {"type": "text", "text": "Yes."},
    ]);
    let turns = json!([
        {"role": "user", "content": "Is it blue?"},
        {"role": "assistant", "content": turn_sent},
        {"role": "user", "content": "Sure?"},
    ]);
    json!({"model": model, "max_tokens": 2000, "messages": turns}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn c34_opaque_thinking_is_kept_from_other_issuers_and_no_target_refuses_it() {
    let mut upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let reply = gateway.post("/v1/messages", &thought("openai")).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert!(
        reply.header("x-weir-dropped-params").is_some_and(|fields| fields.contains("messages")),
        "the loss is reported"
    );
    let sent = upstream.request().await.text();
    assert!(!sent.contains(VALUE) && !sent.contains("EmwKAhgB"), "{sent}");
    assert!(sent.contains("Yes.") && sent.contains("Sure?"), "{sent}");
    upstream.now(Answer::json(200, turn().to_string()));
    let reply = gateway.post("/v1/messages", &thought("anthropic-t")).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let sent = upstream.request().await.text();
    assert!(sent.contains(VALUE) && sent.contains("EmwKAhgB"), "{sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn c34_a_session_stays_with_the_issuer_of_its_thinking() {
    let upstream = Upstream::scripted(|request| {
        let is_messages = request.line().contains("messages");
        Answer::json(200, if is_messages { turn().to_string() } else { OPENAI.whole() })
    })
    .await;
    let model = "[[models]]\nalias = \"any\"\nstrategy = \"round-robin\"\ntargets = [\
                 { provider = \"openai\", model = \"openai\" }, { provider = \"anthropic\", model = \"anthropic\" }]\n";
    let gateway = Gateway::open(&(config(&upstream) + model)).await;
    for session in ["a", "b", "c", "d"] {
        let ask = Request::post("/v1/messages", thought("any")).header("x-weir-session", session);
        let mut issuers = Vec::new();
        for _ in 0..4 {
            issuers.push(gateway.ask(&ask).await.header("x-weir-provider").map(str::to_owned));
        }
        issuers.dedup();
        assert!(issuers.len() == 1 && issuers[0].is_some(), "{session}: {issuers:?}");
    }
}
