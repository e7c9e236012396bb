//! What stands beside the content of an answer is judged too, in every format that a provider answers in, whole and
//! streamed: details of the usage, members that come with the end.

use serde_json::{Value, json};
use weir_tests::{Answer, Upstream};

use super::everywhere::{ADAPTERS, DIALECTS, Dialect};
use super::{gateway, guard, secret};

/// A whole answer in a provider's format, with a remark in its usage.
fn whole(provider: Dialect, note: &str) -> Value {
    match provider {
        Dialect::Chat => json!({"id": "c1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17, "note": note}}),
        Dialect::Responses => responses(&json!({"usage": {"input_tokens": 10, "output_tokens": 7, "total_tokens": 17,
            "note": note}})),
        Dialect::Messages => json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 10, "output_tokens": 7, "note": note}}),
        Dialect::Gemini => json!({"candidates": [{"index": 0, "finishReason": "STOP",
            "content": {"role": "model", "parts": [{"text": "Hello"}]}}],
            "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 7, "totalTokenCount": 17, "note": note}}),
        Dialect::Converse => json!({"output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
            "stopReason": "end_turn", "metrics": {"latencyMs": 1},
            "usage": {"inputTokens": 10, "outputTokens": 7, "totalTokens": 17, "note": note}}),
        Dialect::Cohere => json!({"id": "r1", "finish_reason": "COMPLETE",
            "message": {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
            "usage": {"tokens": {"input_tokens": 10, "output_tokens": 7}, "note": note}}),
        Dialect::Ollama => {
            json!({"model": "m", "created_at": "2025-01-01T00:00:00Z", "done": true, "done_reason": "stop",
            "message": {"role": "assistant", "content": "Hello"}, "prompt_eval_count": 10, "eval_count": 7,
            "note": note})
        }
    }
}

fn responses(more: &Value) -> Value {
    let mut all = json!({"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed",
        "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "Hello", "annotations": []}]}]});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

/// A stream of Responses whose last event has these members besides.
fn streamed(more: &Value) -> Answer {
    let mut begun = responses(&json!({"status": "in_progress"}));
    begun["output"] = json!([]);
    let at = |mut event: Value| {
        (event["item_id"], event["output_index"], event["content_index"]) = (json!("msg_1"), json!(0), json!(0));
        event
    };
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
    let item = |status: &str, content: Value| json!({"type": "message", "id": "msg_1", "role": "assistant", "status": status, "content": content});
    let all = [
        json!({"type": "response.created", "response": begun}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": item("in_progress", json!([]))}),
        at(json!({"type": "response.content_part.added", "part": part("")})),
        at(json!({"type": "response.output_text.delta", "delta": "Hello"})),
        at(json!({"type": "response.output_text.done", "text": "Hello"})),
        at(json!({"type": "response.content_part.done", "part": part("Hello")})),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item("completed", json!([part("Hello")]))}),
        json!({"type": "response.completed", "response": responses(more)}),
    ];
    let event = |(number, mut data): (usize, Value)| {
        data["sequence_number"] = json!(number);
        format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap())
    };
    all.into_iter().enumerate().map(event).fold(Answer::sse(), Answer::piece).end()
}

fn sees(action: &str) -> String {
    guard("secrets", &format!("options = {{ action = \"{action}\" }}")).replace("prompt = true", "answer = true")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_the_usage_of_an_answer_reaches_no_client_in_any_format_and_lane() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    let note = format!("the key is {}", secret());
    for action in ["deny", "mask"] {
        let gateway = gateway(&upstream, &ADAPTERS, &sees(action)).await;
        for (adapter, provider) in DIALECTS {
            let answer = whole(provider, &note).to_string();
            upstream.script(move |_| Answer::json(200, &answer));
            for model in [adapter.to_owned(), format!("{adapter}-t")] {
                let reply = gateway.ask(&provider.request(&model, &provider.ask(&model, false), false)).await;
                let case = format!("{action}, {provider:?}, {model}: {}", reply.text());
                let verdict = if action == "deny" { "deny" } else { "replace" };
                let noted = format!("secrets=allow, secrets.answer={verdict};aws-access-key=1");
                assert_eq!((reply.status(), reply.header("x-weir-guards")), (200, Some(noted.as_str())), "{case}");
                assert!(!reply.text().contains("AKI"), "{case}");
                assert_eq!(reply.text().contains("Hello"), action == "mask", "{case}");
                assert!(reply.text().contains('7'), "the counts are told: {case}");
            }
        }
    }
}

/// Providers repeat settings there, and some the whole text once more.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_with_the_end_of_a_stream_only_is_judged_as_in_a_whole_answer() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    let more = json!({"output_text": format!("the key is {}", secret())});
    for action in ["deny", "mask"] {
        let gateway = gateway(&upstream, &ADAPTERS, &sees(action)).await;
        for stream in [false, true] {
            for model in ["openai", "openai-t"] {
                let more = more.clone();
                upstream.script(
                    move |_| {
                        if stream { streamed(&more) } else { Answer::json(200, responses(&more).to_string()) }
                    },
                );
                let body = Dialect::Responses.ask(model, stream);
                let reply = gateway.ask(&Dialect::Responses.request(model, &body, stream)).await;
                let case = format!("{action}, {model}, stream {stream}: {}", reply.text());
                assert_eq!(reply.status(), 200, "{case}");
                assert!(!reply.text().contains("AKI"), "{case}");
                assert_eq!(reply.text().contains("content_filter"), action == "deny", "{case}");
            }
        }
    }
}
