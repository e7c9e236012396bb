//! Whole answers.

use serde_json::{Value, json};
use weir_sdk::adapter::ProviderChat;
use weir_sdk::types::{
    Candidate, ChatResponse, Citation, Context, ErrorKind, Finish, FinishReason, Opaque, Part, ReasoningPart,
    Signature, TextPart, ToolCall, Usage,
};

use super::{answered, http_response, shown};
use crate::Cohere;

fn answer(parts: Vec<Part>, reason: FinishReason) -> ChatResponse {
    let finish = Some(Finish::new(reason, "raw"));
    let candidate = Candidate { index: 0, parts, finish, logprobs: None, extensions: Vec::new() };
    ChatResponse { id: "a".into(), candidates: vec![candidate], ..ChatResponse::default() }
}

fn refused(body: &Value) -> ErrorKind {
    <Cohere as ProviderChat>::parse_response(&Context::default(), http_response(200, body.to_string()))
        .unwrap_err()
        .kind
}

#[test]
fn c91_an_answer_that_failed_never_looks_complete() {
    let ended = |reason: &str| {
        let content = json!([{"type": "text", "text": "Half an ans"}]);
        json!({"id": "a", "finish_reason": reason, "message": {"role": "assistant", "content": content}})
    };
    assert_eq!(refused(&ended("ERROR")), ErrorKind::Upstream);
    assert_eq!(refused(&ended("TIMEOUT")), ErrorKind::Timeout);
    assert_eq!(refused(&json!({"id": "a", "message": "too many tokens: 9"})), ErrorKind::ContextLength);
    assert_eq!(refused(&json!([])), ErrorKind::Upstream);
}

#[test]
fn c92_optional_members_are_optional() {
    let read = answered(&json!({"message": {"content": null, "tool_calls": null, "citations": null}, "usage": null}));
    assert!(read.candidates[0].parts.is_empty() && read.candidates[0].finish.is_none() && read.usage.is_none());
    let read = answered(&json!({"id": "a", "message": {"role": "assistant", "content": "words"}, "extra": 1}));
    assert_eq!(read.candidates[0].parts, [Part::text("words")]);
    assert_eq!(shown(read).0["extra"], 1);
}

#[test]
fn c84_an_answer_without_any_part_is_an_empty_one() {
    let (body, losses) = shown(answer(Vec::new(), FinishReason::ContentFilter));
    assert_eq!(body["message"]["content"], json!([{"type": "text", "text": ""}]));
    assert_eq!((&body["finish_reason"], losses), (&json!("ERROR"), vec!["finish_reason".to_owned()]));
    let (body, losses) = shown(answer(vec![Part::Refusal("No.".into())], FinishReason::Refusal));
    assert_eq!(body["message"]["content"][0]["text"], "No.");
    assert_eq!(losses, ["content[0].refusal", "finish_reason"]);
}

#[test]
fn c05_a_call_without_arguments_has_an_empty_object() {
    let call = json!({"id": "c", "type": "function", "function": {"name": "now", "arguments": "null"}});
    let read = answered(&json!({"finish_reason": "TOOL_CALL", "message": {"tool_calls": [call]}}));
    let [Part::ToolCall(call)] = read.candidates[0].parts.as_slice() else { panic!("a call") };
    assert_eq!(call.arguments, "{}");
}

#[test]
fn c11_calls_are_the_reason_to_finish() {
    let parts = vec![Part::text("Let me see."), Part::ToolCall(ToolCall::new("c1", "f", ""))];
    let (body, losses) = shown(answer(parts, FinishReason::Complete));
    assert_eq!(body["finish_reason"], "TOOL_CALL");
    assert_eq!(body["message"]["tool_calls"][0]["function"], json!({"name": "f", "arguments": "{}"}));
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn c77_c80_thinking_is_shown_and_further_candidates_are_not() {
    let thought = |issuer: Option<&str>| ReasoningPart {
        signature: issuer.map(|issuer| Signature { issuer: issuer.into(), value: "s".into() }),
        ..ReasoningPart::new("Hm.")
    };
    let mut response = answer(vec![Part::Reasoning(thought(Some("x"))), Part::text("Yes.")], FinishReason::Complete);
    response.candidates.push(response.candidates[0].clone());
    let (body, losses) = shown(response);
    let content = json!([{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Yes."}]);
    assert_eq!(body["message"]["content"], content);
    assert_eq!(losses, ["candidates", "content[0].signature"]);
}

#[test]
fn each_source_of_a_citation_is_one_and_all_are_one_again() {
    let source = |id: &str, document: Value| json!({"type": "document", "id": id, "document": document});
    let sources = json!([
        source("a", json!({"url": "https://a.example"})),
        source("b", json!({"title": "B"})),
        source("a2", json!({"url": "https://a.example"})),
        source("c", json!({"text": "neither"})),
    ]);
    let cited = json!({"start": 0, "end": 3, "text": "Yes", "sources": sources, "type": "TEXT_CONTENT"});
    let content = json!([{"type": "text", "text": "Yes"}]);
    let read = answered(&json!({"message": {"role": "assistant", "content": content, "citations": [cited]}}));
    let Part::Text(text) = &read.candidates[0].parts[0] else { panic!("text") };
    let pages: Vec<_> = text.citations.iter().map(|one| (one.url.as_deref(), one.title.as_deref(), one.end)).collect();
    assert_eq!(pages, [(Some("https://a.example"), None, Some(3)), (None, Some("B"), Some(3))]);
    let (body, losses) = shown(read);
    assert_eq!((&body["message"]["citations"], losses.len()), (&json!([cited]), 0));
}

#[test]
fn citations_of_other_formats_become_documents() {
    let citation = Citation {
        url: Some("https://example.com/a".into()),
        title: Some("A".into()),
        quote: Some("The page's words".into()),
        start: Some(1),
        end: Some(6),
        source: None,
    };
    let unplaced = Citation { start: None, end: None, ..citation.clone() };
    let text = TextPart { citations: vec![citation, unplaced], ..TextPart::new("Ä words") };
    let thought = Part::Reasoning(ReasoningPart::new("Hm."));
    let (body, losses) = shown(answer(vec![thought, Part::Text(text)], FinishReason::Complete));
    let range = |at: usize| {
        body["message"]["citations"][at]["start"].as_u64().zip(body["message"]["citations"][at]["end"].as_u64())
    };
    assert_eq!((range(0), range(1)), (Some((1, 6)), Some((0, 7))));
    let citation = &body["message"]["citations"][0];
    assert_eq!((&citation["content_index"], &citation["text"]), (&json!(1), &json!(" word")));
    assert_eq!(body["message"]["citations"][1]["text"], "Ä words");
    assert_eq!(citation["sources"][0]["document"]["text"], "The page's words");
    assert_eq!(citation["sources"][0]["document"]["url"], "https://example.com/a");
    assert_eq!(losses, ["content[1].citations", "content[1].citations"]);
}

#[test]
fn citations_of_thinking_stay_where_they_are() {
    let body = json!({"id": "a", "finish_reason": "COMPLETE", "message": {"role": "assistant",
        "content": [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Yes"}],
        "citations": [{"start": 0, "end": 3, "text": "Yes", "content_index": 1, "type": "TEXT_CONTENT"},
            {"start": 0, "end": 2, "text": "Hm", "content_index": 0, "type": "THINKING_CONTENT"}]}});
    assert_eq!(shown(answered(&body)).0, body);
}

#[test]
fn c60_tokens_of_other_formats_are_totals() {
    let mut response = answer(vec![Part::text("Yes.")], FinishReason::Complete);
    response.usage =
        Some(Usage { input: Some(10), cache_read: Some(5), output: Some(3), reasoning: Some(4), ..Usage::default() });
    let usage = shown(response).0["usage"].clone();
    assert_eq!(usage["tokens"], json!({"input_tokens": 15, "output_tokens": 7, "reasoning_tokens": 4}));
    assert_eq!((&usage["billed_units"]["output_tokens"], &usage["cached_tokens"]), (&json!(7), &json!(5)));
}

#[test]
fn c79_parts_of_other_formats_are_reported_and_not_shown() {
    let opaque = Opaque { format: "x.y".into(), kind: "server_tool_use".into(), json: "{}".into() };
    let (body, losses) = shown(answer(vec![Part::Opaque(opaque), Part::text("Yes.")], FinishReason::Complete));
    assert_eq!((&body["finish_reason"], body["message"].get("tool_calls")), (&json!("COMPLETE"), None));
    assert_eq!(losses, ["content[0].server_tool_use"]);
}
