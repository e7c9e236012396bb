//! Whole answers as clients get them.

use serde_json::{Value, json};
use weir_sdk::testing::events::{delta, finish, start, stop};
use weir_sdk::types::{
    Candidate, ChatEvent, ChatResponse, Citation, Context, Finish, FinishReason, Frame, MediaKind, MediaPart,
    MediaSource, Opaque, Part, PartCitation, PartKind, ReasoningPart, Signature, TextPart, ToolCall, Usage,
};

use super::{answered, parsed, shown};
use crate::Anthropic;

fn candidate(parts: Vec<Part>, reason: FinishReason) -> Candidate {
    Candidate { index: 0, parts, finish: Some(Finish::new(reason, "raw")), logprobs: None, extensions: Vec::new() }
}

fn response(parts: Vec<Part>, reason: FinishReason) -> ChatResponse {
    ChatResponse { id: "chatcmpl-1".into(), candidates: vec![candidate(parts, reason)], ..ChatResponse::default() }
}

/// The parts that the next request has if a client sends an answer back.
fn given_back(answer: &Value) -> Vec<Part> {
    let turn = json!({"role": "assistant", "content": answer["content"]});
    let body = json!({"model": "m", "max_tokens": 1, "messages": [turn]});
    parsed(&body).messages.remove(0).parts
}

#[test]
fn c11_the_reason_is_tool_use_whenever_a_call_was_made() {
    let call = || Part::ToolCall(ToolCall::new("a", "f", "{}"));
    for parts in [vec![call()], vec![Part::text("x"), call()], vec![call(), call()]] {
        assert_eq!(shown(response(parts, FinishReason::Complete)).0["stop_reason"], "tool_use");
    }
    let (body, losses) = shown(response(vec![Part::text("x")], FinishReason::ToolCalls));
    assert_eq!((&body["stop_reason"], losses), (&json!("end_turn"), vec!["stop_reason".to_owned()]));
}

#[test]
fn c15_every_reason_is_one_of_the_formats_words() {
    use FinishReason as R;
    for (reason, word) in [
        (R::Complete, "end_turn"),
        (R::Length, "max_tokens"),
        (R::ContextLength, "model_context_window_exceeded"),
        (R::ContentFilter, "refusal"),
        (R::Refusal, "refusal"),
        (R::Paused, "pause_turn"),
        (R::MalformedToolCall, "end_turn"),
        (R::Other, "end_turn"),
    ] {
        assert_eq!(shown(response(vec![Part::text("x")], reason)).0["stop_reason"], word, "{reason:?}");
    }
}

#[test]
fn c84_the_words_of_a_refusal_are_a_part_for_other_formats_and_no_text_in_this_one() {
    let details = json!({"type": "refusal", "category": "bio", "explanation": "Not that."});
    let body = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-test",
        "content": [{"type": "text", "text": "Well"}], "stop_reason": "refusal", "stop_sequence": null,
        "stop_details": details, "usage": {"input_tokens": 1, "output_tokens": 1}});
    let response = answered(&body);
    assert_eq!(response.candidates[0].parts[1..], [Part::Refusal("Not that.".into())]);
    let (back, _) = shown(response);
    assert_eq!((&back["content"], &back["stop_details"]), (&body["content"], &details));
    let (other, _) = shown(self::response(vec![Part::Refusal("No.".into())], FinishReason::Complete));
    assert_eq!(other["content"], json!([{"type": "text", "text": "No."}]));
}

#[test]
fn c42_empty_texts_are_not_shown() {
    let (body, _) = shown(response(vec![Part::text(""), Part::text("x")], FinishReason::Complete));
    assert_eq!(body["content"], json!([{"type": "text", "text": "x"}]));
    let nothing = ChatResponse { candidates: Vec::new(), ..response(Vec::new(), FinishReason::Complete) };
    assert_eq!(shown(nothing).0["content"], json!([]));
}

#[test]
fn what_another_models_audio_says_is_shown_and_the_sound_is_reported() {
    let words = Part::Text(weir_sdk::compat::spoken::transcript("Hi.".into()));
    let sound = Part::Media(MediaPart::new(MediaKind::Audio, MediaSource::Base64("AAAA".into())));
    let (body, losses) = shown(response(vec![words, sound], FinishReason::Complete));
    assert_eq!(body["content"], json!([{"type": "text", "text": "Hi."}]));
    assert_eq!(losses, ["content[1]"]);
}

#[test]
fn c60_the_buckets_are_shown_apart() {
    let usage =
        Usage { input: Some(10), cache_read: Some(90), output: Some(5), reasoning: Some(20), ..Usage::default() };
    let (body, _) = shown(ChatResponse { usage: Some(usage), ..response(Vec::new(), FinishReason::Complete) });
    let expected = json!({"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 25,
        "output_tokens_details": {"thinking_tokens": 20}});
    assert_eq!(body["usage"], expected);
}

#[test]
fn c59_an_unknown_input_is_estimated() {
    let ctx = Context { input_tokens: Some(42), ..super::context("m") };
    let answer = response(Vec::new(), FinishReason::Complete);
    let rendered = <Anthropic as weir_sdk::adapter::DialectChat>::render_response(&ctx, answer).unwrap();
    assert_eq!(super::json(&rendered.response.body)["usage"]["input_tokens"], 42);
}

#[test]
fn c79_tools_of_another_provider_are_not_shown_as_calls() {
    let hosted = Opaque { format: "gemini.generate".into(), kind: "executableCode".into(), json: "{}".into() };
    let (body, losses) = shown(response(vec![Part::Opaque(hosted), Part::text("42")], FinishReason::Complete));
    assert_eq!(body["content"], json!([{"type": "text", "text": "42"}]));
    assert_eq!((&body["stop_reason"], losses.len()), (&json!("end_turn"), 1));
}

#[test]
fn c79_server_tools_are_carried_whole_and_end_like_text() {
    let body = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-test", "content": [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result"}]},
        {"type": "text", "text": "found"},
    ], "stop_reason": "end_turn", "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 2}});
    let response = answered(&body);
    assert!(matches!(&response.candidates[0].parts[0], Part::Opaque(opaque) if opaque.kind == "server_tool_use"));
    assert_eq!(response.candidates[0].finish.as_ref().unwrap().reason, FinishReason::Complete);
    assert_eq!(shown(response).0, body);
}

#[test]
fn c80_the_first_of_several_answers_is_shown() {
    let one = |text: &str| candidate(vec![Part::text(text)], FinishReason::Complete);
    let answer = ChatResponse { candidates: vec![one("a"), one("b")], ..ChatResponse::default() };
    let (body, losses) = shown(answer);
    assert_eq!((&body["content"][0]["text"], losses), (&json!("a"), vec!["candidates".to_owned()]));
}

#[test]
fn c84_a_refusal_is_text_with_the_reason_of_one() {
    let (body, _) = shown(response(vec![Part::Refusal("I won't".into())], FinishReason::Complete));
    assert_eq!((&body["content"][0]["text"], &body["stop_reason"]), (&json!("I won't"), &json!("refusal")));
}

#[test]
fn c32_values_of_other_issuers_come_back_to_them() {
    let foreign = |value: &str| Some(Signature { issuer: "gemini".into(), value: value.into() });
    let parts = vec![
        Part::Reasoning(ReasoningPart { signature: foreign("s1"), ..ReasoningPart::new("hm") }),
        Part::Reasoning(ReasoningPart {
            id: Some("rs_1".into()),
            encrypted: Some(Signature { issuer: "openai".into(), value: "g.A=".into() }),
            ..ReasoningPart::new("summary")
        }),
        Part::Reasoning(ReasoningPart { text: None, encrypted: foreign("s2"), ..ReasoningPart::new("") }),
        Part::Text(TextPart { signature: foreign("s3"), ..TextPart::new("x") }),
        Part::ToolCall(ToolCall { signature: foreign("s4"), ..ToolCall::new("call_1", "f", "{}") }),
    ];
    let (body, losses) = shown(response(parts.clone(), FinishReason::Complete));
    assert!(losses.is_empty());
    assert!(body["content"].as_array().unwrap().iter().all(|block| block["type"].is_string()));
    assert_eq!(given_back(&body), parts);
}

#[test]
fn c77_thinking_without_a_signature_is_shown_too() {
    let (body, _) = shown(response(vec![Part::Reasoning(ReasoningPart::new("hm"))], FinishReason::Complete));
    assert_eq!(body["content"], json!([{"type": "thinking", "thinking": "hm", "signature": ""}]));
    let [Part::Reasoning(back)] = &given_back(&body)[..] else { panic!("thinking") };
    assert_eq!((back.text.as_deref(), &back.signature, &back.encrypted), (Some("hm"), &None, &None));
    assert!(back.extensions.iter().all(|note| note.json == "null"), "nothing that other formats would lose");
}

#[test]
fn citations_of_other_formats_become_those_of_web_pages() {
    let citation = Citation {
        url: Some("https://example.com".into()),
        title: None,
        quote: Some("q".into()),
        start: Some(0),
        end: Some(1),
        source: None,
    };
    let text = TextPart { citations: vec![citation], ..TextPart::new("x") };
    let (body, losses) = shown(response(vec![Part::Text(text)], FinishReason::Complete));
    assert_eq!(body["content"][0]["citations"][0]["url"], "https://example.com");
    assert_eq!(losses, ["content[0].citations"]);
    // The service did not issue it, so it is not sent there.
    let turn = json!({"role": "assistant", "content": body["content"]});
    let request = parsed(&json!({"model": "m", "max_tokens": 1, "messages": [&turn]}));
    let (sent, losses) = super::sent("claude-opus-5", request);
    assert_eq!(sent["messages"][0]["content"], json!([{"type": "text", "text": "x"}]));
    assert_eq!(losses, ["messages[0].content[0].citations"]);
    // Clients write it back in their own way.
    let spaced = format!(r#"{{"model": "m", "messages": [{}]}}"#, turn.to_string().replace(':', ": "));
    let read = <Anthropic as weir_sdk::adapter::DialectChat>::parse_request;
    let request = read(&Context::default(), weir_sdk::types::HttpRequest::post("/v1/messages", spaced)).unwrap();
    assert_eq!(super::sent("claude-opus-5", request.request).1, losses);
}

/// A citation of Converse, and what it is in Messages.
fn of_converse() -> (Citation, Value) {
    let json = json!({"title": "t", "sourceContent": [{"text": "q"}],
        "location": {"documentChar": {"documentIndex": 0, "start": 1, "end": 2}}});
    let source = Opaque { format: "bedrock.converse".into(), kind: "citation".into(), json: json.to_string() };
    let citation = Citation { url: None, title: None, quote: None, start: None, end: None, source: Some(source) };
    let here = json!({"type": "char_location", "cited_text": "q", "document_title": "t", "document_index": 0,
        "start_char_index": 1, "end_char_index": 2});
    (citation, here)
}

#[test]
fn places_that_converse_cites_are_those_of_this_format_whole_and_streamed() {
    let (citation, here) = of_converse();
    let text = TextPart { citations: vec![citation.clone()], ..TextPart::new("x") };
    let (body, losses) = shown(response(vec![Part::Text(text.clone())], FinishReason::Complete));
    assert_eq!((&body["content"][0]["citations"], losses.len()), (&json!([here]), 0));
    let cited = ChatEvent::Citation(PartCitation { candidate: 0, part: 0, citation });
    let events = [start(0, PartKind::Text), delta(0, "x"), cited, stop(0), finish(FinishReason::Complete)];
    let (frames, losses) = super::encoded(&super::context("m"), &events);
    let message = super::fold::message(&frames);
    assert_eq!((&message["content"][0]["citations"], losses.len()), (&json!([here]), 0));
    // The document is in the history, so the citation may be too.
    let history = weir_sdk::types::Message::new(weir_sdk::types::Role::Assistant, vec![Part::Text(text)]);
    let history = vec![history, super::request::text(weir_sdk::types::Role::User, "!")];
    let (sent, losses) = super::sent("claude-opus-5", super::request::chat(history));
    assert_eq!((&sent["messages"][0]["content"][0]["citations"], losses.len()), (&json!([here]), 0));
}

#[test]
fn an_answer_that_pauses_behind_a_summary_says_so() {
    let summary = json!({"type": "compaction", "content": "They met."});
    let body = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-test",
        "content": [summary], "stop_reason": "compaction", "stop_sequence": null,
        "usage": {"input_tokens": 1, "output_tokens": 2}});
    let response = answered(&body);
    assert_eq!(response.candidates[0].finish.as_ref().unwrap().reason, FinishReason::Paused);
    assert_eq!(shown(response), (body, Vec::new()));
    let frames = [
        json!({"type": "message_start", "message": {"id": "msg_1", "content": []}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "compaction", "content": null}}),
        json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "compaction_delta", "content": "They met."}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "compaction"}}),
        json!({"type": "message_stop"}),
    ];
    let frames = frames.map(|data| Frame { event: None, data: data.to_string() });
    let (frames, _) = super::encoded(&super::context("m"), &super::decoded(&frames, 1));
    let message = super::fold::message(&frames);
    assert_eq!((&message["content"], &message["stop_reason"]), (&json!([summary]), &json!("compaction")));
}

#[test]
fn an_error_in_an_answer_that_says_200_is_an_error() {
    let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let outcome = <Anthropic as weir_sdk::adapter::ProviderChat>::parse_response(
        &Context::default(),
        super::http_response(200, body),
    );
    assert_eq!(outcome.unwrap_err().kind, weir_sdk::types::ErrorKind::Overloaded);
}

#[test]
fn c92_optional_members_may_be_missing() {
    let response = answered(&json!({"content": [{"type": "text", "text": "x"}], "usage": null, "stop_reason": null}));
    assert_eq!(response.candidates[0].parts, [Part::text("x")]);
    assert_eq!((response.usage, response.candidates[0].finish.is_none()), (None, true));
}
