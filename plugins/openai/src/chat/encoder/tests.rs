use weir_sdk::compat::decoder::ChunkDecoder;
use weir_sdk::compat::quirks::Quirks;
use weir_sdk::testing::events::{call, delta, finish, start, stop};
use weir_sdk::types::{
    CandidateLogprobs, Citation, ErrorKind, FinishReason, PartCitation, PartKind, PartSignature, Signature,
};

use super::*;

fn encode(memo: &str, events: Vec<ChatEvent>) -> Vec<String> {
    let ctx = Context {
        request_id: "r".into(),
        model: "alias".into(),
        memo: memo.into(),
        now_ms: 5000.0,
        ..Context::default()
    };
    let mut encoder = ChatEncoder::new(ctx);
    let mut frames = Vec::new();
    for event in events {
        frames.extend(encoder.push(vec![event]).unwrap().frames);
    }
    frames.extend(encoder.finish().unwrap().frames);
    frames.into_iter().map(|frame| frame.data).collect()
}

fn json(frames: &[String]) -> Vec<serde_json::Value> {
    frames.iter().filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[test]
fn c14_the_first_chunk_has_the_role_and_no_later_one() {
    let frames =
        encode("", vec![start(0, PartKind::Text), delta(0, "a"), delta(0, "b"), finish(FinishReason::Complete)]);
    let chunks = json(&frames);
    assert_eq!(chunks[0]["choices"][0]["delta"], serde_json::json!({"role": "assistant", "content": "a"}));
    assert!(chunks[1..].iter().all(|chunk| chunk["choices"][0]["delta"].get("role").is_none()));
    assert_eq!(chunks[2]["choices"][0]["finish_reason"], "stop");
    assert_eq!(frames.last().unwrap(), "[DONE]");
    assert!(chunks.iter().all(|c| c["id"] == chunks[0]["id"] && c["created"] == 5 && c["model"] == "alias"));
}

#[test]
fn a_citation_without_a_range_is_one_of_its_whole_text() {
    let url = Some("https://example.com".to_owned());
    let citation = Citation { url, title: None, quote: None, start: None, end: None, source: None };
    let cited = ChatEvent::Citation(PartCitation { candidate: 0, part: 1, citation });
    let first = [start(0, PartKind::Text), delta(0, "äb"), stop(0), start(1, PartKind::Text)];
    let chunks = json(&encode("", [&first[..], &[cited, delta(1, "xyz"), stop(1)]].concat()));
    let entry = &chunks[2]["choices"][0]["delta"]["annotations"][0]["url_citation"];
    assert_eq!((entry["start_index"].as_u64(), entry["end_index"].as_u64()), (Some(2), Some(5)), "{chunks:?}");
}

#[test]
fn log_probabilities_of_a_token_without_text_go_with_the_next_text() {
    let one = |token: &str| {
        let json = format!(r#"{{"content":[{{"token":"{token}"}}],"refusal":null}}"#);
        ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json })
    };
    let mut encoder = ChatEncoder::new(Context::default());
    let events = vec![start(0, PartKind::Text), one("a"), one("b"), delta(0, "é")];
    let frames: Vec<String> = encoder.push(events).unwrap().frames.into_iter().map(|frame| frame.data).collect();
    let logprobs = &json(&frames)[0]["choices"][0]["logprobs"];
    assert_eq!(logprobs, &serde_json::json!({"content": [{"token": "a"}, {"token": "b"}], "refusal": null}));
}

#[test]
fn tiers_of_other_formats_are_replaced_or_left_out() {
    for (tier, expected) in
        [("standard", "default".into()), ("on_demand", "on_demand".into()), ("batch", serde_json::Value::Null)]
    {
        let begun = ResponseStart { service_tier: Some(tier.into()), ..ResponseStart::default() };
        let events = vec![ChatEvent::Start(begun), start(0, PartKind::Text), delta(0, "a"), stop(0)];
        assert_eq!(json(&encode("", events))[0]["service_tier"], expected);
        let answer = weir_sdk::types::ChatResponse { service_tier: Some(tier.into()), ..Default::default() };
        let whole = crate::chat::response::render(&Context::default(), &answer);
        let body: serde_json::Value = serde_json::from_str(whole.response.body.as_text().unwrap()).unwrap();
        assert_eq!(body["service_tier"], expected);
        assert_eq!(whole.losses.is_empty(), !expected.is_null());
    }
}

#[test]
fn c01_calls_are_numbered_by_themselves() {
    let events = vec![
        start(0, PartKind::Reasoning),
        delta(0, "hm"),
        stop(0),
        start(1, PartKind::Text),
        delta(1, "x"),
        stop(1),
        start(2, call("a")),
        delta(2, "{}"),
        stop(2),
        start(3, call("b")),
        delta(3, "{"),
        delta(3, "}"),
        stop(3),
        finish(FinishReason::ToolCalls),
    ];
    let chunks = json(&encode("", events));
    let indices: Vec<_> =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"][0]["index"].as_u64()).collect();
    assert_eq!(indices, [0, 0, 1, 1, 1]);
    assert_eq!(chunks[2]["choices"][0]["delta"]["tool_calls"][0]["id"], "a");
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn c57_c58_requested_usage_has_a_separate_chunk() {
    let usage = |input, output| ChatEvent::Usage(Usage { input, output, ..Usage::default() });
    let events = || vec![usage(Some(1), None), finish(FinishReason::Complete), usage(None, Some(2))];
    let asked = json(&encode("u", events()));
    let last = asked.last().unwrap();
    assert_eq!((last["choices"].as_array().unwrap().len(), last["usage"]["total_tokens"].as_i64()), (0, Some(3)));
    assert!(asked[0]["usage"].is_null());
    assert!(json(&encode("", events())).iter().all(|chunk| chunk.get("usage").is_none()));
}

#[test]
fn c19_a_failure_ends_the_stream_without_finish_and_without_done() {
    let error = Error::new(ErrorKind::Overloaded, "busy");
    let frames = encode("u", vec![start(0, PartKind::Text), delta(0, "a"), ChatEvent::Failure(error), delta(0, "b")]);
    let chunks = json(&frames);
    assert_eq!((frames.len(), chunks[1]["error"]["type"].as_str()), (2, Some("server_error")));
    assert!(chunks[0]["choices"][0]["finish_reason"].is_null());
}

#[test]
fn c30_a_signature_follows_its_thinking_with_the_whole_text() {
    let signature = Signature { issuer: "anthropic".into(), value: "S".into() };
    let signed = ChatEvent::Signature(PartSignature { candidate: 0, part: 0, signature, encrypted: false });
    let events = vec![start(0, PartKind::Reasoning), delta(0, "h"), delta(0, "m"), signed, stop(0)];
    let chunks = json(&encode("", events));
    assert_eq!(chunks[0]["choices"][0]["delta"]["reasoning_content"], "h");
    let detail = &chunks[2]["choices"][0]["delta"]["reasoning_details"][0];
    assert_eq!((detail["text"].as_str(), detail["signature"].as_str()), (Some("hm"), Some("S")));
}

#[test]
fn an_empty_answer_still_speaks() {
    let chunks = json(&encode("", vec![finish(FinishReason::ContentFilter)]));
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(chunks[0]["choices"][0]["finish_reason"], "content_filter");
}

#[test]
fn a_client_of_functions_gets_one_function_call_in_pieces() {
    let events =
        vec![start(0, call("a")), delta(0, "{}"), start(1, call("b")), delta(1, "{}"), finish(FinishReason::ToolCalls)];
    let chunks = json(&encode("f", events));
    assert_eq!(chunks[0]["choices"][0]["delta"]["function_call"]["name"], "f");
    assert_eq!(chunks[1]["choices"][0]["delta"]["function_call"]["arguments"], "{}");
    assert_eq!((chunks.len(), chunks[2]["choices"][0]["finish_reason"].as_str()), (3, Some("function_call")));
}

#[test]
fn text_is_written_as_json_reads_it() {
    let text = "line\n\"quote\" \\ \u{1} 🦀 \u{2028}";
    let chunks = json(&encode("", vec![start(0, PartKind::Text), delta(0, text)]));
    assert_eq!(chunks[0]["choices"][0]["delta"]["content"], text);
}

/// What a client gets of a provider's chunks of this format, without the members that each chunk has.
fn translated(chunks: &[serde_json::Value]) -> Vec<serde_json::Value> {
    let mut decoder = ChunkDecoder::new(&Quirks::COMPATIBLE, Context::default());
    let mut encoder = ChatEncoder::new(Context::default());
    let mut got = Vec::new();
    for chunk in chunks {
        let events = decoder.push(&[Frame { event: None, data: chunk.to_string() }]).events;
        got.extend(encoder.push(events).unwrap().frames.into_iter().map(|frame| frame.data));
    }
    json(&got).into_iter().map(|chunk| chunk["choices"][0].clone()).collect()
}

fn chunk(delta: &serde_json::Value, logprobs: &serde_json::Value) -> serde_json::Value {
    serde_json::json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": null}]})
}

#[test]
fn audio_comes_in_the_pieces_that_the_provider_sent() {
    let pieces = [
        serde_json::json!({"id": "audio_1"}),
        serde_json::json!({"transcript": "Hi"}),
        serde_json::json!({"data": "AAAA"}),
        serde_json::json!({"data": "BBBB"}),
        serde_json::json!({"transcript": " there"}),
        serde_json::json!({"expires_at": 1_729_234_747}),
    ];
    let role = chunk(&serde_json::json!({"role": "assistant", "content": null}), &serde_json::Value::Null);
    let audio = |piece: serde_json::Value| chunk(&serde_json::json!({"audio": piece}), &serde_json::Value::Null);
    let got = translated(&[vec![role], pieces.iter().cloned().map(audio).collect()].concat());
    let heard = got.iter().filter_map(|choice| choice["delta"].get("audio")).cloned().collect::<Vec<_>>();
    assert_eq!(heard, pieces, "{got:?}");
    assert_eq!(got[0]["delta"]["role"], "assistant");
    // What one piece brings at once comes in two, and the text that follows is no part of what was said.
    let both = audio(serde_json::json!({"data": "AAAA", "transcript": "Hi"}));
    let text = chunk(&serde_json::json!({"content": "read"}), &serde_json::Value::Null);
    let got = translated(&[both, text]);
    let deltas: Vec<_> =
        got.iter().map(|choice| choice["delta"].clone()).filter(|delta| delta["role"].is_null()).collect();
    let expected = [
        serde_json::json!({"audio": {"data": "AAAA"}}),
        serde_json::json!({"audio": {"transcript": "Hi"}}),
        serde_json::json!({"content": "read"}),
    ];
    assert_eq!(deltas, expected);
}

#[test]
fn c84_the_log_probabilities_of_a_refusal_come_with_its_text() {
    let token = |token: &str| serde_json::json!({"token": token, "logprob": -0.5, "bytes": [1], "top_logprobs": []});
    let of = |word: &str| serde_json::json!({"content": null, "refusal": [token(word)]});
    let got = translated(&["I", " cannot"].map(|word| chunk(&serde_json::json!({"refusal": word}), &of(word))));
    for (choice, word) in got.iter().zip(["I", " cannot"]) {
        assert_eq!((&choice["delta"]["refusal"], &choice["logprobs"]), (&word.into(), &of(word)));
    }
}
