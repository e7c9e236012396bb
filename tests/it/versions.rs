//! Adapters for two versions of the contract serve side by side, and with each other.

use serde_json::{Value, json};
use weir_tests::{Answer, Folder, Gateway, Upstream};

use crate::wire_format::{OPENAI, TEXT, TOKENS, WireFormat, ZETA, provider};

/// An adapter that was built for contract 0.1.0, with both sides of every operation.
const EARLIER: &[u8] = include_bytes!("../contracts/0.1.0/zeta.wasm");

/// Providers of both versions at one upstream; with `translate` their models are always translated.
fn config(upstream: &Upstream, translate: bool) -> String {
    let one = |name: &str| {
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"{name}\"\nurl = \"{}\"\napi_key = \"KEY-OF-{name}\"\n\
             [[models]]\nalias = \"{name}\"\ntranslate = {translate}\n\
             target = {{ provider = \"{name}\", model = \"{name}-1\" }}\n",
            upstream.url()
        )
    };
    ["openai", "zeta"].map(one).concat()
}

async fn gateway(upstream: &Upstream, translate: bool) -> Gateway {
    let folder = Folder::with(&["openai"]);
    folder.put("zeta", EARLIER);
    Gateway::with(folder, &config(upstream, translate)).await
}

/// The text, the tokens and the reason of an answer.
fn check(wire_format: WireFormat, reply: &weir_tests::Reply, stream: bool, model: &str) {
    let parsed = wire_format.parsed(reply, stream);
    let tokens = parsed.tokens.map(|tokens| (tokens.input, tokens.output));
    assert_eq!((reply.status(), parsed.text.as_str()), (200, TEXT), "{model}: {}", reply.text());
    assert_eq!((parsed.finish.as_deref(), tokens), (Some("stop"), Some((TOKENS.input, TOKENS.output))), "{model}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_of_the_earlier_version_serves_in_both_lanes() {
    for (client, serves, model) in [(ZETA, ZETA, "zeta"), (OPENAI, ZETA, "zeta"), (ZETA, OPENAI, "openai")] {
        for translate in [false, true] {
            let mut upstream = provider(serves).await;
            let gateway = gateway(&upstream, translate).await;
            for stream in [false, true] {
                let reply = gateway.ask(&client.request(model, stream)).await;
                check(client, &reply, stream, model);
                let lane = if client == serves && !translate { "relay" } else { "translate" };
                assert_eq!(reply.header("x-weir-lane"), Some(lane), "{model}");
                let sent = upstream.request().await;
                let asked = format!("{} {}", sent.line(), sent.text());
                assert!(asked.contains(&format!("{model}-1")), "{model}: {asked}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_that_the_earlier_version_has_no_place_for_is_merged_and_told() {
    let usage = json!({"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35,
        "prompt_tokens_details": {"audio_tokens": 20}, "num_search_queries": 2});
    let choice = json!({"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"});
    let answer = json!({"id": "a", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice],
        "usage": usage});
    let upstream = Upstream::always(Answer::json(200, answer.to_string())).await;
    let gateway = gateway(&upstream, false).await;
    let reply = gateway.ask(&ZETA.request("openai", false)).await;
    let parsed = ZETA.parsed(&reply, false);
    assert_eq!(parsed.tokens.map(|tokens| tokens.input), Some(30), "{}", reply.text());
    let lost = reply.header("x-weir-dropped-params").unwrap_or_default();
    assert!(lost.contains("usage.units"), "{lost}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_reported_in_the_format_of_the_earlier_version() {
    let upstream = Upstream::always(Answer::json(429, "{\"fault\":\"later\"}")).await;
    let gateway = gateway(&upstream, true).await;
    assert_eq!(gateway.ask(&OPENAI.request("zeta", false)).await.status(), 429);
    assert_eq!(gateway.ask(&ZETA.request("openai", false)).await.status(), 429);
    assert_eq!(gateway.ask(&ZETA.request("unheard-of", false)).await.status(), 404);
}

/// A component that exports these interfaces, all of them empty.
fn hollow(exports: &[&str]) -> Vec<u8> {
    let export = |name: &&str| format!("(export \"{name}\" (instance $i))");
    let exports = exports.iter().map(export).collect::<Vec<_>>().concat();
    wat::parse_str(format!("(component (instance $i) {exports})")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_version_is_refused_naming_both_while_the_rest_serves() {
    let upstream = provider(ZETA).await;
    let gateway = gateway(&upstream, true).await;
    for (exports, expected) in [
        (&["weir:adapter/about@0.3.0"][..], "built for contract 0.3.0"),
        (&["weir:adapter/about@0.1.0", "weir:adapter/provider-chat@0.0.9"], "mixes contracts"),
        (&["some:other/thing@1.0.0"], "exports no weir:adapter/about"),
    ] {
        gateway.folder.put("stray", &hollow(exports));
        let told_of = |one: &Value| {
            let reason = one["reason"].as_str().unwrap_or_default();
            one["status"] == "refused" && reason.contains(expected) && reason.contains("0.2.0 and 0.1.0")
        };
        gateway.until_adapter("stray", |all| all.iter().any(told_of)).await;
        assert_eq!(gateway.ask(&OPENAI.request("zeta", false)).await.status(), 200);
    }
}
