//! What holds for streams of every kind.

use proptest::prelude::*;
use serde_json::Value;
use weir_sdk::types::{
    CandidateFinish, ChatEvent, Finish, FinishReason, PartDelta, PartKind, PartStart, PartStop, ToolKind, ToolStart,
};

use super::{context, encoded, fold};

const PARTS: u32 = 4;

/// What may happen to a part: a delta with these words, or its end.
fn happening() -> impl Strategy<Value = (u32, Option<String>)> {
    (0..PARTS, prop_oneof![4 => "[a-z\"\\\\\n é]{0,6}".prop_map(Some), 1 => Just(None)])
}

fn kind(part: u32) -> PartKind {
    match part % 4 {
        0 => PartKind::Reasoning,
        1 => PartKind::Text,
        2 => PartKind::ToolCall(ToolStart {
            id: format!("call_{part}"),
            name: "f".into(),
            kind: ToolKind::Custom,
            signature: None,
        }),
        _ => PartKind::Refusal,
    }
}

/// The words of a part in a folded block.
fn words(block: &Value) -> &str {
    let thought = || block["reasoningContent"]["reasoningText"]["text"].as_str();
    let input = || block["toolUse"]["input"]["input"].as_str();
    block["text"].as_str().or_else(thought).or_else(input).unwrap_or_default()
}

proptest! {
    /// However parts overlap, the blocks follow one another, and each holds all of its part's words in order (C-05).
    #[test]
    fn c05_overlapping_parts_lose_nothing(happenings in proptest::collection::vec(happening(), 0..40)) {
        let mut events = Vec::new();
        let mut texts: Vec<Option<String>> = vec![None; PARTS as usize];
        let mut stopped = [false; PARTS as usize];
        for (part, happening) in happenings {
            let at = part as usize;
            if stopped[at] {
                continue;
            }
            if texts[at].is_none() {
                events.push(ChatEvent::PartStart(PartStart { candidate: 0, part, kind: kind(part) }));
            }
            let text = texts[at].get_or_insert_default();
            if let Some(more) = happening {
                text.push_str(&more);
                events.push(ChatEvent::Delta(PartDelta { candidate: 0, part, text: more }));
            } else {
                stopped[at] = true;
                events.push(ChatEvent::PartStop(PartStop { candidate: 0, part, extensions: Vec::new() }));
            }
        }
        let finish = Finish::new(FinishReason::Complete, "stop");
        events.push(ChatEvent::Finish(CandidateFinish { candidate: 0, finish }));
        let (frames, _) = encoded(&context("m"), &events, 3);
        fold::check(&frames);
        let answer = fold::answer(&frames);
        let blocks = answer["output"]["message"]["content"].as_array().unwrap();
        let mut told: Vec<&str> = blocks.iter().map(words).collect();
        // A call is told even without words, the others only with some.
        let mut expected: Vec<&str> = Vec::new();
        for (part, text) in (0..).zip(&texts) {
            expected.extend(text.as_deref().filter(|text| !text.is_empty() || part == 2));
        }
        told.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(told, expected);
    }
}
