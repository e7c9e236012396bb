//! Answers are judged alike in every dialect, whole and streamed, wherever the provider's stream splits them.

use serde_json::{Value, json};
use weir_tests::{Answer, Request, Upstream};

use super::everywhere::{DIALECTS, Dialect, Refusal};
use super::{gateway, guard, secret};

/// Where a text stands in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerPlace {
    Text,
    Thinking,
    Arguments,
}

/// A model whose provider has one format of chat.
pub(super) const MODEL: &str = "groq";
pub(super) const NAMES: [&str; 7] = ["openai", "anthropic", "gemini", "bedrock", "cohere", "ollama", MODEL];
const PLACES: [AnswerPlace; 3] = [AnswerPlace::Text, AnswerPlace::Thinking, AnswerPlace::Arguments];

fn seeing(lines: &str) -> String {
    guard("secrets", lines).replace("grants = { prompt = true }", "grants = { answer = true }")
}

/// A provider's answer with this text, split over three pieces if it is streamed.
pub(super) fn answer(place: AnswerPlace, text: &str, stream: bool) -> Answer {
    let member = |piece: &str| match place {
        AnswerPlace::Text => json!({"content": piece}),
        AnswerPlace::Thinking => json!({"reasoning": piece}),
        AnswerPlace::Arguments => json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}),
    };
    let (before, after) = match place {
        AnswerPlace::Arguments => ("{\"q\":\"the key ", " is it\"}"),
        AnswerPlace::Text | AnswerPlace::Thinking => ("The key ", " is it."),
    };
    let reason = if place == AnswerPlace::Arguments { "tool_calls" } else { "stop" };
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17});
    if !stream {
        let mut message = member(&format!("{before}{text}{after}"));
        message["role"] = json!("assistant");
        if place == AnswerPlace::Arguments {
            let call = &mut message["tool_calls"][0];
            (call["id"], call["type"], call["function"]["name"]) = (json!("call_1"), json!("function"), json!("f"));
        }
        let body = json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "openai",
            "choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": usage});
        return Answer::json(200, body.to_string());
    }
    let chunk = |choices: Value| {
        let body = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000,
            "model": "openai", "choices": choices});
        format!("data: {body}\n\n")
    };
    let delta = |delta: Value| chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]));
    let mut first = json!({"role": "assistant"});
    if place == AnswerPlace::Arguments {
        first["tool_calls"] =
            json!([{"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}]);
    }
    let (one, rest) = text.split_at(text.ceil_char_boundary(3));
    let (two, three) = rest.split_at(rest.ceil_char_boundary(rest.len() / 2));
    let mut stream = Answer::sse().piece(delta(first)).piece(delta(member(before)));
    for piece in [one, two, three, after] {
        stream = stream.piece(delta(member(piece)));
    }
    let end = chunk(json!([{"index": 0, "delta": {}, "finish_reason": reason}]));
    stream.piece(end).piece("data: [DONE]\n\n").end()
}

/// How a dialect spells the end of an answer that a content filter refused.
pub(super) fn refused(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Chat | Dialect::Responses => "content_filter",
        Dialect::Messages => "refusal",
        Dialect::Gemini => "SAFETY",
        Dialect::Converse => "content_filtered",
        Dialect::Cohere => "ERROR",
        Dialect::Ollama => "\"done\":true",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guard_refuses_in_an_answer_reaches_no_client_wherever_it_stands_and_is_split() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    for refusal in Refusal::of_each() {
        let guards = refusal.guard().replace("grants = { prompt = true }", "grants = { answer = true }");
        let gateway = gateway(&upstream, &NAMES, &guards).await;
        let (name, text) = (refusal.guard, refusal.text.clone());
        let mut seen = 0;
        for (_, dialect) in DIALECTS {
            for place in PLACES {
                for (stream, model) in [(false, MODEL), (true, MODEL), (false, "groq-t"), (true, "groq-t")] {
                    let text = text.clone();
                    upstream.script(move |_| answer(place, &text, stream));
                    let body = dialect.ask(model, stream);
                    let reply = gateway.ask(&dialect.request(model, &body, stream)).await;
                    let case = format!("{name}, {dialect:?}, {place:?}, {model}, stream {stream}: {}", reply.text());
                    assert_eq!(reply.status(), 200, "{case}");
                    assert_eq!(reply.header("x-weir-lane"), Some("translate"), "nothing has gone before: {case}");
                    let rest = &refusal.text[refusal.text.len() / 2..];
                    assert!(!reply.text().contains(&refusal.text[..3]) && !reply.text().contains(rest), "{case}");
                    assert!(reply.text().contains(refused(dialect)), "{case}");
                    if !stream {
                        let noted = format!("{name}=allow, {name}.answer=deny;{}", refusal.label);
                        assert_eq!(reply.header("x-weir-guards"), Some(noted.as_str()), "{case}");
                    }
                    seen += 1;
                }
            }
        }
        let series = format!("weir_guard_answer_verdicts_total{{guard=\"{name}\",mode=\"enforce\",verdict=\"deny\"}}");
        gateway.until_metric(&series, f64::from(seen)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_an_answer_is_masked_and_the_rest_arrives() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    let gateway = gateway(&upstream, &NAMES, &seeing("options = { action = \"mask\" }")).await;
    for (_, dialect) in DIALECTS {
        for place in PLACES {
            for stream in [false, true] {
                for text in [secret(), "nothing".to_owned()] {
                    let text_sent = text.clone();
                    upstream.script(move |_| answer(place, &text_sent, stream));
                    let body = dialect.ask(MODEL, stream);
                    let reply = gateway.ask(&dialect.request(MODEL, &body, stream)).await;
                    let case = format!("{dialect:?}, {place:?}, stream {stream}: {}", reply.text());
                    assert_eq!(reply.status(), 200, "{case}");
                    assert!(!reply.text().contains("AKI") && !reply.text().contains("ABCD2345"), "{case}");
                    // Thinking has no place in some formats.
                    if place == AnswerPlace::Thinking {
                        continue;
                    }
                    let expected = if text == "nothing" { "nothing" } else { "[aws-access-key]" };
                    assert!(reply.text().contains(expected) && reply.text().contains(" is it"), "{case}");
                    assert!(!reply.text().contains("content_filter"), "{case}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_monitors_answers_changes_and_delays_nothing() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    let gateway = gateway(&upstream, &NAMES, &seeing("mode = \"monitor\"")).await;
    for stream in [false, true] {
        upstream.script(move |_| answer(AnswerPlace::Text, "AKIA is not a secret", stream));
        let body = Dialect::Chat.ask(MODEL, stream);
        assert_eq!(gateway.ask(&Dialect::Chat.request(MODEL, &body, stream)).await.status(), 200);
        upstream.script(move |_| answer(AnswerPlace::Text, &secret(), stream));
        let reply = gateway.ask(&Dialect::Chat.request(MODEL, &body, stream)).await;
        assert!(reply.text().contains("stop") && reply.text().contains("is it"), "{}", reply.text());
        let verdicts = reply.header("x-weir-guards").unwrap_or_default();
        assert!(stream || verdicts == "secrets=(allow), secrets.answer=(deny);aws-access-key=1", "{verdicts}");
    }
    let series = "weir_guard_answer_verdicts_total{guard=\"secrets\",mode=\"monitor\",verdict=\"deny\"}";
    gateway.until_metric(series, 2.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_fails_at_an_answer_ends_it_or_lets_it_pass() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    for (fail, answers) in [("closed", "trap"), ("open", "trap"), ("closed", "loop"), ("open", "loop")] {
        for stream in [false, true] {
            let lines = format!("plugin = \"sentry\"\noptions = {{ answers = \"{answers}\" }}\nfail = \"{fail}\"");
            let deadline = if answers == "loop" { "50ms" } else { "20s" };
            let gateway = gateway(&upstream, &NAMES, &seeing(&lines).replace("20s", deadline)).await;
            upstream.script(move |_| answer(AnswerPlace::Text, "something", stream));
            let body = Dialect::Chat.ask(MODEL, stream);
            let reply = gateway.ask(&Dialect::Chat.request(MODEL, &body, stream)).await;
            let case = format!("{fail}, {answers}, stream {stream}: {} {}", reply.status(), reply.text());
            assert_eq!(reply.text().contains("is it"), fail == "open", "{case}");
            assert_eq!(reply.status(), if fail == "open" { 200 } else { 503 }, "{case}");
            assert_eq!(reply.text().contains("guard_failed"), fail == "closed", "{case}");
            let series = "weir_guard_answer_verdicts_total{guard=\"secrets\",verdict=\"failed\"}";
            gateway.until_metric(series, 1.0).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_its_provider_has_kept_is_not_fetched_past_a_guard() {
    let mut upstream = Upstream::always(Answer::json(200, "{\"id\":\"resp_1\",\"object\":\"response\"}")).await;
    for (lines, status) in [("", 403), ("fail = \"open\"", 200), ("mode = \"monitor\"", 200)] {
        let gateway = gateway(&upstream, &["openai"], &seeing(lines)).await;
        for request in [Request::get("/v1/responses/resp_1"), Request::post("/v1/responses/resp_1/cancel", "")] {
            let reply = gateway.ask(&request).await;
            assert_eq!(reply.status(), status, "{lines}: {}", reply.text());
            let code = (status == 403).then_some("guard_cannot_judge");
            assert_eq!(reply.json()["error"]["code"].as_str(), code, "{lines}");
            assert_eq!(upstream.unseen().is_some(), status == 200, "{lines}");
        }
        let gone = gateway.ask(&Request::new("DELETE", "/v1/responses/resp_1")).await;
        assert_eq!(gone.status(), 200, "nothing is told: {}", gone.text());
        upstream.request().await;
    }
    let gateway = gateway(&upstream, &["openai"], &guard("secrets", "")).await;
    let reply = gateway.ask(&Request::get("/v1/responses/resp_1")).await;
    assert_eq!(reply.status(), 200, "it judges requests only: {}", reply.text());
}
