//! Streamed answers, parsed and rendered.

use serde_json::{Value, json};
use weir_sdk::testing::events::{call, delta, finish, start, stop};
use weir_sdk::types::{
    ChatEvent, Context, Error, ErrorKind, FinishReason, Frame, MediaKind, MediaSource, Opaque, PartDelta, PartKind,
    PartSignature, PartStart, ResponseStart, Signature, Usage,
};

use super::{CLAUDE, answered, context, decoded, encoded, fold, frame, meaning, written};

fn begin() -> ChatEvent {
    ChatEvent::Start(ResponseStart::default())
}

/// The stream that a client gets, and the answer that it builds from it.
fn shown(events: Vec<ChatEvent>) -> (Vec<Frame>, Value) {
    let mut all = vec![begin()];
    all.extend(events);
    all.push(finish(FinishReason::Complete));
    let (frames, _) = encoded(&context("m"), &all, 1);
    for group in [2, 3, all.len()] {
        assert_eq!(encoded(&context("m"), &all, group).0, frames, "in groups of {group}");
    }
    fold::check(&frames);
    let answer = fold::answer(&frames);
    (frames, answer)
}

fn names(frames: &[Frame]) -> Vec<&str> {
    frames.iter().map(|frame| frame.event.as_deref().unwrap()).collect()
}

#[test]
fn c85_only_calls_are_begun() {
    let (frames, answer) = shown(vec![
        start(0, PartKind::Reasoning),
        delta(0, "hm"),
        stop(0),
        start(1, PartKind::Text),
        delta(1, "a"),
        stop(1),
        start(2, call("t")),
        delta(2, "{}"),
        stop(2),
    ]);
    let begun: Vec<Value> = frames
        .iter()
        .filter(|frame| frame.event.as_deref() == Some("contentBlockStart"))
        .map(|frame| serde_json::from_str(&frame.data).unwrap())
        .collect();
    assert_eq!(begun, [json!({"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}})]);
    assert_eq!(answer["stopReason"], "tool_use");
    assert_eq!(answer["output"]["message"]["content"].as_array().unwrap().len(), 3);
}

#[test]
fn c05_overlapping_calls_are_blocks_one_after_the_other() {
    let events = vec![
        start(0, PartKind::Text),
        delta(0, "a"),
        start(1, call("x")),
        start(2, call("y")),
        delta(1, "{\"n\":"),
        delta(2, "{\"m\":2}"),
        delta(1, "1}"),
        stop(0),
        stop(2),
        stop(1),
        start(3, call("z")),
        stop(3),
    ];
    let (_, answer) = shown(events);
    let inputs: Vec<&Value> =
        (1..4).map(|at| &answer["output"]["message"]["content"][at]["toolUse"]["input"]).collect();
    assert_eq!(inputs, [&json!({"n": 1}), &json!({"m": 2}), &json!({})]);
}

#[test]
fn c06_texts_without_words_are_no_blocks() {
    let (frames, answer) = shown(vec![start(0, PartKind::Text), stop(0), start(1, call("t")), stop(1)]);
    assert_eq!(answer["output"]["message"]["content"][0]["toolUse"]["name"], "f");
    assert!(!frames.iter().any(|frame| frame.data.contains("\"text\"")));
    let (frames, _) = shown(Vec::new());
    assert_eq!(names(&frames), ["messageStart", "messageStop", "metadata"]);
}

#[test]
fn c07_every_piece_of_arguments_is_a_frame_at_once() {
    let (frames, _) = encoded(&context("m"), &[begin(), start(0, call("t")), delta(0, "{\"a\""), delta(0, ":1}")], 1);
    let pieces = frames.iter().filter(|frame| frame.data.contains("\"input\"")).count();
    assert_eq!(pieces, 2);
}

#[test]
fn c30_signatures_come_last_in_their_block() {
    let sign = |value: &str, encrypted| {
        let signature = Signature { issuer: "anthropic".into(), value: value.into() };
        ChatEvent::Signature(PartSignature { candidate: 0, part: 0, signature, encrypted })
    };
    let (_, answer) =
        shown(vec![start(0, PartKind::Reasoning), sign("E", false), delta(0, "hm"), sign("q", false), stop(0)]);
    let text = json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "Eq"}}});
    assert_eq!(answer["output"]["message"]["content"], json!([text]));
    let (_, answer) = shown(vec![start(0, PartKind::Reasoning), sign("Em", true), stop(0)]);
    let redacted = json!({"reasoningContent": {"redactedContent": "RW0="}});
    assert_eq!(answer["output"]["message"]["content"], json!([redacted]));
}

#[test]
fn c19_a_failure_is_an_exception_and_nothing_follows() {
    for (kind, name) in [
        (ErrorKind::Overloaded, "serviceUnavailableException"),
        (ErrorKind::RateLimited, "throttlingException"),
        (ErrorKind::Upstream, "modelStreamErrorException"),
        (ErrorKind::ContextLength, "validationException"),
    ] {
        let failure = ChatEvent::Failure(Error::new(kind, "busy"));
        let events = [begin(), start(0, PartKind::Text), delta(0, "x"), failure, stop(0)];
        let (frames, _) = encoded(&context("m"), &events, 1);
        let last = frames.last().unwrap();
        assert_eq!((last.event.as_deref(), last.data.as_str()), (Some(name), r#"{"message":"busy"}"#));
        assert_eq!(frames.len(), 3);
    }
}

#[test]
fn c82_usage_after_the_finish_is_reported() {
    let usage = Usage { input: Some(3), cache_read: Some(4), output: Some(5), reasoning: Some(6), ..Usage::default() };
    let events = [begin(), finish(FinishReason::Length), ChatEvent::Usage(usage)];
    let (frames, _) = encoded(&context("m"), &events, 1);
    let answer = fold::answer(&frames);
    assert_eq!(answer["stopReason"], "max_tokens");
    let usage = json!({"inputTokens": 3, "outputTokens": 11, "totalTokens": 18, "cacheReadInputTokens": 4});
    assert_eq!(answer["usage"], usage);
}

#[test]
fn c79_c80_parts_without_a_place_are_reported_and_not_shown() {
    let hosted = Opaque { format: "openai.responses".into(), kind: "web_search_call".into(), json: "{}".into() };
    let other = ChatEvent::Delta(PartDelta { candidate: 1, part: 0, text: "other".into() });
    let events = [begin(), start(0, PartKind::Opaque(hosted)), stop(0), other, finish(FinishReason::Complete)];
    let (frames, losses) = encoded(&context("m"), &events, 1);
    fold::check(&frames);
    assert_eq!(losses, ["content[0].web_search_call", "candidates"]);
    assert_eq!(fold::answer(&frames)["output"]["message"]["content"], json!([]));
}

#[test]
fn c13_a_stream_without_a_reason_gets_one_and_reports_it() {
    let (frames, losses) = encoded(&context("m"), &[begin(), start(0, PartKind::Text), delta(0, "x"), stop(0)], 1);
    fold::check(&frames);
    assert_eq!(fold::answer(&frames)["stopReason"], "end_turn");
    assert_eq!(losses, ["stopReason"]);
}

fn text_frames() -> Vec<Frame> {
    vec![
        frame("messageStart", &json!({"role": "assistant", "p": "abc"})),
        frame("contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": {"text": "é"}, "p": "a"})),
    ]
}

#[test]
fn c19_an_answer_that_was_cut_off_never_looks_complete() {
    let events = decoded(&context("m"), &text_frames(), 1);
    assert!(matches!(events.last(), Some(ChatEvent::Failure(_))));
    let mut frames = text_frames();
    frames.push(frame("throttlingException", &json!({"message": "slow down"})));
    frames.push(frame("messageStop", &json!({"stopReason": "end_turn"})));
    let events = decoded(&context("m"), &frames, 1);
    assert!(
        matches!(events.last(), Some(ChatEvent::Failure(error)) if error.kind == ErrorKind::RateLimited && error.message == "slow down")
    );
    assert!(!events.iter().any(|event| matches!(event, ChatEvent::Finish(_))));
}

#[test]
fn c77_c78_a_block_that_changes_its_kind_is_two_parts_in_order() {
    let thought = |index: u32, text: &str| {
        let delta = json!({"reasoningContent": {"text": text}});
        frame("contentBlockDelta", &json!({"contentBlockIndex": index, "delta": delta}))
    };
    let text = |index: u32, text: &str| {
        frame("contentBlockDelta", &json!({"contentBlockIndex": index, "delta": {"text": text}}))
    };
    let frames = [
        thought(0, "a"),
        text(0, ""),
        thought(0, "b"),
        text(0, "c"),
        frame("messageStop", &json!({"stopReason": "end_turn"})),
    ];
    let events = decoded(&context("m"), &frames, 1);
    let expected = [
        start(0, PartKind::Reasoning),
        delta(0, "a"),
        delta(0, "b"),
        stop(0),
        start(1, PartKind::Text),
        delta(1, "c"),
        stop(1),
    ];
    assert_eq!(events[..7], expected);
}

#[test]
fn events_are_known_by_what_they_hold_where_they_have_no_name() {
    let bare = |data: Value| Frame { event: None, data: data.to_string() };
    let frames = [
        bare(json!({"role": "assistant"})),
        bare(json!({"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}})),
        bare(json!({"contentBlockIndex": 0})),
        bare(json!({"stopReason": "end_turn"})),
        bare(json!({"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}, "metrics": {"latencyMs": 9}})),
    ];
    let events = decoded(&context("m"), &frames, 1);
    assert_eq!(events[..4], [begin(), start(0, call("t")), delta(0, "{}"), stop(0)]);
    assert!(matches!(&events[4], ChatEvent::Finish(end) if end.finish.reason == FinishReason::ToolCalls));
    assert!(matches!(&events[5], ChatEvent::Usage(usage) if usage.output == Some(2)));
}

#[test]
fn c79_the_services_own_tools_are_handed_on_whole_and_written_back() {
    let used = json!({"toolUseId": "s", "name": "nova_code_interpreter", "type": "server_tool_use"});
    let back = json!({"toolUseId": "s", "type": "nova_code_interpreter_result", "status": "success"});
    let piece =
        |index: u32, delta: Value| frame("contentBlockDelta", &json!({"contentBlockIndex": index, "delta": delta}));
    let stopped = |index: u32| frame("contentBlockStop", &json!({"contentBlockIndex": index}));
    let frames = [
        frame("messageStart", &json!({"role": "assistant"})),
        frame("contentBlockStart", &json!({"contentBlockIndex": 0, "start": {"toolUse": used}})),
        piece(0, json!({"toolUse": {"input": "{\"snippet\":"}})),
        piece(0, json!({"toolUse": {"input": "\"1\"}"}})),
        stopped(0),
        frame("contentBlockStart", &json!({"contentBlockIndex": 1, "start": {"toolResult": back}})),
        piece(1, json!({"toolResult": [{"json": {"out": "1"}}]})),
        stopped(1),
        frame("messageStop", &json!({"stopReason": "end_turn"})),
        frame(
            "metadata",
            &json!({"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}, "metrics": {"latencyMs": 9}}),
        ),
    ];
    let events = decoded(&context("m"), &frames, 1);
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, ChatEvent::PartStart(PartStart { kind: PartKind::ToolCall(_), .. })))
    );
    let (back, losses) = encoded(&context("m"), &events, 1);
    fold::check(&back);
    assert!(losses.is_empty());
    assert_eq!(fold::answer(&back), fold::answer(&frames));
}

#[test]
fn images_that_a_model_makes_come_through() {
    let stored = json!({"s3Location": {"uri": "s3://b/k", "bucketOwner": "1"}});
    for (source, read) in [
        (json!({"bytes": "iVBO"}), MediaSource::Base64("iVBO".into())),
        (stored, MediaSource::FileId("s3://b/k".into())),
    ] {
        let piece = json!({"contentBlockIndex": 0, "delta": {"image": {"source": source}}});
        let frames = [
            frame("messageStart", &json!({"role": "assistant"})),
            frame("contentBlockStart", &json!({"contentBlockIndex": 0, "start": {"image": {"format": "png"}}})),
            frame("contentBlockDelta", &piece),
            frame("contentBlockStop", &json!({"contentBlockIndex": 0})),
            frame("messageStop", &json!({"stopReason": "end_turn"})),
        ];
        let events = decoded(&context("m"), &frames, 1);
        let image = events.iter().find_map(|event| match event {
            ChatEvent::PartStart(PartStart { kind: PartKind::Media(media), .. }) => Some(media),
            _ => None,
        });
        assert_eq!(image.map(|media| (media.kind, &media.source)), Some((MediaKind::Image, &read)));
        let (back, losses) = encoded(&context("m"), &events, 1);
        assert!(losses.is_empty());
        assert_eq!(back[1..4], frames[1..4]);
    }
}

#[test]
fn an_image_that_was_withheld_says_why() {
    let error = json!({"contentBlockIndex": 0, "delta": {"image": {"error": {"message": "blocked"}}}});
    let frames = [
        frame("messageStart", &json!({"role": "assistant"})),
        frame("contentBlockStart", &json!({"contentBlockIndex": 0, "start": {"image": {"format": "png"}}})),
        frame("contentBlockDelta", &error),
        frame("contentBlockStop", &json!({"contentBlockIndex": 0})),
        frame("messageStop", &json!({"stopReason": "end_turn"})),
    ];
    let events = decoded(&context("m"), &frames, 1);
    let made = events
        .iter()
        .any(|event| matches!(event, ChatEvent::PartStart(start) if matches!(start.kind, PartKind::Media(_))));
    assert!(!made, "an image without bytes is none: {events:?}");
    let (back, losses) = encoded(&context("m"), &events, 1);
    assert!(losses.is_empty());
    assert_eq!(back[1..4], frames[1..4]);
}

#[test]
fn a_streams_tier_is_read_and_written_back_once() {
    let metadata = json!({"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
        "metrics": {"latencyMs": 9}, "serviceTier": {"type": "flex"}});
    let frames = [
        frame("messageStart", &json!({"role": "assistant"})),
        frame("messageStop", &json!({"stopReason": "end_turn"})),
        frame("metadata", &metadata),
    ];
    let events = decoded(&context("m"), &frames, 1);
    let tier = events.iter().find_map(|event| match event {
        ChatEvent::Usage(usage) => usage.service_tier.as_deref(),
        _ => None,
    });
    assert_eq!(tier, Some("flex"));
    let (back, losses) = encoded(&context("m"), &events, 1);
    let last = &back.last().unwrap().data;
    assert_eq!((last.matches("serviceTier").count(), losses.len()), (1, 0));
    assert_eq!(serde_json::from_str::<Value>(last).unwrap(), metadata);
}

#[test]
fn encrypted_thinking_of_claude_is_the_text_that_other_formats_have() {
    let piece = |bytes: &str| {
        let delta = json!({"reasoningContent": {"redactedContent": bytes}});
        frame("contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": delta}))
    };
    let begin = || frame("messageStart", &json!({"role": "assistant"}));
    let end = || frame("messageStop", &json!({"stopReason": "end_turn"}));
    // "EtMF" and "CkgICx", each in base64.
    let frames = [begin(), piece("RXRNRg=="), piece("Q2tnSUN4"), end()];
    let events = decoded(&context(CLAUDE), &frames, 1);
    let pieces: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Signature(one) if one.encrypted => Some(one.signature.value.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(pieces, ["EtMF", "CkgICx"]);
    let (back, _) = encoded(&context(CLAUDE), &events, 1);
    let whole = json!([{"reasoningContent": {"redactedContent": "RXRNRkNrZ0lDeA=="}}]);
    assert_eq!(fold::answer(&back)["output"]["message"]["content"], whole);
}

#[test]
fn c09_a_stream_and_a_whole_answer_have_the_same_content() {
    let call = json!({"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": [1, "é"]}}});
    let thought = json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "Eq"}}});
    let whole = json!({"output": {"message": {"role": "assistant", "content": [thought, {"text": "I'll look."}, call]}},
        "stopReason": "tool_use", "usage": {"inputTokens": 5, "outputTokens": 9, "totalTokens": 14}, "metrics": {"latencyMs": 1}});
    let piece =
        |index: u32, delta: Value| frame("contentBlockDelta", &json!({"contentBlockIndex": index, "delta": delta}));
    let stopped = |index: u32| frame("contentBlockStop", &json!({"contentBlockIndex": index}));
    let frames = [
        frame("messageStart", &json!({"role": "assistant"})),
        piece(0, json!({"reasoningContent": {"text": "hm"}})),
        piece(0, json!({"reasoningContent": {"signature": "Eq"}})),
        stopped(0),
        piece(1, json!({"text": "I'll "})),
        piece(1, json!({"text": "look."})),
        stopped(1),
        frame(
            "contentBlockStart",
            &json!({"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}}),
        ),
        piece(2, json!({"toolUse": {"input": "{\"a\":[1,"}})),
        piece(2, json!({"toolUse": {"input": "\"é\"]}"}})),
        stopped(2),
        frame("messageStop", &json!({"stopReason": "tool_use"})),
        frame("metadata", &json!({"usage": whole["usage"], "metrics": whole["metrics"]})),
    ];
    let ctx: Context = context(CLAUDE);
    let (back, _) = encoded(&ctx, &decoded(&ctx, &frames, 1), 1);
    let (shown, _) = written(&ctx, answered(&ctx, &whole).unwrap());
    assert_eq!(meaning::of_answer(fold::answer(&back)), meaning::of_answer(shown));
}

#[test]
fn the_tier_of_another_services_answer_is_told_at_the_end() {
    let tier = |told: &str| {
        let start = ResponseStart { service_tier: Some(told.into()), ..ResponseStart::default() };
        let events = [ChatEvent::Start(start), finish(FinishReason::Complete)];
        let (frames, losses) = encoded(&context("m"), &events, 1);
        let last: Value = serde_json::from_str(&frames.last().unwrap().data).unwrap();
        (last["serviceTier"]["type"].as_str().map(str::to_owned), losses)
    };
    assert_eq!(tier("standard"), (Some("default".into()), vec![]));
    assert_eq!(tier("priority"), (Some("priority".into()), vec![]));
    assert_eq!(tier("batch"), (None, vec!["service_tier".into()]));
}
