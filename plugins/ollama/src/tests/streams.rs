//! Streams: lines to events, and events to lines.

use serde_json::{Value, json};
use weir_sdk::testing::events::{call, delta, finish, mixed_stream, start, stop};
use weir_sdk::types::{
    CandidateLogprobs, ChatEvent, Error, ErrorKind, FinishReason, Opaque, PartDelta, PartKind, PartStart, ResponseStart,
};

use super::{context, decoded, encoded, generating};

fn line(message: &Value) -> String {
    json!({"model": "m", "created_at": "2025-07-07T20:22:19Z", "message": message, "done": false}).to_string()
}

fn last() -> String {
    json!({"model": "m", "message": {"content": ""}, "done": true, "done_reason": "stop", "eval_count": 2}).to_string()
}

/// The events in short.
fn story(events: &[ChatEvent]) -> Vec<String> {
    let kind = |kind: &PartKind| match kind {
        PartKind::Text => "text".to_owned(),
        PartKind::Reasoning => "thought".to_owned(),
        PartKind::ToolCall(start) => format!("call {} {}", start.id, start.name),
        PartKind::Media(_) => "media".to_owned(),
        PartKind::Opaque(_) | PartKind::Refusal => "other".to_owned(),
    };
    let tell = |event: &ChatEvent| {
        Some(match event {
            ChatEvent::PartStart(start) => format!("+{} {}", start.part, kind(&start.kind)),
            ChatEvent::Delta(delta) => format!("{} {}", delta.part, delta.text),
            ChatEvent::PartStop(stop) => format!("-{}", stop.part),
            ChatEvent::Finish(finish) => format!("{:?}", finish.finish.reason),
            ChatEvent::Failure(error) => format!("failure {:?}", error.kind),
            _ => return None,
        })
    };
    let plain = |line: String| line.replace("FinishReason::", "").replace("ErrorKind::", "");
    events.iter().filter_map(tell).map(plain).collect()
}

#[test]
fn c78_kinds_take_turns_and_an_empty_text_closes_nothing() {
    let lines = [
        line(&json!({"content": "", "thinking": "h"})),
        line(&json!({"content": "", "thinking": "m"})),
        line(&json!({"content": "a", "thinking": "."})),
        line(&json!({"content": "b"})),
        last(),
    ];
    for group in [1, 2, 5] {
        let story = story(&decoded(&context("m"), &lines, group));
        assert_eq!(story, ["+0 thought", "0 h", "0 m", "0 .", "-0", "+1 text", "1 a", "1 b", "-1", "Complete"]);
    }
}

#[test]
fn c10_streamed_calls_are_calls_and_whole() {
    let call = |arguments: Value| json!({"function": {"name": "f", "arguments": arguments}});
    let lines = [
        line(&json!({"content": "so"})),
        line(&json!({"content": "", "tool_calls": [call(json!({"a": 1})), call(json!({}))]})),
        line(&json!({"content": "", "tool_calls": [call(json!("{\"b\":2}"))]})),
        last(),
    ];
    let expected = [
        "+0 text",
        "0 so",
        "-0",
        "+1 call call_req1_0 f",
        r#"1 {"a":1}"#,
        "-1",
        "+2 call call_req1_1 f",
        "2 {}",
        "-2",
        "+3 call call_req1_2 f",
        r#"3 {"b":2}"#,
        "-3",
        "ToolCalls",
    ];
    for group in [1, 3, 4] {
        assert_eq!(story(&decoded(&context("m"), &lines, group)), expected);
    }
}

#[test]
fn c04_calls_that_repeat_index_and_id_are_calls_of_their_own() {
    let call = |id: &str| json!({"id": id, "function": {"index": 0, "name": "f", "arguments": {}}});
    let lines = [
        line(&json!({"content": "", "tool_calls": [call("x")]})),
        line(&json!({"content": "", "tool_calls": [call("x"), call("")]})),
        last(),
    ];
    let story = story(&decoded(&context("m"), &lines, 1));
    let calls: Vec<&String> = story.iter().filter(|line| line.contains("call")).collect();
    assert_eq!(calls, ["+0 call x f", "+1 call call_req1_1 f", "+2 call call_req1_2 f"]);
}

#[test]
fn c19_a_stream_without_its_last_line_is_a_failure() {
    let story_of = |lines: &[String]| story(&decoded(&context("m"), lines, 1));
    assert_eq!(story_of(&[line(&json!({"content": "a"}))]).last().unwrap(), "failure Upstream");
    assert_eq!(story_of(&[]), ["failure Upstream"]);
    let error = json!({"error": "prompt exceeds the context window"}).to_string();
    let broken = [line(&json!({"content": "a"})), error, line(&json!({"content": "b"}))];
    assert_eq!(story_of(&broken), ["+0 text", "0 a", "failure ContextLength"]);
}

#[test]
fn nothing_counts_after_the_last_line() {
    let lines = [line(&json!({"content": "a"})), last(), line(&json!({"content": "b"})), last()];
    assert_eq!(story(&decoded(&context("m"), &lines, 4)), ["+0 text", "0 a", "-0", "Complete"]);
}

#[test]
fn a_stream_of_one_line_is_a_whole_answer() {
    let only = json!({"model": "m", "message": {"content": "a"}, "done": true, "eval_count": 1, "total_duration": 9});
    let events = decoded(&context("m"), &[only.to_string()], 1);
    assert_eq!(story(&events), ["+0 text", "0 a", "-0", "Complete"]);
    let usage = events.iter().find_map(|event| if let ChatEvent::Usage(usage) = event { Some(usage) } else { None });
    assert_eq!((usage.unwrap().output, usage.unwrap().extensions.len()), (Some(1), 1));
}

#[test]
fn images_of_the_models_own_come_whole() {
    let lines = [line(&json!({"content": "", "images": ["iVBORw0KGgo="]})), last()];
    let events = decoded(&context("m"), &lines, 1);
    assert_eq!(story(&events), ["+0 media", "-0", "Complete"]);
    let generated = json!({"model": "m", "image": "iVBORw0KGgo=", "done": true});
    assert_eq!(story(&decoded(&context("m"), &[generated.to_string()], 1)), ["+0 media", "-0", "Complete"]);
}

/// The official client sends a message's images, and refuses those of an answer.
#[test]
fn a_message_has_no_images_and_a_generated_answer_one() {
    let lines = [line(&json!({"content": "a", "images": ["iVBORw0KGgo=", "/9j/4AAQ"]})), last()];
    let events = decoded(&context("m"), &lines, 1);
    let (back, losses) = encoded(&context("m"), &events, 1);
    assert!(back.iter().all(|line| line["message"].get("images").is_none()), "{back:?}");
    assert_eq!(losses, ["content.media", "content.media"]);
    let (back, losses) = encoded(&generating("m"), &events, 1);
    let images: Vec<_> = back.iter().filter_map(|line| line.get("image")).collect();
    assert_eq!((images, losses.len()), (vec![&json!("iVBORw0KGgo=")], 1));
}

fn foreign_stream() -> Vec<ChatEvent> {
    mixed_stream(ResponseStart { id: "i".into(), created_ms: Some(1500.0), ..ResponseStart::default() }, "")
}

#[test]
fn c09_a_stream_of_another_format_is_rendered_with_whole_calls_in_order() {
    for group in [1, 4, 100] {
        let (lines, losses) = encoded(&context("alias"), &foreign_stream(), group);
        assert!(lines.iter().all(|line| line["model"] == "alias" && line["created_at"] == "1970-01-01T00:00:01.500Z"));
        let (end, before) = lines.split_last().unwrap();
        assert!(before.iter().all(|line| line["done"] == false && line.get("done_reason").is_none()));
        let written: Vec<&Value> = before.iter().map(|line| &line["message"]).collect();
        let expected = [
            json!({"role": "assistant", "content": "", "thinking": "hm"}),
            json!({"role": "assistant", "content": "a"}),
            json!({"role": "assistant", "content": "b"}),
            json!({"role": "assistant", "content": "", "tool_calls": [
                {"id": "c1", "function": {"index": 0, "name": "f", "arguments": {"x": 1}}}]}),
            json!({"role": "assistant", "content": "", "tool_calls": [
                {"id": "c2", "function": {"index": 1, "name": "f", "arguments": {}}}]}),
        ];
        assert_eq!(written, expected.iter().collect::<Vec<_>>());
        assert_eq!((&end["done"], &end["done_reason"]), (&json!(true), &json!("stop")));
        assert_eq!((&end["prompt_eval_count"], &end["eval_count"]), (&json!(2), &json!(3)));
        assert_eq!(losses, ["signature"]);
    }
}

#[test]
fn a_stream_for_a_prompt_has_its_own_members() {
    let events = [start(0, PartKind::Reasoning), delta(0, "hm"), stop(0), start(1, PartKind::Text), delta(1, "a")];
    let (lines, _) = encoded(&generating("m"), &events, 2);
    assert_eq!((&lines[0]["response"], &lines[0]["thinking"]), (&json!(""), &json!("hm")));
    assert_eq!((&lines[1]["response"], lines[1].get("message")), (&json!("a"), None));
    assert_eq!((&lines[2]["done"], &lines[2]["response"]), (&json!(true), &json!("")));
}

#[test]
fn c19_nothing_follows_a_failure() {
    let mut events = foreign_stream();
    events.insert(7, ChatEvent::Failure(Error { message: "gone".into(), ..Error::new(ErrorKind::Overloaded, "") }));
    let (lines, _) = encoded(&context("m"), &events, 1);
    assert_eq!(lines.last().unwrap(), &json!({"error": "gone"}));
    assert!(lines.iter().all(|line| line["done"] != true));
}

#[test]
fn c13_there_is_exactly_one_last_line() {
    for events in [vec![], vec![finish(FinishReason::Length)], vec![start(0, PartKind::Text), delta(0, "a")]] {
        let (lines, _) = encoded(&context("m"), &events, 1);
        assert_eq!(lines.iter().filter(|line| line["done"] == true).count(), 1);
        assert_eq!(lines.last().unwrap()["done"], true);
    }
}

#[test]
fn c79_what_another_provider_ran_itself_is_no_call() {
    let opaque = || Opaque { format: "anthropic.messages".into(), kind: "server_tool_use".into(), json: "{}".into() };
    let events =
        [start(0, PartKind::Opaque(opaque())), stop(0), ChatEvent::Opaque(opaque()), finish(FinishReason::Complete)];
    let (lines, losses) = encoded(&context("m"), &events, 1);
    assert_eq!(lines.len(), 1);
    assert_eq!(losses, ["server_tool_use"]);
}

#[test]
fn notes_of_other_formats_are_no_losses() {
    let note = Opaque { format: "openai.responses".into(), kind: "item=i\tnull".into(), json: "null".into() };
    assert_eq!(encoded(&context("m"), &[ChatEvent::Opaque(note)], 1).1, [""; 0]);
}

#[test]
fn log_probabilities_of_a_token_without_text_go_with_the_next_line() {
    let one = |token: &str| {
        let json = format!(r#"{{"content":[{{"token":"{token}","logprob":-1}}]}}"#);
        ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json })
    };
    let events = [start(0, PartKind::Text), one("a"), one("b"), delta(0, "é")];
    let (lines, _) = encoded(&context("m"), &events, 4);
    let token = |word: &str, byte: u8| json!({"token": word, "logprob": -1, "bytes": [byte], "top_logprobs": []});
    assert_eq!(lines[0]["logprobs"], json!([token("a", 97), token("b", 98)]));
}

#[test]
fn c05_a_call_that_never_stops_goes_out_at_the_end() {
    let events = [start(0, call("c")), delta(0, "{}"), finish(FinishReason::ToolCalls)];
    let (lines, _) = encoded(&context("m"), &events, 1);
    assert_eq!(lines[0]["message"]["tool_calls"][0]["id"], "c");
    assert_eq!(lines.len(), 2);
}

#[test]
fn c80_a_second_candidate_is_not_mixed_in() {
    let other = ChatEvent::PartStart(PartStart { candidate: 1, part: 0, kind: PartKind::Text });
    let words = ChatEvent::Delta(PartDelta { candidate: 1, part: 0, text: "x".into() });
    let events = [start(0, PartKind::Text), other, words, delta(0, "a"), stop(0)];
    let (lines, losses) = encoded(&context("m"), &events, 1);
    assert_eq!((lines.len(), &lines[0]["message"]["content"]), (2, &json!("a")));
    assert_eq!(losses, ["candidates"]);
}
