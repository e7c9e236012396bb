//! Answers that a limit cut short or a filter ended, in each format and both lanes, and those that are too large.

use serde_json::{Value, json};
use weir_tests::{Answer, Gate, Gateway, Request, Upstream};

use super::{chat, keeping, result};
use crate::wire_format::{ANTHROPIC, GEMINI, OPENAI, TEXT, WireFormat};

/// An answer in the Responses format with this status.
fn response(status: &str, reason: Option<&str>) -> Value {
    let content = json!([{"type": "output_text", "text": "Hello", "annotations": []}]);
    json!({"id": "resp_1", "object": "response", "created_at": 1_700_000_000, "status": status, "model": "openai",
           "incomplete_details": reason.map(|reason| json!({"reason": reason})),
           "output": [{"type": "message", "id": "msg_1", "status": status, "role": "assistant", "content": content}],
           "usage": {"input_tokens": 10, "output_tokens": 7, "total_tokens": 17}})
}

/// The same as a stream.
fn response_events(status: &str, reason: Option<&str>) -> String {
    let mut begun = response("in_progress", None);
    begun["output"] = json!([]);
    let item = response(status, reason)["output"][0].clone();
    let place = json!({"item_id": "msg_1", "output_index": 0, "content_index": 0});
    let events = [
        ("response.created", json!({"response": begun})),
        (
            "response.output_item.added",
            json!({"output_index": 0, "item": {"type": "message", "id": "msg_1",
            "status": "in_progress", "role": "assistant", "content": []}}),
        ),
        ("response.content_part.added", json!({"part": {"type": "output_text", "text": "", "annotations": []}})),
        ("response.output_text.delta", json!({"delta": "Hello"})),
        ("response.output_text.done", json!({"text": "Hello"})),
        ("response.content_part.done", json!({"part": item["content"][0]})),
        ("response.output_item.done", json!({"output_index": 0, "item": item})),
        (&*format!("response.{status}"), json!({"response": response(status, reason)})),
    ];
    let event = |(number, (name, mut event)): (usize, (&str, Value))| {
        let members = event.as_object_mut().unwrap();
        members.extend([("type".to_owned(), json!(name)), ("sequence_number".to_owned(), json!(number))]);
        if name.contains("content_part") || name.contains("output_text") {
            members.extend(place.as_object().unwrap().clone());
        }
        format!("event: {name}\ndata: {event}\n\n")
    };
    events.into_iter().enumerate().map(event).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_limit_cut_or_a_filter_ended_is_not_kept_in_any_format_or_lane() {
    let said = |wire_format: WireFormat, end: &str, other: &str| {
        let change = |text: String| text.replace(&format!("\"{end}\""), &format!("\"{other}\""));
        (change(wire_format.whole()), change(wire_format.stream().concat()))
    };
    // The client's format and what providers answer: of the same format, and of OpenAI's Chat.
    let mut cases = Vec::new();
    for (wire_format, ends) in
        [(ANTHROPIC, ["end_turn", "max_tokens", "refusal"]), (GEMINI, ["STOP", "MAX_TOKENS", "SAFETY"])]
    {
        cases.extend(
            ends.map(|end| (wire_format, end == ends[0], said(wire_format, ends[0], end), said(OPENAI, "", ""))),
        );
    }
    for (status, reason, end) in [
        ("completed", None, "stop"),
        ("incomplete", Some("max_output_tokens"), "length"),
        ("incomplete", Some("content_filter"), "content_filter"),
    ] {
        let own = (response(status, reason).to_string(), response_events(status, reason));
        cases.push((OPENAI, reason.is_none(), own, said(OPENAI, "stop", end)));
    }
    for (wire_format, is_complete, own, chat) in cases {
        let about = format!("{} {}", wire_format.name, own.0);
        let upstream = Upstream::scripted(move |request| {
            let (whole, streamed) = if request.line().contains("/chat/completions") { &chat } else { &own };
            if wire_format.wants_stream(request) {
                return Answer::sse().piece(streamed.clone()).end();
            }
            Answer::json(200, whole.clone())
        });
        let upstream = upstream.await;
        let gateway = Gateway::open(&keeping(&[wire_format], &upstream)).await;
        for model in [wire_format.name.to_owned(), wire_format.translated()] {
            for stream in [false, true] {
                let request = if wire_format == OPENAI {
                    let body = json!({"model": model, "input": "Hi", "store": false, "stream": stream});
                    Request::post("/v1/responses", body.to_string())
                } else {
                    wire_format.request(&model, stream)
                };
                // Another question for a stream: an answer to one would do for the other.
                let body = String::from_utf8(request.sent()).unwrap().replace("Hi", if stream { "Ho" } else { "Hi" });
                let request = request.body(body);
                let first = gateway.ask(&request).await;
                assert_eq!(first.status(), 200, "{about}: {}", first.text());
                if is_complete {
                    until_hit(&gateway, &request, &format!("{about}: {model} {stream}")).await;
                    continue;
                }
                let again = gateway.ask(&request).await;
                assert!(matches!(result(&again), Some("miss" | "bypass")), "{about}: {model} {stream}");
            }
        }
        let entries = gateway.metric("weir_cache_entries").await;
        assert_eq!(entries > 0.0, is_complete, "{about}: {entries}");
    }
}

/// A refusal may be none when asked again, and what has no end of its own may lack its rest.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_not_kept_nor_a_stream_without_an_end_of_its_own() {
    let about = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "openai"});
    let chunk = move |delta: Value, end: Value| {
        let mut chunk = about.clone();
        chunk["choices"] = json!([{"index": 0, "delta": delta, "finish_reason": end}]);
        format!("data: {chunk}\n\n")
    };
    let upstream = Upstream::scripted(move |request| {
        if !OPENAI.wants_stream(request) {
            let message = json!({"role": "assistant", "content": null, "refusal": "no"});
            let choices = json!([{"index": 0, "message": message, "finish_reason": "stop"}]);
            let whole =
                json!({"id": "c", "object": "chat.completion", "created": 1, "model": "openai", "choices": choices});
            return Answer::json(200, whole.to_string());
        }
        let (delta, end) = if request.json()["messages"][0]["content"] == "Ho" {
            (json!({"role": "assistant", "refusal": "no"}), json!("stop"))
        } else {
            (json!({"role": "assistant", "content": "Hello"}), Value::Null)
        };
        let rest = chunk(json!({}), end);
        Answer::sse().piece(chunk(delta, Value::Null)).piece(rest).piece("data: [DONE]\n\n").end()
    })
    .await;
    let gateway = Gateway::open(&keeping(&[OPENAI], &upstream)).await;
    for model in ["openai", "openai-t"] {
        for (said, stream) in [("Hi", false), ("Ho", true), ("Hey", true)] {
            let request =
                chat(&json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": said}]}));
            for _ in 0..2 {
                let reply = gateway.ask(&request).await;
                assert_eq!(reply.status(), 200, "{model} {said}: {}", reply.text());
                assert!(matches!(result(&reply), Some("miss" | "bypass")), "{model} {said}: {:?}", result(&reply));
            }
        }
    }
    assert_eq!(gateway.metric("weir_cache_entries").await, 0.0);
}

/// A provider whose length is too short, or which breaks off between two frames, has sent the finish and not the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_its_formats_last_frame_is_not_kept() {
    for wire_format in [OPENAI, ANTHROPIC] {
        let whole = wire_format.stream().concat();
        let frames: Vec<&str> = whole.split_inclusive("\n\n").collect();
        let cut = frames[..frames.len() - 1].concat();
        assert!(cut.contains("stop") || cut.contains("end_turn"), "it has its finish: {cut}");
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: ";
        for announced in [true, false] {
            let (cut, whole) = (cut.clone(), whole.clone());
            let mut upstream = Upstream::scripted(move |_| {
                if announced {
                    // What is behind the length is not read.
                    Answer::raw(format!("{head}{}\r\n\r\n{whole}", cut.len())).close()
                } else {
                    Answer::sse().piece(&cut).end()
                }
            })
            .await;
            let gateway = Gateway::open(&keeping(&[wire_format], &upstream)).await;
            let translated = wire_format.translated();
            for model in [wire_format.name, &translated].repeat(3) {
                let request = wire_format.request(model, true);
                let reply = gateway.ask(&request).await;
                assert_eq!((reply.status(), result(&reply)), (200, Some("miss")), "{announced}: {}", reply.text());
                upstream.request().await;
            }
            assert_eq!(gateway.metric("weir_cache_entries").await, 0.0, "{} {announced}", wire_format.name);
        }
    }
}

/// A raw prompt is continued, where a chat's message is answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_chats_answer_is_none_for_a_raw_prompt() {
    let completion = json!({"id": "c", "object": "text_completion", "created": 1, "model": "openai",
        "choices": [{"index": 0, "text": " upon a time", "finish_reason": "stop", "logprobs": null}]});
    let upstream = Upstream::scripted(move |request| {
        let is_chat = request.line().contains("/chat/completions");
        Answer::json(200, if is_chat { OPENAI.whole() } else { completion.to_string() })
    })
    .await;
    let gateway = Gateway::open(&keeping(&[OPENAI], &upstream)).await;
    until_hit(&gateway, &chat(&json!({})), "the chat").await;
    let prompt = Request::post("/v1/completions", json!({"model": "openai", "prompt": "Hi"}).to_string());
    let reply = gateway.ask(&prompt).await;
    assert_eq!((reply.status(), result(&reply)), (200, Some("miss")), "{}", reply.text());
    until_hit(&gateway, &prompt, "the prompt").await;
}

/// Asks until the answer has been kept.
async fn until_hit(gateway: &Gateway, request: &Request, about: &str) {
    for _ in 0..2_000 {
        if result(&gateway.ask(request).await) == Some("hit") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{about}: the answer is not kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_large_arrives_and_is_neither_kept_nor_waited_for() {
    // Pieces of a megabyte each, and more of them than is kept of one answer.
    let large = "x".repeat(1 << 20);
    let pieces = OPENAI.stream();
    let (piece, rest) = (pieces[1].replace(&TEXT[..6], &large), pieces[3..].concat());
    for stream in [false, true] {
        let (beginning, gate) = (Gate::default(), Gate::default());
        let answer = if stream {
            let begun = Answer::sse().gate(&beginning).piece(&pieces[0]);
            let begun = (0..9).fold(begun, |answer, _| answer.piece(&piece));
            begun.gate(&gate).piece(&rest).end()
        } else {
            let whole = OPENAI.whole().replace(TEXT, &large.repeat(9));
            let (most, end) = whole.split_at(whole.len() - 10);
            let begun = Answer::begin(200, &[("content-type", "application/json")]).gate(&beginning);
            begun.piece(most).gate(&gate).piece(end).end()
        };
        let mut upstream = Upstream::always(answer).await;
        let gateway = Gateway::open(&keeping(&[OPENAI], &upstream)).await;
        let request = chat(&json!({"stream": stream}));
        let mut leader = gateway.connect().await;
        leader.send(&request).await;
        upstream.request().await;
        let mut follower = gateway.connect().await;
        follower.send(&request).await;
        gateway.until_metric("weir_cache_waiting", 1.0).await;
        (0..2).for_each(|_| beginning.open());
        // It is sent by itself as soon as it is known that the other one's answer is not kept: that has not ended.
        let read = async {
            assert_eq!(leader.head().await.header("x-weir-cache"), Some("miss"));
            let mut length = 0;
            while length < 9 << 20 {
                length += leader.piece().await.unwrap().map_or(0, |piece| piece.len());
            }
        };
        tokio::join!(read, upstream.request());
        (0..2).for_each(|_| gate.open());
        assert!(!leader.rest().await.1);
        let reply = follower.reply().await;
        assert_eq!(result(&reply), Some("bypass"), "{stream}");
        assert_eq!(reply.text().matches(&large).count(), 9, "{stream}");
        assert_eq!((upstream.count_unseen(), gateway.metric("weir_cache_entries").await), (0, 0.0), "{stream}");
    }
}
