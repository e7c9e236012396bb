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

#[test]
fn parameters_that_ask_for_nothing_are_no_loss() {
    const DROPS: &[Drop] = &[
        Drop::unknown("n"),
        Drop::unknown("logprobs"),
        Drop::unknown("frequency_penalty"),
        Drop::unknown("presence_penalty"),
        Drop::unknown("service_tier"),
        Drop::unknown("store"),
    ];
    let few = Quirks { drops: DROPS, ..Quirks::COMPATIBLE };
    let lost = |quirks: &Quirks, penalty, candidates, logprobs| {
        let (frequency_penalty, presence_penalty) = (Some(penalty), Some(penalty));
        let (candidates, logprobs) = (Some(candidates), Some(logprobs));
        let sampling = Sampling { frequency_penalty, presence_penalty, candidates, logprobs, ..Sampling::default() };
        rendered(quirks, ChatRequest { sampling, ..ChatRequest::default() })
    };
    assert_eq!(lost(&few, 0.0, 1, false).1, [""; 0]);
    assert_eq!(lost(&few, 0.5, 2, true).1, ["frequency_penalty", "presence_penalty", "n", "logprobs"]);
    assert_eq!(lost(&Quirks::COMPATIBLE, 0.0, 1, false).0["logprobs"], false);
    let kept = |tier: &str, store: &str| {
        let store = Extension { format: FORMAT.into(), key: "store".into(), json: store.into() };
        let (service_tier, extensions) = (Some(tier.into()), vec![store]);
        ChatRequest { service_tier, extensions, ..ChatRequest::default() }
    };
    assert_eq!(rendered(&few, kept("auto", "false")).1, [""; 0]);
    assert_eq!(rendered(&few, kept("flex", "true")).1, ["service_tier", "store"]);
    assert_eq!(rendered(&Quirks::COMPATIBLE, kept("auto", "false")).0["service_tier"], "auto");
}

#[test]
fn all_refusals_of_a_message_are_sent() {
    let refusals = ["No.", "Never."].map(|words| Part::Refusal(words.into())).to_vec();
    let (body, losses) = rendered(&FULL, of(vec![Message::new(Role::Assistant, refusals)]));
    assert_eq!(body["messages"][0], json!({"role": "assistant", "content": null, "refusal": "No.\nNever."}));
    assert_eq!(losses, [""; 0]);
}

#[test]
fn members_of_tools_for_free_text_that_only_another_format_has_are_reported() {
    let raw = r#"{"name":"sh","format":{"type":"text"},"defer_loading":true}"#;
    let tool = crate::compat::custom::lowered("openai.responses", Rest::parse(raw).unwrap()).unwrap();
    let (body, losses) = rendered(&FULL, ChatRequest { tools: vec![Tool::Function(tool)], ..of(Vec::new()) });
    assert_eq!(body["tools"], json!([{"type": "custom", "custom": {"name": "sh", "format": {"type": "text"}}}]));
    assert_eq!(losses, ["tools[0].defer_loading"]);
}
