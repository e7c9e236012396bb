//! Chats in formats that are only relayed: no adapter reads their answers, so that they are closed where a guard would
//! have to judge these.

use serde_json::json;
use weir_tests::{Answer, Request, Upstream};

use super::{gateway, guard, secret};

/// Requests for texts of a model, in formats that have no translation.
fn requests() -> Vec<Request> {
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let invoke = json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": messages});
    let of_cohere = |path: &str, member: &str, stream: bool| {
        Request::post(path, json!({"model": "cohere", member: "Hi", "stream": stream}).to_string())
    };
    vec![
        Request::post("/model/bedrock/invoke", invoke.to_string()),
        Request::post("/bedrock/model/bedrock/invoke", invoke.to_string()),
        Request::post("/model/bedrock/invoke-with-response-stream", invoke.to_string()),
        of_cohere("/v1/chat", "message", false),
        of_cohere("/v1/chat", "message", true),
        of_cohere("/v1/generate", "prompt", false),
        of_cohere("/cohere/v1/generate", "prompt", true),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_whose_answers_nobody_reads_are_closed_where_a_guard_would_have_to_judge_them() {
    let answer = json!({"text": format!("the key is {}", secret())}).to_string();
    let mut upstream = Upstream::always(Answer::json(200, answer)).await;
    let answers = |lines: &str| guard("secrets", lines).replace("prompt = true", "answer = true");
    let both = |lines: &str| guard("secrets", lines).replace("prompt = true", "prompt = true, answer = true");
    for (guards, is_open) in [
        (answers(""), false),
        (both(""), false),
        (answers("for = { models = [\"bedrock\", \"cohere\"] }"), false),
        (answers("for = { models = [\"another\"] }"), true),
        (answers("for = { clients = [\"another\"] }"), true),
        (answers("fail = \"open\""), true),
        (answers("mode = \"monitor\""), true),
        // It judges requests only.
        (guard("secrets", ""), true),
    ] {
        let gateway = gateway(&upstream, &["openai", "bedrock", "cohere"], &guards).await;
        for request in requests() {
            let reply = gateway.ask(&request).await;
            let case = format!("{guards}{}: {} {}", request.head(), reply.status(), reply.text());
            let is_refused = reply.status() == 403 && reply.text().contains("cannot read those of this endpoint");
            assert_eq!(is_refused, !is_open, "{case}");
            assert_eq!(upstream.unseen().is_some(), is_open, "{case}");
            assert!(is_open || !reply.text().contains("AKI"), "{case}");
        }
        // What has no text of a model is served.
        let tokens = Request::post("/v1/tokenize", json!({"model": "cohere", "text": "Hi"}).to_string());
        assert_eq!(gateway.ask(&tokens).await.status(), 200);
        upstream.request().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_fallback_nor_a_budget_leads_around_that() {
    let mut upstream = Upstream::scripted(|request| {
        if request.line().contains("first") { Answer::json(503, "{}") } else { Answer::json(200, "{\"text\":\"Hi\"}") }
    })
    .await;
    let model = |name: &str, more: &str| {
        format!("[[models]]\nalias = \"{name}\"\ntarget = {{ provider = \"bedrock\", model = \"{name}\" }}\n{more}")
    };
    let budget = "[[budgets]]\nname = \"one\"\nfor = { model = \"third\" }\nrequests = 1\nper = \"total\"\n\
                  when_over = { downgrade = \"second\" }\n";
    let guards = guard("secrets", "for = { models = [\"second\"] }").replace("prompt = true", "answer = true");
    let models = model("first", "fallbacks = [\"second\"]\n") + &model("second", "") + &model("third", "");
    let gateway = gateway(&upstream, &["openai", "bedrock"], &(models + budget + &guards)).await;
    let body = json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": []}).to_string();
    assert_eq!(gateway.post("/model/third/invoke", &body).await.status(), 200, "no guard is for it");
    upstream.request().await;
    for (model, tried) in [("first", 1), ("second", 0), ("third", 0)] {
        let reply = gateway.post(&format!("/model/{model}/invoke"), &body).await;
        assert!(matches!(reply.status(), 403 | 503), "{model}: {} {}", reply.status(), reply.text());
        assert_eq!(upstream.count_unseen(), tried, "{model}: {}", reply.text());
    }
}
