//! A model that has an alias, and that a pattern passes on by its provider's name: guards, budgets and limits that are
//! for the alias hold for both.

use weir_tests::{Folder, Gateway, Request, Upstream};

use crate::guards::{guard, secret};
use crate::wire_format::{OPENAI, provider};

fn config(upstream: &Upstream, limits: &str, more: &str) -> String {
    format!(
        "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"KEY\"\n\
         [[providers]]\nname = \"q\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"KEY\"\n\
         [[models]]\nalias = \"big\"\ntarget = {{ provider = \"p\", model = \"open-large\" }}\n{limits}\
         [[models]]\nalias = \"open-*\"\ntarget = {{ provider = \"p\" }}\n\
         [[models]]\nalias = \"*\"\ntarget = {{ provider = \"q\" }}\n{more}",
        upstream.url(),
        upstream.url()
    )
}

fn ask(model: &str, text: &str) -> Request {
    let body = format!(r#"{{"model":"{model}","max_tokens":9,"messages":[{{"role":"user","content":"{text}"}}]}}"#);
    Request::post("/v1/chat/completions", body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_leads_around_no_budget_of_an_alias() {
    let budget = "[[budgets]]\nname = \"few\"\nfor = { model = \"big\" }\nrequests = 2\nper = \"total\"\n";
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::with(Folder::with(&["openai"]), &config(&upstream, "", budget)).await;
    for (model, status) in
        [("open-small", 200), ("open-large", 200), ("big", 200), ("open-large", 429), ("big", 429), ("open-small", 200)]
    {
        let reply = gateway.ask(&ask(model, "Hi")).await;
        assert_eq!(reply.status(), status, "{model}: {}", reply.text());
        assert!(status == 200 || reply.text().contains("few"), "{}", reply.text());
    }
    gateway.until_metric("weir_budget_used{budget=\"few\"}", 2.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_leads_around_no_limit_of_an_alias() {
    let limits = "limits = { requests_per_minute = 1 }\n";
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::with(Folder::with(&["openai"]), &config(&upstream, limits, "")).await;
    for (model, status) in [("open-small", 200), ("open-large", 200), ("big", 429), ("open-large", 429)] {
        let reply = gateway.ask(&ask(model, "Hi")).await;
        assert_eq!(reply.status(), status, "{model}: {}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_leads_around_no_guard_of_an_alias() {
    let guards = guard("secrets", "for = { models = [\"big\"] }");
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::with(Folder::with(&["openai", "secrets"]), &config(&upstream, "", &guards)).await;
    for (model, status) in [("big", 400), ("open-large", 400), ("open-small", 200)] {
        let reply = gateway.ask(&ask(model, &secret())).await;
        assert_eq!(reply.status(), status, "{model}: {}", reply.text());
    }
}
