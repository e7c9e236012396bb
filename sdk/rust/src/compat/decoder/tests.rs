mod pieces;

use proptest::prelude::*;

use super::*;
use crate::types::{FinishReason, PartKind};

fn decode(chunks: &[&str]) -> Vec<ChatEvent> {
    let ctx = Context { request_id: "r".into(), ..Context::default() };
    let mut decoder = ChunkDecoder::new(&Quirks::COMPATIBLE, ctx);
    let frames: Vec<Frame> = chunks.iter().map(|data| Frame { event: None, data: (*data).to_owned() }).collect();
    let mut events = decoder.push(&frames).events;
    events.extend(decoder.finish().events);
    events
}

fn delta(delta: &str) -> String {
    format!(r#"{{"id":"c","model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#)
}

/// A stream of these deltas, with a finish at the end.
fn stream(deltas: &[&str]) -> Vec<ChatEvent> {
    let mut chunks: Vec<String> = deltas.iter().map(|text| delta(text)).collect();
    chunks.push(r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#.into());
    chunks.push("[DONE]".into());
    decode(&chunks.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Each call's id, name and arguments.
fn calls(events: &[ChatEvent]) -> Vec<(String, String, String)> {
    let mut calls = Vec::new();
    for event in events {
        match event {
            ChatEvent::PartStart(start) => {
                if let PartKind::ToolCall(tool) = &start.kind {
                    calls.push((start.part, tool.id.clone(), tool.name.clone(), String::new()));
                }
            }
            ChatEvent::Delta(delta) => {
                if let Some(call) = calls.iter_mut().find(|call| call.0 == delta.part) {
                    call.3.push_str(&delta.text);
                }
            }
            _ => {}
        }
    }
    calls.into_iter().map(|(_, id, name, text)| (id, name, text)).collect()
}

/// The kinds of the parts, with the text of each.
fn words(events: &[ChatEvent]) -> Vec<(&'static str, String)> {
    let mut parts: Vec<(u32, &'static str, String)> = Vec::new();
    for event in events {
        match event {
            ChatEvent::PartStart(start) => {
                let kind = match start.kind {
                    PartKind::Text => "text",
                    PartKind::Reasoning => "reasoning",
                    PartKind::Refusal => "refusal",
                    _ => "other",
                };
                parts.push((start.part, kind, String::new()));
            }
            ChatEvent::Delta(delta) => {
                parts.iter_mut().filter(|part| part.0 == delta.part).for_each(|part| part.2.push_str(&delta.text));
            }
            _ => {}
        }
    }
    parts.into_iter().map(|(_, kind, text)| (kind, text)).collect()
}

fn call(id: &str, name: &str, text: &str) -> (String, String, String) {
    (id.into(), name.into(), text.into())
}

#[test]
fn c11_a_call_makes_the_finish_tool_calls() {
    let events = stream(&[r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}"#]);
    let finish = events.iter().find_map(|event| match event {
        ChatEvent::Finish(event) => Some(event.finish.reason),
        _ => None,
    });
    assert_eq!(finish, Some(FinishReason::ToolCalls));
}

#[test]
fn a_tier_that_a_later_chunk_names_goes_with_the_usage() {
    let first = |tier| format!(r#"{{"id":"c",{tier}"choices":[{{"index":0,"delta":{{"content":"a"}}}}]}}"#);
    let tiers = |first: &str, rest: &[&str]| {
        let end = r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
        let events = decode(&[&[first, end], rest].concat());
        let tier = |event: &ChatEvent| match event {
            ChatEvent::Usage(usage) => Some(usage.service_tier.clone()),
            _ => None,
        };
        events.iter().filter_map(tier).collect::<Vec<_>>()
    };
    let usage = r#"{"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#;
    let tier = r#"{"id":"c","choices":[],"service_tier":"flex"}"#;
    let flex = Some("flex".to_owned());
    assert_eq!(tiers(&first(""), &[tier, usage]), std::slice::from_ref(&flex));
    assert_eq!(tiers(&first(r#""service_tier":"auto","#), &[usage, tier]), [None, flex]);
    assert_eq!(tiers(&first(r#""service_tier":"flex","#), &[tier, usage]), [None]);
}

#[test]
fn c77_thinking_is_read_from_every_spelling_once() {
    for spelling in [
        r#"{"reasoning_content":"hm"}"#,
        r#"{"reasoning":"hm"}"#,
        r#"{"reasoning":"hm","reasoning_content":"hm"}"#,
        r#"{"reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","index":0}]}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#,
    ] {
        assert_eq!(words(&stream(&[spelling])), [("reasoning", "hm".to_owned())], "{spelling}");
    }
}

#[test]
fn c78_an_empty_text_closes_nothing_and_a_mixed_delta_keeps_both() {
    let events = stream(&[
        r#"{"role":"assistant","content":"","reasoning":"a"}"#,
        r#"{"content":"","reasoning":"b"}"#,
        r#"{"content":"x","reasoning":"c"}"#,
        r#"{"content":"y"}"#,
    ]);
    assert_eq!(words(&events), [("reasoning", "abc".to_owned()), ("text", "xy".to_owned())]);
}

#[test]
fn c30_signatures_and_encrypted_thinking_keep_their_issuer() {
    let events = stream(&[
        r#"{"reasoning_details":[{"type":"reasoning.text","text":"hm","index":0,"format":"anthropic-claude-v1"}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.text","signature":"S","index":0,"format":"anthropic-claude-v1"}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"D","index":1,"format":"google-gemini-v1"}]}"#,
    ]);
    let signatures: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Signature(event) => {
                Some((event.part, event.signature.issuer.as_str(), event.signature.value.as_str(), event.encrypted))
            }
            _ => None,
        })
        .collect();
    assert_eq!(signatures, [(0, "anthropic", "S", false), (1, "gemini", "D", true)]);
}

#[test]
fn c32_a_calls_thought_signature_comes_with_it() {
    let events = stream(&[
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"S"}}}]}"#,
    ]);
    let signature = events.iter().find_map(|event| match event {
        ChatEvent::PartStart(start) => match &start.kind {
            PartKind::ToolCall(tool) => tool.signature.clone(),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(signature.map(|s| (s.issuer, s.value)), Some(("gemini".into(), "S".into())));
}

#[test]
fn c13_a_missing_finish_is_made_good_only_where_the_stream_says_it_is_done() {
    let text = delta(r#"{"content":"x"}"#);
    let done = decode(&[&text, "[DONE]"]);
    assert!(matches!(done.last(), Some(ChatEvent::Finish(_))));
    let cut = decode(&[&text]);
    assert!(matches!(cut.last(), Some(ChatEvent::Failure(_))));
    assert!(matches!(decode(&[]).last(), Some(ChatEvent::Failure(_))));
}

#[test]
fn c19_an_error_in_the_stream_is_a_failure_and_the_last_event() {
    let text = delta(r#"{"content":"x"}"#);
    let error = r#"{"error":{"message":"boom","type":"server_error","code":null}}"#;
    let events = decode(&[&text, error, &text, "[DONE]"]);
    let Some(ChatEvent::Failure(error)) = events.last() else { panic!("{events:?}") };
    assert_eq!(error.message, "boom");
    assert!(matches!(decode(&[&text, "{not json"]).last(), Some(ChatEvent::Failure(_))));
}

#[test]
fn c19_an_error_without_its_member_is_a_failure() {
    let text = delta(r#"{"content":"x"}"#);
    for error in [
        r#"{"object":"error","message":"boom","type":"BadRequestError","param":null,"code":400}"#,
        r#"{"code":400,"msg":"boom","success":false}"#,
        r#"{"detail":"boom"}"#,
        r#"{"id":"c","choices":null,"base_resp":{"status_code":1008,"status_msg":"boom"}}"#,
    ] {
        for chunks in [vec![error, "[DONE]"], vec![&text, error, "[DONE]"]] {
            let events = decode(&chunks);
            let Some(ChatEvent::Failure(error)) = events.last() else { panic!("{error}: {events:?}") };
            assert_eq!(error.message, "boom");
        }
    }
    let fine = r#"{"id":"c","choices":[],"base_resp":{"status_code":0,"status_msg":""}}"#;
    assert!(matches!(decode(&[&text, fine, "[DONE]"]).last(), Some(ChatEvent::Finish(_))));
}

#[test]
fn c16_c82_usage_comes_when_it_comes_and_is_reported_once() {
    let with = |choices: &str, usage: &str| format!(r#"{{"id":"c","choices":{choices},"usage":{usage}}}"#);
    let end = r#"[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]"#;
    let usage = r#"{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}"#;
    let null = r#"{"prompt_tokens":1,"completion_tokens":null,"total_tokens":null}"#;
    let events =
        decode(&[&with(end, null), &with("[]", usage), &with("[{\"index\":0,\"delta\":{}}]", usage), "[DONE]"]);
    let reported: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Usage(usage) => Some((usage.input, usage.output)),
            _ => None,
        })
        .collect();
    assert_eq!(reported, [(Some(1), None), (Some(1), Some(2))]);
}

#[test]
fn candidates_are_kept_apart() {
    let chunk = |index: u32, text: &str, finish: &str| {
        format!(
            r#"{{"id":"c","choices":[{{"index":{index},"delta":{{"content":"{text}"}},"finish_reason":{finish}}}]}}"#
        )
    };
    let chunks = [chunk(0, "a", "null"), chunk(1, "b", "null"), chunk(0, "c", "\"stop\""), chunk(1, "d", "\"length\"")];
    let events = decode(&chunks.iter().map(String::as_str).collect::<Vec<_>>());
    let text = |candidate| -> String {
        let of = |event: &ChatEvent| match event {
            ChatEvent::Delta(delta) if delta.candidate == candidate => Some(delta.text.clone()),
            _ => None,
        };
        events.iter().filter_map(of).collect()
    };
    assert_eq!((text(0).as_str(), text(1).as_str()), ("ac", "bd"));
    assert_eq!(events.iter().filter(|event| matches!(event, ChatEvent::Finish(_))).count(), 2);
}

/// A choice with a finish reason.
fn ending(delta: &str, finish: &str) -> String {
    format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{delta},"finish_reason":"{finish}"}}]}}"#)
}

fn finishes(events: &[ChatEvent]) -> Vec<FinishReason> {
    let reason = |event: &ChatEvent| match event {
        ChatEvent::Finish(event) => Some(event.finish.reason),
        _ => None,
    };
    events.iter().filter_map(reason).collect()
}

#[test]
fn a_finish_after_each_parallel_call_ends_nothing() {
    let call_of = |id: &str, name: &str| {
        format!(r#"{{"tool_calls":[{{"index":0,"id":"{id}","function":{{"name":"{name}","arguments":"{{}}"}}}}]}}"#)
    };
    let chunks = [ending(&call_of("a", "f"), "tool_calls"), ending(&call_of("b", "g"), "tool_calls"), "[DONE]".into()];
    let events = decode(&chunks.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(calls(&events), [call("a", "f", "{}"), call("b", "g", "{}")]);
    assert_eq!(finishes(&events), [FinishReason::ToolCalls]);
    assert!(matches!(events.last(), Some(ChatEvent::Finish(_))), "{events:?}");
}

#[test]
fn words_after_a_finish_are_kept_and_the_last_real_reason_counts() {
    let text = |text: &str| format!(r#"{{"content":"{text}"}}"#);
    for (first, second, expected) in [
        ("stop", "length", FinishReason::Length),
        ("length", "whatever", FinishReason::Length),
        ("whatever", "stop", FinishReason::Complete),
    ] {
        let chunks = [ending(&text("a"), first), ending(&text("b"), second), "[DONE]".into()];
        let events = decode(&chunks.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((words(&events), finishes(&events)), (vec![("text", "ab".to_owned())], vec![expected]));
    }
}

#[test]
fn the_start_waits_for_an_id_and_keeps_what_came_before() {
    let first = r#"{"id":"","model":"","object":"","choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#;
    let events = decode(&[first, &delta(r#"{"content":"x"}"#)]);
    let Some(ChatEvent::Start(start)) = events.first() else { panic!("{events:?}") };
    assert_eq!((start.id.as_str(), start.extensions[0].key.as_str()), ("c", "prompt_filter_results"));
}

proptest! {
    /// C-08: however the arguments are cut, the pieces add up to them.
    #[test]
    fn c08_arguments_survive_any_cut(cuts in prop::collection::vec(1usize..6, 1..40)) {
        let arguments = r#"{"city":"Zürich \"Süd\"","list":[1,{"a":"}"}],"n":null}"#;
        let mut deltas = vec![r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]}"#.to_owned()];
        let characters: Vec<char> = arguments.chars().collect();
        let (mut at, mut cuts) = (0, cuts.iter().cycle());
        while at < characters.len() {
            let end = (at + cuts.next().unwrap()).min(characters.len());
            let mut piece = String::new();
            json::quote(&mut piece, &characters[at..end].iter().collect::<String>());
            deltas.push(format!(r#"{{"tool_calls":[{{"index":0,"function":{{"arguments":{piece}}}}}]}}"#));
            at = end;
        }
        let events = stream(&deltas.iter().map(String::as_str).collect::<Vec<_>>());
        prop_assert_eq!(calls(&events), [call("a", "f", arguments)]);
    }
}

#[test]
fn thinking_that_is_only_a_note_is_no_part_of_the_model() {
    // Notes have the value null, so other formats do not report them as lost.
    let events =
        stream(&[r#"{"reasoning_details":[{"type":"reasoning.summary","summary":"s","index":0,"format":"x"}]}"#]);
    let notes = events.iter().find_map(|event| match event {
        ChatEvent::PartStop(stop) if !stop.extensions.is_empty() => Some(&stop.extensions),
        _ => None,
    });
    assert!(notes.unwrap().iter().all(|note| note.json == "null"));
}

fn decode_with(quirks: &'static Quirks, chunks: &[&str]) -> Vec<ChatEvent> {
    let mut decoder = ChunkDecoder::new(quirks, Context::default());
    let frames: Vec<Frame> = chunks.iter().map(|data| Frame { event: None, data: (*data).to_owned() }).collect();
    decoder.push(&frames).events
}

#[test]
fn usage_in_a_choice_is_read_where_the_chunk_has_none() {
    let last = |choice: &str, chunk: &str| {
        let end =
            format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"{choice}}}]{chunk}}}"#);
        let events = decode(&[&delta(r#"{"content":"a"}"#), &end, "[DONE]"]);
        assert!(!events.iter().any(|event| matches!(event, ChatEvent::Opaque(_))), "{events:?}");
        events
            .into_iter()
            .filter_map(|event| if let ChatEvent::Usage(usage) = event { usage.input } else { None })
            .collect::<Vec<_>>()
    };
    let (within, beside) = (r#","usage":{"prompt_tokens":3}"#, r#","usage":{"prompt_tokens":4}"#);
    assert_eq!([last(within, ""), last(within, beside), last(r#","usage":null"#, "")], [vec![3], vec![4], vec![]]);
}

#[test]
fn usage_beside_a_chunk_is_read_once() {
    const QUIRKS: Quirks = Quirks { usage_in: "x_groq", ..Quirks::COMPATIBLE };
    let events = decode_with(
        &QUIRKS,
        &[
            r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"usage":{"prompt_tokens":3}}}"#,
            r#"{"id":"c","choices":[],"usage":{"prompt_tokens":3}}"#,
        ],
    );
    let inputs = events.iter().filter_map(|event| match event {
        ChatEvent::Usage(usage) => Some(usage.input),
        _ => None,
    });
    assert_eq!(inputs.collect::<Vec<_>>(), [Some(3)]);
}

#[test]
fn pages_beside_the_text_are_citations_at_its_end() {
    const QUIRKS: Quirks = Quirks { sources: &["citations"], ..Quirks::COMPATIBLE };
    let chunk = |text: &str| {
        format!(
            r#"{{"id":"c","citations":["https://a.example"],"choices":[{{"delta":{{"content":"{text}"}},"finish_reason":"stop"}}]}}"#
        )
    };
    let events = decode_with(&QUIRKS, &[&chunk("a"), &chunk("b"), "[DONE]"]);
    let cited: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Citation(cited) => Some((cited.part, cited.citation.url.as_deref())),
            _ => None,
        })
        .collect();
    assert_eq!(cited, [(0, Some("https://a.example"))]);
}

#[test]
fn a_failure_beside_a_chunk_is_one() {
    const QUIRKS: Quirks = Quirks { usage_in: "x_groq", ..Quirks::COMPATIBLE };
    let events = decode_with(&QUIRKS, &[r#"{"id":"c","choices":[],"x_groq":{"error":"over capacity"}}"#]);
    let Some(ChatEvent::Failure(error)) = events.last() else { panic!("{events:?}") };
    assert_eq!(error.message, "over capacity");
}

#[test]
fn c30_the_signature_of_a_summary_is_its_familys() {
    const QUIRKS: Quirks = Quirks { family: "databricks", ..Quirks::COMPATIBLE };
    let part = |inner: &str| delta(&format!(r#"{{"content":[{{"type":"reasoning","summary":[{inner}]}}]}}"#));
    let chunks = [part(r#"{"text":"hm"}"#), part(r#"{"text":"","signature":"S"}"#), delta(r#"{"content":"x"}"#)];
    let events = decode_with(&QUIRKS, &chunks.iter().map(String::as_str).collect::<Vec<_>>());
    let signed: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Signature(signed) => Some((signed.part, signed.signature.issuer.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(signed, [(0, "databricks")]);
    assert_eq!(words(&events), [("reasoning", "hm".to_owned()), ("text", "x".to_owned())]);
}

#[test]
fn c05_a_call_without_arguments_has_an_empty_object_unless_it_was_cut() {
    let start = r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}"#;
    let more = delta(r#"{"tool_calls":[{"index":0,"function":{"arguments":""}}]}"#);
    for (finish, arguments) in [("tool_calls", "{}"), ("stop", "{}"), ("length", ""), ("content_filter", "")] {
        let events = decode(&[&delta(start), &more, &ending("{}", finish), "[DONE]"]);
        assert_eq!(calls(&events), [call("a", "f", arguments)], "{finish}");
    }
    let custom = r#"{"tool_calls":[{"index":0,"id":"a","type":"custom","custom":{"name":"f","input":""}}]}"#;
    assert_eq!(calls(&stream(&[custom])), [call("a", "f", "")]);
}
