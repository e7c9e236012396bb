use weir_sdk::testing::events::{call, delta, finish, start, stop};
use weir_sdk::types::{CandidateLogprobs, ErrorKind, PartKind, PartSignature, Signature};

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
fn malformed_calls_and_pauses_have_a_status_of_their_own() {
    let last = |reason| encode(vec![start(0, PartKind::Text), delta(0, "x"), stop(0), finish(reason)]).pop().unwrap();
    let failed = last(FinishReason::MalformedToolCall);
    assert_eq!((&failed["type"], &failed["response"]["status"]), (&"response.failed".into(), &"failed".into()));
    assert!(failed["response"]["error"]["message"].is_string(), "{failed}");
    let paused = last(FinishReason::Paused);
    assert_eq!((&paused["type"], &paused["response"]["status"]), (&"response.completed".into(), &"in_progress".into()));
    assert!(paused["response"]["error"].is_null(), "{paused}");
}

#[test]
fn the_end_of_arguments_names_the_function() {
    let events = encode(vec![start(0, call("a")), stop(0), finish(FinishReason::ToolCalls)]);
    let done = events.iter().find(|event| event["type"] == "response.function_call_arguments.done").unwrap();
    assert_eq!(done["name"], "f");
}

#[test]
fn tiers_of_other_formats_have_this_formats_name() {
    let begun = |tier: &str| ResponseStart { service_tier: Some(tier.into()), ..ResponseStart::default() };
    let tier = |name: &str| encode(vec![ChatEvent::Start(begun(name)), finish(FinishReason::Complete)]).remove(0);
    assert_eq!(tier("standard")["response"]["service_tier"], "default");
    assert_eq!(tier("priority")["response"]["service_tier"], "priority");
    assert!(tier("")["response"].get("service_tier").is_none());
}

#[test]
fn log_probabilities_are_those_of_the_texts_they_come_with() {
    let token = |word: &str| format!(r#"{{"token":"{word}","logprob":-0.5,"bytes":null,"top_logprobs":[]}}"#);
    let probabilities = |word: &str| {
        let json = format!(r#"{{"content":[{}],"refusal":null}}"#, token(word));
        ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json })
    };
    let events = encode(vec![
        start(0, PartKind::Text),
        probabilities("a"),
        delta(0, "a"),
        delta(0, "b"),
        probabilities("c"),
        probabilities("d"),
        delta(0, "cd"),
        probabilities("e"),
        stop(0),
        finish(FinishReason::Complete),
    ]);
    let words = |list: &serde_json::Value| -> String {
        list.as_array().unwrap().iter().map(|token| token["token"].as_str().unwrap()).collect()
    };
    let of_kind =
        |kind: &str| -> Vec<&serde_json::Value> { events.iter().filter(|event| event["type"] == kind).collect() };
    let deltas: Vec<String> =
        of_kind("response.output_text.delta").iter().map(|event| words(&event["logprobs"])).collect();
    assert_eq!(deltas, ["a", "", "cd"]);
    let (done, part) = (of_kind("response.output_text.done"), of_kind("response.content_part.done"));
    let whole = &events.last().unwrap()["response"]["output"][0]["content"][0];
    for place in [&done[0]["logprobs"], &part[0]["part"]["logprobs"], &whole["logprobs"]] {
        assert_eq!(words(place), "acde");
    }
}

#[test]
fn log_probabilities_without_a_text_are_reported() {
    let json = r#"{"content":[{"token":"a","logprob":-1}],"refusal":null}"#.to_owned();
    let mut encoder = EventEncoder::new(Context::default());
    let one = ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json });
    let losses = encoder.push(vec![start(0, call("a")), one, delta(0, "{}"), stop(0)]).unwrap().losses;
    assert_eq!(losses.iter().map(|loss| &*loss.field).collect::<Vec<_>>(), ["logprobs"]);
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
