use super::*;
use weir_types::contract::types::{ErrorKind, PartDelta, ToolKind, ToolStart};

fn delta(part: u32, text: &str) -> ChatEvent {
    ChatEvent::Delta(PartDelta { candidate: 0, part, text: text.into() })
}

fn call(part: u32, id: &str) -> ChatEvent {
    let tool = ToolStart { id: id.into(), name: "f".into(), kind: ToolKind::Function, signature: None };
    ChatEvent::PartStart(PartStart { candidate: 0, part, kind: PartKind::ToolCall(tool) })
}

fn finish(reason: FinishReason) -> ChatEvent {
    ChatEvent::Finish(CandidateFinish { candidate: 0, finish: Finish { reason, raw: None, stop_sequence: None } })
}

/// The events in short: `S` start, `+0t` part 0 starts as text, `0"x"` delta, `-0` stop, `F` finish, `!` failure.
fn story(events: &[ChatEvent]) -> String {
    let word = |event: &ChatEvent| match event {
        ChatEvent::Start(_) => "S".to_owned(),
        ChatEvent::PartStart(start) => {
            let kind = match start.kind {
                PartKind::Text => "t",
                PartKind::Reasoning => "r",
                PartKind::ToolCall(_) => "c",
                _ => "?",
            };
            format!("+{}{kind}", start.part)
        }
        ChatEvent::Delta(delta) => format!("{}{:?}", delta.part, delta.text),
        ChatEvent::PartStop(stop) => format!("-{}", stop.part),
        ChatEvent::Finish(finish) => format!("F:{:?}", finish.finish.reason),
        ChatEvent::Failure(_) => "!".to_owned(),
        _ => "?".to_owned(),
    };
    events.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn judged(events: Vec<ChatEvent>) -> String {
    let mut validator = EventValidator::new("r1");
    let mut out = validator.push(events);
    out.extend(validator.end());
    story(&out)
}

#[test]
fn c06_a_delta_without_a_start_gets_one() {
    let events = vec![delta(3, "a"), delta(3, "b"), finish(FinishReason::Complete)];
    assert_eq!(judged(events), r#"S +0t 0"a" 0"b" -0 "#.to_owned() + "F:Complete");
}

#[test]
fn c11_a_tool_call_outranks_the_upstreams_finish() {
    let events = vec![call(0, "a"), finish(FinishReason::Complete)];
    assert_eq!(judged(events), "S +0c -0 F:ToolCalls");
}

#[test]
fn a_cut_off_answer_stays_cut_off() {
    assert_eq!(judged(vec![call(0, "a"), finish(FinishReason::Length)]), "S +0c -0 F:Length");
}

#[test]
fn c13_a_missing_finish_is_made_up_and_said() {
    let mut validator = EventValidator::new("r1");
    validator.push(vec![delta(0, "a")]);
    assert_eq!(story(&validator.end()), "-0 F:Complete");
    assert_eq!(validator.take_losses().len(), 1);
}

#[test]
fn c05_starts_and_stops_happen_once_and_numbers_are_dense() {
    let stop = |part| ChatEvent::PartStop(PartStop { candidate: 0, part, extensions: Vec::new() });
    let events = vec![call(7, "a"), call(7, "a"), call(9, "b"), stop(7), stop(7), finish(FinishReason::ToolCalls)];
    assert_eq!(judged(events), "S +0c +1c -0 -1 F:ToolCalls");
}

#[test]
fn events_after_a_finish_pass_and_the_finish_comes_last() {
    let events = vec![
        call(0, "a"),
        finish(FinishReason::ToolCalls),
        call(1, "b"),
        delta(1, "{}"),
        finish(FinishReason::ToolCalls),
        delta(2, "x"),
    ];
    let mut validator = EventValidator::new("r1");
    let checked = validator.push(events);
    assert_eq!(story(&checked), r#"S +0c +1c 1"{}" +2t 2"x""#);
    assert!(validator.has_finish());
    assert_eq!(story(&validator.end()), "-0 -1 -2 F:ToolCalls");
    assert!(validator.take_losses().is_empty());
}

#[test]
fn the_last_known_finish_reason_counts_and_calls_outrank_a_natural_end() {
    use FinishReason::{Complete, ContentFilter, Length, Other, StopSequence, ToolCalls};
    for (finishes, expected) in [
        (vec![Complete, Length], Length),
        (vec![Length, Complete], Complete),
        (vec![Length, Other], Length),
        (vec![Other, Complete], Complete),
        (vec![ToolCalls, Complete], ToolCalls),
        (vec![ToolCalls, StopSequence], ToolCalls),
        (vec![Complete, ToolCalls], ToolCalls),
        (vec![ToolCalls, ContentFilter], ContentFilter),
    ] {
        let mut events = vec![delta(0, "a")];
        events.extend(finishes.into_iter().map(finish));
        assert_eq!(judged(events), format!(r#"S +0t 0"a" -0 F:{expected:?}"#));
    }
}

#[test]
fn candidates_finish_in_order_of_their_numbers() {
    let of = |candidate: u32, text: &str| ChatEvent::Delta(PartDelta { candidate, part: 0, text: text.into() });
    let ends = |candidate: u32, reason| {
        let finish = Finish { reason, raw: None, stop_sequence: None };
        ChatEvent::Finish(CandidateFinish { candidate, finish })
    };
    let mut validator = EventValidator::new("r1");
    validator.push(vec![of(1, "b"), ends(1, FinishReason::Length), of(0, "a"), ends(0, FinishReason::Complete)]);
    let finishes: Vec<_> = validator
        .end()
        .into_iter()
        .filter_map(|event| match event {
            ChatEvent::Finish(finish) => Some((finish.candidate, finish.finish.reason)),
            _ => None,
        })
        .collect();
    assert_eq!(finishes, [(0, FinishReason::Complete), (1, FinishReason::Length)]);
}

#[test]
fn c19_after_a_failure_nothing_follows() {
    let error = Error {
        kind: ErrorKind::Upstream,
        message: "died".into(),
        status: None,
        code: None,
        param: None,
        retry_after_ms: None,
    };
    let mut validator = EventValidator::new("r1");
    let out = validator.push(vec![delta(0, "a"), ChatEvent::Failure(error.clone()), delta(0, "b")]);
    assert_eq!(story(&out), r#"S +0t 0"a" !"#);
    assert!(validator.end().is_empty() && validator.fail(error).is_empty());
}

#[test]
fn a_failure_after_all_finishes_keeps_them() {
    let error = || ChatEvent::Failure(weir_types::fault::Fault::internal("died").error);
    let mut validator = EventValidator::new("r1");
    let out = validator.push(vec![delta(0, "a"), finish(FinishReason::Length), error()]);
    assert_eq!(story(&out), r#"S +0t 0"a" -0 F:Length !"#);
    assert!(validator.end().is_empty());
}

#[test]
fn the_request_id_stands_in_for_a_missing_id() {
    let mut validator = EventValidator::new("r1");
    let out = validator.push(vec![delta(0, "a")]);
    assert!(matches!(&out[0], ChatEvent::Start(start) if start.id == "r1"));
}

#[test]
fn an_answer_of_more_candidates_or_parts_than_any_model_makes_fails() {
    type Event<'a> = &'a dyn Fn(u32) -> ChatEvent;
    let of = |candidate, part| ChatEvent::Delta(PartDelta { candidate, part, text: "x".into() });
    let start = |candidate, part| ChatEvent::PartStart(PartStart { candidate, part, kind: PartKind::Text });
    let cases: [(&str, usize, Event<'_>); 4] = [
        ("candidates", MAX_CANDIDATES, &|number| of(number, 0)),
        ("candidates that begin", MAX_CANDIDATES, &|number| start(number, 0)),
        ("parts", MAX_PARTS, &|number| of(0, number)),
        ("parts that begin", MAX_PARTS, &|number| start(0, number)),
    ];
    for (what, most, event) in cases {
        let many = |count: usize| (0..u32::try_from(count).unwrap()).map(event).collect();
        let mut validator = EventValidator::new("r1");
        validator.push(many(most));
        assert!(matches!(validator.end().last(), Some(ChatEvent::Finish(_))), "{what}: as many as may be");
        let mut validator = EventValidator::new("r1");
        validator.push(many(most + 1));
        assert!(validator.has_failed() || matches!(validator.end().last(), Some(ChatEvent::Failure(_))), "{what}");
        // What follows is not compared any more: that would take minutes.
        let mut validator = EventValidator::new("r1");
        let out = validator.push(many(1_000_000));
        assert!(matches!(out.last(), Some(ChatEvent::Failure(_))), "{what}");
        assert!(out.len() < 3 * most, "{what}: {}", out.len());
        assert!(validator.push(vec![of(0, 0)]).is_empty() && validator.end().is_empty(), "{what}");
    }
}
