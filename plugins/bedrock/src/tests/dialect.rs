//! Requests and answers of clients with this format.

use serde_json::{Value, json};
use weir_sdk::types::{
    Candidate, ChatResponse, Citation, ErrorKind, Finish, FinishReason, MediaSource, OutputFormat, Part, ReasoningMode,
    ReasoningPart, ResultPart, Role, Signature, TextPart, ToolCall, ToolChoice,
};

use super::{CLAUDE, asked, context, written};

fn answer(parts: Vec<Part>, reason: FinishReason) -> ChatResponse {
    let finish = Some(Finish { reason, raw: None, stop_sequence: None });
    let candidate = Candidate { index: 0, parts, finish, logprobs: None, extensions: Vec::new() };
    ChatResponse { candidates: vec![candidate], ..ChatResponse::default() }
}

fn content(parts: Vec<Part>) -> (Value, Vec<String>) {
    let (body, losses) = written(&context("m"), answer(parts, FinishReason::Complete));
    (body["output"]["message"]["content"].clone(), losses)
}

#[test]
fn the_path_names_the_model_and_whether_it_streams() {
    let body = json!({"messages": [{"role": "user", "content": [{"text": "?"}]}]});
    let request = asked("arn:aws:bedrock:us-east-1:1:inference-profile/us.a.b-v1:0", "converse-stream", &body).unwrap();
    assert!(request.stream);
    assert_eq!(request.model, "arn:aws:bedrock:us-east-1:1:inference-profile/us.a.b-v1:0");
    assert!(!asked("m", "converse", &body).unwrap().stream);
}

#[test]
fn a_model_in_the_body_is_none() {
    let turn = json!({"role": "user", "content": [{"text": "?"}]});
    for operation in ["converse", "converse-stream"] {
        let plain = asked("m", operation, &json!({"messages": [turn]})).unwrap();
        let named = asked("m", operation, &json!({"model": "dear", "messages": [turn]})).unwrap();
        assert_eq!(named, plain, "{operation}");
    }
}

#[test]
fn errors_name_the_place() {
    let role = json!({"messages": [{"role": "robot", "content": []}]});
    assert_eq!(asked("m", "converse", &role).unwrap_err().param.as_deref(), Some("messages[0].role"));
    let call = json!({"messages": [{"role": "assistant", "content": [{"text": "a"}, {"toolUse": {"name": "f"}}]}]});
    let error = asked("m", "converse", &call).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("messages[0].content[1].toolUse.toolUseId"));
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
}

#[test]
fn c90_json_results_keep_their_structure_and_status_its_meaning() {
    let results =
        json!([{"json": {"a": [1]}}, {"text": "b"}, {"image": {"format": "png", "source": {"bytes": "iVBO"}}}]);
    let body = json!({"messages": [{"role": "user", "content": [
        {"toolResult": {"toolUseId": "t", "content": results, "status": "error"}}, {"cachePoint": {"type": "default"}}]}]});
    let request = asked("m", "converse", &body).unwrap();
    let [Part::ToolResult(result)] = &request.messages[0].parts[..] else { panic!("one result") };
    assert_eq!((result.is_error, result.cache.is_some()), (Some(true), true));
    assert!(matches!(&result.content[..], [ResultPart::Json(json), ResultPart::Text(_), ResultPart::Media(_)]
        if json == r#"{"a":[1]}"#));
}

#[test]
fn what_only_this_format_has_is_content_to_others() {
    let found = json!({"source": "s", "title": "t", "content": [{"text": "x"}, {"text": "y"}]});
    let body = json!({"messages": [{"role": "user", "content": [
        {"guardContent": {"text": {"text": "q", "qualifiers": ["query"]}}}, {"searchResult": found},
        {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/k"}}}}]}]});
    let request = asked("m", "converse", &body).unwrap();
    let [Part::Text(guarded), Part::Media(found), Part::Media(stored)] = &request.messages[0].parts[..] else {
        panic!("{:?}", request.messages[0].parts)
    };
    assert_eq!(guarded.text, "q");
    assert_eq!(found.source, MediaSource::Text("x\ny".into()));
    assert_eq!(stored.source, MediaSource::FileId("s3://b/k".into()));
}

#[test]
fn c92_optional_members_are_optional() {
    let body = json!({"messages": [{"role": "user", "content": [{"text": "?", "image": null}]}], "system": null,
        "toolConfig": null, "inferenceConfig": {"maxTokens": null}, "additionalModelRequestFields": null});
    assert_eq!(asked("m", "converse", &body).unwrap().messages.len(), 1);
    let answer = json!({"output": {"message": {"role": "assistant", "content": [{"text": "a"}]}}, "stopReason": null,
        "usage": null, "metrics": null, "trace": null});
    let read = super::answered(&context("m"), &answer).unwrap();
    assert_eq!((read.candidates[0].finish.as_ref(), read.usage.as_ref()), (None, None));
    let empty = super::answered(
        &context("m"),
        &json!({"output": {"message": {"content": []}}, "stopReason": "content_filtered"}),
    );
    assert!(empty.unwrap().candidates[0].parts.is_empty(), "C-84: a filtered answer without any words is an answer");
    assert!(super::answered(&context("m"), &json!({"message": "no"})).is_err());
}

#[test]
fn tools_choices_and_schemas_are_read() {
    let spec = json!({"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}, "strict": true}});
    let body = json!({"messages": [],
        "toolConfig": {"tools": [spec, {"cachePoint": {"type": "default"}}, {"systemTool": {"name": "s"}}],
            "toolChoice": {"tool": {"name": "f"}}},
        "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{\"a\":1}"}}}}});
    let request = asked("m", "converse", &body).unwrap();
    assert_eq!(request.tools.len(), 2);
    assert_eq!(request.tool_choice, Some(ToolChoice::Named("f".into())));
    assert!(matches!(request.output, Some(OutputFormat::Schema(schema)) if schema.schema == r#"{"a":1}"#));
}

#[test]
fn the_wish_to_think_is_read_in_every_vendors_words() {
    let wish = |additional: Value| {
        let body = json!({"messages": [], "additionalModelRequestFields": additional});
        asked("m", "converse", &body).unwrap().reasoning.unwrap()
    };
    for key in ["thinking", "reasoning_config"] {
        let read = wish(json!({key: {"type": "enabled", "budget_tokens": 2048}}));
        assert_eq!((read.mode, read.budget_tokens), (Some(ReasoningMode::Enabled), Some(2048)));
    }
    let read = wish(json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}));
    assert_eq!((read.mode, read.effort.as_deref()), (Some(ReasoningMode::Enabled), Some("low")));
    assert_eq!(wish(json!({"reasoning_effort": "high"})).effort.as_deref(), Some("high"));
}

#[test]
fn c77_thinking_is_shown_and_its_signature_comes_back_to_its_issuer() {
    let signed = |issuer: &str| Some(Signature { issuer: issuer.into(), value: "v.1".into() });
    let thought = |issuer| Part::Reasoning(ReasoningPart { signature: signed(issuer), ..ReasoningPart::new("hm") });
    let hidden = Part::Reasoning(ReasoningPart { text: None, encrypted: signed("openai"), ..ReasoningPart::new("") });
    let mut call = ToolCall::new("c", "f", "{}");
    call.signature = signed("gemini");
    let (blocks, losses) = content(vec![thought("anthropic"), thought("mistral"), hidden, Part::ToolCall(call)]);
    assert!(losses.is_empty());
    assert_eq!(blocks[0]["reasoningContent"]["reasoningText"], json!({"text": "hm", "signature": "v.1"}));
    let body = json!({"messages": [{"role": "assistant", "content": blocks}]});
    let request = asked(CLAUDE, "converse", &body).unwrap();
    let issuers: Vec<Option<&str>> = request.messages[0]
        .parts
        .iter()
        .map(|part| match part {
            Part::Reasoning(thought) => thought.signature.as_ref().or(thought.encrypted.as_ref()),
            Part::ToolCall(call) => call.signature.as_ref(),
            other => panic!("{other:?}"),
        })
        .map(|signature| signature.map(|signature| signature.issuer.as_str()))
        .collect();
    assert_eq!(issuers, [Some("anthropic"), Some("mistral"), Some("openai"), Some("gemini")]);
}

#[test]
fn c34_a_wrapped_value_that_was_lifted_out_returns_to_no_issuer() {
    let blob = |head: &str| weir_sdk::types::Blob { token: "weir-blob-1".into(), length: 9000, head: head.into() };
    let body = json!({"messages": [{"role": "assistant", "content": [
        {"reasoningContent": {"redactedContent": "weir-blob-1"}}, {"text": "a"}]}]});
    let read = |head: &str| {
        let ctx = weir_sdk::types::Context { blobs: vec![blob(head)], ..context(CLAUDE) };
        let http = weir_sdk::types::HttpRequest::post("/model/m/converse", body.to_string());
        let parsed = <crate::Bedrock as weir_sdk::adapter::DialectChat>::parse_request(&ctx, http).unwrap();
        super::sent(CLAUDE, parsed.request).unwrap()
    };
    let (back, losses) = read("EqQBCgIYAhIM");
    assert_eq!((back["messages"][0]["content"].as_array().unwrap().len(), losses.len()), (2, 0));
    let (back, losses) = read("d2Vpci5vcGVuYWkuZS4u");
    assert_eq!((&back["messages"][0]["content"], losses.len()), (&json!([{"text": "a"}]), 1));
}

#[test]
fn c32_a_signature_behind_a_signed_call_does_not_take_its_place() {
    let signed = |value: &str| Some(Signature { issuer: "gemini".into(), value: value.into() });
    let call = Part::ToolCall(ToolCall { signature: signed("SIH"), ..ToolCall::new("fc1", "f", "{}") });
    let after = Part::Text(TextPart { signature: signed("DN8"), ..TextPart::new("") });
    let (blocks, _) = content(vec![call, after]);
    let body = json!({"messages": [{"role": "assistant", "content": blocks}]});
    let request = asked("m", "converse", &body).unwrap();
    let [Part::ToolCall(call), Part::Text(after)] = &request.messages[0].parts[..] else {
        panic!("{:?}", request.messages[0].parts)
    };
    assert_eq!((&call.signature, &after.signature, &*after.text), (&signed("SIH"), &signed("DN8"), ""));
}

#[test]
fn encrypted_thinking_of_claude_is_bytes_here_and_text_elsewhere() {
    let block = json!({"reasoningContent": {"redactedContent": "RXRNRkNrZ0lDeA=="}});
    let body = json!({"messages": [{"role": "assistant", "content": [block]}]});
    let request = asked(CLAUDE, "converse", &body).unwrap();
    let [Part::Reasoning(thought)] = &request.messages[0].parts[..] else { panic!("thinking") };
    assert_eq!(thought.encrypted, Some(Signature { issuer: "anthropic".into(), value: "EtMFCkgICx".into() }));
    assert_eq!(super::sent(CLAUDE, request).unwrap().0["messages"], body["messages"]);
}

#[test]
fn encrypted_thinking_that_was_lifted_out_cannot_be_encoded_anew() {
    let token = "weirblob0000";
    let signature = Signature { issuer: "anthropic".into(), value: token.into() };
    let thought = ReasoningPart { text: None, encrypted: Some(signature), ..ReasoningPart::new("") };
    let parts = vec![Part::Reasoning(thought), Part::text("a")];
    let messages = vec![weir_sdk::types::Message::new(Role::Assistant, parts)];
    let request = weir_sdk::types::ChatRequest { messages, ..weir_sdk::types::ChatRequest::default() };
    let blob = weir_sdk::types::Blob { token: token.into(), length: 9000, head: "EtMF".into() };
    let ctx = weir_sdk::types::Context { blobs: vec![blob], ..context(CLAUDE) };
    let rendered = <crate::Bedrock as weir_sdk::adapter::ProviderChat>::render_request(&ctx, request).unwrap();
    assert_eq!(super::json(&rendered)["messages"][0]["content"], json!([{"text": "a"}]));
    assert_eq!(rendered.losses.len(), 1);
}

#[test]
fn c11_a_call_is_the_reason_to_stop() {
    let call = || Part::ToolCall(ToolCall::new("c", "f", ""));
    for parts in [vec![call()], vec![Part::text("a"), call()], vec![call(), call()]] {
        let (body, _) = written(&context("m"), answer(parts, FinishReason::Complete));
        assert_eq!(body["stopReason"], "tool_use");
        let blocks = body["output"]["message"]["content"].as_array().unwrap();
        assert_eq!(blocks.last().unwrap()["toolUse"]["input"], json!({}));
    }
}

#[test]
fn c80_c84_one_answer_and_refusals_are_filtered_content() {
    let mut two = answer(vec![Part::Refusal("no".into())], FinishReason::Refusal);
    two.candidates.push(two.candidates[0].clone());
    let (body, losses) = written(&context("m"), two);
    assert_eq!(
        (&body["stopReason"], &body["output"]["message"]["content"][0]["text"]),
        (&json!("content_filtered"), &json!("no"))
    );
    assert_eq!(losses, ["candidates"]);
    let (body, _) = written(&context("m"), answer(Vec::new(), FinishReason::ContentFilter));
    assert_eq!((&body["stopReason"], &body["output"]["message"]["content"]), (&json!("content_filtered"), &json!([])));
}

#[test]
fn c59_counts_are_present_even_if_the_provider_sends_none() {
    let ctx = weir_sdk::types::Context { input_tokens: Some(33), ..context("m") };
    let (body, _) = written(&ctx, answer(vec![Part::text("a")], FinishReason::Complete));
    assert_eq!(body["usage"], json!({"inputTokens": 33, "outputTokens": 0, "totalTokens": 33}));
    assert_eq!(body["metrics"], json!({"latencyMs": 0}));
}

#[test]
fn sources_of_other_formats_are_citations_of_this_one() {
    let citation = Citation {
        url: Some("https://a.example/x".into()),
        title: Some("A".into()),
        quote: Some("q".into()),
        start: None,
        end: None,
        source: None,
    };
    let (blocks, losses) = content(vec![Part::Text(TextPart { citations: vec![citation], ..TextPart::new("t") })]);
    let cited = &blocks[1]["citationsContent"];
    assert_eq!((&blocks[0], cited.get("content")), (&json!({"text": "t"}), None));
    assert_eq!(
        cited["citations"][0]["location"],
        json!({"web": {"url": "https://a.example/x", "domain": "a.example"}})
    );
    assert_eq!(losses.len(), 1);
    let body = json!({"messages": [{"role": "assistant", "content": blocks}]});
    let request = asked("m", "converse", &body).unwrap();
    assert!(
        matches!(&request.messages[0].parts[..], [Part::Text(text)] if text.text == "t" && text.citations.len() == 1)
    );
}

#[test]
fn a_citation_that_names_no_source_is_reported_instead_of_written_empty() {
    let source = weir_sdk::types::Opaque {
        format: "openai.responses".into(),
        kind: "file_citation".into(),
        json: r#"{"type":"file_citation","file_id":"file_1","index":3}"#.into(),
    };
    let nameless = Citation { url: None, title: None, quote: None, start: None, end: None, source: Some(source) };
    let text = |citations| vec![Part::Text(TextPart { citations, ..TextPart::new("t") })];
    let (blocks, losses) = content(text(vec![nameless.clone()]));
    assert_eq!((blocks, losses.len()), (json!([{"text": "t"}]), 1));
    let named = Citation { title: Some("a.pdf".into()), ..nameless };
    assert_eq!(content(text(vec![named])).0[1], json!({"citationsContent": {"citations": [{"title": "a.pdf"}]}}));
}

#[test]
fn system_text_amid_the_conversation_stays_there() {
    let turn = |role: &str| json!({"role": role, "content": [{"text": role}]});
    let body =
        json!({"system": [{"text": "s"}], "messages": [turn("user"), turn("assistant"), turn("system"), turn("user")]});
    let request = asked(CLAUDE, "converse", &body).unwrap();
    assert_eq!(request.messages[3].role, Role::System);
    let (back, losses) = super::sent(CLAUDE, request).unwrap();
    assert_eq!((&back, losses.len()), (&body, 0));
}
