use super::*;
use crate::testing::lines::Lines;
use crate::testing::{context, encoded};
use crate::types::{
    CandidateFinish, CandidateLogprobs, ErrorKind, Extension, FinishReason, PartDelta, PartKind, PartStart,
};

fn lines(events: &[ChatEvent], group: usize) -> (Vec<String>, Vec<String>) {
    let (frames, losses) = encoded::<BlockEncoder<Lines>>(&context("m"), events, group);
    (frames.into_iter().map(|frame| frame.data).collect(), losses)
}

fn usage(input: u32) -> ChatEvent {
    ChatEvent::Usage(Usage { input: Some(input), ..Usage::default() })
}

fn text(candidate: u32, words: &str) -> [ChatEvent; 2] {
    [
        ChatEvent::PartStart(PartStart { candidate, part: 0, kind: PartKind::Text }),
        ChatEvent::Delta(PartDelta { candidate, part: 0, text: words.into() }),
    ]
}

fn finish() -> ChatEvent {
    ChatEvent::Finish(CandidateFinish { candidate: 0, finish: Finish::new(FinishReason::Complete, "stop") })
}

fn opaque(format: &str, kind: &str) -> ChatEvent {
    ChatEvent::Opaque(Opaque { format: format.into(), kind: kind.into(), json: "{}".into() })
}

#[test]
fn c59_usage_that_comes_with_the_start_is_in_the_first_frame() {
    let start = ChatEvent::Start(ResponseStart::default());
    let events = [&[start, usage(7)][..], &text(0, "a"), &[finish()]].concat();
    assert_eq!(lines(&events, 2).0, ["first 7", "0 start", "0 text a", "0 stop", "end stop 7"]);
}

#[test]
fn a_stream_without_events_is_a_whole_answer() {
    assert_eq!(lines(&[], 1).0, ["first ?", "end - ?"]);
}

#[test]
fn c19_an_error_ends_the_stream() {
    let failure = ChatEvent::Failure(Error::new(ErrorKind::Upstream, "broken"));
    let events = [&text(0, "a")[..], &[failure.clone(), finish()], &text(0, "b")].concat();
    for group in 1..6 {
        assert_eq!(lines(&events, group).0, ["first ?", "0 start", "0 text a", "failed true"]);
    }
    assert_eq!(lines(&[failure], 1).0, ["failed false"]);
}

#[test]
fn c05_what_has_no_place_is_reported_once() {
    let logprobs = ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json: "[]".into() });
    let events = [
        &[logprobs.clone(), opaque("another", "ping"), logprobs, opaque("another", "ping")][..],
        &text(1, "a"),
        &text(2, "b"),
    ];
    assert_eq!(lines(&events.concat(), 3).1, ["logprobs", "ping", "candidates"]);
}

#[test]
fn notes_of_other_formats_are_no_losses() {
    let note = Opaque { format: "another".into(), kind: "item=i\tnull".into(), json: "null".into() };
    assert_eq!(lines(&[ChatEvent::Opaque(note)], 1).1, [""; 0]);
}

#[test]
fn extensions_of_other_formats_are_reported() {
    let extension = |key: &str| vec![Extension { format: "another".into(), key: key.into(), json: "1".into() }];
    let start = ResponseStart { extensions: extension("a"), ..ResponseStart::default() };
    let usage = Usage { extensions: extension("b"), ..Usage::default() };
    assert_eq!(lines(&[ChatEvent::Start(start), ChatEvent::Usage(usage)], 1).1, ["a", "usage.b"]);
}

#[test]
fn an_event_of_the_format_is_a_frame_or_kept_for_one() {
    let events = [opaque("lines", "kept"), usage(3), opaque("lines", "ping")];
    assert_eq!(lines(&events, 1).0, ["first 3", "{}", "end - 3 kept"]);
}
