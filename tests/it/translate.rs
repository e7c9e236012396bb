//! Different formats on the two sides: the same meaning.

use serde_json::{Value, json};
use weir_tests::code::pack;
use weir_tests::{Answer, Gateway, Upstream};

use crate::wire_format::{ALL, ANTHROPIC, OPENAI, TEXT, TOKENS, ZETA, config, provider};

#[tokio::test(flavor = "multi_thread")]
async fn c44_every_format_reaches_every_provider_and_comes_back() {
    for to in ALL {
        let upstream = provider(to).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        for from in ALL {
            for stream in [false, true] {
                let model = to.translated();
                let reply = gateway.ask(&from.request(&model, stream)).await;
                let place = format!("{} to {}, stream: {stream}: {}", from.name, to.name, reply.text());
                assert_eq!(reply.status(), 200, "{place}");
                let parsed = from.parsed(&reply, stream);
                assert_eq!((parsed.text.as_str(), parsed.finish.as_deref()), (TEXT, Some("stop")), "{place}");
                assert_eq!(parsed.tokens, Some(TOKENS), "{place}");
                assert_eq!(parsed.model.as_deref(), Some(to.name), "the name is the provider's: {place}");
                assert_eq!((parsed.complete, parsed.error), (stream, None), "{place}");
                assert!(!reply.cut, "{place}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c23_packed_answers_are_unpacked_on_the_way() {
    for coding in ["gzip", "deflate", "br", "zstd"] {
        for stream in [false, true] {
            let plain = if stream { OPENAI.stream().concat() } else { OPENAI.whole() };
            let kind = if stream { "text/event-stream" } else { "application/json" };
            let head = [("content-type", kind), ("content-encoding", coding)];
            let packed = pack(coding, plain.as_bytes());
            let upstream = Upstream::always(Answer::begin(200, &head).pieces(&packed, 5).end()).await;
            let gateway = Gateway::open(&config(&upstream)).await;
            let reply = gateway.ask(&ANTHROPIC.request("openai", stream).header("accept-encoding", coding)).await;
            assert_eq!(reply.header("content-encoding"), None, "{coding}");
            assert_eq!(ANTHROPIC.parsed(&reply, stream).text, TEXT, "{coding} stream: {stream}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c49_what_another_format_cannot_hold_is_listed() {
    let upstream = provider(ZETA).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let body = r#"{"model":"zeta","messages":[{"role":"user","content":"Hi"}],"seed":7,"top_p":0.5,"vendor_thing":1}"#;
    let reply = gateway.post("/v1/chat/completions", body).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let lost = reply.header("x-weir-dropped-params").unwrap_or_default().to_owned();
    for field in ["seed", "top_p"] {
        assert!(lost.contains(field), "{field} in {lost}");
        let series = format!("weir_translation_dropped_fields_total{{field=\"{field}\"}}");
        assert_eq!(gateway.metric(&series).await, 1.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_strict_mode_a_loss_is_refused_and_nothing_sent() {
    let mut upstream = provider(ZETA).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let body = r#"{"model":"zeta","messages":[{"role":"user","content":"Hi"}],"seed":7}"#;
    let request = weir_tests::Request::post("/v1/chat/completions", body).header("x-weir-strict", "true");
    let reply = gateway.ask(&request).await;
    assert_eq!(reply.status(), 400);
    assert!(OPENAI.error(&reply).unwrap_or_default().contains("seed"), "{}", reply.text());
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn c40_what_must_not_be_dropped_is_refused() {
    let mut upstream = provider(ZETA).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let image = json!({"type": "image_url", "image_url": {"url": "https://x.example/a.png"}});
    let body = json!({"model": "zeta", "messages": [{"role": "user", "content": [image]}]});
    let reply = gateway.post("/v1/chat/completions", &body.to_string()).await;
    assert_eq!(reply.status(), 400, "{}", reply.text());
    assert!(OPENAI.error(&reply).is_some());
    assert!(upstream.unseen().is_none());
}

/// One call in a provider's answer of each format.
fn calling() -> [(crate::wire_format::WireFormat, Value); 3] {
    let openai = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0,
        "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":\"世界\"}"}},
            {"id": "call_2", "type": "function", "function": {"name": "rest", "arguments": "{}"}}]}}]});
    let anthropic = json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
        "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}, "content": [
            {"type": "tool_use", "id": "call_1", "name": "look", "input": {"at": "世界"}},
            {"type": "tool_use", "id": "call_2", "name": "rest", "input": {}}]});
    // The finish reason is wrong: calls outrank it.
    let zeta = json!({"ref": "z", "brain": "m", "ended": "done", "reply": {"says": "", "wants": [
        {"tag": "call_1", "deed": "look", "with": {"at": "世界"}}, {"tag": "call_2", "deed": "rest", "with": {}}]}});
    [(OPENAI, openai), (ANTHROPIC, anthropic), (ZETA, zeta)]
}

#[tokio::test(flavor = "multi_thread")]
async fn c11_calls_arrive_as_calls_in_every_format_whole_and_unfolded() {
    for (to, answer) in calling() {
        let upstream = Upstream::always(Answer::json(200, answer.to_string())).await;
        let gateway = Gateway::open(&config(&upstream)).await;
        for from in ALL {
            // An answer that is not streamed although a stream was requested still reaches the client as a stream.
            for stream in [false, true] {
                let reply = gateway.ask(&from.request(&to.translated(), stream)).await;
                let parsed = from.parsed(&reply, stream);
                let place = format!("{} to {}, stream: {stream}: {}", from.name, to.name, reply.text());
                let calls: Vec<_> = parsed.calls.iter().map(|c| (c.id.as_str(), c.name.as_str(), c.value())).collect();
                let expected = [("call_1", "look", json!({"at": "世界"})), ("call_2", "rest", json!({}))];
                assert_eq!(calls, expected, "{place}");
                assert_eq!(parsed.finish.as_deref(), Some("tool"), "{place}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_picture_goes_around_the_sandbox_and_arrives() {
    let mut upstream = provider(ANTHROPIC).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let picture = "iVBORw0KGgo".repeat(200_000);
    let url = format!("data:image/png;base64,{picture}");
    let body = json!({"model": "anthropic", "messages": [{"role": "user", "content": [
        {"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]}]});
    let reply = gateway.post("/v1/chat/completions", &body.to_string()).await;
    assert_eq!(OPENAI.parsed(&reply, false).text, TEXT, "{}", reply.text());
    let source = &upstream.request().await.json()["messages"][0]["content"][1]["source"];
    assert_eq!((&source["media_type"], &source["type"]), (&json!("image/png"), &json!("base64")));
    assert_eq!(source["data"].as_str().map(str::len), Some(picture.len()));
    assert!(source["data"] == picture.as_str(), "every letter of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn lone_surrogates_are_mended_on_the_way() {
    let mut upstream = provider(ZETA).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let body = "{\"model\":\"zeta\",\"messages\":[{\"role\":\"user\",\"content\":\"a\\ud800b\"}]}";
    let reply = gateway.post("/v1/chat/completions", body).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(upstream.request().await.json()["scroll"][0]["says"], "a\u{fffd}b");
}

#[tokio::test(flavor = "multi_thread")]
async fn c45_a_model_that_cannot_be_served_is_reported_at_once() {
    let upstream = provider(ZETA).await;
    let settings = format!(
        "[[models]]\nalias = \"nobody\"\ntype = \"nobody\"\ntarget = {{ url = \"{}\", api_key = \"k\" }}\n{}",
        upstream.url(),
        config(&upstream)
    );
    let gateway = Gateway::open(&settings).await;
    let reply = gateway.ask(&OPENAI.request("nobody", false)).await;
    assert_eq!(reply.status(), 503, "{}", reply.text());
    assert!(OPENAI.error(&reply).is_some_and(|message| message.contains("nobody")));
    assert_eq!(gateway.ask(&ZETA.request("zeta", false)).await.status(), 200, "the others are served");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_its_provider_has_is_refused_in_translation_and_relayed_otherwise() {
    let mut upstream = provider(ANTHROPIC).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    for member in [r#""previous_response_id":"resp_1""#, r#""conversation":"conv_1""#, r#""background":true"#] {
        let body = |model: &str| format!("{{\"model\":\"{model}\",\"input\":\"Hi\",{member}}}");
        let reply = gateway.post("/v1/responses", &body("anthropic")).await;
        let field = member.split('"').nth(1).unwrap_or_default();
        assert_eq!(reply.status(), 400, "{}", reply.text());
        assert!(OPENAI.error(&reply).unwrap_or_default().contains(field) || reply.text().contains(field));
        assert!(upstream.unseen().is_none());
        gateway.post("/v1/responses", &body("openai")).await;
        assert!(upstream.request().await.text().contains(member));
    }
    let harmless = r#"{"model":"anthropic","input":"Hi","previous_response_id":null,"background":false}"#;
    assert_eq!(gateway.post("/v1/responses", harmless).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_may_be_strict_by_itself() {
    let mut upstream = provider(ZETA).await;
    let model = |alias: &str, strict: &str| {
        format!("[[models]]\nalias = \"{alias}\"\n{strict}\ntarget = {{ provider = \"zeta\", model = \"zeta\" }}\n")
    };
    let config = format!(
        "[server]\nstrict = true\n{}{}{}",
        config(&upstream),
        model("loose", "strict = false"),
        model("strict", "strict = true")
    );
    let gateway = Gateway::open(&config).await;
    let body = |model: &str| {
        format!("{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hi\"}}],\"seed\":7}}")
    };
    for (model, status) in [("loose", 200), ("strict", 400), ("zeta", 400)] {
        assert_eq!(gateway.post("/v1/chat/completions", &body(model)).await.status(), status, "{model}");
    }
    assert!(upstream.request().await.text().contains("Hi"));
    assert!(upstream.unseen().is_none(), "only the loose one was sent");
    let strictly = weir_tests::Request::post("/v1/chat/completions", body("loose")).header("x-weir-strict", "1");
    assert_eq!(gateway.ask(&strictly).await.status(), 400);
}
