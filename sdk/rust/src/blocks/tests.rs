use proptest::prelude::*;

use super::*;
use crate::types::{PartDelta, PartKind, PartStart};

/// An event of a part: its start, a delta, or its stop.
fn event(part: u32, kind: u8) -> ChatEvent {
    match kind {
        0 => ChatEvent::PartStart(PartStart { candidate: 0, part, kind: PartKind::Text }),
        1 => ChatEvent::Delta(PartDelta { candidate: 0, part, text: "x".into() }),
        _ => ChatEvent::PartStop(PartStop { candidate: 0, part, extensions: Vec::new() }),
    }
}

fn ordered(events: &[(u32, u8)]) -> Vec<(u32, u8)> {
    let (mut blocks, mut out) = (Blocks::default(), Vec::new());
    let mut write = |event: ChatEvent| {
        let kind = match event {
            ChatEvent::PartStart(_) => 0,
            ChatEvent::Delta(_) => 1,
            _ => 2,
        };
        out.extend(part_of(&event).map(|(_, part)| (part, kind)));
    };
    for &(part, kind) in events {
        blocks.push(part, event(part, kind), &mut write).unwrap();
    }
    blocks.finish(&mut write);
    out
}

#[test]
fn c05_a_part_waits_until_the_one_before_it_has_ended() {
    let events = [(0, 0), (1, 0), (1, 1), (0, 1), (1, 2), (2, 0), (0, 2), (2, 1)];
    let expected = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)];
    assert_eq!(ordered(&events), expected);
}

#[test]
fn what_belongs_to_no_open_part_is_left_out() {
    assert_eq!(ordered(&[(0, 1), (0, 2), (1, 0), (1, 0), (0, 1), (1, 2), (1, 1)]), [(1, 0), (1, 2)]);
}

#[test]
fn a_part_that_never_ends_does_not_make_others_wait_without_bound() {
    let mut blocks = Blocks::default();
    blocks.push(0, event(0, 0), &mut |_| {}).unwrap();
    let failed = (0..=WAITING_LIMIT).find(|_| blocks.push(1, event(1, 1), &mut |_| {}).is_err());
    assert_eq!(failed, Some(WAITING_LIMIT));
}

proptest! {
    /// Each part comes whole and in order, however the parts overlap.
    #[test]
    fn c05_parts_follow_one_another(events in proptest::collection::vec((0..4u32, 0..3u8), 0..60)) {
        let mut open = None;
        for (part, kind) in ordered(&events) {
            prop_assert_eq!(open, (kind != 0).then_some(part));
            open = (kind != 2).then_some(part);
        }
        prop_assert_eq!(open, None);
    }
}
