//! Ways around guards: a provider that fails before they have decided, and guards in monitor mode, of whose verdicts
//! nothing may follow.

use serde_json::{Value, json};
use weir_tests::{Answer, Folder, Gateway, Reply, Request, Upstream, soon};

use super::everywhere::Dialect;
use super::{gateway, secret, seeing};
use crate::wire_format::{PROVIDERS, TEXT, config_of};

const NAMES: [&str; 4] = ["openai", "anthropic", "gemini", "groq"];
const CARD: &str = "4111 1111 1111 1111";
const FAILURE: &str = "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\",\"code\":500}}\n\n";

fn chunk(delta: &Value, finish: &Value, more: &Value) -> String {
    let mut choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
    choice.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let body = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]});
    format!("data: {body}\n\n")
}

/// A stream whose last words may be the beginning of what a guard looks for.
fn begun(text: &str) -> Answer {
    let piece = |text: &str| chunk(&json!({"role": "assistant", "content": text}), &Value::Null, &json!({}));
    // What is held back at first has gone by then.
    let before = (0..100).fold(Answer::sse(), |answer, number| answer.piece(piece(&format!("word {number} "))));
    before.piece(piece(&format!("The number is {text}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_guards_have_not_decided_about_when_a_stream_fails_reaches_no_client() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    let key = secret();
    for (name, part) in [("pii", CARD), ("secrets", &*key), ("secrets", &key[..18])] {
        for action in ["deny", "mask"] {
            let guards = seeing(name, &format!("options = {{ action = \"{action}\" }}"));
            for dialect in [Dialect::Chat, Dialect::Messages, Dialect::Gemini] {
                // A new one for each, since targets that fail often come to rest.
                let gateway = gateway(&upstream, &NAMES, &guards).await;
                let failed = begun(part).piece(FAILURE).end();
                let answers =
                    [("openai", &failed), ("groq", &failed), ("groq-t", &failed), ("groq-t", &begun(part).end())];
                for (model, answer) in answers {
                    let answer = answer.clone();
                    upstream.script(move |_| answer.clone());
                    let body = dialect.ask(model, true);
                    let reply = gateway.ask(&dialect.request(model, &body, true)).await;
                    let case = format!("{name} {action} {dialect:?} {model}: {}", reply.text());
                    assert!(!reply.text().contains(&part[..4]), "{case}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guards_that_only_watch_change_no_byte_of_a_request_nor_of_an_answer() {
    let mut upstream = Upstream::always(Answer::json(500, "{}")).await;
    let guards =
        seeing("secrets", "mode = \"monitor\"") + &seeing("pii", "mode = \"monitor\"\noptions = { action = \"mask\" }");
    let gateway = gateway(&upstream, &NAMES, &guards).await;
    let words = json!({"role": "assistant", "content": "Hi"});
    let likely =
        json!({"logprobs": {"content": [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}]}});
    let noted = json!({"note": format!("the key is {}", secret())});
    let ask = async |body: &str| gateway.ask(&Request::post("/v1/chat/completions", body)).await;
    for more in [likely, noted] {
        let pieces = [
            chunk(&words, &Value::Null, &more),
            chunk(&json!({}), &json!("stop"), &json!({})),
            "data: [DONE]\n\n".into(),
        ];
        let stream = pieces.iter().fold(Answer::sse(), Answer::piece).end();
        upstream.script(move |_| stream.clone());
        let reply = ask(r#"{"model":"openai","stream":true,"messages":[{"role":"user","content":"Hi"}]}"#).await;
        is_as_sent(&reply, &pieces.concat());
        let mut choice = json!({"index": 0, "message": words, "finish_reason": "stop"});
        choice.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let whole = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})
            .to_string();
        upstream.now(Answer::json(200, &whole));
        let reply = ask(r#"{"model":"openai","messages":[{"role":"user","content":"Hi"}]}"#).await;
        is_as_sent(&reply, &whole);
    }
    while upstream.unseen().is_some() {}
    let twice = r#"{"model":"openai","temperature":0,"temperature":1,"messages":[{"role":"user","content":"Hi"}]}"#;
    assert_eq!(ask(twice).await.status(), 200);
    assert_eq!(String::from_utf8(upstream.request().await.body).unwrap(), twice);
}

/// Whether an answer is the provider's own.
fn is_as_sent(reply: &Reply, sent: &str) {
    assert_eq!((reply.status(), reply.text().as_str()), (200, sent));
    assert_eq!(reply.header("x-weir-lane"), Some("relay"));
}

/// The figures tell what a guard keeps back, so that they do not go on with what it changes.
#[tokio::test(flavor = "multi_thread")]
async fn figures_of_tokens_that_a_guard_keeps_from_the_client_are_reported_as_lost() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    let gateway = gateway(&upstream, &NAMES, &seeing("pii", "options = { action = \"mask\" }")).await;
    let words = json!({"role": "assistant", "content": format!("Pay with {CARD}")});
    let figures =
        json!({"logprobs": {"content": [{"token": "Hi", "logprob": -0.5, "bytes": [72], "top_logprobs": []}]}});
    let lost = "weir_translation_dropped_fields_total{field=\"logprobs\"}";
    for (model, before) in [("openai", 0.0), ("openai-t", 2.0)] {
        let mut choice = json!({"index": 0, "message": words, "finish_reason": "stop"});
        choice.as_object_mut().unwrap().extend(figures.as_object().unwrap().clone());
        let whole = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]});
        upstream.now(Answer::json(200, whole.to_string()));
        let body = json!({"model": model, "logprobs": true, "messages": [{"role": "user", "content": "Hi"}]});
        let reply = gateway.ask(&Request::post("/v1/chat/completions", body.to_string())).await;
        assert!(reply.status() == 200 && !reply.text().contains("4111"), "{model}: {}", reply.text());
        assert_eq!(reply.header("x-weir-dropped-params"), Some("logprobs"), "{model}: {}", reply.text());
        gateway.until_metric(lost, before + 1.0).await;
        let stream = Answer::sse()
            .piece(chunk(&words, &Value::Null, &figures))
            .piece(chunk(&json!({}), &json!("stop"), &json!({})))
            .piece("data: [DONE]\n\n")
            .end();
        upstream.script(move |_| stream.clone());
        let mut body = body;
        body["stream"] = json!(true);
        let reply = gateway.ask(&Request::post("/v1/chat/completions", body.to_string())).await;
        assert!(reply.status() == 200 && !reply.text().contains("top_logprobs"), "{model}: {}", reply.text());
        gateway.until_metric(lost, before + 2.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guard_puts_in_place_and_is_no_json_and_an_end_that_it_leaves_out_are_reported_as_lost() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    for (edit, lost) in [
        ("value", "weir_translation_dropped_fields_total{field=\"note\"}"),
        ("end", "weir_translation_changed_fields_total{field=\"finish_reason\",kind=\"approximated\"}"),
    ] {
        let guards = seeing("editor", &format!("options = {{ edit = \"{edit}\" }}")).replace("prompt = true, ", "");
        let folder = Folder::with(&["openai", "anthropic", "gemini", "editor"]);
        let gateway = Gateway::with(folder, &(config_of(&PROVIDERS, &upstream) + &guards)).await;
        for to in PROVIDERS {
            for from in PROVIDERS {
                for (model, stream) in [(to.name.to_owned(), true), (to.translated(), true), (to.translated(), false)] {
                    let about = format!("{edit}: {} {model} {stream}", from.name);
                    upstream.now(if stream { to.streamed() } else { Answer::json(200, to.whole()) });
                    let before = gateway.metric(lost).await;
                    let reply = gateway.ask(&from.request(&model, stream)).await;
                    let parsed = from.parsed(&reply, stream);
                    assert_eq!(parsed.text, TEXT, "{about}: {}", reply.text());
                    let text = reply.text();
                    assert!(!text.contains("note") && !text.contains("\"model\":2"), "{about}: {text}");
                    // Without the value, the provider's own bytes are what is left. Ends of a whole answer stay.
                    let is_relayed = from == to && model == to.name;
                    if !is_relayed && (edit == "value" || stream) {
                        let counted = async { while gateway.metric(lost).await <= before {} };
                        soon("the loss to be counted", counted).await;
                    }
                    if edit == "value" && !stream {
                        let losses = reply.header("x-weir-losses").unwrap_or_default();
                        assert!(losses.contains("note=dropped"), "{about}: {losses}");
                    }
                    // It is an end all the same.
                    assert!(!stream || parsed.complete, "{about}: {}", reply.text());
                }
            }
        }
    }
}
