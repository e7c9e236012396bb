//! Items of earlier answers that a client names instead of sending them again, as SDKs do by default with services that
//! store answers.

use serde_json::{Value, json};
use weir_tests::parsed_answer::ParsedAnswer;
use weir_tests::{Answer, Gateway, Reply, Request, Upstream};

use crate::guards::{guard, secret};
use crate::wire_format::{ANTHROPIC, GEMINI, OPENAI, PROVIDERS, RESPONSES, TEXT, WireFormat, config_of, provider};

/// The providers, of which none takes Responses.
fn config(upstream: &Upstream) -> String {
    config_of(&PROVIDERS, upstream).replace("adapter = \"openai\"", "adapter = \"openai\"\nformat = \"openai.chat\"")
}

/// An answer that thinks aloud and calls a tool, whole.
fn calling(format: WireFormat, text: &str) -> String {
    let answer = if format == OPENAI {
        let call = json!({"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":1}"}});
        json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0,
            "finish_reason": "tool_calls", "message": {"role": "assistant", "content": text, "tool_calls": [call]}}]})
    } else if format == ANTHROPIC {
        json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
            "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}, "content": [
                {"type": "text", "text": text},
                {"type": "tool_use", "id": "call_1", "name": "look", "input": {"at": 1}}]})
    } else {
        json!({"candidates": [{"content": {"role": "model", "parts": [
            {"text": text}, {"functionCall": {"id": "call_1", "name": "look", "args": {"at": 1}}}]},
            "finishReason": "STOP"}], "modelVersion": "m"})
    };
    answer.to_string()
}

/// The output of an answer.
fn output(reply: &Reply, stream: bool) -> Vec<Value> {
    let answer = if stream {
        let text = reply.text();
        let last = text.lines().filter_map(|line| line.strip_prefix("data: ")).next_back().unwrap_or_default();
        serde_json::from_str::<Value>(last).unwrap()["response"].clone()
    } else {
        reply.json()
    };
    answer["output"].as_array().unwrap_or_else(|| panic!("{}", reply.text())).clone()
}

/// The next turn, which names the items of the answer before.
fn next_turn(model: &str, items: &[Value], stream: bool) -> String {
    let named = items.iter().map(|item| json!({"type": "item_reference", "id": item["id"]}));
    let results = items.iter().filter(|item| item["type"] == "function_call");
    let results =
        results.map(|item| json!({"type": "function_call_output", "call_id": item["call_id"], "output": "blue"}));
    let question = json!({"role": "user", "content": "Is it blue?"});
    let input: Vec<Value> = std::iter::once(question).chain(named).chain(results).collect();
    json!({"model": model, "input": input, "stream": stream}).to_string()
}

fn asks(model: &str, stream: bool) -> String {
    json!({"model": model, "input": "Is it blue?", "stream": stream}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn items_of_translated_answers_may_be_named_in_the_next_request() {
    for format in PROVIDERS {
        for stream in [false, true] {
            let mut upstream = Upstream::always(Answer::json(200, calling(format, "I look."))).await;
            let gateway = Gateway::open(&config(&upstream)).await;
            let model = format.translated();
            let reply = gateway.post("/v1/responses", &asks(&model, stream)).await;
            let items = output(&reply, stream);
            assert_eq!(items.len(), 2, "{}", reply.text());
            upstream.request().await;
            // The next one may be for another provider.
            for next in PROVIDERS {
                let answer = next_turn(&next.translated(), &items, stream);
                upstream.now(Answer::json(200, next.whole()));
                let reply = gateway.post("/v1/responses", &answer).await;
                let place = format!("{} to {}, stream: {stream}", format.name, next.name);
                assert_eq!(reply.status(), 200, "{place}: {}", reply.text());
                assert_eq!(reply.header("x-weir-losses"), None, "{place}");
                let sent = upstream.request().await;
                let (text, body) = (sent.text(), sent.json());
                assert!(text.contains("I look.") && text.contains("look"), "{place}: {text}");
                let call = if next == OPENAI {
                    &body["messages"][1]["tool_calls"][0]["function"]["name"]
                } else if next == ANTHROPIC {
                    &body["messages"][1]["content"][1]["name"]
                } else {
                    &body["contents"][1]["parts"][1]["functionCall"]["name"]
                };
                assert_eq!(call, "look", "{place}: {text}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn items_of_streams_may_be_named_when_the_stream_has_ended() {
    for format in PROVIDERS {
        let mut upstream = provider(format).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        let reply = gateway.post("/v1/responses", &asks(&format.translated(), true)).await;
        let items = output(&reply, true);
        upstream.request().await;
        gateway.post("/v1/responses", &next_turn(&format.translated(), &items, false)).await;
        let sent = upstream.request().await.text();
        assert!(sent.contains(TEXT), "{}: {sent}", format.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_takes_the_format_gets_the_items_that_it_has_not_made() {
    let mut upstream = provider(ANTHROPIC).await;
    let gateway = Gateway::open(&config_of(&[ANTHROPIC, RESPONSES], &upstream)).await;
    let reply = gateway.post("/v1/responses", &asks("anthropic", false)).await;
    let mut items = output(&reply, false);
    upstream.request().await;
    items.push(json!({"id": "msg_of_the_provider"}));
    upstream.now(Answer::json(200, RESPONSES.whole()));
    let reply = gateway.post("/v1/responses", &next_turn("responses", &items, false)).await;
    assert_eq!(ParsedAnswer::whole(RESPONSES.format, &reply.json()).text, TEXT, "{}", reply.text());
    let sent = upstream.request().await.text();
    assert!(sent.contains(TEXT), "{sent}");
    assert!(sent.contains(r#"{"id":"msg_of_the_provider","type":"item_reference"}"#), "{sent}");
    // It knows its own ones, whatever lane they come by.
    let own = next_turn("responses", &items[1..], false);
    gateway.post("/v1/responses", &own).await;
    assert_eq!(upstream.request().await.text(), own);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_of_another_client_stays_unknown() {
    let mut upstream = Upstream::always(Answer::json(200, calling(ANTHROPIC, "I look."))).await;
    let client = |name: &str| format!("[[clients]]\nname = \"{name}\"\nkey = \"key-of-{name}-0123456789\"\n");
    let clients = client("one") + &client("two");
    let gateway = Gateway::open(&(config_of(&[ANTHROPIC, GEMINI], &upstream) + &clients)).await;
    let by = |name: &str, body: String| {
        Request::post("/v1/responses", body).header("authorization", &format!("Bearer key-of-{name}-0123456789"))
    };
    for stream in [false, true] {
        let reply = gateway.ask(&by("one", asks("anthropic", stream))).await;
        let items = output(&reply, stream);
        upstream.request().await;
        let next = next_turn("anthropic", &items[..1], false);
        for (name, knows) in [("two", false), ("one", true)] {
            let reply = gateway.ask(&by(name, next.clone())).await;
            let sent = upstream.request().await.text();
            assert_eq!(sent.contains("I look."), knows, "{name}, stream: {stream}: {sent}");
            assert_eq!(reply.header("x-weir-losses").is_some(), !knows, "{name}, stream: {stream}: {reply:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_named_is_judged_as_if_it_were_sent() {
    let answer = calling(ANTHROPIC, &format!("The key is {}.", secret()));
    let mut upstream = Upstream::always(Answer::json(200, answer)).await;
    // Only requests for the second model are judged.
    let guards = guard("secrets", "for = { models = [\"anthropic-t\"] }");
    let folder = weir_tests::Folder::with(&["anthropic", "openai", "secrets"]);
    let gateway = Gateway::with(folder, &(config_of(&[ANTHROPIC], &upstream) + &guards)).await;
    let reply = gateway.post("/v1/responses", &asks("anthropic", false)).await;
    let items = output(&reply, false);
    upstream.request().await;
    for stream in [false, true] {
        let reply = gateway.post("/v1/responses", &next_turn("anthropic-t", &items, stream)).await;
        assert_eq!(reply.header("x-weir-guards"), Some("secrets=deny;aws-access-key=1"), "{}", reply.text());
        assert!(upstream.unseen().is_none());
    }
}
