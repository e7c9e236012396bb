//! Streams: frames to events, and events to frames.

use serde_json::{Value, json};
use weir_sdk::testing::events::{delta, finish, mixed_stream, start, stop};
use weir_sdk::types::{
    CandidateLogprobs, ChatEvent, Citation, Error, ErrorKind, FinishReason, Opaque, PartCitation, PartKind, PartStart,
    ResponseStart, Unit, Usage,
};

use super::{answered, context, decoded, encoded, written};

fn frame(parts: &Value) -> String {
    json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}], "responseId": "r"}).to_string()
}

fn last(parts: &Value) -> String {
    let candidate = json!({"content": {"parts": parts}, "finishReason": "STOP", "index": 0});
    json!({"candidates": [candidate], "responseId": "r", "usageMetadata": {"promptTokenCount": 3}}).to_string()
}

/// A short text for each event.
fn story(events: &[ChatEvent]) -> Vec<String> {
    let kind = |kind: &PartKind| match kind {
        PartKind::Text => "text".to_owned(),
        PartKind::Reasoning => "thought".to_owned(),
        PartKind::ToolCall(start) => format!("call {} {}", start.id, start.name),
        PartKind::Opaque(opaque) => opaque.kind.clone(),
        PartKind::Media(_) => "media".to_owned(),
        PartKind::Refusal => "refusal".to_owned(),
    };
    let tell = |event: &ChatEvent| {
        Some(match event {
            ChatEvent::PartStart(start) => format!("+{} {}", start.part, kind(&start.kind)),
            ChatEvent::Delta(delta) => format!("{} {}", delta.part, delta.text),
            ChatEvent::Argument(piece) => format!("{} {}={} {}", piece.part, piece.path, piece.json, piece.text),
            ChatEvent::Signature(signature) => format!("{} sig {}", signature.part, signature.signature.value),
            ChatEvent::PartStop(stop) => format!("-{}", stop.part),
            ChatEvent::Finish(finish) => format!("{}: {:?}", finish.candidate, finish.finish.reason),
            ChatEvent::Failure(error) => format!("failure {:?}", error.kind),
            _ => return None,
        })
    };
    let plain = |line: String| line.replace("FinishReason::", "").replace("ErrorKind::", "");
    events.iter().filter_map(tell).map(plain).collect()
}

#[test]
fn c78_kinds_take_turns_and_an_empty_text_closes_nothing() {
    let frames = [
        frame(&json!([{"text": "hm", "thought": true}])),
        frame(&json!([{"text": ""}])),
        frame(&json!([{"text": "m", "thought": true}, {"text": "a"}])),
        frame(&json!([{"text": "b"}])),
        last(&json!([{"text": "", "thoughtSignature": "S=="}])),
    ];
    for group in [1, 2, 5] {
        let story = story(&decoded(&context("m"), &frames, group));
        let expected = ["+0 thought", "0 hm", "0 m", "-0", "+1 text", "1 a", "1 b", "1 sig S==", "-1", "0: Complete"];
        assert_eq!(story, expected);
    }
}

#[test]
fn members_of_a_part_that_are_null_are_as_if_absent() {
    let part = json!({"text": "", "executableCode": null, "codeExecutionResult": null});
    assert_eq!(story(&decoded(&context("m"), &[last(&json!([part]))], 1)), ["0: Complete"]);
}

#[test]
fn c02_calls_are_whole_and_counted_for_the_stream() {
    let frames = [
        frame(&json!([{"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "S=="}])),
        last(&json!([{"functionCall": {"name": "g"}}])),
    ];
    let events = decoded(&context("m"), &frames, 1);
    let expected = ["+0 call call_r_0 f", r#"0 {"a":1}"#, "-0", "+1 call call_r_1 g", "1 {}", "-1", "0: ToolCalls"];
    assert_eq!(story(&events), expected);
    assert!(events.iter().any(|event| matches!(event,
        ChatEvent::PartStart(PartStart { kind: PartKind::ToolCall(start), .. }) if start.signature.is_some())));
}

#[test]
fn a_signature_seals_its_text() {
    let frames = [frame(&json!([{"text": "a", "thoughtSignature": "S=="}])), last(&json!([{"text": "b"}]))];
    let story = story(&decoded(&context("m"), &frames, 1));
    assert_eq!(story, ["+0 text", "0 a", "0 sig S==", "-0", "+1 text", "1 b", "-1", "0: Complete"]);
}

#[test]
fn reasons_to_finish_count_once_the_stream_has_ended() {
    let frames = [last(&json!([{"text": "a"}])), last(&json!([{"text": "b"}]))];
    assert_eq!(story(&decoded(&context("m"), &frames, 1)), ["+0 text", "0 a", "0 b", "-0", "0: Complete"]);
}

#[test]
fn c79_what_the_service_ran_itself_is_opaque() {
    let frames =
        [frame(&json!([{"executableCode": {"code": "1"}}])), last(&json!([{"codeExecutionResult": {"output": "1"}}]))];
    let story = story(&decoded(&context("m"), &frames, 2));
    assert_eq!(story, ["+0 executableCode", "-0", "+1 codeExecutionResult", "-1", "0: Complete"]);
}

#[test]
fn c19_a_stream_without_an_end_is_a_failure() {
    let story_of = |frames: &[String]| story(&decoded(&context("m"), frames, 1));
    assert_eq!(story_of(&[frame(&json!([{"text": "a"}]))]).last().unwrap(), "failure Upstream");
    assert_eq!(story_of(&[]), ["failure Upstream"]);
    let error = json!({"error": {"code": 503, "status": "UNAVAILABLE", "message": "m"}}).to_string();
    let broken = [frame(&json!([{"text": "a"}])), error.clone(), frame(&json!([{"text": "b"}]))];
    assert_eq!(story_of(&broken), ["+0 text", "0 a", "failure Overloaded"]);
    assert_eq!(story_of(&[format!("[{error}]")]), ["failure Overloaded"]);
}

#[test]
fn c84_a_refused_prompt_finishes_with_the_filter() {
    for feedback in [json!({"blockReason": "SAFETY"}), json!({"blockReasonMessage": "Not this."})] {
        let frames = [json!({"promptFeedback": feedback, "responseId": "r"}).to_string()];
        let events = decoded(&context("m"), &frames, 1);
        assert_eq!(story(&events), ["0: ContentFilter"]);
        let back = encoded(&context("m"), &events, 1);
        assert_eq!(back.last().unwrap()["promptFeedback"], feedback);
        assert!(back.last().unwrap().get("candidates").is_none());
    }
}

#[test]
fn c80_candidates_have_separate_streams() {
    let candidate = |index: u32, text: &str| json!({"content": {"parts": [{"text": text}]}, "index": index, "finishReason": "STOP"});
    let frames = [
        json!({"candidates": [candidate(0, "a"), candidate(1, "x")]}).to_string(),
        json!({"candidates": [candidate(1, "y")]}).to_string(),
    ];
    let back = encoded(&context("m"), &decoded(&context("m"), &frames, 1), 1);
    let text = |index: u32| -> String {
        let candidates = back.iter().flat_map(|frame| frame["candidates"].as_array().unwrap());
        let own = candidates.filter(|candidate| candidate["index"] == index);
        own.filter_map(|candidate| candidate["content"]["parts"][0]["text"].as_str()).collect()
    };
    assert_eq!((text(0), text(1)), ("a".into(), "xy".into()));
}

#[test]
fn c08_pieces_of_arguments_are_emitted_whole() {
    let frames = [
        frame(&json!([{"functionCall": {"name": "f", "willContinue": true}, "partMetadata": {"k": 1}}])),
        frame(
            &json!([{"functionCall": {"partialArgs": [{"jsonPath": "$.a", "stringValue": "x", "willContinue": true}], "willContinue": true}}]),
        ),
        frame(
            &json!([{"functionCall": {"partialArgs": [{"jsonPath": "$.a", "stringValue": "y"}], "willContinue": true}}]),
        ),
        last(&json!([{"functionCall": {}}])),
    ];
    let events = decoded(&context("m"), &frames, 1);
    let pieces = [r#"0 $.a="x" "#, r#"0 $.a="y" {"a":"xy"}"#];
    assert_eq!(story(&events), ["+0 call call_r_0 f", pieces[0], pieces[1], "-0", "0: ToolCalls"]);
    let back = encoded(&context("m"), &events, 1);
    let parts = back.iter().filter_map(|frame| frame["candidates"][0]["content"]["parts"].as_array()).flatten();
    let parts: Vec<&Value> = parts.collect();
    assert_eq!(parts[0]["partMetadata"], json!({"k": 1}));
    let calls: Vec<_> = parts.iter().filter_map(|part| part.get("functionCall")).cloned().collect();
    let piece = |value: &str, more: bool| {
        let mut piece = json!({"jsonPath": "$.a", "stringValue": value});
        if more {
            piece["willContinue"] = json!(true);
        }
        json!({"partialArgs": [piece], "willContinue": true})
    };
    assert_eq!(calls, [json!({"name": "f", "willContinue": true}), piece("x", true), piece("y", false), json!({})]);
}

fn foreign_stream() -> Vec<ChatEvent> {
    mixed_stream(ResponseStart { id: "i".into(), ..ResponseStart::default() }, "{}")
}

#[test]
fn c09_a_stream_of_another_format_gets_whole_calls_in_order() {
    for group in [1, 4, 100] {
        let frames = encoded(&context("alias"), &foreign_stream(), group);
        let end = frames.last().unwrap();
        assert_eq!(
            (&end["candidates"][0]["finishReason"], &end["usageMetadata"]["totalTokenCount"]),
            (&json!("STOP"), &json!(5))
        );
        assert!(frames.iter().all(|frame| frame["modelVersion"] == "alias" && frame["responseId"] == "i"));
        let folded = super::normal::fold(&frames);
        let parts = folded["candidates"][0]["parts"].as_array().unwrap();
        let ids: Vec<_> = parts.iter().filter_map(|part| part["functionCall"]["id"].as_str()).collect();
        assert_eq!(ids, ["c1", "c2"]);
        assert_eq!(parts[0]["text"], "hm");
        assert!(parts[0]["thoughtSignature"].is_string());
        let text: String = parts[1..].iter().filter_map(|part| part["text"].as_str()).collect();
        assert_eq!(text, "ab");
    }
}

#[test]
fn c19_nothing_follows_a_failure() {
    let mut events = foreign_stream();
    let error = Error { message: "gone".into(), ..Error::new(ErrorKind::Overloaded, "") };
    events.insert(7, ChatEvent::Failure(error));
    let frames = encoded(&context("m"), &events, 1);
    let error = json!({"error": {"code": 503, "message": "gone", "status": "UNAVAILABLE"}});
    assert_eq!(frames.last().unwrap(), &error);
    assert!(frames.iter().all(|frame| frame["candidates"][0].get("finishReason").is_none()));
}

#[test]
fn log_probabilities_of_one_read_are_all_in_its_frame() {
    let one = |token: &str| {
        let json = format!(r#"{{"content":[{{"token":"{token}","logprob":-1}}],"log_probability_sum":-1}}"#);
        ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json })
    };
    let events = [start(0, PartKind::Text), one("a"), delta(0, "a"), one("b"), delta(0, "b"), one("c"), delta(0, "c")];
    for (group, expected) in [(7, vec![vec!["a", "b", "c"]]), (3, vec![vec!["a"], vec!["b", "c"]])] {
        let frames = encoded(&context("m"), &events, group);
        let token = |one: &Value| one["token"].as_str().map(str::to_owned);
        let results =
            frames.iter().map(|frame| &frame["candidates"][0]["logprobsResult"]).filter(|one| one.is_object());
        let results: Vec<&Value> = results.collect();
        let tokens = |one: &&Value| one["chosenCandidates"].as_array().unwrap().iter().filter_map(token).collect();
        assert_eq!(results.iter().map(tokens).collect::<Vec<Vec<String>>>(), expected);
        assert_eq!(results[0]["logProbabilitySum"], if group == 7 { -3 } else { -1 });
    }
}

#[test]
fn foreign_events_are_reported_as_lost() {
    use weir_sdk::adapter::Encoder;
    let opaque = |kind: &str, json: &str| {
        ChatEvent::Opaque(Opaque { format: "openai.responses".into(), kind: kind.into(), json: json.into() })
    };
    let mut encoder = crate::dialect::encoder::GenerateEncoder::new(context("m"));
    let events = vec![opaque("web_search_call", "{}"), opaque("item=i\tnull", "null")];
    let losses = encoder.push(events).unwrap().losses;
    assert_eq!(super::fields(&losses), ["web_search_call"]);
}

#[test]
fn c59_the_inputs_count_comes_before_the_first_words() {
    let events = decoded(&context("m"), &[last(&json!([{"text": "a"}]))], 1);
    assert!(matches!(&events[1], ChatEvent::Usage(usage) if usage.input == Some(3)));
}

#[test]
fn metadata_that_grows_cites_each_source_once() {
    let source = |name: &str| json!({"web": {"uri": format!("https://{name}.example"), "title": name}});
    let support = |end: u32, text: &str, chunks: &[u32]| json!({"segment": {"endIndex": end, "text": text}, "groundingChunkIndices": chunks});
    let piece = |text: &str, chunks: Value, supports: Value| {
        let metadata = json!({"groundingChunks": chunks, "groundingSupports": supports});
        let content = json!({"parts": [{"text": text}]});
        json!({"candidates": [{"index": 0, "content": content, "groundingMetadata": metadata}]}).to_string()
    };
    let frames = [
        piece("one", json!([source("a")]), json!([support(3, "one", &[0])])),
        piece(" two", json!([source("a"), source("b")]), json!([support(3, "one", &[0, 1])])),
        piece("!", json!([source("a"), source("b")]), json!([support(3, "one", &[0, 1]), support(7, "one two", &[1])])),
    ];
    for group in 1..=3 {
        let events = decoded(&context("m"), &frames, group);
        let cited: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                ChatEvent::Citation(PartCitation { part: 0, citation, .. }) => {
                    Some((citation.title.as_deref()?, citation.end?))
                }
                _ => None,
            })
            .collect();
        assert_eq!(cited, [("a", 3), ("b", 3), ("b", 7)]);
    }
}

#[test]
fn ranges_count_all_text_of_a_stream_whose_parts_a_signature_divides() {
    let supports = json!([
        {"segment": {"endIndex": 4, "text": "Grü"}, "groundingChunkIndices": [0]},
        {"segment": {"startIndex": 1, "endIndex": 8, "text": "rün, r"}, "groundingChunkIndices": [0]},
        {"segment": {"startIndex": 7, "endIndex": 10, "text": "rot"}, "groundingChunkIndices": [0]},
    ]);
    let metadata = json!({"groundingChunks": [{"web": {"uri": "https://a.example"}}], "groundingSupports": supports});
    let ending = json!({"candidates": [{"content": {"parts": [{"text": "!"}]}, "groundingMetadata": metadata,
        "finishReason": "STOP", "index": 0}]});
    let thought = frame(&json!([{"text": "hm", "thought": true}]));
    let signed = frame(&json!([{"text": "Grün", "thoughtSignature": "S=="}]));
    let frames = [thought, signed, frame(&json!([{"text": ", rot"}])), ending.to_string()];
    for group in [1, 4] {
        let events = decoded(&context("m"), &frames, group);
        let cited: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                ChatEvent::Citation(one) => Some((one.part, one.citation.start.zip(one.citation.end))),
                _ => None,
            })
            .collect();
        // The first part is complete when the sources come: they stand at the second, with its share of their range.
        assert_eq!(cited, [(2, None), (2, Some((0, 3))), (2, Some((2, 5)))]);
    }
}

#[test]
fn citations_of_others_count_all_text_of_the_stream() {
    let cite = |part: u32, range: Option<(u32, u32)>| {
        let citation = Citation {
            url: Some(format!("https://{part}.example")),
            title: None,
            quote: None,
            start: range.map(|range| range.0),
            end: range.map(|range| range.1),
            source: None,
        };
        ChatEvent::Citation(PartCitation { candidate: 0, part, citation })
    };
    // A citation of a whole text comes before it.
    let events = [
        start(0, PartKind::Reasoning),
        delta(0, "hm"),
        stop(0),
        start(1, PartKind::Text),
        cite(1, None),
        delta(1, "Grü"),
        delta(1, "n, "),
        stop(1),
        start(2, PartKind::Text),
        delta(2, "Rot"),
        cite(2, Some((1, 3))),
        cite(2, None),
        stop(2),
        finish(FinishReason::Complete),
    ];
    for group in [1, 3, events.len()] {
        let frames = encoded(&context("m"), &events, group);
        let metadata = &frames.last().unwrap()["candidates"][0]["groundingMetadata"];
        let supports = metadata["groundingSupports"].as_array().unwrap().iter();
        let segments: Vec<&Value> = supports.map(|support| &support["segment"]).collect();
        let expected = [
            json!({"endIndex": 7, "text": "Grün, "}),
            json!({"startIndex": 8, "endIndex": 10, "text": "ot"}),
            json!({"startIndex": 7, "endIndex": 10, "text": "Rot"}),
        ];
        assert_eq!(segments, expected.iter().collect::<Vec<_>>());
    }
}

#[test]
fn drafts_of_an_image_are_streamed_as_thinking() {
    let image = |data: &str| json!({"inlineData": {"mimeType": "image/jpeg", "data": data}});
    let mut draft = image("AAAA");
    draft["thought"] = json!(true);
    let frames = [frame(&json!([{"text": "hm", "thought": true}, draft])), last(&json!([image("BBBB")]))];
    let events = decoded(&context("m"), &frames, 1);
    assert_eq!(story(&events), ["+0 thought", "0 hm", "-0", "+1 inlineData", "-1", "+2 media", "-2", "0: Complete"]);
    let folded = super::normal::fold(&encoded(&context("m"), &events, 1));
    assert_eq!(folded["candidates"][0]["parts"][1], draft);
}

#[test]
fn searches_of_a_stream_are_those_of_the_frame_that_has_most() {
    let frame = |queries: &Value, finish: &Value| {
        let grounding = json!({"webSearchQueries": queries});
        let candidate =
            json!({"content": {"parts": [{"text": "a"}]}, "groundingMetadata": grounding, "finishReason": finish});
        json!({"candidates": [candidate], "responseId": "r", "usageMetadata": {"promptTokenCount": 3}}).to_string()
    };
    let none = Value::Null;
    let frames = [frame(&json!(["x"]), &none), frame(&json!(["x", "y"]), &none), frame(&none, &json!("STOP"))];
    let mut usage = Usage::default();
    for event in decoded(&context("m"), &frames, 1) {
        if let ChatEvent::Usage(later) = event {
            usage.update(later);
        }
    }
    assert_eq!(usage.units_of(Unit::Search), Some(2.0));
}

#[test]
fn a_functions_result_in_an_answer_stays_for_its_own_format() {
    let image = json!({"inlineData": {"mimeType": "image/png", "data": "iVBO"}});
    let result = json!({"functionResponse": {"id": "c", "name": "f", "response": {"a": 1}, "parts": [image],
        "willContinue": false}, "thoughtSignature": "S=="});
    for parts in [json!([result]), json!([{"functionResponse": {"name": "f", "response": {}}}])] {
        let events = decoded(&context("m"), &[frame(&parts), last(&json!([]))], 1);
        assert_eq!(story(&events), ["+0 functionResponse", "-0", "0: Complete"]);
        assert_eq!(encoded(&context("m"), &events, 1)[0]["candidates"][0]["content"]["parts"], parts);
        let whole = json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP"}]});
        let (back, losses) = written(&context("m"), answered(&context("m"), &whole).unwrap());
        assert_eq!((&back["candidates"][0]["content"]["parts"], losses.len()), (&parts, 0));
    }
}

#[test]
fn a_tier_that_a_later_frame_names_goes_with_the_usage() {
    let tiers = |first: Option<&str>, later: &str| {
        let frame = |tier: Option<&str>, finish: Option<&str>| {
            let candidate = json!({"content": {"parts": [{"text": "a"}]}, "finishReason": finish, "index": 0});
            let usage = json!({"promptTokenCount": 3, "serviceTier": tier});
            json!({"candidates": [candidate], "responseId": "r", "usageMetadata": usage}).to_string()
        };
        let events = decoded(&context("m"), &[frame(first, None), frame(Some(later), Some("STOP"))], 1);
        let tier = |event: ChatEvent| match event {
            ChatEvent::Start(start) => Some(start.service_tier),
            ChatEvent::Usage(usage) => Some(usage.service_tier),
            _ => None,
        };
        events.into_iter().filter_map(tier).collect::<Vec<_>>()
    };
    let named = |tier: &str| Some(tier.to_owned());
    assert_eq!(tiers(None, "flex"), [None, None, named("flex")]);
    assert_eq!(tiers(Some("standard"), "priority"), [named("standard"), None, named("priority")]);
    assert_eq!(tiers(Some("standard"), "standard"), [named("standard"), None, None]);
}
