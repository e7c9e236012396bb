//! Streams: frames to events, and events to frames.

use serde_json::{Value, json};
use weir_sdk::adapter::{DialectChat, Encoder as _};
use weir_sdk::compat::responses::note;
use weir_sdk::testing::events::{delta, sign, signed_call, start, stop};
use weir_sdk::types::{
    CandidateFinish, ChatEvent, Context, Error, ErrorKind, Finish, FinishReason, Frame, Opaque, Part, PartDelta,
    PartKind, PartStart, PartStop, ResponseStart, Signature, ToolKind, ToolStart, Usage,
};

use super::{answered, context, decoded, encoded, fold};
use crate::Anthropic;

fn call(part: u32, id: &str, signature: Option<Signature>) -> ChatEvent {
    start(part, signed_call(id, signature))
}

fn finish(reason: FinishReason) -> ChatEvent {
    ChatEvent::Finish(CandidateFinish { candidate: 0, finish: Finish::new(reason, "raw") })
}

fn begin() -> ChatEvent {
    ChatEvent::Start(ResponseStart { id: "msg_1".into(), ..ResponseStart::default() })
}

/// The frames of a stream with these events in its middle, checked, and the message that they make.
fn rendered(middle: Vec<ChatEvent>) -> (Vec<Frame>, Value) {
    let mut events = vec![begin()];
    events.extend(middle);
    events.push(finish(FinishReason::Complete));
    let (frames, _) = encoded(&context("claude-test"), &events);
    fold::check(&frames);
    let message = fold::message(&frames);
    (frames, message)
}

fn frame(data: &Value) -> Frame {
    Frame { event: data["type"].as_str().map(str::to_owned), data: data.to_string() }
}

#[test]
fn c05_overlapping_parts_are_written_one_after_the_other() {
    let (_, message) = rendered(vec![
        call(0, "a", None),
        call(1, "b", None),
        delta(0, "{\"x\":"),
        delta(1, "{\"y\":2}"),
        start(2, PartKind::Text),
        delta(0, "1}"),
        stop(1),
        delta(2, "done"),
        stop(0),
        stop(2),
    ]);
    assert_eq!(
        message["content"],
        json!([
            {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
            {"type": "tool_use", "id": "b", "name": "f", "input": {"y": 2}},
            {"type": "text", "text": "done"},
        ])
    );
    assert_eq!(message["stop_reason"], "tool_use");
}

#[test]
fn a_tier_of_another_format_has_this_formats_name_or_is_reported() {
    let told = |tier: &str| {
        let start = ResponseStart { service_tier: Some(tier.into()), ..ResponseStart::default() };
        let events = vec![ChatEvent::Start(start), finish(FinishReason::Complete)];
        let (frames, losses) = encoded(&context("claude-test"), &events);
        let start: Value = serde_json::from_str(&frames[0].data).unwrap();
        (start["message"]["usage"]["service_tier"].clone(), losses.len())
    };
    assert_eq!(told("default"), ("standard".into(), 0));
    assert_eq!(told("batch"), ("batch".into(), 0));
    assert_eq!(told("flex"), (Value::Null, 1));
}

#[test]
fn c05_a_call_without_arguments_yields_an_empty_object() {
    let (frames, message) = rendered(vec![call(0, "a", None), stop(0)]);
    assert_eq!(message["content"][0]["input"], json!({}));
    assert!(frames.iter().any(|frame| frame.data.contains(r#""partial_json":"{}""#)));
}

#[test]
fn c05_a_call_whose_input_is_null_has_no_arguments() {
    let call = json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": null});
    let body = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-test",
        "content": [call], "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1}});
    let Part::ToolCall(whole) = &answered(&body).candidates[0].parts[0] else { panic!("no call") };
    assert_eq!(whole.arguments, "{}");
    let frames = [
        frame(&json!({"type": "message_start", "message": {"id": "msg_1"}})),
        frame(&json!({"type": "content_block_start", "index": 0, "content_block": call})),
        frame(&json!({"type": "content_block_stop", "index": 0})),
        frame(&json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}})),
        frame(&json!({"type": "message_stop"})),
    ];
    assert!(decoded(&frames, 1).contains(&delta(0, "{}")));
}

#[test]
fn c05_parts_that_are_never_stopped_are_stopped_at_the_end() {
    let (_, message) = rendered(vec![call(0, "a", None), delta(0, "{}"), start(1, PartKind::Text), delta(1, "x")]);
    assert_eq!(message["content"].as_array().unwrap().len(), 2);
}

/// Whatever events come in between, a piece of arguments is never held back for the next event.
#[test]
fn c07_pieces_of_arguments_are_written_as_they_come() {
    let mut encoder = <Anthropic as DialectChat>::Encoder::new(context("claude-test"));
    let mut frames = |event| encoder.push(vec![event]).unwrap().frames;
    frames(begin());
    for event in [start(0, PartKind::Text), delta(0, "words"), stop(0), call(1, "a", None)] {
        frames(event);
    }
    for piece in ["{\"x\"", ":1", "}"] {
        let out = frames(delta(1, piece));
        assert_eq!(out.len(), 1, "{piece}");
        let data: Value = serde_json::from_str(&out[0].data).unwrap();
        assert_eq!(data["delta"], json!({"type": "input_json_delta", "partial_json": piece}));
    }
}

#[test]
fn c42_a_block_begins_with_its_first_words() {
    let (_, message) =
        rendered(vec![start(0, PartKind::Text), stop(0), start(1, PartKind::Text), delta(1, "x"), stop(1)]);
    assert_eq!(message["content"], json!([{"type": "text", "text": "x"}]));
}

#[test]
fn c30_a_signature_is_the_last_of_its_block() {
    let reasoning = || start(0, PartKind::Reasoning);
    let own = vec![reasoning(), sign(0, "anthropic", "Eq", false), delta(0, "hm"), stop(0)];
    let (frames, message) = rendered(own);
    assert_eq!(message["content"], json!([{"type": "thinking", "thinking": "hm", "signature": "Eq"}]));
    let at = frames.iter().position(|frame| frame.data.contains("signature_delta")).unwrap();
    assert_eq!(frames[at + 1].event.as_deref(), Some("content_block_stop"));
    let (_, message) = rendered(vec![reasoning(), sign(0, "anthropic", "Eq", false), stop(0)]);
    assert_eq!(message["content"], json!([{"type": "thinking", "thinking": "", "signature": "Eq"}]));
    let (_, message) = rendered(vec![reasoning(), sign(0, "anthropic", "Em", true), stop(0)]);
    assert_eq!(message["content"], json!([{"type": "redacted_thinking", "data": "Em"}]));
}

#[test]
fn c32_values_of_other_issuers_are_wrapped_as_in_whole_answers() {
    let gemini = Signature { issuer: "gemini".into(), value: "g".into() };
    let (_, message) = rendered(vec![
        start(0, PartKind::Reasoning),
        delta(0, "hm"),
        sign(0, "openai", "gAAA", true),
        stop(0),
        call(1, "call_1", Some(gemini)),
        stop(1),
    ]);
    assert_eq!(message["content"][0]["signature"], "weir.openai.e..gAAA");
    assert_eq!(message["content"][1], json!({"type": "redacted_thinking", "data": "weir.gemini.t.call_1.g"}));
    assert_eq!(message["content"][2]["type"], "tool_use");
}

#[test]
fn c32_encrypted_thinking_keeps_the_id_by_which_its_service_knows_it() {
    let ended = |part| {
        let extensions = vec![note("id", "rs_1")];
        ChatEvent::PartStop(PartStop { candidate: 0, part, extensions })
    };
    let (_, message) = rendered(vec![
        start(0, PartKind::Reasoning),
        delta(0, "hm"),
        sign(0, "openai", "gAAA", true),
        ended(0),
        start(1, PartKind::Reasoning),
        sign(1, "openai", "gAAA", true),
        ended(1),
    ]);
    let carried = "weir.openai.e.rs_1.gAAA";
    assert_eq!(message["content"][0]["signature"], carried);
    assert_eq!(message["content"][1], json!({"type": "redacted_thinking", "data": carried}));
}

#[test]
fn free_text_for_a_tool_becomes_an_object() {
    let custom = ToolStart { id: "a".into(), name: "sh".into(), kind: ToolKind::Custom, signature: None };
    let (_, message) =
        rendered(vec![start(0, PartKind::ToolCall(custom)), delta(0, "ls \""), delta(0, "\n\""), stop(0)]);
    assert_eq!(message["content"][0]["input"], json!({"input": "ls \"\n\""}));
}

#[test]
fn c59_the_beginning_tells_the_input_and_the_end_all() {
    let ctx = Context { input_tokens: Some(33), ..context("m") };
    let usage = Usage { input: Some(30), output: Some(7), reasoning: Some(3), ..Usage::default() };
    let events = vec![begin(), finish(FinishReason::Complete), ChatEvent::Usage(usage)];
    let (frames, _) = encoded(&ctx, &events);
    let data = |at: usize| serde_json::from_str::<Value>(&frames[at].data).unwrap();
    assert_eq!(data(0)["message"]["usage"]["input_tokens"], 33);
    let end = &data(frames.len() - 2)["usage"];
    assert_eq!((&end["input_tokens"], &end["output_tokens"]), (&json!(30), &json!(10)));
}

#[test]
fn c19_a_failure_is_an_error_event_and_nothing_follows() {
    let error = Error::new(ErrorKind::Overloaded, "busy");
    let events = vec![begin(), start(0, PartKind::Text), delta(0, "x"), ChatEvent::Failure(error), stop(0)];
    let (frames, _) = encoded(&context("m"), &events);
    let last = frames.last().unwrap();
    let data: Value = serde_json::from_str(&last.data).unwrap();
    assert_eq!(last.event.as_deref(), Some("error"));
    assert_eq!(data["error"], json!({"type": "overloaded_error", "message": "busy"}));
    assert_eq!(frames.len(), 4);
}

#[test]
fn c79_parts_of_other_formats_are_reported_and_not_shown() {
    let hosted = Opaque { format: "openai.responses".into(), kind: "web_search_call".into(), json: "{}".into() };
    let events = vec![begin(), start(0, PartKind::Opaque(hosted)), stop(0), finish(FinishReason::Complete)];
    let (frames, losses) = encoded(&context("m"), &events);
    fold::check(&frames);
    assert_eq!(losses, ["content[0].web_search_call"]);
    assert_eq!(fold::message(&frames)["content"], json!([]));
}

#[test]
fn events_of_other_formats_are_reported_once() {
    let chunk = || Opaque { format: "openai.chat".into(), kind: "chunk".into(), json: "{}".into() };
    let events: Vec<ChatEvent> = (0..5).map(|_| ChatEvent::Opaque(chunk())).collect();
    assert_eq!(encoded(&context("m"), &events).1, ["chunk"]);
}

#[test]
fn c80_only_the_first_candidate_is_rendered() {
    let other = ChatEvent::Delta(PartDelta { candidate: 1, part: 0, text: "other".into() });
    let (_, message) = rendered(vec![start(0, PartKind::Text), delta(0, "x"), other, stop(0)]);
    assert_eq!(message["content"], json!([{"type": "text", "text": "x"}]));
}

fn message_start() -> Frame {
    frame(&json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
        "model": "m", "content": [], "usage": {"input_tokens": 5, "output_tokens": 1}}}))
}

#[test]
fn c19_an_answer_that_was_cut_off_never_looks_complete() {
    let events = decoded(&[message_start()], 1);
    assert!(matches!(events.last(), Some(ChatEvent::Failure(_))));
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let events = decoded(&[message_start(), frame(&error)], 1);
    let failures: Vec<&ChatEvent> = events.iter().filter(|event| matches!(event, ChatEvent::Failure(_))).collect();
    assert!(matches!(failures[..], [ChatEvent::Failure(error)] if error.kind == ErrorKind::Overloaded));
}

#[test]
fn c81_frames_are_recognised_by_their_data_and_pings_are_ignored() {
    let end = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}});
    let bare = |data: &Value| Frame { event: None, data: data.to_string() };
    let frames = [
        message_start(),
        bare(&json!({"type": "ping"})),
        bare(&json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "a"}})),
        bare(&json!({"type": "content_block_stop", "index": 0})),
        bare(&end),
        Frame { event: Some("data".into()), data: "[DONE]".into() },
    ];
    let events = decoded(&frames, 1);
    let expected = [
        start(0, PartKind::Text),
        delta(0, "a"),
        stop(0),
        ChatEvent::Usage(Usage { output: Some(3), ..Usage::default() }),
        ChatEvent::Finish(CandidateFinish { candidate: 0, finish: Finish::new(FinishReason::Complete, "end_turn") }),
    ];
    assert_eq!(events[2..], expected);
}

#[test]
fn c06_text_of_a_block_that_never_started_is_kept() {
    let more = json!({"type": "content_block_delta", "index": 3, "delta": {"type": "text_delta", "text": "x"}});
    let stopped = json!({"type": "content_block_stop", "index": 3});
    let events = decoded(&[frame(&more), frame(&stopped)], 1);
    assert_eq!(events[..3], [start(0, PartKind::Text), delta(0, "x"), stop(0)]);
}

#[test]
fn c79_a_server_tool_is_handed_on_when_it_is_whole() {
    let block = json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}});
    let piece = |text: &str| {
        let delta = json!({"type": "input_json_delta", "partial_json": text});
        frame(&json!({"type": "content_block_delta", "index": 0, "delta": delta}))
    };
    let frames = [
        message_start(),
        frame(&json!({"type": "content_block_start", "index": 0, "content_block": block})),
        piece(""),
        piece("{\"query\":"),
        piece("\"x\"}"),
        frame(&json!({"type": "content_block_stop", "index": 0})),
        frame(&json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}})),
    ];
    let events = decoded(&frames, 1);
    let Some(ChatEvent::PartStart(PartStart { kind: PartKind::Opaque(whole), .. })) = events.get(2) else {
        panic!("the block, whole: {events:?}")
    };
    assert_eq!(
        serde_json::from_str::<Value>(&whole.json).unwrap(),
        json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}})
    );
    assert!(matches!(events.last(), Some(ChatEvent::Finish(end)) if end.finish.reason == FinishReason::Complete));
}

#[test]
fn callers_other_than_the_model_are_reported_at_the_start_of_a_call() {
    let caller = json!({"type": "code_execution_20250825", "tool_id": "s"});
    let block = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": caller});
    let frames = [
        message_start(),
        frame(&json!({"type": "content_block_start", "index": 0, "content_block": block})),
        frame(&json!({"type": "content_block_stop", "index": 0})),
        frame(&json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}})),
    ];
    let (frames, _) = encoded(&context("m"), &decoded(&frames, 4));
    assert_eq!(fold::message(&frames)["content"][0], block);
}

#[test]
fn c09_a_stream_and_a_whole_answer_have_the_same_content() {
    let text = json!({"type": "text", "text": "I'll look."});
    let call = json!({"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1, "é"]}});
    let whole = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-test",
        "content": [text, call], "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 5, "output_tokens": 9}});
    let block =
        |index: u32, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let more = |index: u32, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let frames: Vec<Frame> = [
        block(0, json!({"type": "text", "text": ""})),
        more(0, json!({"type": "text_delta", "text": "I'll "})),
        more(0, json!({"type": "text_delta", "text": "look."})),
        json!({"type": "content_block_stop", "index": 0}),
        block(1, json!({"type": "tool_use", "id": "t", "name": "f", "input": {}})),
        more(1, json!({"type": "input_json_delta", "partial_json": "{\"a\":[1,"})),
        more(1, json!({"type": "input_json_delta", "partial_json": "\"é\"]}"})),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}),
        json!({"type": "message_stop"}),
    ]
    .iter()
    .map(frame)
    .collect();
    let frames: Vec<Frame> = std::iter::once(message_start()).chain(frames).collect();
    let (rendered, _) = encoded(&context("claude-test"), &decoded(&frames, 1));
    let (shown, _) = super::shown(answered(&whole));
    assert_eq!(super::meaning::of_response(fold::message(&rendered)), super::meaning::of_response(shown));
}

/// Calls by code that runs at the provider come whole with the message's beginning.
#[test]
fn content_of_the_messages_beginning_is_reported() {
    let call = |id: &str, input: Value| {
        json!({"type": "tool_use", "id": id, "name": "look", "input": input,
            "caller": {"type": "code_execution_20250825", "tool_id": "srvtoolu_1"}})
    };
    let start = |reason: Value| {
        let content =
            [call("toolu_1", json!({"at": 1})), json!({"type": "text", "text": "so"}), call("toolu_2", json!({}))];
        frame(&json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
            "model": "m", "content": content, "stop_reason": reason, "stop_sequence": null,
            "usage": {"input_tokens": 1, "output_tokens": 1}}}))
    };
    let delta = |reason: Value| {
        frame(&json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null},
            "usage": {"output_tokens": 7}}))
    };
    let end = frame(&json!({"type": "message_stop"}));
    let early = vec![start(json!("tool_use")), end.clone()];
    let both = vec![start(json!("tool_use")), delta(json!(null)), end.clone()];
    for frames in [early, both, vec![start(json!(null)), delta(json!("tool_use")), end]] {
        let events = decoded(&frames, 1);
        let calls: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                ChatEvent::PartStart(PartStart { kind: PartKind::ToolCall(call), part, .. }) => {
                    Some((*part, call.id.as_str()))
                }
                _ => None,
            })
            .collect();
        assert_eq!(calls, [(0, "toolu_1"), (2, "toolu_2")]);
        let texts: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                ChatEvent::Delta(delta) => Some((delta.part, delta.text.as_str())),
                _ => None,
            })
            .collect();
        assert_eq!(texts, [(0, r#"{"at":1}"#), (1, "so"), (2, "{}")]);
        let finishes: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                ChatEvent::Finish(finish) => Some(finish.finish.reason),
                _ => None,
            })
            .collect();
        assert_eq!(finishes, [FinishReason::ToolCalls]);
    }
}

#[test]
fn c84_the_words_of_a_refusal_come_before_its_end_and_are_no_text_in_this_format() {
    let end = json!({"type": "message_delta",
        "delta": {"stop_reason": "refusal", "stop_sequence": null,
            "stop_details": {"type": "refusal", "category": null, "explanation": "Not that."}},
        "usage": {"output_tokens": 1}});
    let message = json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-test", "content": []}});
    let frames = [frame(&message), frame(&end), frame(&json!({"type": "message_stop"}))];
    let events = decoded(&frames, 1);
    let is_refusal =
        |event: &ChatEvent| matches!(event, ChatEvent::PartStart(PartStart { kind: PartKind::Refusal, .. }));
    assert!(events.iter().any(is_refusal) && events.contains(&delta(0, "Not that.")), "{events:?}");
    let (back, losses) = encoded(&context("claude-test"), &events);
    let message = fold::message(&back);
    assert_eq!((&message["content"], &message["stop_reason"]), (&json!([]), &json!("refusal")));
    let ends = back.iter().find(|frame| frame.data.contains("stop_details")).unwrap();
    assert!(ends.data.contains("Not that.") && losses.is_empty(), "{losses:?}");
}
