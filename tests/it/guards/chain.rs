//! Order, modes, failures and rights of guards.

use serde_json::json;
use weir_tests::{Request, log};

use super::{asks, gateway, guard, secret, upstream};

fn sentry(name: &str, does: &str, lines: &str) -> String {
    guard(name, &format!("plugin = \"sentry\"\noptions = {{ does = \"{does}\", text = \"{name}\" }}\n{lines}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn guards_judge_in_the_order_of_the_file_and_each_sees_what_those_before_it_changed() {
    let mut upstream = upstream().await;
    let guards = [sentry("-one", "append", ""), sentry("-two", "append", ""), sentry("last", "", "")].concat();
    let gateway = gateway(&upstream, &["openai"], &guards).await;
    let reply = gateway.ask(&asks("openai", "zero")).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(reply.header("x-weir-guards"), Some("-one=replace, -two=replace, last=allow;seen=yes"));
    assert_eq!(reply.header("x-weir-lane"), Some("translate"), "the client's bytes are no longer what is asked for");
    let sent = upstream.request().await.json();
    assert_eq!(sent["messages"][0]["content"], "zero-one-two");
    assert_eq!((&sent["model"], sent["stream"] == true), (&json!("openai"), false), "no guard may change these");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_monitors_changes_nothing() {
    let mut upstream = upstream().await;
    let guards = [
        guard("secrets", "mode = \"monitor\""),
        sentry("editor", "append", "mode = \"monitor\""),
        sentry("broken", "trap", "mode = \"monitor\""),
    ];
    let gateway = gateway(&upstream, &["openai"], &guards.concat()).await;
    let request = asks("openai", &secret());
    let reply = gateway.ask(&request).await;
    let verdicts = "secrets=(deny);aws-access-key=1, editor=(replace), broken=(failed)";
    assert_eq!((reply.status(), reply.header("x-weir-guards")), (200, Some(verdicts)), "{}", reply.text());
    assert_eq!(reply.header("x-weir-lane"), Some("relay"));
    let sent = upstream.request().await;
    assert!(request.sent().ends_with(sent.text().as_bytes()), "the client's bytes: {}", sent.text());
    gateway.until_metric("weir_guard_verdicts_total{guard=\"secrets\",mode=\"monitor\",verdict=\"deny\"}", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_fails_refuses_or_passes_as_configured() {
    let mut upstream = upstream().await;
    for (does, lines) in
        [("trap", ""), ("swap", ""), ("inject", ""), ("loop", "deadline = \"30ms\""), ("", "plugin = \"missing\"")]
    {
        for (fail, status) in [("closed", 503), ("open", 200)] {
            let lines = format!("fail = \"{fail}\"\n{lines}");
            let text = guard("g", &format!("options = {{ does = \"{does}\" }}\n{lines}"));
            let text = if lines.contains("deadline") { text.replacen("deadline = \"20s\"\n", "", 1) } else { text };
            let text = if lines.contains("plugin") { text } else { format!("{text}plugin = \"sentry\"\n") };
            let gateway = gateway(&upstream, &["openai"], &text).await;
            let reply = gateway.ask(&asks("openai", "Hi")).await;
            assert_eq!(reply.status(), status, "{does}, {fail}: {}", reply.text());
            assert_eq!(reply.header("x-weir-guards"), Some("g=failed"), "{does}, {fail}");
            if status == 503 {
                assert_eq!(reply.json()["error"]["code"], "guard_failed", "{}", reply.text());
                assert!(upstream.unseen().is_none());
            } else {
                assert_eq!(upstream.request().await.json()["model"], "openai");
            }
            gateway.until_metric("weir_guard_verdicts_total{guard=\"g\",verdict=\"failed\"}", 1.0).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_fails_too_often_is_quarantined_and_its_requests_are_refused_at_once() {
    let upstream = upstream().await;
    let rule = "[plugins.sentry]\nquarantine = { faults = 3, window = \"1m\", share = 0.1 }\n";
    let gateway = gateway(&upstream, &["openai"], &format!("{}{rule}", sentry("g", "trap", ""))).await;
    for length in 1..9 {
        let reply = gateway.ask(&asks("openai", &"x".repeat(length))).await;
        assert_eq!(reply.status(), 503, "{}", reply.text());
    }
    gateway.until_adapter("sentry", |all| all.iter().any(|one| one["status"] == "quarantined")).await;
    assert_eq!(gateway.ask(&asks("openai", "one more")).await.status(), 503);
    assert!(log::text().contains("guard failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_sees_facts_only_unless_more_is_granted_and_never_a_key() {
    let upstream = upstream().await;
    let client = "[[clients]]\nname = \"ci\"\nkey = \"a-key-that-is-long-enough\"\nteam = \"red\"\n";
    let ask = |gateway| async move {
        let body = json!({"model": "openai", "messages": [{"role": "user", "content": "a private matter"}],
            "user": "jane", "metadata": {"label": "case-7"}});
        let request = Request::post("/v1/chat/completions", body.to_string());
        let gateway: weir_tests::Gateway = gateway;
        let reply = gateway.ask(&request.header("authorization", "Bearer a-key-that-is-long-enough")).await;
        assert_eq!(reply.status(), 400, "{}", reply.text());
        reply.json()["error"]["message"].as_str().unwrap().to_owned()
    };
    for (grants, prompt, labels) in
        [("", false, false), ("prompt = true", true, false), ("prompt = true, metadata = true", true, true)]
    {
        let text = format!(
            "{client}[[guards]]\nname = \"sentry\"\ndeadline = \"20s\"\noptions = {{ does = \"tell\" }}\ngrants = {{ {grants} }}\n"
        );
        let seen = ask(gateway(&upstream, &["openai"], &text).await).await;
        for fact in ["\"ci\"", "\"red\"", "\"openai\"", "openai.chat"] {
            assert!(seen.contains(fact), "{grants}: {fact} in {seen}");
        }
        assert_eq!(seen.contains("Withheld"), !prompt, "{grants}: {seen}");
        assert_eq!(seen.contains("a private matter"), prompt, "{grants}: {seen}");
        assert_eq!(seen.contains("jane"), labels, "{grants}: {seen}");
        assert_eq!(seen.contains("case-7"), labels, "{grants}: {seen}");
        assert!(!seen.contains("a-key-that") && !seen.contains("KEY-OF"), "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_judges_the_requests_that_it_is_for() {
    let upstream = upstream().await;
    let guards = guard("secrets", "for = { models = [\"openai\"] }");
    let gateway = gateway(&upstream, &["openai"], &guards).await;
    assert_eq!(gateway.ask(&asks("openai", &secret())).await.status(), 400);
    let other = gateway.ask(&asks("openai-t", &secret())).await;
    assert_eq!((other.status(), other.header("x-weir-guards")), (200, None), "{}", other.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_operations_are_judged_too() {
    let mut upstream = upstream().await;
    let gateway = gateway(&upstream, &["openai"], &guard("secrets", "")).await;
    for (path, body) in [
        ("/v1/embeddings", json!({"model": "openai", "input": ["a", secret()]})),
        ("/v1/moderations", json!({"model": "openai", "input": secret()})),
        ("/v1/responses/input_tokens", json!({"model": "openai", "input": secret()})),
    ] {
        let reply = gateway.post(path, &body.to_string()).await;
        assert_eq!(reply.status(), 400, "{path}: {}", reply.text());
        assert_eq!(reply.header("x-weir-guards"), Some("secrets=deny;aws-access-key=1"), "{path}");
        assert!(upstream.unseen().is_none(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_of_the_operator_are_found_and_wrong_ones_are_reported() {
    let upstream = upstream().await;
    let options = "options = { patterns = [{ name = \"project\", pattern = \"(?i)bluebird\" }], message = \"Hush.\" }";
    let gateway = gateway(&upstream, &["openai"], &guard("regex", options)).await;
    let reply = gateway.ask(&asks("openai", "What is BlueBird?")).await;
    assert_eq!((reply.status(), &reply.json()["error"]["message"]), (400, &json!("Hush.")));
    assert_eq!(reply.header("x-weir-guards"), Some("regex=deny;project=1"));
    assert_eq!(gateway.ask(&asks("openai", "What is a bird?")).await.status(), 200);
    let options = "options = { patterns = [{ name = \"odd\", pattern = \"(\" }] }";
    let gateway = super::gateway(&upstream, &["openai"], &guard("regex", options)).await;
    let reply = gateway.ask(&asks("openai", "Hi")).await;
    assert_eq!(reply.status(), 400);
    assert!(reply.text().contains("`odd`"), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn personal_data_is_masked_and_numbers_without_right_check_digits_are_not() {
    let mut upstream = upstream().await;
    let gateway = gateway(&upstream, &["openai"], &guard("pii", "options = { action = \"mask\" }")).await;
    let text = "jane@example.org, 4111 1111 1111 1111, 4111 1111 1111 1112, DE89 3704 0044 0532 0130 00";
    let reply = gateway.ask(&asks("openai", text)).await;
    assert_eq!(reply.header("x-weir-guards"), Some("pii=replace;card=1;email=1;iban=1"), "{}", reply.text());
    let sent = upstream.request().await.json();
    assert_eq!(sent["messages"][0]["content"], "[email], [card], 4111 1111 1111 1112, [iban]");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shape_of_prompts_is_limited_in_every_format() {
    let upstream = upstream().await;
    let options = "options = { max_messages = 2, roles = [\"user\", \"assistant\"], tools = [\"look_up\"] }";
    let gateway = gateway(&upstream, &["openai", "anthropic"], &guard("prompt-shape", options)).await;
    assert_eq!(gateway.ask(&asks("openai", "Hi")).await.status(), 200);
    let user = json!({"role": "user", "content": "Hi"});
    let tool = |name: &str| json!([{"name": name, "input_schema": {"type": "object"}}]);
    for (body, limit) in [
        (json!({"messages": [user, {"role": "assistant", "content": "Hi"}, user]}), Some("max_messages")),
        (json!({"messages": [user], "system": "Be brief."}), Some("roles")),
        (json!({"messages": [user], "tools": tool("run")}), Some("tools")),
        (json!({"messages": [user], "tools": tool("look_up")}), None),
    ] {
        let mut body = body;
        (body["model"], body["max_tokens"]) = (json!("openai"), json!(64));
        let request = Request::post("/v1/messages", body.to_string()).header("anthropic-version", "2023-06-01");
        let reply = gateway.ask(&request).await;
        let verdict = limit.map_or("prompt-shape=allow".to_owned(), |limit| format!("prompt-shape=deny;limit={limit}"));
        assert_eq!(reply.header("x-weir-guards"), Some(verdict.as_str()), "{}", reply.text());
        assert_eq!(reply.status(), if limit.is_some() { 400 } else { 200 }, "{}", reply.text());
    }
}
