//! Answers that do not keep to a schema reach no client, in every dialect, whole and streamed, in both lanes; those
//! that do arrive as they were.

use serde_json::{Value, json};
use weir_tests::{Answer, Request, Upstream};

use super::answers::{MODEL, NAMES};
use super::everywhere::DIALECTS;
use super::gateway;

/// The guard, with options, where it may see requests and answers.
fn guard(options: &str) -> String {
    format!(
        "[[guards]]\nname = \"prompt-shape\"\ndeadline = \"20s\"\ngrants = {{ prompt = true, answer = true }}\n\
         options = {{ {options} }}\n"
    )
}

const SCHEMA: &str = "answer_schema = { type = \"object\", required = [\"city\"], additionalProperties = false, \
     properties = { city = { type = \"string\" }, degrees = { type = \"integer\" } } }";

/// A provider's answer with this text; a stream has it in pieces of three bytes.
fn answer(text: &str, stream: bool) -> Answer {
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17});
    let head = |kind: &str| {
        json!({"id": "chatcmpl-1", "object": kind, "created": 1_700_000_000, "model": "openai",
        "choices": []})
    };
    if !stream {
        let mut body = head("chat.completion");
        body["choices"] = json!([{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": text}}]);
        body["usage"] = usage;
        return Answer::json(200, body.to_string());
    }
    let chunk = |delta: Value, reason: Value| {
        let mut body = head("chat.completion.chunk");
        body["choices"] = json!([{"index": 0, "delta": delta, "finish_reason": reason}]);
        format!("data: {body}\n\n")
    };
    let mut stream = Answer::sse().piece(chunk(json!({"role": "assistant"}), Value::Null));
    for piece in text.as_bytes().chunks(3) {
        stream = stream.piece(chunk(json!({"content": String::from_utf8_lossy(piece)}), Value::Null));
    }
    stream.piece(chunk(json!({}), json!("stop"))).piece("data: [DONE]\n\n").end()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_the_schema_reaches_no_client_and_one_that_keeps_to_it_arrives() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    let gateway = gateway(&upstream, &NAMES, &guard(SCHEMA)).await;
    for (text, rule) in [
        (r#"{"city":"Bonn","degrees":7}"#, None),
        (r#"{"city":"Bonn","degrees":7.5}"#, Some("type")),
        (r#"{"degrees":7}"#, Some("required")),
        (r#"{"city":"Bonn","note":"degrees"}"#, Some("additionalProperties")),
        (r#"{"city":"Bonn","city":"degrees"}"#, Some("repeated")),
        (r#"Here: {"city":"Bonn","degrees":7}"#, Some("json")),
        (r#"{"city":"Bonn","degrees":"#, Some("json")),
    ] {
        for (_, dialect) in DIALECTS {
            for (stream, model) in [(false, MODEL), (true, MODEL), (false, "groq-t"), (true, "groq-t")] {
                upstream.script(move |_| answer(text, stream));
                let body = dialect.ask(model, stream);
                let reply = gateway.ask(&dialect.request(model, &body, stream)).await;
                let case = format!("{text}, {dialect:?}, {model}, stream {stream}: {}", reply.text());
                assert_eq!(reply.status(), 200, "{case}");
                let passed = reply.text().contains("Bon") || reply.text().contains("degrees");
                assert_eq!(passed, rule.is_none(), "{case}");
                if !stream {
                    let verdict = rule.map_or("prompt-shape.answer=allow".to_owned(), |rule| {
                        format!("prompt-shape.answer=deny;schema={rule}")
                    });
                    let noted = format!("prompt-shape=allow, {verdict}");
                    assert_eq!(reply.header("x-weir-guards"), Some(noted.as_str()), "{case}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_that_a_request_asks_for_holds_for_its_answer() {
    let mut upstream = Upstream::always(Answer::json(500, "{}")).await;
    let gateway = gateway(&upstream, &NAMES, &guard("answer_schema = \"request\"")).await;
    let asks = |schema: Value, stream: bool| {
        let format = json!({"type": "json_schema", "json_schema": {"name": "a", "schema": schema}});
        let body = json!({"model": MODEL, "stream": stream, "response_format": format,
            "messages": [{"role": "user", "content": "Where?"}]});
        Request::post("/v1/chat/completions", body.to_string())
    };
    let schema = json!({"$ref": "#/$defs/place", "$defs": {"place": {"type": "object", "required": ["city"]}}});
    for stream in [false, true] {
        upstream.script(move |_| answer(r#"{"city":"Bonn"}"#, stream));
        let kept = gateway.ask(&asks(schema.clone(), stream)).await;
        assert_eq!(kept.header("x-weir-lane"), Some("relay"), "{}", kept.text());
        assert!(kept.text().contains("Bon") && !kept.text().contains("content_filter"), "{}", kept.text());
        upstream.script(move |_| answer(r#"{"town":"Bonn"}"#, stream));
        let broken = gateway.ask(&asks(schema.clone(), stream)).await;
        assert!(!broken.text().contains("Bon") && broken.text().contains("content_filter"), "{}", broken.text());
        upstream.request().await;
        upstream.request().await;
    }
    let elsewhere = gateway.ask(&asks(json!({"$ref": "https://example.com/a"}), false)).await;
    assert_eq!(elsewhere.status(), 400, "{}", elsewhere.text());
    assert_eq!(elsewhere.header("x-weir-guards"), Some("prompt-shape=deny;limit=answer_schema"));
    assert!(upstream.unseen().is_none());
}
