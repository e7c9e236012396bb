//! What a history has beside its words and no place here.

use super::*;
use crate::types::Citation;

#[test]
fn citations_of_a_history_are_reported() {
    let url = Some("u".into());
    let citation = Citation { url, title: None, quote: None, start: None, end: None, source: None };
    let cited = || Part::Text(TextPart { citations: vec![citation.clone()], ..TextPart::new("x") });
    let (body, losses) = rendered(&FULL, of(vec![Message::new(Role::Assistant, vec![cited()]), user(vec![cited()])]));
    assert_eq!(body["messages"][0], json!({"role": "assistant", "content": "x"}));
    assert_eq!(losses, ["messages[0].content[0].citations", "messages[1].content[0].citations"]);
    let (_, losses) = rendered(&FULL, of(vec![Message::new(Role::Assistant, vec![Part::text("a"), cited()])]));
    assert_eq!(losses, ["messages[0].content[1].citations"]);
}
