//! Settings that a model is known not to take are left out or lowered in translated requests, and reported; relayed
//! requests keep their bytes.

use serde_json::{Value, json};
use weir_tests::{Answer, Folder, Gateway, Received, Reply, Request, Upstream};

use crate::retries::provider;
use crate::wire_format::{ANTHROPIC, OPENAI};

/// A request as coding agents send it: with thinking, and a limit beyond that of small models.
fn anthropic(model: &str, stream: bool) -> Request {
    let body = json!({
        "model": model, "max_tokens": 32_000, "stream": stream, "thinking": {"type": "enabled", "budget_tokens": 31_999},
        "messages": [{"role": "user", "content": "Hi"}]
    });
    Request::post("/v1/messages", body.to_string()).header("anthropic-version", "2023-06-01")
}

fn openai(model: &str, stream: bool) -> Request {
    let body = json!({
        "model": model, "max_completion_tokens": 32_000, "stream": stream, "reasoning_effort": "high",
        "messages": [{"role": "user", "content": "Hi"}]
    });
    Request::post("/v1/chat/completions", body.to_string())
}

fn gemini(model: &str, stream: bool) -> Request {
    let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
    let body = json!({
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "generationConfig": {"maxOutputTokens": 32_000, "thinkingConfig": {"thinkingBudget": 16_000}}
    });
    Request::post(&format!("/v1beta/models/{model}:{verb}"), body.to_string())
}

fn lost(reply: &Reply) -> Vec<String> {
    let losses = reply.header("x-weir-losses").unwrap_or_default();
    losses.split(',').map(str::to_owned).collect()
}

/// The limit and the setting for thinking in the upstream request.
fn sent(request: &Received) -> (Value, bool) {
    let body = request.json();
    let limit = [&body["max_completion_tokens"], &body["max_tokens"], &body["generationConfig"]["maxOutputTokens"]];
    let limit = limit.into_iter().find(|limit| !limit.is_null()).cloned().unwrap_or_default();
    let thinks = body.get("reasoning_effort").is_some()
        || body.get("thinking").is_some()
        || body["generationConfig"].get("thinkingConfig").is_some();
    (limit, thinks)
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_the_catalogue_excludes_are_not_sent_and_are_reported() {
    let to_gemini = json!({
        "candidates": [{"content": {"role": "model", "parts": [{"text": "Yes"}]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    });
    // The provider's adapter, one of its models without thinking, the model's output limit, and an answer.
    let cases = [
        ("openai", "gpt-4o-mini", Some(16_384), OPENAI.whole()),
        ("anthropic", "made-up", Some(1000), ANTHROPIC.whole()),
        ("gemini", "gemma-3-27b-it", Some(8192), to_gemini.to_string()),
    ];
    for (adapter, model, most, answer) in cases {
        let mut upstream = Upstream::always(Answer::json(200, answer)).await;
        // The operator's settings take precedence over the catalogue.
        let settings = if model == "made-up" { "capabilities = { reasoning = false, output = 1000 }" } else { "" };
        let config = format!(
            "[[providers]]\nname = \"p\"\nadapter = \"{adapter}\"\nurl = \"{}\"\napi_key = \"k\"\n\
             [[models]]\nalias = \"small\"\ntranslate = true\n{settings}\ntarget = {{ provider = \"p\", model = \"{model}\" }}\n\
             [[models]]\nalias = \"g*\"\ntranslate = true\n{settings}\ntarget = {{ provider = \"p\" }}\n",
            upstream.url()
        );
        let gateway = Gateway::with(Folder::with(&["openai", "anthropic", "gemini"]), &config).await;
        let aliases = if model == "made-up" { vec!["small"] } else { vec!["small", model] };
        for alias in aliases {
            for stream in [false, true] {
                let asked = [
                    (anthropic(alias, stream), ["thinking", "max_tokens"]),
                    (openai(alias, stream), ["reasoning_effort", "max_completion_tokens"]),
                    (gemini(alias, stream), ["generationConfig.thinkingConfig", "generationConfig.maxOutputTokens"]),
                ];
                for (request, names) in asked {
                    let reply = gateway.ask(&request).await;
                    let place = format!("{adapter} {alias} {names:?} {}", reply.text());
                    assert_eq!(reply.status(), 200, "{place}");
                    assert_eq!(sent(&upstream.request().await), (json!(most), false), "{place}");
                    let lost = lost(&reply);
                    for name in names {
                        assert!(lost.iter().any(|field| field.starts_with(name)), "{lost:?} {place}");
                    }
                    let strict = gateway.ask(&request.header("x-weir-strict", "true")).await;
                    assert_eq!(strict.status(), 400, "{}", strict.text());
                    assert!(upstream.unseen().is_none());
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_word_goes_before_the_catalogue() {
    let mut upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let config = provider(&upstream, OPENAI, "p", "")
        + "[[models]]\nalias = \"able\"\ntranslate = true\ncapabilities = { reasoning = true, output = 64000 }\n\
           target = { provider = \"p\", model = \"gpt-4o-mini\" }\n\
           [[models]]\nalias = \"unknown\"\ntranslate = true\ntarget = { provider = \"p\", model = \"nobody-knows-it\" }\n";
    let gateway = Gateway::open(&config).await;
    for alias in ["able", "unknown"] {
        let reply = gateway.ask(&openai(alias, false)).await;
        assert_eq!(reply.header("x-weir-dropped-params"), None, "{}", reply.text());
        assert_eq!(sent(&upstream.request().await), (json!(32_000), true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_relayed_keeps_its_bytes() {
    let mut upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let config = provider(&upstream, OPENAI, "p", "")
        + "[[models]]\nalias = \"gpt-4o-mini\"\ntarget = { provider = \"p\", model = \"gpt-4o-mini\" }\n";
    let gateway = Gateway::open(&config).await;
    let request = openai("gpt-4o-mini", false);
    assert_eq!(gateway.ask(&request).await.header("x-weir-lane"), Some("relay"));
    assert_eq!(upstream.request().await.body, request.sent());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_not_be_sent_is_explained() {
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let config = provider(&upstream, OPENAI, "p", "")
        + "[[models]]\nalias = \"small\"\ntarget = { provider = \"p\", model = \"gpt-4o-mini\" }\n";
    let gateway = Gateway::open(&config).await;
    let body = String::from_utf8(anthropic("small", false).sent()).unwrap();
    let question = format!("{{\"model\":\"small\",\"from\":\"anthropic.messages\",\"request\":{body}}}");
    let explained = gateway.post("/admin/routes/explain", &question).await.json();
    let losses = &explained["targets"][0]["losses"];
    let kinds: Vec<_> = losses
        .as_array()
        .unwrap()
        .iter()
        .map(|loss| (loss["field"].as_str().unwrap(), loss["kind"].as_str().unwrap()))
        .collect();
    assert!(kinds.contains(&("thinking", "dropped")) && kinds.contains(&("max_tokens", "clamped")), "{explained}");
}

#[test]
fn the_bundled_file_knows_which_models_reason() {
    let reasons = |model| weir_gateway::model_catalog::of("openai", model).capabilities.reasoning;
    assert_eq!((reasons("gpt-4o-mini"), reasons("o3-mini")), (Some(false), Some(true)));
}
