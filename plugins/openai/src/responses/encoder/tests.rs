use weir_sdk::compat;
use weir_sdk::testing::events::{call, delta, finish, sign, signed_call, start, stop};
use weir_sdk::types::{
    Candidate, CandidateLogprobs, ChatResponse, Citation, ErrorKind, Loss, MediaKind, MediaPart, MediaSource, Part,
    PartCitation, PartKind, PartSignature, PartStop, ReasoningPart, Signature, TextPart, ToolCall,
};

use super::*;

fn encode(events: Vec<ChatEvent>) -> Vec<serde_json::Value> {
    let ctx = Context { request_id: "r".into(), model: "alias".into(), now_ms: 5000.0, ..Context::default() };
    let mut encoder = EventEncoder::new(ctx);
    let mut frames = encoder.push(events).unwrap().frames;
    frames.extend(encoder.finish().unwrap().frames);
    let event = |frame: Frame| {
        // A response has them in each of its parts, and a part has no member twice.
        let parts = frame.data.matches("\"output_text\"").count();
        assert!(parts == 0 || frame.data.matches("\"logprobs\"").count() == parts, "{}", frame.data);
        let value: serde_json::Value = serde_json::from_str(&frame.data).unwrap();
        assert_eq!(value["type"].as_str(), frame.event.as_deref());
        value
    };
    frames.into_iter().map(event).collect()
}

#[test]
fn every_item_is_added_and_done_once_and_the_sequence_grows() {
    let usage = ChatEvent::Usage(Usage { input: Some(1), output: Some(2), ..Usage::default() });
    let signature = Signature { issuer: "anthropic".into(), value: "S".into() };
    let signed = ChatEvent::Signature(PartSignature { candidate: 0, part: 0, signature, encrypted: false });
    let events = encode(vec![
        start(0, PartKind::Reasoning),
        delta(0, "hm"),
        signed,
        stop(0),
        start(1, PartKind::Text),
        delta(1, "x"),
        stop(1),
        start(2, call("a")),
        stop(2),
        finish(FinishReason::ToolCalls),
        usage,
    ]);
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds[..2], ["response.created", "response.in_progress"]);
    for kind in ["response.output_item.added", "response.output_item.done"] {
        let places: Vec<_> =
            events.iter().filter(|e| e["type"] == kind).map(|e| e["output_index"].as_u64().unwrap()).collect();
        assert_eq!(places, [0, 1, 2], "{kind}");
    }
    assert!(events.iter().enumerate().all(|(at, event)| event["sequence_number"] == at));
    let last = &events.last().unwrap()["response"];
    assert_eq!((last["status"].as_str(), last["usage"]["total_tokens"].as_i64()), (Some("completed"), Some(3)));
    assert_eq!(last["output"][0]["encrypted_content"], "weir:anthropic:s:S");
    assert_eq!(last["output"][1]["content"][0]["text"], "x");
    assert_eq!(
        (last["output"][2]["call_id"].as_str(), last["output"][2]["arguments"].as_str()),
        (Some("a"), Some("{}"))
    );
}

#[test]
fn a_citation_without_a_range_is_one_of_its_whole_text() {
    let url = Some("https://example.com".to_owned());
    let citation = Citation { url, title: None, quote: None, start: None, end: None, source: None };
    let cited = |part| ChatEvent::Citation(PartCitation { candidate: 0, part, citation: citation.clone() });
    let first = [start(0, PartKind::Text), cited(0), delta(0, "äb"), delta(0, "c"), stop(0)];
    // The second text never stops.
    let events = encode([&first[..], &[start(1, PartKind::Text), delta(1, "xy"), cited(1)]].concat());
    let range = |entry: &serde_json::Value| (entry["start_index"].as_u64(), entry["end_index"].as_u64());
    let is_added = |event: &&serde_json::Value| event["type"] == "response.output_text.annotation.added";
    let added: Vec<_> = events.iter().filter(is_added).map(|event| range(&event["annotation"])).collect();
    let content = &events.last().unwrap()["response"]["output"][0]["content"];
    let last = [0, 1].map(|at| range(&content[at]["annotations"][0]));
    assert_eq!((added.as_slice(), last), (&last[..], [(Some(0), Some(3)), (Some(0), Some(2))]));
}

#[test]
fn malformed_calls_and_pauses_have_a_status_of_their_own() {
    let last = |reason| encode(vec![start(0, PartKind::Text), delta(0, "x"), stop(0), finish(reason)]).pop().unwrap();
    let failed = last(FinishReason::MalformedToolCall);
    assert_eq!((&failed["type"], &failed["response"]["status"]), (&"response.failed".into(), &"failed".into()));
    assert!(failed["response"]["error"]["message"].is_string(), "{failed}");
    let paused = last(FinishReason::Paused);
    assert_eq!((&paused["type"], &paused["response"]["status"]), (&"response.completed".into(), &"in_progress".into()));
    assert!(paused["response"]["error"].is_null(), "{paused}");
}

#[test]
fn the_end_of_arguments_names_the_function() {
    let events = encode(vec![start(0, call("a")), stop(0), finish(FinishReason::ToolCalls)]);
    let done = events.iter().find(|event| event["type"] == "response.function_call_arguments.done").unwrap();
    assert_eq!(done["name"], "f");
}

#[test]
fn tiers_of_other_formats_have_this_formats_name() {
    let begun = |tier: &str| ResponseStart { service_tier: Some(tier.into()), ..ResponseStart::default() };
    let tier = |name: &str| encode(vec![ChatEvent::Start(begun(name)), finish(FinishReason::Complete)]).remove(0);
    assert_eq!(tier("standard")["response"]["service_tier"], "default");
    assert_eq!(tier("priority")["response"]["service_tier"], "priority");
    for none in ["", "batch", "reserved"] {
        assert!(tier(none)["response"].get("service_tier").is_none());
        let answer = ChatResponse { service_tier: Some(none.into()), ..ChatResponse::default() };
        let whole = crate::responses::response::render(&Context::default(), &answer);
        assert!(!whole.response.body.as_text().unwrap().contains("service_tier"));
        assert_eq!(whole.losses.iter().any(|loss| loss.field == "service_tier"), !none.is_empty());
    }
}

#[test]
fn log_probabilities_are_those_of_the_texts_they_come_with() {
    let token = |word: &str| format!(r#"{{"token":"{word}","logprob":-0.5,"bytes":null,"top_logprobs":[]}}"#);
    let probabilities = |word: &str| {
        let json = format!(r#"{{"content":[{}],"refusal":null}}"#, token(word));
        ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json })
    };
    let events = encode(vec![
        start(0, PartKind::Text),
        probabilities("a"),
        delta(0, "a"),
        delta(0, "b"),
        probabilities("c"),
        probabilities("d"),
        delta(0, "cd"),
        probabilities("e"),
        stop(0),
        finish(FinishReason::Complete),
    ]);
    let words = |list: &serde_json::Value| -> String {
        list.as_array().unwrap().iter().map(|token| token["token"].as_str().unwrap()).collect()
    };
    let of_kind =
        |kind: &str| -> Vec<&serde_json::Value> { events.iter().filter(|event| event["type"] == kind).collect() };
    let deltas: Vec<String> =
        of_kind("response.output_text.delta").iter().map(|event| words(&event["logprobs"])).collect();
    assert_eq!(deltas, ["a", "", "cd"]);
    let (done, part) = (of_kind("response.output_text.done"), of_kind("response.content_part.done"));
    let whole = &events.last().unwrap()["response"]["output"][0]["content"][0];
    for place in [&done[0]["logprobs"], &part[0]["part"]["logprobs"], &whole["logprobs"]] {
        assert_eq!(words(place), "acde");
    }
}

/// Providers send those of a chunk before its pieces: thinking ends with the first chunk of the text.
#[test]
fn the_first_log_probabilities_of_a_text_behind_thinking_are_its_own() {
    let probabilities = |words: &[&str]| {
        let tokens: Vec<String> = words.iter().map(|word| format!(r#"{{"token":"{word}","logprob":-0.5}}"#)).collect();
        let json = format!(r#"{{"content":[{}],"refusal":null}}"#, tokens.join(","));
        ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json })
    };
    let thought = || vec![start(0, PartKind::Reasoning), probabilities(&["h", "m"]), delta(0, "hm")];
    let text = |word| vec![stop(0), start(1, PartKind::Text), delta(1, word)];
    let rest = || vec![probabilities(&["b"]), delta(1, "b"), stop(1), finish(FinishReason::Complete)];
    let apart = [thought(), vec![probabilities(&["a"])], text("a"), rest()].concat();
    // The last piece of thinking and the first of the text are in one chunk.
    let same =
        [vec![start(0, PartKind::Reasoning), probabilities(&["h", "m", "a"]), delta(0, "hm")], text("a"), rest()];
    for events in [apart, same.concat()] {
        let mut encoder = EventEncoder::new(Context::default());
        let losses = encoder.push(events.clone()).unwrap().losses;
        assert_eq!(losses.iter().map(|loss| &*loss.field).collect::<Vec<_>>(), ["logprobs"]);
        let events = encode(events);
        let words = |list: &serde_json::Value| -> String {
            list.as_array().unwrap().iter().map(|token| token["token"].as_str().unwrap()).collect()
        };
        let deltas = events.iter().filter(|event| event["type"] == "response.output_text.delta");
        assert_eq!(deltas.map(|event| words(&event["logprobs"])).collect::<Vec<_>>(), ["a", "b"]);
        let content = &events.last().unwrap()["response"]["output"][1]["content"];
        assert_eq!(words(&content[0]["logprobs"]), "ab");
    }
}

#[test]
fn log_probabilities_without_a_text_are_reported() {
    let json = r#"{"content":[{"token":"a","logprob":-1}],"refusal":null}"#.to_owned();
    let mut encoder = EventEncoder::new(Context::default());
    let one = ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json });
    let losses = encoder.push(vec![start(0, call("a")), one, delta(0, "{}"), stop(0)]).unwrap().losses;
    assert_eq!(losses.iter().map(|loss| &*loss.field).collect::<Vec<_>>(), ["logprobs"]);
}

/// As Gemini's, all of which come with the stream's last piece.
#[test]
fn log_probabilities_behind_a_call_are_those_of_the_last_text_in_the_last_event() {
    let json = r#"{"content":[{"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[]}],"refusal":null}"#;
    let late = || ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json: json.to_owned() });
    let called = |own: Vec<ChatEvent>| {
        let text = vec![start(0, PartKind::Text), delta(0, "a"), stop(0), start(1, call("c"))];
        [text, own, vec![delta(1, "{}"), stop(1)]].concat()
    };
    let end = || vec![finish(FinishReason::ToolCalls)];
    let events = encode([called(Vec::new()), vec![late()], end()].concat());
    let tokens = |events: &[serde_json::Value]| {
        events.last().unwrap()["response"]["output"][0]["content"][0]["logprobs"].clone()
    };
    assert_eq!(tokens(&events), serde_json::from_str::<serde_json::Value>(json).unwrap()["content"]);
    let many = format!(r#"{{"content":[{}]}}"#, [r#"{"token":"{}","logprob":-1}"#; 2].join(","));
    let of_call = ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json: many });
    assert_eq!(tokens(&encode([called(vec![of_call]), end()].concat())), serde_json::json!([]), "those of a call");
    let mut encoder = EventEncoder::new(Context::default());
    encoder.push([vec![start(0, call("c")), delta(0, "{}"), stop(0), late()], end()].concat()).unwrap();
    let losses = encoder.finish().unwrap().losses;
    assert_eq!(losses.iter().map(|loss| &*loss.field).collect::<Vec<_>>(), ["logprobs"], "there is no text");
}

#[test]
fn whole_and_streamed_answers_report_the_same_losses() {
    let signature = || Some(Signature { issuer: "gemini".into(), value: "S".into() });
    let own = |key: &str| vec![Extension { format: "gemini.generate".into(), key: key.into(), json: "1".into() }];
    let opaque = || Opaque { format: "gemini.generate".into(), kind: "code".into(), json: "{}".into() };
    let stopped = |part, key: &str| ChatEvent::PartStop(PartStop { candidate: 0, part, extensions: own(key) });
    let usage = Usage { extensions: own("d"), ..Usage::default() };
    let streamed = vec![
        start(0, PartKind::Reasoning),
        stopped(0, "a"),
        start(1, PartKind::Text),
        delta(1, "x"),
        sign(1, "gemini", "S", false),
        stopped(1, "b"),
        start(2, signed_call("c", signature())),
        stopped(2, "c"),
        start(3, PartKind::Opaque(opaque())),
        ChatEvent::Usage(usage.clone()),
        finish(FinishReason::ToolCalls),
    ];
    let parts = vec![
        Part::Reasoning(ReasoningPart { extensions: own("a"), ..ReasoningPart::new("") }),
        Part::Text(TextPart { signature: signature(), extensions: own("b"), ..TextPart::new("x") }),
        Part::ToolCall(ToolCall { signature: signature(), extensions: own("c"), ..ToolCall::new("c", "f", "{}") }),
        Part::Opaque(opaque()),
    ];
    let finish = Some(Finish::new(FinishReason::ToolCalls, "x"));
    let candidate = Candidate { index: 0, parts, finish, logprobs: None, extensions: Vec::new() };
    let whole = ChatResponse { candidates: vec![candidate], usage: Some(usage), ..ChatResponse::default() };
    let fields = |losses: Vec<Loss>| losses.into_iter().map(|loss| loss.field).collect::<Vec<_>>();
    let mut encoder = EventEncoder::new(Context::default());
    let streamed = fields(encoder.push(streamed).unwrap().losses);
    let whole = fields(crate::responses::response::render(&Context::default(), &whole).losses);
    let expected =
        ["output.a", "output.signature", "output.b", "output.signature", "output.c", "output.code", "usage.d"];
    assert_eq!((streamed.as_slice(), whole.as_slice()), (&expected.map(str::to_owned)[..], &streamed[..]));
}

#[test]
fn a_text_without_words_that_carries_a_signature_is_no_message() {
    let events = || {
        let signed = [start(1, PartKind::Text), delta(1, ""), sign(1, "gemini", "S", false), stop(1)];
        [&[start(0, call("a")), delta(0, "{}"), stop(0)][..], &signed, &[finish(FinishReason::ToolCalls)]].concat()
    };
    let signature = Some(Signature { issuer: "gemini".into(), value: "S".into() });
    let parts = vec![
        Part::ToolCall(ToolCall::new("a", "f", "{}")),
        Part::Text(TextPart { signature, ..TextPart::new("") }),
        Part::text(""),
    ];
    let finish = Some(Finish::new(FinishReason::ToolCalls, "x"));
    let candidate = Candidate { index: 0, parts, finish, logprobs: None, extensions: Vec::new() };
    let answer = ChatResponse { candidates: vec![candidate], ..ChatResponse::default() };
    let whole = crate::responses::response::render(&Context::default(), &answer);
    let mut encoder = EventEncoder::new(Context::default());
    let losses = encoder.push(events()).unwrap().losses;
    for losses in [losses, whole.losses] {
        assert_eq!(losses.iter().map(|loss| &*loss.field).collect::<Vec<_>>(), ["output.signature"]);
    }
    let kinds = |answer: &serde_json::Value| -> Vec<String> {
        answer["output"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap().to_owned()).collect()
    };
    let streamed = encode(events());
    assert_eq!(kinds(&streamed.last().unwrap()["response"]), ["function_call"]);
    assert_eq!(streamed.iter().filter(|event| event["type"] == "response.output_item.added").count(), 1);
    // A text without words that carries nothing is the model's.
    assert_eq!(kinds(&weir_sdk::testing::json(&whole.response.body)), ["function_call", "message"]);
    let empty = encode(vec![start(0, PartKind::Text), stop(0)]);
    assert_eq!(kinds(&empty.last().unwrap()["response"]), ["message"]);
}

#[test]
fn c19_a_failure_is_the_last_event() {
    let events = encode(vec![
        start(0, PartKind::Text),
        delta(0, "x"),
        ChatEvent::Failure(Error::new(ErrorKind::Overloaded, "busy")),
        delta(0, "y"),
    ]);
    let last = events.last().unwrap();
    assert_eq!(
        (last["type"].as_str(), last["response"]["error"]["message"].as_str()),
        (Some("response.failed"), Some("busy"))
    );
}

#[test]
fn a_limit_makes_the_answer_incomplete() {
    let events = encode(vec![start(0, PartKind::Text), delta(0, "x"), finish(FinishReason::Length)]);
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.incomplete");
    assert_eq!(last["response"]["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(last["response"]["output"][0]["status"], "incomplete");
}

#[test]
fn c09_what_was_cut_off_is_incomplete_whole_and_streamed() {
    let text = || Part::text("x");
    let called = |arguments: &str| Part::ToolCall(ToolCall::new("c", "f", arguments));
    for (parts, statuses) in [
        (vec![text()], &["incomplete"][..]),
        (vec![text(), called("{}")], &["completed", "completed"]),
        (vec![called("{\"a\":\"{"), text()], &["incomplete", "incomplete"]),
        (vec![text(), called("{\"a\":[1")], &["completed", "incomplete"]),
    ] {
        let mut events = Vec::new();
        for (at, part) in (0..).zip(&parts) {
            match part {
                Part::ToolCall(one) => events.extend([start(at, call("c")), delta(at, &one.arguments), stop(at)]),
                _ => events.extend([start(at, PartKind::Text), delta(at, "x"), stop(at)]),
            }
        }
        events.push(finish(FinishReason::Length));
        let streamed = encode(events).pop().unwrap()["response"].take();
        let finish = Some(Finish { reason: FinishReason::Length, raw: None, stop_sequence: None });
        let candidate = Candidate { index: 0, parts, finish, logprobs: None, extensions: Vec::new() };
        let answer = ChatResponse { candidates: vec![candidate], ..ChatResponse::default() };
        let whole = crate::responses::response::render(&Context::default(), &answer).response;
        for answer in [streamed, weir_sdk::testing::json(&whole.body)] {
            let found: Vec<_> = answer["output"].as_array().unwrap().iter().map(|item| &item["status"]).collect();
            assert_eq!(found, statuses);
        }
    }
}

#[test]
fn citations_of_no_page_are_reported_whole_and_streamed() {
    let source = Some(Opaque { format: "anthropic.messages".into(), kind: "char_location".into(), json: "{}".into() });
    let citation = Citation { url: None, title: None, quote: None, start: None, end: None, source };
    let cited = TextPart { citations: vec![citation.clone()], ..TextPart::new("a") };
    let candidate = Candidate {
        index: 0,
        parts: vec![Part::Text(cited)],
        finish: Some(Finish::new(FinishReason::Complete, "x")),
        logprobs: None,
        extensions: Vec::new(),
    };
    let answer = ChatResponse { candidates: vec![candidate], ..ChatResponse::default() };
    let whole = crate::responses::response::render(&Context::default(), &answer).losses;
    let mut encoder = EventEncoder::new(Context::default());
    let citation = ChatEvent::Citation(PartCitation { candidate: 0, part: 0, citation });
    let streamed = encoder.push(vec![start(0, PartKind::Text), delta(0, "a"), citation, stop(0)]).unwrap().losses;
    for losses in [whole, streamed] {
        assert_eq!(losses.iter().map(|loss| &*loss.field).collect::<Vec<_>>(), ["output.citations"]);
    }
}

/// The events of another server's stream, after a translation.
fn translated(events: &[&str]) -> Vec<serde_json::Value> {
    let ctx = Context::default();
    let mut decoder = compat::responses::decoder::EventDecoder::new(&crate::quirks::QUIRKS, &ctx);
    let frames: Vec<Frame> = events.iter().map(|data| Frame { event: None, data: (*data).to_owned() }).collect();
    let mut events = decoder.push(&frames).events;
    events.extend(decoder.finish().events);
    encode(events)
}

#[test]
fn thinking_itself_is_streamed_as_what_its_item_says() {
    let added =
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs","summary":[]}}"#;
    let piece = |text: &str| {
        format!(r#"{{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"{text}"}}"#)
    };
    let item = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs","summary":[],"content":[{"type":"reasoning_text","text":"hmm"}]}}"#;
    let done = r#"{"type":"response.completed","response":{"status":"completed"}}"#;
    // In pieces, cut off in pieces, and whole.
    let (first, second) = (piece("h"), piece("mm"));
    let streams = [
        &[added, &first, &second, item, done][..],
        &[added, &first, &second, done],
        &[added, item, done],
        &[item, done],
    ];
    for stream in streams {
        let events = translated(stream);
        let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).cloned().collect::<Vec<_>>();
        assert!(events.iter().all(|event| !event["type"].as_str().unwrap().contains("summary")), "{events:?}");
        let part = |text: &str| serde_json::json!({"type": "reasoning_text", "text": text});
        assert_eq!(of("response.content_part.added")[0]["part"], part(""));
        assert_eq!(of("response.content_part.done")[0]["part"], part("hmm"));
        let deltas = of("response.reasoning_text.delta");
        let text: String = deltas.iter().filter_map(|event| event["delta"].as_str()).collect();
        let end = &of("response.reasoning_text.done")[0];
        assert_eq!((text.as_str(), &end["text"], &end["content_index"]), ("hmm", &"hmm".into(), &0.into()));
        let last = &events.last().unwrap()["response"]["output"][0];
        assert_eq!((&last["summary"], &last["content"]), (&serde_json::json!([]), &serde_json::json!([part("hmm")])));
    }
}

#[test]
fn a_summary_of_thinking_is_streamed_as_one() {
    let events = encode(vec![start(0, PartKind::Reasoning), delta(0, "hm"), stop(0), finish(FinishReason::Complete)]);
    assert!(events.iter().all(|event| !event["type"].as_str().unwrap().contains("reasoning_text")));
    assert_eq!(events.last().unwrap()["response"]["output"][0]["summary"][0]["text"], "hm");
}

/// As a guard may leave it that has changed the text.
#[test]
fn a_part_of_a_summary_begins_only_where_it_was_announced() {
    let announced =
        || ChatEvent::Opaque(Opaque { format: FORMAT.into(), kind: THINKING_PART.into(), json: "null".into() });
    let events = encode(vec![
        start(0, PartKind::Reasoning),
        delta(0, "one"),
        announced(),
        delta(0, "[hidden]"),
        delta(0, "\n\n"),
        delta(0, "two"),
        stop(0),
        finish(FinishReason::Complete),
    ]);
    let summary = &events.last().unwrap()["response"]["output"][0]["summary"];
    assert_eq!(*summary, serde_json::json!([{"type": "summary_text", "text": "one[hidden]\n\ntwo"}]));
    assert!(events.iter().all(|event| event.get("summary_index").is_none_or(|index| *index == 0)), "{events:?}");
}

#[test]
fn the_parts_of_a_summary_stay_apart_in_a_stream() {
    let added = |index: u32| {
        format!(r#"{{"type":"response.reasoning_summary_part.added","output_index":0,"summary_index":{index}}}"#)
    };
    let piece = |index: u32, text: &str| {
        format!(
            r#"{{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":{index},"delta":"{text}"}}"#
        )
    };
    let item = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"one"},{"type":"summary_text","text":"two\n\nthree"}]}}"#;
    let done = r#"{"type":"response.completed","response":{"status":"completed"}}"#;
    let stream =
        [added(0), piece(0, "on"), piece(0, "e"), added(1), piece(1, "two"), piece(1, "\\n\\n"), piece(1, "three")];
    // As its item says, and cut off.
    for ends in [&[item, done][..], &[done]] {
        let events = translated(&stream.iter().map(String::as_str).chain(ends.iter().copied()).collect::<Vec<_>>());
        let of = |kind: &str| -> Vec<_> {
            let kind = format!("response.reasoning_summary_{kind}");
            events.iter().filter(|event| event["type"] == kind).collect()
        };
        let indices = |kind: &str| -> Vec<_> { of(kind).iter().map(|event| event["summary_index"].clone()).collect() };
        assert_eq!((indices("part.added"), indices("part.done")), (vec![0.into(), 1.into()], vec![0.into(), 1.into()]));
        let texts: Vec<_> = of("text.done").iter().map(|event| event["text"].clone()).collect();
        assert_eq!(texts, ["one", "two\n\nthree"]);
        let pieces: Vec<_> = of("text.delta").iter().map(|event| event["delta"].as_str().unwrap()).collect();
        assert_eq!(pieces, ["on", "e", "two", "\n\n", "three"]);
        let part = |text: &str| serde_json::json!({"type": "summary_text", "text": text});
        let last = &events.last().unwrap()["response"]["output"][0]["summary"];
        assert_eq!(*last, serde_json::json!([part("one"), part("two\n\nthree")]));
    }
}

fn value(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

fn image(extensions: Vec<Extension>) -> PartKind {
    let media = MediaPart::new(MediaKind::Image, MediaSource::Base64("AAAA".into()));
    PartKind::Media(MediaPart { extensions, ..media })
}

#[test]
fn images_are_calls_of_the_tool_for_them() {
    let text = [start(0, PartKind::Text), delta(0, "Here."), stop(0)];
    let events = encode([&text[..], &[start(1, image(Vec::new())), stop(1), finish(FinishReason::Complete)]].concat());
    let item = |kind: &str| {
        let found = events.iter().find(|event| event["type"] == kind && event["output_index"] == 1);
        found.map(|event| event["item"].clone()).unwrap()
    };
    let begun = value(r#"{"type":"image_generation_call","id":"ig_1_r","status":"in_progress","result":null}"#);
    let whole = value(r#"{"type":"image_generation_call","id":"ig_1_r","status":"completed","result":"AAAA"}"#);
    assert_eq!(item("response.output_item.added"), begun);
    assert_eq!(item("response.output_item.done"), whole);
    assert_eq!(events.last().unwrap()["response"]["output"][1], whole);
}

#[test]
fn an_image_of_this_format_keeps_its_place_and_its_members() {
    let json = r#"{"id":"ig_x","status":"completed","size":"1024x1024"}"#.to_owned();
    let own = Extension { format: FORMAT.into(), key: "item".into(), json };
    let announced =
        r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"ig_x","type":"image_generation_call"}}"#;
    let opaque = Opaque { format: FORMAT.into(), kind: "response.output_item.added".into(), json: announced.into() };
    let events =
        encode(vec![ChatEvent::Opaque(opaque), start(0, image(vec![own])), stop(0), finish(FinishReason::Complete)]);
    let added = events.iter().filter(|event| event["type"] == "response.output_item.added").count();
    let done: Vec<_> = events.iter().filter(|event| event["type"] == "response.output_item.done").collect();
    assert_eq!((added, done.len(), &done[0]["output_index"]), (1, 1, &0.into()));
    let item =
        r#"{"type":"image_generation_call","id":"ig_x","status":"completed","size":"1024x1024","result":"AAAA"}"#;
    assert_eq!(done[0]["item"], value(item));
}

#[test]
fn log_probabilities_wait_while_a_part_comes_whole() {
    let token = r#"{"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[]}"#;
    let json = format!(r#"{{"content":[{token}],"refusal":null}}"#);
    let events = encode(vec![
        ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json }),
        start(0, image(Vec::new())),
        stop(0),
        start(1, PartKind::Text),
        delta(1, "a"),
        stop(1),
        finish(FinishReason::Complete),
    ]);
    let text = &events.last().unwrap()["response"]["output"][1]["content"][0];
    assert_eq!(text["logprobs"][0]["token"], "a", "{text}");
}
