//! Adapters that were built for two versions of the contract serve side by side, and with each other.

use serde_json::{Value, json};
use weir_tests::{Answer, Folder, House, Reply, Request, Upstream};

use crate::tongue::{OPENAI, TEXT, TOKENS, ZETA, provider};

/// Providers of both versions at one upstream, their models always translated.
fn config(upstream: &Upstream) -> String {
    let one = |name: &str| {
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"{name}\"\nurl = \"{}\"\napi_key = \"KEY-OF-{name}\"\n\
             [[models]]\nalias = \"{name}\"\ntranslate = true\n\
             target = {{ provider = \"{name}\", model = \"{name}-1\" }}\n",
            upstream.url()
        )
    };
    ["openai", "zeta", "elder"].map(one).concat()
}

async fn house(upstream: &Upstream) -> House {
    House::with(Folder::with(&["openai", "zeta", "elder"]), &config(upstream)).await
}

/// A provider that speaks the format of the older adapter.
async fn elder() -> Upstream {
    Upstream::scripted(|request| {
        let (first, second) = TEXT.split_at(6);
        let tally = json!({"in": TOKENS.input, "out": TOKENS.output});
        if request.json()["flow"] != true {
            let answer = json!({"name": "e-1", "mind": "elder-1", "text": TEXT, "why": "done", "count": tally});
            return Answer::json(200, answer.to_string());
        }
        let lines = [
            json!({"hail": {"name": "e-1", "mind": "elder-1"}}),
            json!({"piece": first}),
            json!({"piece": second}),
            json!({"why": "done"}),
            json!({"count": tally}),
        ];
        lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<Vec<_>>()
            .iter()
            .fold(Answer::lines(), Answer::piece)
            .end()
    })
    .await
}

fn ask(model: &str, flow: bool) -> Request {
    let lines = json!([{"from": "crown", "text": "Be kind."}, {"from": "guest", "text": "Hi"}]);
    let body = json!({"mind": model, "lines": lines, "warmth": 0.5, "limit": 64, "flow": flow});
    Request::post("/elder/ask", body.to_string())
}

/// The text, the reason and the tokens of an answer in the older format.
fn told(reply: &Reply, flow: bool) -> (String, String, Value) {
    let lines: Vec<Value> = reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let piece = |line: &Value| line[if flow { "piece" } else { "text" }].as_str().unwrap_or_default().to_owned();
    let last = |member: &str| lines.iter().map(|line| line[member].clone()).rfind(|value| !value.is_null());
    let why = last("why").and_then(|why| why.as_str().map(str::to_owned)).unwrap_or_default();
    (lines.iter().map(piece).collect(), why, last("count").unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_of_the_older_version_answers_clients_of_the_newer() {
    let mut upstream = elder().await;
    let house = house(&upstream).await;
    for (tongue, stream) in [(OPENAI, false), (OPENAI, true), (ZETA, false), (ZETA, true)] {
        let reply = house.ask(&tongue.request("elder", stream)).await;
        let heard = tongue.heard(&reply, stream);
        let tokens = heard.tokens.map(|tokens| (tokens.input, tokens.output));
        assert_eq!((reply.status(), heard.text.as_str()), (200, TEXT), "{}", reply.text());
        assert_eq!((heard.finish.as_deref(), tokens), (Some("stop"), Some((TOKENS.input, TOKENS.output))));
        let sent = upstream.request().await;
        assert_eq!((sent.line(), sent.header("elder-key")), ("POST /base/ask", Some("KEY-OF-elder")));
        assert_eq!(sent.json()["lines"], json!([{"from": "guest", "text": "Hi"}]));
        assert_eq!(sent.json()["mind"], "elder-1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_the_older_version_is_answered_by_providers_of_both() {
    for flow in [false, true] {
        for (model, upstream) in
            [("openai", provider(OPENAI).await), ("zeta", provider(ZETA).await), ("elder", elder().await)]
        {
            let house = house(&upstream).await;
            let reply = house.ask(&ask(model, flow)).await;
            assert_eq!(reply.status(), 200, "{model}: {}", reply.text());
            let (text, why, count) = told(&reply, flow);
            assert_eq!((text.as_str(), why.as_str()), (TEXT, "done"), "{model}: {}", reply.text());
            assert_eq!(count, json!({"in": TOKENS.input, "out": TOKENS.output}), "{model}: {}", reply.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_older_version_has_no_place_for_is_said_or_refused() {
    let mut upstream = elder().await;
    let house = house(&upstream).await;
    let mut body = json!({"model": "elder", "messages": [{"role": "user", "content": "Hi"}], "top_p": 0.5, "seed": 7});
    let reply = house.post("/v1/chat/completions", &body.to_string()).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let lost = reply.header("x-weir-dropped-params").unwrap_or_default();
    assert!(lost.contains("sampling.top-p") && lost.contains("sampling.seed"), "{lost}");
    upstream.request().await;
    body["tools"] = json!([{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]);
    let reply = house.post("/v1/chat/completions", &body.to_string()).await;
    assert_eq!(reply.status(), 400, "{}", reply.text());
    assert!(reply.text().contains("contract 0.0.9, which has no tools"), "{}", reply.text());
    assert!(upstream.unseen().is_none(), "nothing is sent without the tools");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_told_in_the_format_of_the_older_version() {
    let upstream = Upstream::always(Answer::json(429, "{\"fault\":\"later\"}")).await;
    let house = house(&upstream).await;
    let reply = house.ask(&OPENAI.request("elder", false)).await;
    assert_eq!(reply.status(), 429, "{}", reply.text());
    let reply = house.ask(&ask("nobody", false)).await;
    assert_eq!((reply.status(), reply.json()["sort"].as_str()), (400, Some("garbled")), "{}", reply.text());
}

/// A component that exports these interfaces, all of them empty.
fn hollow(exports: &[&str]) -> Vec<u8> {
    let export = |name: &&str| format!("(export \"{name}\" (instance $i))");
    let exports = exports.iter().map(export).collect::<Vec<_>>().concat();
    wat::parse_str(format!("(component (instance $i) {exports})")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_version_is_refused_naming_both_while_the_rest_serves() {
    let upstream = elder().await;
    let house = house(&upstream).await;
    for (exports, told) in [
        (&["weir:adapter/about@0.2.0"][..], "built for contract 0.2.0"),
        (&["weir:adapter/about@0.1.0", "weir:adapter/provider-chat@0.0.9"], "mixes contracts"),
        (&["some:other/thing@1.0.0"], "exports no weir:adapter/about"),
    ] {
        house.folder.put("stray", &hollow(exports));
        let told_of = |one: &Value| {
            let reason = one["reason"].as_str().unwrap_or_default();
            one["status"] == "refused" && reason.contains(told) && reason.contains("0.1.0 and 0.0.9")
        };
        house.until_adapter("stray", |all| all.iter().any(told_of)).await;
        assert_eq!(house.ask(&OPENAI.request("elder", false)).await.status(), 200);
    }
}
