//! Streams: those of services, and those for clients.

use serde_json::{Value, json};
use weir_sdk::adapter::{Decoder as _, ProviderChat};
use weir_sdk::types::{
    CandidateFinish, CandidateLogprobs, ChatEvent, Citation, Context, Error, ErrorKind, Finish, FinishReason, Frame,
    Opaque, PartCitation, PartDelta, PartKind, PartStart, PartStop, ResponseStart, ToolKind, ToolStart, Usage,
};

use super::{decoded, encoded, fold};
use crate::Cohere;

fn frame(data: &Value) -> Frame {
    Frame { event: None, data: data.to_string() }
}

fn message(kind: &str, index: u32, message: &Value) -> Frame {
    frame(&json!({"type": kind, "index": index, "delta": {"message": message}}))
}

fn begin() -> Frame {
    frame(&json!({"type": "message-start", "id": "a", "delta": {"message": {"role": "assistant", "content": []}}}))
}

fn end(reason: &str) -> Frame {
    frame(&json!({"type": "message-end", "delta": {"finish_reason": reason}}))
}

fn text(index: u32, text: &str) -> Frame {
    message("content-delta", index, &json!({"content": {"text": text}}))
}

/// The answer that a client of this format builds from the frames.
fn through(frames: &[Frame]) -> Value {
    let events = decoded(frames, 1);
    for group in 2..=frames.len() {
        assert_eq!(decoded(frames, group), events, "in groups of {group}");
    }
    let (back, _) = encoded(&events);
    fold::check(&back);
    fold::answer(&back)
}

fn failure(frames: &[Frame]) -> Option<ErrorKind> {
    decoded(frames, 1).into_iter().find_map(|event| match event {
        ChatEvent::Failure(error) => Some(error.kind),
        _ => None,
    })
}

#[test]
fn c91_c19_a_stream_that_fails_or_breaks_never_looks_complete() {
    assert_eq!(failure(&[begin(), text(0, "Half"), end("ERROR")]), Some(ErrorKind::Upstream));
    assert_eq!(failure(&[begin(), text(0, "Half"), end("TIMEOUT")]), Some(ErrorKind::Timeout));
    assert_eq!(failure(&[begin(), text(0, "Half")]), Some(ErrorKind::Upstream));
    assert_eq!(failure(&[begin()]), Some(ErrorKind::Upstream));
    let found = frame(&json!({"id": "x", "message": "too many tokens: 9"}));
    assert_eq!(failure(&[begin(), found]), Some(ErrorKind::ContextLength));
    let error = json!({"type": "message-end", "delta": {"error": "the model is gone", "finish_reason": "ERROR"}});
    let answer = through(&[begin(), text(0, "Half"), frame(&error)]);
    assert_eq!((&answer["finish_reason"], &answer["error"]), (&json!("ERROR"), &json!("the model is gone")));
    assert_eq!(failure(&[begin(), text(0, "All"), end("COMPLETE")]), None);
}

#[test]
fn c05_calls_that_overlap_are_written_one_after_the_other() {
    use weir_sdk::testing::events::{call, delta, finish, start, stop};
    let events = [
        start(0, call("a")),
        start(1, call("b")),
        start(2, call("c")),
        delta(2, "{}"),
        stop(2),
        delta(1, "{\"b\":"),
        delta(0, "{\"a\":"),
        delta(1, "2}"),
        delta(0, "1}"),
        stop(0),
        stop(1),
        finish(FinishReason::ToolCalls),
    ];
    let (frames, _) = encoded(&events);
    let own = |id: &str, arguments: &str| (id.to_owned(), arguments.to_owned());
    assert_eq!(written_calls(&frames), [own("a", "{\"a\":1}"), own("b", "{\"b\":2}"), own("c", "{}")]);
    fold::check(&frames);
}

#[test]
fn free_text_is_the_member_of_an_object_in_a_stream_as_well() {
    use weir_sdk::testing::events::{call, delta, finish, start, stop};
    let free = |id: &str| match call(id) {
        PartKind::ToolCall(call) => PartKind::ToolCall(ToolStart { kind: ToolKind::Custom, ..call }),
        other => other,
    };
    let events = [
        start(0, free("a")),
        start(1, free("b")),
        delta(0, "print("),
        delta(1, "\\"),
        delta(0, "\"hi\")"),
        stop(0),
        stop(1),
        finish(FinishReason::ToolCalls),
    ];
    let (frames, losses) = encoded(&events);
    let calls = written_calls(&frames);
    let inputs: Vec<Value> = calls.iter().map(|(_, arguments)| serde_json::from_str(arguments).unwrap()).collect();
    assert_eq!(inputs, [json!({"input": "print(\"hi\")"}), json!({"input": "\\"})]);
    assert!(losses.iter().any(|field| field == "tool_calls[].input"), "{losses:?}");
    fold::check(&frames);
}

/// The ids of a stream's calls with their arguments.
fn written_calls(frames: &[Frame]) -> Vec<(String, String)> {
    let mut calls: Vec<(String, String)> = Vec::new();
    for data in frames.iter().filter_map(|frame| serde_json::from_str::<Value>(&frame.data).ok()) {
        let call = &data["delta"]["message"]["tool_calls"];
        let text = call["function"]["arguments"].as_str().unwrap_or_default();
        match data["type"].as_str() {
            Some("tool-call-start") => calls.push((call["id"].as_str().unwrap().to_owned(), text.to_owned())),
            Some("tool-call-delta") => calls.last_mut().unwrap().1.push_str(text),
            _ => {}
        }
    }
    calls
}

#[test]
fn c06_words_of_a_part_that_never_began_begin_it() {
    let thought = message("content-delta", 0, &json!({"content": {"thinking": "Hm."}}));
    let answer = through(&[begin(), thought, text(0, "Yes"), text(0, "."), end("COMPLETE")]);
    let content = json!([{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Yes."}]);
    assert_eq!(answer["message"]["content"], content);
}

#[test]
fn c78_an_empty_text_does_not_end_the_thinking() {
    let thought = |text: &str| message("content-delta", 0, &json!({"content": {"thinking": text, "text": ""}}));
    let answer = through(&[begin(), thought("H"), text(0, ""), thought("m."), text(1, "Yes."), end("COMPLETE")]);
    let content = json!([{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Yes."}]);
    assert_eq!(answer["message"]["content"], content);
}

#[test]
fn c03_c05_calls_without_numbers_or_arguments_are_told_apart() {
    let call = |id: &str, arguments: Value| {
        let function = json!({"name": "f", "arguments": arguments});
        let calls = json!([{"id": id, "type": "function", "function": function}]);
        frame(&json!({"type": "tool-call-start", "delta": {"message": {"tool_calls": calls}}}))
    };
    let more = json!({"type": "tool-call-delta", "delta": {"message": {"tool_calls": {"function": {"arguments": "{\"a\":1}"}}}}});
    let answer = through(&[begin(), call("c1", json!("")), frame(&more), call("c2", Value::Null), end("COMPLETE")]);
    let calls = answer["message"]["tool_calls"].as_array().unwrap();
    let seen: Vec<_> = calls.iter().map(|call| (&call["id"], &call["function"]["arguments"])).collect();
    assert_eq!(seen, [(&json!("c1"), &json!("{\"a\":1}")), (&json!("c2"), &json!("{}"))]);
    // C-11: a call outranks the service's own reason.
    assert_eq!(answer["finish_reason"], "TOOL_CALL");
}

#[test]
fn a_plan_stays_a_plan_and_thinking_thinking() {
    let plan = frame(&json!({"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "First, f."}}}));
    let call = json!({"tool_calls": {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}});
    let call = message("tool-call-start", 0, &call);
    let answer = through(&[begin(), plan, call.clone(), end("TOOL_CALL")]);
    assert_eq!(answer["message"]["tool_plan"], "First, f.");
    let thought = message("content-start", 0, &json!({"content": {"type": "thinking", "thinking": "First, f."}}));
    let answer = through(&[begin(), thought, call, end("TOOL_CALL")]);
    assert_eq!(answer["message"]["content"][0]["thinking"], "First, f.");
}

#[test]
fn citations_that_come_late_reach_their_text() {
    let citation = json!({"start": 0, "end": 3, "text": "Yes", "sources": [], "type": "TEXT_CONTENT"});
    let stop = frame(&json!({"type": "content-end", "index": 0}));
    let cited = message("citation-start", 0, &json!({"citations": citation}));
    let frames = [begin(), text(0, "Yes"), stop, cited, end("COMPLETE")];
    let places = decoded(&frames, 1).into_iter().filter_map(|event| match event {
        ChatEvent::Citation(one) => Some(one.part),
        _ => None,
    });
    assert_eq!(places.collect::<Vec<_>>(), [0]);
    assert_eq!(through(&frames)["message"]["citations"], json!([citation]));
}

#[test]
fn each_source_of_a_streamed_citation_is_one_and_all_are_one_again() {
    let source = |url: &str| json!({"type": "document", "id": "d", "document": {"url": url}});
    let sources = json!([source("https://a.example"), source("https://b.example")]);
    let citation = json!({"start": 0, "end": 3, "text": "Yes", "sources": sources, "type": "TEXT_CONTENT"});
    let cited = message("citation-start", 0, &json!({"citations": citation}));
    let frames = [begin(), text(0, "Yes"), cited, end("COMPLETE")];
    let urls = decoded(&frames, 1).into_iter().filter_map(|event| match event {
        ChatEvent::Citation(one) => one.citation.url,
        _ => None,
    });
    assert_eq!(urls.collect::<Vec<_>>(), ["https://a.example", "https://b.example"]);
    assert_eq!(through(&frames)["message"]["citations"], json!([citation]));
}

#[test]
fn a_citation_without_a_range_is_one_of_its_whole_text() {
    let url = Some("https://example.com".to_owned());
    let citation = Citation { url, title: None, quote: None, start: None, end: None, source: None };
    let cited = ChatEvent::Citation(PartCitation { candidate: 0, part: 0, citation });
    let (frames, _) = encoded(&[start(0, PartKind::Text), cited, delta_of(0, "äb"), delta_of(0, "c"), stop(0)]);
    fold::check(&frames);
    let one = &fold::answer(&frames)["message"]["citations"][0];
    assert_eq!((&one["start"], &one["end"], &one["text"]), (&json!(0), &json!(3), &json!("äbc")));
}

#[test]
fn a_citation_has_the_words_that_it_belongs_to_even_if_they_come_after_it() {
    let quote = Some("of the page".to_owned());
    let cited = |start, end| {
        let citation =
            Citation { url: None, title: None, quote: quote.clone(), start: Some(start), end: Some(end), source: None };
        ChatEvent::Citation(PartCitation { candidate: 0, part: 0, citation })
    };
    let text = |words| delta_of(0, words);
    let (frames, _) = encoded(&[start(0, PartKind::Text), text("äb"), cited(0, 1), cited(1, 3), text("c"), stop(0)]);
    let citations = fold::answer(&frames)["message"]["citations"].clone();
    assert_eq!((&citations[0]["text"], &citations[1]["text"]), (&json!("ä"), &json!("bc")));
}

#[test]
fn log_probabilities_come_with_their_words() {
    let item = json!({"text": "Yes", "token_ids": [5], "logprobs": [-0.5]});
    let mut delta = json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Yes"}}}});
    delta["logprobs"] = item.clone();
    assert_eq!(through(&[begin(), frame(&delta), end("COMPLETE")])["logprobs"], json!([item]));
    // Log probabilities of other formats may come before their text or after it.
    let json = r#"{"content":[{"token":"a","logprob":-1},{"token":"b","logprob":-2}]}"#;
    let probabilities = ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json: json.into() });
    let events = vec![start(0, PartKind::Text), delta_of(0, "ab"), probabilities, stop(0)];
    let (frames, _) = encoded(&events);
    fold::check(&frames);
    let answer = fold::answer(&frames);
    assert_eq!(answer["logprobs"], json!([{"text": "ab", "token_ids": [], "logprobs": [-1, -2]}]));
}

/// As Gemini's, all of which come with the stream's last piece.
#[test]
fn log_probabilities_behind_other_parts_have_a_content_of_their_own() {
    let json = r#"{"content":[{"token":"ab","logprob":-1}]}"#;
    let late = ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json: json.into() });
    let tool = ToolStart { id: "c".into(), name: "f".into(), kind: ToolKind::Function, signature: None };
    let call = start(1, PartKind::ToolCall(tool));
    let text = vec![start(0, PartKind::Text), delta_of(0, "ab"), stop(0)];
    let (frames, _) = encoded(&[text, vec![call, delta_of(1, "{}"), stop(1), late]].concat());
    fold::check(&frames);
    let answer = fold::answer(&frames);
    assert_eq!(answer["logprobs"], json!([{"text": "ab", "token_ids": [], "logprobs": [-1]}]));
    assert_eq!(answer["message"]["content"][0]["text"], "ab");
}

fn start(part: u32, kind: PartKind) -> ChatEvent {
    ChatEvent::PartStart(PartStart { candidate: 0, part, kind })
}

fn delta_of(part: u32, text: &str) -> ChatEvent {
    ChatEvent::Delta(PartDelta { candidate: 0, part, text: text.into() })
}

fn stop(part: u32) -> ChatEvent {
    ChatEvent::PartStop(PartStop { candidate: 0, part, extensions: Vec::new() })
}

fn call(id: &str) -> PartKind {
    PartKind::ToolCall(ToolStart { id: id.into(), name: "f".into(), kind: ToolKind::Function, signature: None })
}

#[test]
fn c01_parallel_calls_are_numbered_by_themselves_and_empty_texts_are_not_begun() {
    let finish = Finish { reason: FinishReason::ToolCalls, raw: None, stop_sequence: None };
    let (frames, losses) = encoded(&[
        ChatEvent::Start(ResponseStart { id: "a".into(), ..ResponseStart::default() }),
        start(0, PartKind::Text),
        start(1, call("c1")),
        start(2, call("c2")),
        delta_of(2, "{\"b\":2}"),
        delta_of(1, "{\"a\":1}"),
        stop(0),
        stop(1),
        stop(2),
        ChatEvent::Finish(CandidateFinish { candidate: 0, finish }),
        ChatEvent::Usage(Usage { input: Some(3), output: Some(4), ..Usage::default() }),
    ]);
    fold::check(&frames);
    let answer = fold::answer(&frames);
    assert!(answer["message"].get("content").is_none());
    let calls = answer["message"]["tool_calls"].as_array().unwrap();
    assert_eq!(calls[0]["function"]["arguments"], "{\"a\":1}");
    assert_eq!(calls[1]["function"]["arguments"], "{\"b\":2}");
    assert_eq!(answer["usage"]["tokens"], json!({"input_tokens": 3, "output_tokens": 4}));
    assert!(losses.is_empty(), "{losses:?}");
    assert_eq!(frames.last().map(|frame| frame.data.as_str()), Some("[DONE]"));
}

#[test]
fn events_of_other_formats_are_lost_and_their_notes_are_not() {
    let opaque = |kind: &str, json: &str| {
        ChatEvent::Opaque(Opaque { format: "openai.responses".into(), kind: kind.into(), json: json.into() })
    };
    let (_, losses) = encoded(&[opaque("web_search_call", "{}"), opaque("item=i\tnull", "null")]);
    assert_eq!(losses, ["web_search_call"]);
}

#[test]
fn c13_c19_a_failure_is_the_last_frame() {
    let error = Error::new(ErrorKind::Upstream, "gone");
    let (frames, _) = encoded(&[start(0, PartKind::Text), delta_of(0, "Half"), ChatEvent::Failure(error)]);
    fold::check(&frames);
    let answer = fold::answer(&frames);
    assert_eq!((&answer["finish_reason"], &answer["error"]), (&json!("ERROR"), &json!("gone")));
    assert!(frames.last().unwrap().data.contains("gone"));
}

#[test]
fn frames_that_cannot_be_read_are_errors_and_never_panics() {
    for data in ["{", "[1]", "\"x\"", "{\"type\":5}", "{\"type\":\"content-delta\",\"delta\":[]}"] {
        let mut decoder = <Cohere as ProviderChat>::Decoder::new(Context::default());
        let frame = Frame { event: None, data: data.into() };
        assert!(decoder.push(vec![frame]).is_err(), "{data}");
    }
}

#[test]
fn a_service_tier_is_reported_as_lost() {
    let start = ResponseStart { service_tier: Some("priority".into()), ..ResponseStart::default() };
    let finish = weir_sdk::testing::events::finish(FinishReason::Complete);
    let (_, losses) = encoded(&[ChatEvent::Start(start), finish]);
    assert_eq!(losses, ["service_tier"]);
}
