//! Tool calls in pieces, as servers cut and name them.

use super::*;

#[test]
fn c03_without_an_index_an_id_or_a_name_opens_a_call() {
    let events = stream(&[
        r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\":"}}]}"#,
        r#"{"tool_calls":[{"function":{"arguments":"1}"}}]}"#,
        r#"{"tool_calls":[{"id":"b","function":{"name":"g","arguments":"{}"}}]}"#,
        r#"{"tool_calls":[{"function":{"name":"h","arguments":"{}"}}]}"#,
    ]);
    let made = calls(&events);
    assert_eq!(made[..2], [call("a", "f", r#"{"x":1}"#), call("b", "g", "{}")]);
    assert_eq!((made[2].1.as_str(), made[2].2.as_str(), made.len()), ("h", "{}", 3));
}

#[test]
fn c04_one_index_for_all_and_repeated_or_empty_ids() {
    let whole = |id: &str, name: &str| {
        format!(r#"{{"tool_calls":[{{"index":0,"id":"{id}","function":{{"name":"{name}","arguments":"{{}}"}}}}]}}"#)
    };
    let two = stream(&[&whole("a", "f"), &whole("b", "g")]);
    assert_eq!(calls(&two), [call("a", "f", "{}"), call("b", "g", "{}")]);
    for id in ["", "null"] {
        let without = calls(&stream(&[&whole(id, "f"), &whole(id, "f")]));
        assert_eq!(without.len(), 2);
        assert!(without.iter().all(|call| call.0.starts_with("call_")) && without[0].0 != without[1].0);
    }
    let repeated = calls(&stream(&[&whole("a", "f"), &whole("a", "f")]));
    assert_eq!(repeated.len(), 2);
    assert_ne!(repeated[0].0, repeated[1].0);
}

#[test]
fn c04_an_id_repeated_with_every_piece_is_one_call() {
    let piece = |text: &str| {
        format!(r#"{{"tool_calls":[{{"index":0,"id":"a","function":{{"name":"f","arguments":"{text}"}}}}]}}"#)
    };
    let events = stream(&[&piece(r#"{\"x\""#), &piece(":1"), &piece("}")]);
    assert_eq!(calls(&events), [call("a", "f", r#"{"x":1}"#)]);
}

#[test]
fn c04_a_new_id_with_every_piece_is_one_call() {
    let piece = |index: &str, id: u32, text: &str| {
        format!(r#"{{"tool_calls":[{{{index}"id":"{id}","function":{{"arguments":"{text}"}}}}]}}"#)
    };
    let first = |index: &str| format!(r#"{{"tool_calls":[{{{index}"id":"a","function":{{"name":"f"}}}}]}}"#);
    for index in [r#""index":0,"#, ""] {
        let events =
            stream(&[&first(index), &piece(index, 1, r#"{\"x\""#), &piece(index, 2, ":1}"), &piece(index, 3, "")]);
        assert_eq!(calls(&events), [call("a", "f", r#"{"x":1}"#)], "{index}");
    }
}

#[test]
fn arguments_without_a_name_are_reported() {
    let mut decoder = ChunkDecoder::new(&Quirks::COMPATIBLE, Context::default());
    let chunk = ending(r#"{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{}"}}]}"#, "stop");
    decoder.push(&[Frame { event: None, data: chunk }]);
    let lost: Vec<String> = decoder.finish().losses.into_iter().map(|loss| loss.field).collect();
    assert_eq!(lost, ["choices[].delta.tool_calls"]);
}

#[test]
fn a_call_without_the_brackets_of_a_list_is_a_call() {
    let piece = |name: &str, text: &str| {
        format!(r#"{{"tool_calls":{{"index":0,"id":"","function":{{"name":{name},"arguments":"{text}"}}}}}}"#)
    };
    let made = calls(&stream(&[&piece("\"f\"", "{"), &piece("null", "}")]));
    assert_eq!((made[0].1.as_str(), made[0].2.as_str(), made.len()), ("f", "{}", 1));
}

#[test]
fn calls_may_interleave_by_index() {
    let events = stream(&[
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}},{"index":1,"id":"b","function":{"name":"g","arguments":""}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}]}"#,
        r#"{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}"#,
    ]);
    assert_eq!(calls(&events), [call("a", "f", r#"{"x":1}"#), call("b", "g", "{}")]);
}

/// The members that each part of a stream ends with.
fn members(events: &[ChatEvent]) -> Vec<Vec<(&str, &str)>> {
    let stops = events.iter().filter_map(|event| match event {
        ChatEvent::PartStop(stop) => Some(&stop.extensions),
        _ => None,
    });
    stops.map(|own| own.iter().map(|own| (own.key.as_str(), own.json.as_str())).collect()).collect()
}

#[test]
fn members_that_only_this_format_has_come_with_the_end_of_their_part() {
    let events = stream(&[
        r#"{"content":[{"type":"text","text":"a"}]}"#,
        r#"{"content":[{"type":"text","text":"b","mark":1}]}"#,
        r#"{"content":[{"type":"text","text":"","mark":2}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{"},"thoughtSignature":"S"}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"}"},"note":null}]}"#,
        r#"{"tool_calls":[{"index":1,"id":"d","function":{"name":"g","arguments":"{}"}}]}"#,
    ]);
    assert_eq!(words(&events)[0], ("text", "ab".to_owned()));
    assert_eq!(members(&events), [vec![("mark", "2")], vec![("thoughtSignature", "\"S\"")], vec![]]);
}

#[test]
fn c04_one_id_and_name_for_calls_of_different_indexes() {
    let piece = |index: u32, members: &str| format!(r#"{{"tool_calls":[{{"index":{index},{members}}}]}}"#);
    let first = |index: u32| piece(index, r#""id":"a","function":{"name":"f","arguments":""}"#);
    let text = |index: u32| piece(index, r#""function":{"arguments":"{\"x\":1}"}"#);
    let made = calls(&stream(&[&first(0), &text(0), &first(1), &text(1)]));
    let [one, two] = made.as_slice() else { panic!("{made:?}") };
    assert_eq!((one.2.as_str(), two.2.as_str()), (r#"{"x":1}"#, r#"{"x":1}"#));
    assert_ne!(one.0, two.0);
}

#[test]
fn c92_ids_may_be_numbers_and_times_texts() {
    let start = |id: &str, created: &str| {
        let chunk = format!(
            r#"{{"id":{id},"created":{created},"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":0,"id":7,"function":{{"name":"f","arguments":"{{}}"}}}}]}},"finish_reason":"stop"}}]}}"#
        );
        let events = decode(&[&chunk, "[DONE]"]);
        let Some(ChatEvent::Start(start)) = events.first() else { panic!("{events:?}") };
        assert_eq!(calls(&events), [call("7", "f", "{}")]);
        (start.id.clone(), start.created_ms)
    };
    assert_eq!(start("12", r#""1700000000""#), ("12".to_owned(), Some(1_700_000_000_000.0)));
    assert_eq!(start(r#""c""#, "1.5"), ("c".to_owned(), Some(1500.0)));
    assert_eq!(start(r#""c""#, r#""2026-01-01T00:00:00Z""#), ("c".to_owned(), None));
    assert_eq!(start("{}", "[]"), (String::new(), None));
}

#[test]
fn c11_a_call_that_breaks_off_was_cut_by_the_limit_whatever_the_word_says() {
    let reason = |arguments: &str| {
        let call =
            format!(r#"{{"tool_calls":[{{"index":0,"id":"a","function":{{"name":"f","arguments":{arguments:?}}}}}]}}"#);
        let last = r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#;
        let events = decode(&[&delta(&call), last, "[DONE]"]);
        events.iter().find_map(|event| match event {
            ChatEvent::Finish(finish) => Some(finish.finish.reason),
            _ => None,
        })
    };
    assert_eq!(reason(r#"{"city": "Par"#), Some(FinishReason::Length));
    assert_eq!(reason(r#"{"city": "Paris"}"#), Some(FinishReason::ToolCalls));
    assert_eq!(reason(""), Some(FinishReason::ToolCalls));
}

#[test]
fn c03_a_name_in_pieces_is_one_name() {
    let named = |name: &str| format!(r#"{{"tool_calls":[{{"index":0,"function":{{"name":"{name}"}}}}]}}"#);
    let first = r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"get_"}}]}"#;
    let arguments = r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#;
    assert_eq!(calls(&stream(&[first, &named("wea"), &named("ther"), arguments])), [call("a", "get_weather", "{}")]);
    // Without an id anywhere, or any arguments: whatever follows ends the name.
    let whole = calls(&stream(&[&named("get_"), &named("time"), r#"{"content":"ok"}"#]));
    assert_eq!((whole.len(), whole[0].1.as_str()), (1, "get_time"));
    let last = calls(&stream(&[&named("get_"), &named("time")]));
    assert_eq!((last.len(), last[0].1.as_str(), last[0].2.as_str()), (1, "get_time", "{}"));
    // A server that repeats a name does not lengthen it, and another index is another call.
    let other = r#"{"tool_calls":[{"index":1,"function":{"name":"g"}}]}"#;
    let names: Vec<String> =
        calls(&stream(&[&named("f"), &named("f"), other])).into_iter().map(|call| call.1).collect();
    assert_eq!(names, ["f", "g"]);
}
