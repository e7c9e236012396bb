//! Requests: settings of single turns and blocks.

use serde_json::json;
use weir_sdk::types::{CacheHint, Message, Part, ReasoningPart, Role, Signature, TextPart};

use super::request::{NEW, OLD, chat, text};
use super::{parsed, sent};

#[test]
fn settings_of_system_turns_stay_in_their_place_and_are_reported_elsewhere() {
    let note = json!({"type": "text", "text": "note"});
    let messages = json!([
        {"role": "user", "content": [{"type": "text", "text": "a"}]},
        {"role": "system", "content": [note], "clear_at": "next_user_message"},
        {"role": "assistant", "content": [{"type": "text", "text": "b"}]},
        {"role": "system", "content": [], "output_config": {"effort": "low"}},
        {"role": "user", "content": [{"type": "text", "text": "c"}]},
    ]);
    let body = json!({"model": "m", "max_tokens": 9, "messages": messages});
    let (kept, losses) = sent(NEW, parsed(&body));
    assert_eq!((&kept["messages"], losses.len()), (&messages, 0));
    let (moved, losses) = sent(OLD, parsed(&body));
    assert_eq!((&moved["system"], moved["messages"].as_array().unwrap().len()), (&json!([note]), 3));
    assert_eq!(losses, ["messages[1]", "messages[1].clear_at", "messages[3].output_config"]);
}

#[test]
fn a_cache_hint_that_no_block_can_hold_is_reported() {
    let hint = || Part::Text(TextPart { cache: Some(CacheHint { ttl: None }), ..TextPart::new("") });
    let own = Signature { issuer: "anthropic".into(), value: "Eq".into() };
    let thought = Part::Reasoning(ReasoningPart { signature: Some(own), ..ReasoningPart::new("hm") });
    let history = vec![
        Message::new(Role::System, vec![Part::text("s"), hint()]),
        text(Role::User, "a"),
        Message::new(Role::Assistant, vec![thought, hint(), Part::text("b")]),
    ];
    let (body, losses) = sent(OLD, chat(history));
    assert_eq!(losses, ["messages[0].content[1].cache_control", "messages[2].content[1].cache_control"]);
    assert!(!body.to_string().contains("cache_control"));
}

#[test]
fn further_members_of_cache_hints_stay_within_them() {
    let hint = json!({"type": "ephemeral", "ttl": "1h", "scope": "global"});
    let image = json!({"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="});
    let body = json!({"model": OLD, "max_tokens": 9,
        "system": [{"type": "text", "text": "s", "cache_control": hint}],
        "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}, "cache_control": hint}],
        "messages": [
            {"role": "user", "content": [{"type": "image", "source": image, "cache_control": hint}]},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "t", "name": "f", "input": {}, "cache_control": hint}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t",
                "content": [{"type": "text", "text": "1"}], "cache_control": hint}]}]});
    let (back, losses) = sent(OLD, parsed(&body));
    assert_eq!((back, losses.len()), (body, 0));
}
