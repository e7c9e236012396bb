use super::*;
use crate::compat::responses::note;
use crate::testing::lines::Lines;
use crate::types::{MediaKind, MediaSource, PartDelta, PartSignature, PartStart, PartStop};

/// A call's start.
fn call(kind: ToolKind, signature: Option<Signature>) -> PartKind {
    PartKind::ToolCall(ToolStart { id: "c1".into(), name: "f".into(), kind, signature })
}

fn signature(issuer: &str, value: &str) -> Signature {
    Signature { issuer: issuer.into(), value: value.into() }
}

/// The events of a part: its start, its texts, its signatures (encrypted or not), its stop.
fn part(kind: PartKind, texts: &[&str], signatures: &[(&str, bool)]) -> Vec<ChatEvent> {
    let mut events = vec![ChatEvent::PartStart(PartStart { candidate: 0, part: 0, kind })];
    let delta = |text: &&str| ChatEvent::Delta(PartDelta { candidate: 0, part: 0, text: (*text).into() });
    events.extend(texts.iter().map(delta));
    events.extend(signatures.iter().map(|&(issuer, encrypted)| {
        ChatEvent::Signature(PartSignature { candidate: 0, part: 0, signature: signature(issuer, "v"), encrypted })
    }));
    events.push(ChatEvent::PartStop(PartStop { candidate: 0, part: 0, extensions: Vec::new() }));
    events
}

/// The frames of parts in order, one line each, and the fields of the losses.
fn written(parts: Vec<Vec<ChatEvent>>) -> (Vec<String>, Vec<String>) {
    let (mut writer, mut out, mut losses) = (BlockWriter::<Lines>::default(), Vec::new(), Losses::default());
    parts.into_iter().flatten().for_each(|event| writer.event(event, &mut out, &mut losses));
    let frames = out.into_iter().map(|frame| frame.data).collect();
    (frames, losses.into_losses().into_iter().map(|loss| loss.field).collect())
}

#[test]
fn c85_a_block_starts_with_its_first_text_and_an_empty_one_never() {
    let (frames, losses) = written(vec![
        part(PartKind::Text, &[""], &[]),
        part(PartKind::Text, &["a", "", "b"], &[]),
        part(PartKind::Reasoning, &[], &[]),
        part(PartKind::Refusal, &["no"], &[]),
    ]);
    assert_eq!(frames, ["0 start", "0 text a", "0 text b", "0 stop", "1 start", "1 text no", "1 stop"]);
    assert_eq!(losses, Vec::<String>::new());
}

#[test]
fn c10_arguments_are_always_an_object() {
    let (frames, losses) = written(vec![
        part(call(ToolKind::Function, None), &["{\"a\":", "1}"], &[]),
        part(call(ToolKind::Function, None), &[], &[]),
        part(call(ToolKind::Custom, None), &["l\"s"], &[]),
    ]);
    let first = ["0 call c1", "0 input {\"a\":", "0 input 1}", "0 stop"];
    let second = ["1 call c1", "1 input {}", "1 stop"];
    let third = ["2 call c1", "2 input {\"input\":\"", "2 input l\\\"s", "2 input \"}", "2 stop"];
    assert_eq!(frames, [&first[..], &second, &third].concat());
    assert_eq!(losses, ["content[0].input"]);
}

#[test]
fn c30_signatures_come_last_in_thinking_and_in_blocks_of_their_own_elsewhere() {
    let (frames, _) = written(vec![
        part(PartKind::Reasoning, &["t"], &[("other", false)]),
        part(PartKind::Text, &["a"], &[("other", false)]),
        part(call(ToolKind::Function, Some(signature("other", "v"))), &["{}"], &[]),
    ]);
    let thinking = ["0 start", "0 thinking t", "0 Thinking other", "0 stop"];
    let text = ["1 start", "1 text a", "1 stop", "2 carries Previous other -", "2 stop"];
    let call = ["3 carries NextCall other c1", "3 stop", "4 call c1", "4 input {}", "4 stop"];
    assert_eq!(frames, [&thinking[..], &text, &call].concat());
}

#[test]
fn c30_encrypted_thinking_goes_with_its_text_unless_it_is_the_formats_own() {
    let (frames, _) = written(vec![
        part(PartKind::Reasoning, &["t"], &[("other", true)]),
        part(PartKind::Reasoning, &["t"], &[("lines", true)]),
        part(PartKind::Reasoning, &[], &[("other", true)]),
    ]);
    let foreign = ["0 start", "0 thinking t", "0 Encrypted other", "0 stop"];
    let own = ["1 start", "1 thinking t", "1 stop", "2 carries Encrypted lines -", "2 stop"];
    let wordless = ["3 carries Encrypted other -", "3 stop"];
    assert_eq!(frames, [&foreign[..], &own, &wordless].concat());
}

#[test]
fn a_block_for_encrypted_thinking_has_the_id_of_the_thinking() {
    let mut events = part(PartKind::Reasoning, &[], &[("other", true)]);
    if let Some(ChatEvent::PartStop(stop)) = events.last_mut() {
        stop.extensions = vec![note("id", "rs_1")];
    }
    assert_eq!(written(vec![events]).0, ["0 carries Encrypted other rs_1", "0 stop"]);
}

#[test]
fn c05_what_the_format_has_no_place_for_is_reported_and_takes_no_number() {
    let opaque = |format: &str, kind: &str| {
        PartKind::Opaque(Opaque { format: format.into(), kind: kind.into(), json: "{}".into() })
    };
    let media = MediaPart::new(MediaKind::Image, MediaSource::Base64("AA==".into()));
    let (frames, losses) = written(vec![
        part(opaque("another", "x"), &["a"], &[]),
        part(opaque("lines", "unknown"), &[], &[]),
        part(PartKind::Media(media), &[], &[]),
        part(opaque("lines", "whole"), &["a"], &[]),
        part(PartKind::Text, &["a"], &[]),
    ]);
    assert_eq!(frames, ["0 {}", "0 stop", "1 start", "1 text a", "1 stop"]);
    assert_eq!(losses, ["content[0].x", "content[0].unknown", "content[0]"]);
}
