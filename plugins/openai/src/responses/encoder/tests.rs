use weir_sdk::testing::events::{call, delta, finish, start, stop};
use weir_sdk::types::{PartKind, PartSignature, Signature};

use super::*;

fn encode(events: Vec<ChatEvent>) -> Vec<serde_json::Value> {
    let ctx = Context { request_id: "r".into(), model: "alias".into(), now_ms: 5000.0, ..Context::default() };
    let mut encoder = EventEncoder::new(ctx);
    let mut frames = encoder.push(events).unwrap().frames;
    frames.extend(encoder.finish().unwrap().frames);
    let event = |frame: Frame| {
        // A response has them in each of its parts, and a part has no member twice.
        let parts = frame.data.matches("\"output_text\"").count();
        assert!(parts == 0 || frame.data.matches("\"logprobs\"").count() == parts, "{}", frame.data);
        let value: serde_json::Value = serde_json::from_str(&frame.data).unwrap();
        assert_eq!(value["type"].as_str(), frame.event.as_deref());
        value
    };
    frames.into_iter().map(event).collect()
}

#[test]
fn every_item_is_added_and_done_once_and_the_sequence_grows() {
    let usage = ChatEvent::Usage(Usage { input: Some(1), output: Some(2), ..Usage::default() });
    let signature = Signature { issuer: "anthropic".into(), value: "S".into() };
    let signed = ChatEvent::Signature(PartSignature { candidate: 0, part: 0, signature, encrypted: false });
    let events = encode(vec![
        start(0, PartKind::Reasoning),
        delta(0, "hm"),
        signed,
        stop(0),
        start(1, PartKind::Text),
        delta(1, "x"),
        stop(1),
        start(2, call("a")),
        stop(2),
        finish(FinishReason::ToolCalls),
        usage,
    ]);
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds[..2], ["response.created", "response.in_progress"]);
    for kind in ["response.output_item.added", "response.output_item.done"] {
        let places: Vec<_> =
            events.iter().filter(|e| e["type"] == kind).map(|e| e["output_index"].as_u64().unwrap()).collect();
        assert_eq!(places, [0, 1, 2], "{kind}");
    }
    assert!(events.iter().enumerate().all(|(at, event)| event["sequence_number"] == at));
    let last = &events.last().unwrap()["response"];
    assert_eq!((last["status"].as_str(), last["usage"]["total_tokens"].as_i64()), (Some("completed"), Some(3)));
    assert_eq!(last["output"][0]["encrypted_content"], "weir:anthropic:s:S");
    assert_eq!(last["output"][1]["content"][0]["text"], "x");
    assert_eq!(
        (last["output"][2]["call_id"].as_str(), last["output"][2]["arguments"].as_str()),
        (Some("a"), Some("{}"))
    );
}

#[test]
fn c19_a_failure_is_the_last_event() {
    let events = encode(vec![
        start(0, PartKind::Text),
        delta(0, "x"),
        ChatEvent::Failure(Error::new(ErrorKind::Overloaded, "busy")),
        delta(0, "y"),
    ]);
    let last = events.last().unwrap();
    assert_eq!(
        (last["type"].as_str(), last["response"]["error"]["message"].as_str()),
        (Some("response.failed"), Some("busy"))
    );
}

#[test]
fn a_limit_makes_the_answer_incomplete() {
    let events = encode(vec![start(0, PartKind::Text), delta(0, "x"), finish(FinishReason::Length)]);
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.incomplete");
    assert_eq!(last["response"]["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(last["response"]["output"][0]["status"], "incomplete");
}
