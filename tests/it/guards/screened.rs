//! Requests and whole answers that have nothing of what a guard looks for pass without being read for it, and nothing
//! hides behind that.

use serde_json::json;
use weir_tests::code::pack;
use weir_tests::{Answer, Gateway, Request, Upstream};

use super::{asks, gateway, guard, secret, upstream};

const SEES_BOTH: &str = "grants = { prompt = true, answer = true }";
const PROJECT: &str = "options = { patterns = [{ name = \"project\", pattern = \"project-[0-9]{4}-(north|south)\" }] }";

fn sees_both(name: &str, lines: &str) -> String {
    guard(name, lines).replace("grants = { prompt = true }", SEES_BOTH)
}

/// How often components were called so far, but for what asks guards what they look for.
async fn calls(gateway: &Gateway, plugin: &str) -> f64 {
    gateway.metric(&format!("weir_plugin_calls_total{{plugin=\"{plugin}\"}}")).await
}

fn body(text: &str) -> String {
    let message = json!({"role": "assistant", "content": text});
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    let usage = json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5});
    let body = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage});
    body.to_string()
}

fn answer(text: &str) -> Answer {
    Answer::json(200, body(text))
}

fn packed(text: &str) -> Answer {
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    Answer::whole(200, &headers, pack("gzip", body(text).as_bytes()))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_nothing_of_what_guards_look_for_calls_no_component() {
    let mut upstream = Upstream::always(answer("Fine.")).await;
    let guards = sees_both("regex", PROJECT) + &sees_both("secrets", "");
    let gateway = gateway(&upstream, &["openai"], &guards).await;
    let first = gateway.ask(&asks("openai", "Hi")).await;
    assert_eq!(first.status(), 200, "{}", first.text());
    upstream.request().await;
    let before = [calls(&gateway, "openai").await, calls(&gateway, "regex").await, calls(&gateway, "secrets").await];
    let request = asks("openai", "Tell me of projects in the north.");
    let reply = gateway.ask(&request).await;
    assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some("relay")), "{}", reply.text());
    assert_eq!(reply.text(), body("Fine."), "the provider's bytes");
    let verdicts = "regex=allow, secrets=allow, regex.answer=allow, secrets.answer=allow";
    assert_eq!(reply.header("x-weir-guards"), Some(verdicts));
    assert!(request.sent().ends_with(upstream.request().await.text().as_bytes()), "the client's bytes");
    let after = [calls(&gateway, "openai").await, calls(&gateway, "regex").await, calls(&gateway, "secrets").await];
    assert_eq!(after, before, "no component was called");
    for (series, count) in [
        ("weir_guard_verdicts_total{guard=\"regex\",mode=\"enforce\",verdict=\"allow\"}", 2.0),
        ("weir_guard_answer_verdicts_total{guard=\"secrets\",mode=\"enforce\",verdict=\"allow\"}", 2.0),
    ] {
        gateway.until_metric(series, count).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_is_found_however_json_spells_it_and_wherever_it_stands() {
    let mut upstream = upstream().await;
    let guards = guard("regex", PROJECT) + &guard("secrets", "");
    let gateway = gateway(&upstream, &["openai", "anthropic"], &guards).await;
    let asks_for =
        |content: &str| format!("{{\"model\":\"openai\",\"messages\":[{{\"role\":\"user\",\"content\":{content}}}]}}");
    let within = json!({"note": "project-2041-north"}).to_string();
    let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": within}});
    let called = json!({"model": "openai", "messages": [{"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c", "content": "done"}]});
    for text in [
        asks_for("\"see project-2041-north\""),
        asks_for("\"see pr\\u006fject-2041-north\""),
        asks_for("\"\\u0070\\u0072oject-2041-south\""),
        asks_for(&json!(secret()).to_string()),
        asks_for(&json!(secret().replace('A', "\u{ff21}")).to_string()),
        called.to_string(),
        called.to_string().replace("project", "\\\\u0070roject"),
        format!("{{\"model\":\"openai\",\"project-2041-north\":1,{}", &asks_for("\"Hi\"")[1..]),
    ] {
        let reply = gateway.post("/v1/chat/completions", &text).await;
        let verdicts = reply.header("x-weir-guards").unwrap_or_default();
        assert!(reply.status() == 400 && verdicts.contains("=deny"), "{text}: {verdicts} {}", reply.text());
        assert!(upstream.unseen().is_none(), "{text}");
    }
    let ask =
        json!({"model": "anthropic", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}).to_string();
    let named = Request::post("/v1/messages", &ask).header("anthropic-beta", "project-2041-north");
    let reply = gateway.ask(&named).await;
    assert_eq!(reply.header("x-weir-guards"), Some("regex=deny;project=1"), "{}", reply.text());
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_json_in_utf_8_does_not_pass_unread() {
    let mut upstream = upstream().await;
    let gateway = gateway(&upstream, &["gemini"], &guard("regex", PROJECT)).await;
    let text = json!({"contents": [{"role": "user", "parts": [{"text": "see project-2041-north"}]}]}).to_string();
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [&[0xff, 0xfe][..], &wide].concat();
    for body in [wide, marked, format!("{{\"contents\":[]}} {text}").replace("project", "p\u{0}roject").into_bytes()] {
        let reply = gateway.ask(&Request::post("/v1beta/models/gemini:generateContent", &body)).await;
        assert_eq!(reply.status(), 400, "{}", reply.text());
        assert!(upstream.unseen().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_such_a_word_is_judged_and_booked() {
    let upstream = Upstream::always(answer("see project-2041-north")).await;
    let gateway = gateway(&upstream, &["openai"], &sees_both("regex", PROJECT)).await;
    for (text, verdict, finish, lane) in [
        ("see project-2041-north", "deny;project=1", "content_filter", "translate"),
        ("see project-2041-east", "allow", "stop", "relay"),
        ("see nothing", "allow", "stop", "relay"),
    ] {
        upstream.script(move |_| answer(text));
        let reply = gateway.ask(&asks("openai", "Hi")).await;
        let verdicts = format!("regex=allow, regex.answer={verdict}");
        assert_eq!(reply.header("x-weir-guards"), Some(&*verdicts), "{text}: {}", reply.text());
        assert_eq!(reply.header("x-weir-lane"), Some(lane), "{text}");
        assert_eq!(reply.json()["choices"][0]["finish_reason"], finish, "{text}");
        assert!(!reply.text().contains("project-2041-north"), "{text}");
        assert_eq!(reply.json()["usage"]["total_tokens"], 5, "{text}");
    }
    gateway.until_metric("weir_tokens_total{bucket=\"output\"}", 6.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_translated_answer_passes_and_is_judged_in_the_same_way() {
    let upstream = Upstream::always(answer("Fine.")).await;
    let guards = sees_both("regex", PROJECT) + &sees_both("secrets", "");
    let gateway = gateway(&upstream, &["openai", "anthropic"], &guards).await;
    let ask = |text: &str| json!({"model": "openai", "max_tokens": 9, "messages": [{"role": "user", "content": text}]});
    let first = gateway.post("/v1/messages", &ask("Hi").to_string()).await;
    assert_eq!(first.status(), 200, "{}", first.text());
    let before = [calls(&gateway, "regex").await, calls(&gateway, "secrets").await];
    for (text, of_regex, is_asked) in [("Fine.", "allow", false), ("see project-2041-north", "deny;project=1", true)] {
        upstream.script(move |_| answer(text));
        let reply = gateway.post("/v1/messages", &ask("Hi").to_string()).await;
        assert_eq!((reply.status(), reply.header("x-weir-lane")), (200, Some("translate")), "{}", reply.text());
        let verdicts = format!("regex=allow, secrets=allow, regex.answer={of_regex}, secrets.answer=allow");
        assert_eq!(reply.header("x-weir-guards"), Some(&*verdicts), "{text}: {}", reply.text());
        assert!(!reply.text().contains("project-2041-north"), "{text}");
        assert_eq!(reply.json()["usage"]["output_tokens"], 2, "{text}");
        let after = [calls(&gateway, "regex").await, calls(&gateway, "secrets").await];
        assert_eq!(after != before, is_asked, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pieces_make_together_is_found_where_a_format_puts_them_together() {
    let mut upstream = upstream().await;
    let gateway = gateway(&upstream, &["openai", "ollama"], &sees_both("regex", PROJECT)).await;
    for split in [&["see pro", "ject-2041-north"][..], &["see proj", "ec", "t-2041-north"]] {
        let texts: Vec<_> = split.iter().map(|text| json!({"type": "text", "text": text})).collect();
        let thinking = json!([{"type": "thinking", "thinking": texts}, {"type": "text", "text": "So."}]);
        let messages = json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": thinking},
            {"role": "user", "content": "Go on."}]);
        let body = json!({"model": "openai", "messages": messages}).to_string();
        let reply = gateway.post("/v1/chat/completions", &body).await;
        assert_eq!(reply.header("x-weir-guards"), Some("regex=deny;project=1"), "{split:?}: {}", reply.text());
        assert!(upstream.unseen().is_none(), "{split:?}");
    }
    let line = |text: &str, done: bool| {
        json!({"model": "m", "message": {"role": "assistant", "content": text}, "done": done}).to_string()
    };
    let lines = [line("see pro", false), line("ject-2041-north", false), line("", true)].join("\n");
    upstream.script(move |_| Answer::json(200, &lines));
    let body = json!({"model": "ollama", "stream": false, "messages": [{"role": "user", "content": "Hi"}]});
    let reply = gateway.post("/api/chat", &body.to_string()).await;
    assert!(!reply.text().contains("ject-2041-north"), "a stream in place of a whole answer: {}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_answer_is_read_without_its_coding() {
    let upstream = Upstream::always(packed("see project-2041-north")).await;
    let gateway = gateway(&upstream, &["openai"], &sees_both("regex", PROJECT)).await;
    let reply = gateway.ask(&asks("openai", "Hi")).await;
    assert_eq!(reply.header("x-weir-guards"), Some("regex=allow, regex.answer=deny;project=1"), "{}", reply.text());
    upstream.script(|_| packed("see nothing"));
    let reply = gateway.ask(&asks("openai", "Hi")).await;
    assert_eq!((reply.header("content-encoding"), reply.header("x-weir-lane")), (None, Some("relay")));
    assert_eq!(reply.json()["choices"][0]["message"]["content"], "see nothing", "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_has_to_see_everything_has_those_beside_it_see_it_too() {
    let upstream = upstream().await;
    let guards = guard("regex", PROJECT) + &guard("sentry", "");
    let gateway = gateway(&upstream, &["openai"], &guards).await;
    let before = calls(&gateway, "regex").await;
    let reply = gateway.ask(&asks("openai", "Hi")).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let after = calls(&gateway, "regex").await;
    assert!(after > before, "regex judges what sentry might have changed: {before} {after}");
}
