//! A fallback does not change the request, and skipped and failed targets are reported.

use weir_tests::{Answer, Gateway, Request, Upstream, log};

use crate::retries::{QUICK, provider};
use crate::wire_format::{ALL, ANTHROPIC, OPENAI, TEXT, provider as serving};

fn vectors(model: &str) -> Request {
    Request::post("/v1/embeddings", format!("{{\"model\":\"{model}\",\"input\":\"Hi\"}}"))
}

fn vector(model: &str) -> Answer {
    let body = format!(
        "{{\"object\":\"list\",\"model\":\"{model}\",\"data\":[{{\"object\":\"embedding\",\"index\":0,\"embedding\":[0.5]}}],\
         \"usage\":{{\"prompt_tokens\":1,\"total_tokens\":1}}}}"
    );
    Answer::json(200, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn embeddings_fall_back_to_the_same_model_only_unless_the_operator_allows_it() {
    let first = Upstream::always(Answer::json(500, "{}")).await;
    let mut second = Upstream::always(vector("e-large")).await;
    let providers = provider(&first, OPENAI, "first", QUICK) + &provider(&second, OPENAI, "second", QUICK);
    for translate in [false, true] {
        let model = |alias: &str, name: &str, more: &str| {
            format!(
                "[[models]]\nalias = \"{alias}\"\ntranslate = {translate}\nstrategy = \"priority\"\n{more}\n\
                 targets = [{{ provider = \"first\", model = \"e-small\" }}, {{ provider = \"second\", model = \"{name}\" }}]\n"
            )
        };
        let config = providers.clone()
            + &model("other", "e-large", "")
            + &model("same", "maker/E-Small", "")
            + &model("allowed", "e-large", "fallback_embeddings = true")
            + "[[models]]\nalias = \"chain\"\ntarget = { provider = \"first\", model = \"e-small\" }\nfallbacks = [\"large\"]\n\
               [[models]]\nalias = \"large\"\ntarget = { provider = \"second\", model = \"e-large\" }\n";
        let gateway = Gateway::open(&config).await;
        for alias in ["other", "chain"] {
            let reply = gateway.ask(&vectors(alias)).await;
            assert_eq!(reply.status(), 500, "{}", reply.text());
            let attempts = reply.header("x-weir-attempts").unwrap();
            assert!(attempts.contains("second/e-large=skipped:embeddings"), "{attempts}");
        }
        assert!(second.unseen().is_none(), "vectors of another model mean something else");
        let skipped = gateway.metric("weir_targets_skipped_total{provider=\"second\",reason=\"embeddings\"}").await;
        assert_eq!(skipped, 2.0);
        for alias in ["same", "allowed"] {
            let reply = gateway.ask(&vectors(alias)).await;
            assert_eq!((reply.status(), reply.header("x-weir-provider")), (200, Some("second")), "{}", reply.text());
            second.request().await;
        }
        // Text, unlike embeddings, may come from any model.
        second.now(Answer::json(200, OPENAI.whole()));
        assert_eq!(gateway.ask(&OPENAI.request("other", false)).await.header("x-weir-provider"), Some("second"));
        second.request().await;
        second.now(vector("e-large"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strictness_holds_on_every_target() {
    let first = Upstream::always(Answer::json(500, "{}")).await;
    let mut second = serving(ANTHROPIC).await;
    let config = provider(&first, OPENAI, "first", QUICK)
        + &provider(&second, ANTHROPIC, "second", QUICK)
        + "[[models]]\nalias = \"exact\"\nstrict = true\ntarget = { provider = \"first\", model = \"m\" }\nfallbacks = [\"second\"]\n\
           [[models]]\nalias = \"loose\"\ntarget = { provider = \"first\", model = \"m\" }\nfallbacks = [\"second\"]\n";
    let gateway = Gateway::open(&config).await;
    let ask = |model: &str, stream: bool| {
        let body = format!(
            "{{\"model\":\"{model}\",\"seed\":7,\"stream\":{stream},\"messages\":[{{\"role\":\"user\",\"content\":\"Hi\"}}]}}"
        );
        Request::post("/v1/chat/completions", body)
    };
    for stream in [false, true] {
        for request in [ask("exact", stream), ask("loose", stream).header("x-weir-strict", "true")] {
            let reply = gateway.ask(&request).await;
            assert_eq!(reply.status(), 400, "{}", reply.text());
            assert!(OPENAI.error(&reply).is_some_and(|message| message.contains("seed")), "{}", reply.text());
            let attempts = reply.header("x-weir-attempts").unwrap();
            assert!(attempts.ends_with("second/anthropic=skipped:strict"), "{attempts}");
            assert!(second.unseen().is_none());
        }
        let reply = gateway.ask(&ask("loose", stream)).await;
        assert_eq!(OPENAI.parsed(&reply, stream).text, TEXT, "{}", reply.text());
        second.request().await;
    }
    assert_eq!(gateway.metric("weir_targets_skipped_total{provider=\"second\",reason=\"strict\"}").await, 4.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_and_skipped_targets_are_reported_with_the_reason() {
    let failing = Upstream::always(Answer::json(503, "{}")).await;
    let limited = Upstream::always(Answer::whole(429, &[("retry-after", "60")], "{}")).await;
    for to in [OPENAI, ANTHROPIC] {
        let well = serving(to).await;
        let config = provider(&failing, OPENAI, "failing", QUICK)
            + &provider(&limited, OPENAI, "limited", "")
            + &provider(&well, to, "well", "")
            + "[[models]]\nalias = \"many\"\ntarget = { provider = \"failing\", model = \"short\" }\n\
               capabilities = { context = 1 }\nfallbacks = [\"limited\", \"rest\"]\n\
               [[models]]\nalias = \"rest\"\nstrategy = \"priority\"\n\
               targets = [{ provider = \"failing\", model = \"m\" }, { provider = \"well\", model = \"n\" }]\n";
        let gateway = Gateway::open(&config).await;
        for from in ALL {
            for stream in [false, true] {
                let reply = gateway.ask(&from.request("many", stream)).await;
                assert_eq!(from.parsed(&reply, stream).text, TEXT, "{}", reply.text());
                let attempts = reply.header("x-weir-attempts").unwrap();
                let (count, list) = attempts.split_once("; ").unwrap();
                let limit = "limited/openai=rate_limited";
                let rest = "failing/m=overloaded, well/n=ok";
                let expected = if gateway
                    .metric("weir_targets_skipped_total{provider=\"limited\",reason=\"limited\"}")
                    .await
                    > 0.0
                {
                    ("2", format!("failing/short=skipped:context, limited/openai=skipped:limited, {rest}"))
                } else {
                    ("3", format!("failing/short=skipped:context, {limit}, {rest}"))
                };
                assert_eq!((count, list), (expected.0, expected.1.as_str()));
            }
        }
        let skipped = gateway.metric("weir_targets_skipped_total{provider=\"failing\",reason=\"context\"}").await;
        assert_eq!(skipped, 6.0);
        assert!(log::text().lines().any(|line| line.contains("target skipped") && line.contains("failing/short")));
        // A single target that answers needs no list.
        let reply = gateway.ask(&OPENAI.request("well", false)).await;
        assert_eq!(reply.header("x-weir-attempts"), Some("1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_tells_what_spoke_against_each_target() {
    let mut upstream = serving(OPENAI).await;
    let config = provider(&upstream, OPENAI, "first", "")
        + "[[models]]\nalias = \"blind\"\ncapabilities = { vision = false }\n\
           targets = [{ provider = \"first\", model = \"a\" }, { provider = \"first\", model = \"b\" }]\n";
    let gateway = Gateway::open(&config).await;
    let picture = "{\"model\":\"blind\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\
                   \"image_url\":{\"url\":\"https://x.example/a.png\"}}]}]}";
    let reply = gateway.post("/v1/chat/completions", picture).await;
    assert_eq!(reply.status(), 400, "{}", reply.text());
    assert_eq!(reply.header("x-weir-attempts"), Some("0; first/a=skipped:vision, first/b=skipped:vision"));
    assert_eq!(gateway.metric("weir_targets_skipped_total{provider=\"first\",reason=\"vision\"}").await, 2.0);
    assert!(upstream.unseen().is_none());
}
