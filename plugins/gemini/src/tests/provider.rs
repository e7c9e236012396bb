//! The service's side: requests from other formats, whole answers.

use serde_json::{Value, json};
use weir_sdk::types::{
    ChatRequest, Citation, ErrorKind, Extension, FinishReason, FunctionTool, JsonSchema, MediaKind, MediaPart,
    MediaSource, Message, Opaque, OutputFormat, Part, ReasoningPart, ResultPart, Role, Sampling, Signature, TextPart,
    Tool, ToolCall, ToolChoice, ToolResult, Unit,
};

use super::{answered, context, sent, written};

const MODEL: &str = "gemini-2.5-flash";

fn request(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { model: MODEL.into(), messages, ..ChatRequest::default() }
}

fn user(text: &str) -> Message {
    Message::new(Role::User, vec![Part::text(text)])
}

fn calls(calls: Vec<ToolCall>) -> Message {
    Message::new(Role::Assistant, calls.into_iter().map(Part::ToolCall).collect())
}

fn result(id: &str, text: &str) -> Message {
    let content = vec![ResultPart::Text(TextPart::new(text))];
    Message::new(Role::Tool, vec![Part::ToolResult(ToolResult { content, ..ToolResult::new(id) })])
}

fn signed(issuer: &str) -> Signature {
    Signature { issuer: issuer.into(), value: "AAAA".into() }
}

fn function(name: &str, parameters: &str) -> Tool {
    Tool::Function(FunctionTool { parameters: Some(parameters.into()), ..FunctionTool::new(name) })
}

#[test]
fn c43_images_of_the_model_without_their_signature_are_shown_by_the_user_where_models_refuse_them() {
    let image = || MediaPart::new(MediaKind::Image, MediaSource::Base64("iVBORw0KGgo=".into()));
    let painted = |media: MediaPart| {
        let turn = Message::new(Role::Assistant, vec![Part::text("Here."), Part::Media(media)]);
        request(vec![user("Paint."), turn, user("Make it blue.")])
    };
    let own = Extension { format: "gemini.generate".into(), key: "thoughtSignature".into(), json: "\"AAAA\"".into() };
    let part = json!({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}});
    let signed = json!({"inlineData": part["inlineData"], "thoughtSignature": "AAAA"});
    for (model, media, turn, stands) in [
        ("gemini-3-pro-image-preview", image(), 2, &part),
        ("gemini-3-pro-image-preview", MediaPart { extensions: vec![own], ..image() }, 1, &signed),
        ("gemini-2.5-flash-image", image(), 1, &part),
    ] {
        let (body, losses) = sent(model, painted(media)).unwrap();
        assert_eq!(&body["contents"][turn]["parts"][1], stands, "{model}: {body}");
        assert_eq!(body["contents"][3 - turn]["parts"].as_array().map(Vec::len), Some(1), "{model}: {body}");
        assert_eq!(losses.len(), turn - 1, "{model}: {losses:?}");
    }
}

#[test]
fn c38_parallel_results_share_a_turn_and_come_first() {
    let history = vec![
        user("go"),
        calls(vec![ToolCall::new("a", "add", r#"{"x":1}"#), ToolCall::new("b", "mul", "")]),
        result("a", "3"),
        Message::new(Role::User, vec![Part::text("and?")]),
        result("b", r#"{"product": 6}"#),
    ];
    let (body, losses) = sent(MODEL, request(history)).unwrap();
    let turns = body["contents"].as_array().unwrap();
    assert_eq!(turns.len(), 4);
    assert_eq!(turns[1]["parts"][1]["functionCall"], json!({"id": "b", "name": "mul", "args": {}}));
    let results = json!([
        {"functionResponse": {"id": "a", "name": "add", "response": {"result": "3"}}},
        {"functionResponse": {"id": "b", "name": "mul", "response": {"product": 6}}},
    ]);
    assert_eq!(turns[2], json!({"role": "user", "parts": results}));
    assert_eq!(turns[3], json!({"role": "user", "parts": [{"text": "and?"}]}));
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn failures_of_functions_are_details_of_an_error() {
    for (text, expected) in [
        ("no such file", json!({"error": "no such file"})),
        (r#"{"code": 1}"#, json!({"error": {"code": 1}})),
        (r#"{"error": "in its own words"}"#, json!({"error": "in its own words"})),
    ] {
        let content = vec![ResultPart::Text(TextPart::new(text))];
        let failed = ToolResult { content, is_error: Some(true), ..ToolResult::new("a") };
        let history = vec![
            user("go"),
            calls(vec![ToolCall::new("a", "f", "")]),
            Message::new(Role::Tool, vec![Part::ToolResult(failed)]),
        ];
        let (body, losses) = sent(MODEL, request(history)).unwrap();
        let response = &body["contents"][2]["parts"][0]["functionResponse"]["response"];
        assert_eq!((response, losses.len()), (&expected, 0), "{losses:?}");
    }
}

#[test]
fn words_beside_a_result_follow_it_and_its_call_is_of_the_current_turn() {
    let mut both = result("a", "3");
    both.role = Role::User;
    both.parts.push(Part::text("and?"));
    let history = vec![user("go"), calls(vec![ToolCall::new("a", "add", "{}")]), both];
    let (body, losses) = sent("gemini-3.7-flash", request(history)).unwrap();
    assert_eq!(body["contents"][1]["parts"][0]["thoughtSignature"], "skip_thought_signature_validator");
    assert!(body["contents"][2]["parts"][0]["functionResponse"].is_object());
    assert_eq!(body["contents"][2]["parts"].as_array().unwrap().len(), 1);
    assert_eq!(body["contents"][3], json!({"role": "user", "parts": [{"text": "and?"}]}));
    assert_eq!(losses, ["messages[1].content[0].signature"]);
}

/// The Messages API allows citations in system text (`TextBlockParam.citations`).
#[test]
fn citations_in_system_text_are_told_as_lost() {
    let mut text = TextPart::new("Be brief.");
    let quote = Some("brief".into());
    text.citations = vec![Citation { url: None, title: None, quote, start: None, end: None, source: None }];
    let (body, losses) =
        sent(MODEL, request(vec![Message::new(Role::System, vec![Part::Text(text)]), user("Hi")])).unwrap();
    assert_eq!(body["systemInstruction"]["parts"], json!([{"text": "Be brief."}]));
    assert_eq!(losses, ["messages[0].content[0].citations"]);
}

#[test]
fn a_turn_of_the_model_at_the_end_is_followed_by_the_user_where_the_model_requires_it() {
    let history = || vec![user("Count"), Message::new(Role::Assistant, vec![Part::text("1, 2,")])];
    let (body, losses) = sent("gemini-3.6-flash", request(history())).unwrap();
    let turns = body["contents"].as_array().unwrap();
    assert_eq!(turns[1], json!({"role": "model", "parts": [{"text": "1, 2,"}]}));
    assert_eq!(turns[2], json!({"role": "user", "parts": [{"text": "Continue."}]}));
    assert_eq!(losses, ["messages[1]"]);
    let (body, losses) = sent("gemini-3.5-flash", request(history())).unwrap();
    assert_eq!((body["contents"].as_array().unwrap().len(), losses.len()), (2, 0));
    // The service says itself that the results are missing.
    let calling =
        vec![user("go"), calls(vec![ToolCall { signature: Some(signed("gemini")), ..ToolCall::new("a", "f", "{}") }])];
    let (body, losses) = sent("gemini-3.6-flash", request(calling)).unwrap();
    assert_eq!((body["contents"].as_array().unwrap().len(), losses.len()), (2, 0));
}

#[test]
fn c87_results_carry_the_functions_real_name() {
    let again = vec![
        user("go"),
        calls(vec![ToolCall::new("call_0", "first", "{}")]),
        result("call_0", "1"),
        calls(vec![ToolCall::new("call_0", "second", "{}")]),
        result("call_0", "2"),
        result("gone", "3"),
    ];
    let (body, losses) = sent(MODEL, request(again)).unwrap();
    let name = |turn: usize, part: usize| body["contents"][turn]["parts"][part]["functionResponse"]["name"].clone();
    assert_eq!((name(2, 0), name(4, 0), name(4, 1)), (json!("first"), json!("second"), json!("gone")));
    assert_eq!(losses, ["messages[5].content[0].name"]);
}

#[test]
fn c37_system_text_is_hoisted_in_order() {
    let system = |text: &str| Message::new(Role::System, vec![Part::text(text)]);
    let (body, losses) = sent(MODEL, request(vec![system("one"), user("hi"), system("two")])).unwrap();
    assert_eq!(body["systemInstruction"]["parts"], json!([{"text": "one"}, {"text": "two"}]));
    assert_eq!(losses, ["messages[2]"]);
}

#[test]
fn c37_system_text_alone_is_said_by_the_user() {
    let system = |text: &str| Message::new(Role::Developer, vec![Part::text(text)]);
    let (body, losses) = sent(MODEL, request(vec![user(""), system("one"), system("two")])).unwrap();
    assert_eq!(body["contents"], json!([{"role": "user", "parts": [{"text": "one"}, {"text": "two"}]}]));
    assert_eq!((&body["systemInstruction"], losses), (&json!(null), vec!["messages[1]".to_owned()]));
    for nothing in [Vec::new(), vec![system("")]] {
        let error = sent(MODEL, request(nothing)).unwrap_err();
        assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::InvalidRequest, Some("messages")));
    }
}

#[test]
fn c32_signatures_return_to_their_issuer_only() {
    let call = |issuer| ToolCall { signature: Some(signed(issuer)), ..ToolCall::new("a", "f", "{}") };
    let part = |issuer| Part::Text(TextPart { signature: Some(signed(issuer)), ..TextPart::new("") });
    let thought =
        |issuer| Part::Reasoning(ReasoningPart { signature: Some(signed(issuer)), ..ReasoningPart::new("hm") });
    let turn =
        |issuer| Message::new(Role::Assistant, vec![thought(issuer), part(issuer), Part::ToolCall(call(issuer))]);
    let (body, losses) =
        sent("gemini-3-pro-preview", request(vec![user("x"), turn("gemini"), result("a", "1")])).unwrap();
    assert_eq!(
        body["contents"][1]["parts"],
        json!([
            {"text": "hm", "thought": true, "thoughtSignature": "AAAA"},
            {"text": "", "thoughtSignature": "AAAA"},
            {"functionCall": {"id": "a", "name": "f", "args": {}}, "thoughtSignature": "AAAA"},
        ])
    );
    assert!(losses.is_empty(), "{losses:?}");
    let (body, losses) = sent(MODEL, request(vec![user("x"), turn("anthropic"), result("a", "1")])).unwrap();
    assert_eq!(body["contents"][1]["parts"], json!([{"functionCall": {"id": "a", "name": "f", "args": {}}}]));
    assert_eq!(losses.len(), 3);
}

#[test]
fn c32_calls_of_other_models_are_excused_from_a_signature() {
    let two = calls(vec![ToolCall::new("a", "f", "{}"), ToolCall::new("b", "g", "{}")]);
    let history = || vec![user("old"), two.clone(), result("a", "1"), user("new"), two.clone(), result("a", "1")];
    let (body, losses) = sent("gemini-3-flash-preview", request(history())).unwrap();
    assert!(body["contents"][1]["parts"][0].get("thoughtSignature").is_none());
    assert_eq!(body["contents"][4]["parts"][0]["thoughtSignature"], "skip_thought_signature_validator");
    assert!(body["contents"][4]["parts"][1].get("thoughtSignature").is_none());
    assert_eq!(losses, ["messages[4].content[0].signature"]);
    assert!(sent(MODEL, request(history())).unwrap().1.is_empty());
}

#[test]
fn c42_empty_assistant_text_beside_calls_vanishes() {
    let turn = Message::new(Role::Assistant, vec![Part::text(""), Part::ToolCall(ToolCall::new("a", "f", "{}"))]);
    let (body, _) = sent(MODEL, request(vec![user("x"), turn, result("a", "")])).unwrap();
    assert_eq!(body["contents"][1]["parts"].as_array().unwrap().len(), 1);
}

#[test]
fn c43_images_in_results_stand_within_or_behind() {
    let image = MediaPart {
        mime: Some("image/png".into()),
        ..MediaPart::new(MediaKind::Image, MediaSource::Base64("AA==".into()))
    };
    let content = vec![ResultPart::Text(TextPart::new("see")), ResultPart::Media(image)];
    let answer = Message::new(Role::Tool, vec![Part::ToolResult(ToolResult { content, ..ToolResult::new("a") })]);
    let call = ToolCall { signature: Some(signed("gemini")), ..ToolCall::new("a", "f", "{}") };
    let history = || request(vec![user("x"), calls(vec![call.clone()]), answer.clone()]);
    let data = json!({"inlineData": {"mimeType": "image/png", "data": "AA=="}});
    let (body, losses) = sent("gemini-3-pro-preview", history()).unwrap();
    assert_eq!(body["contents"][2]["parts"][0]["functionResponse"]["parts"], json!([data]));
    assert!(losses.is_empty());
    let (body, losses) = sent(MODEL, history()).unwrap();
    assert_eq!(body["contents"][3], json!({"role": "user", "parts": [data]}));
    assert_eq!(losses.len(), 1);
}

#[test]
fn c89_media_of_every_kind_are_taken_as_bytes() {
    let media = |kind, mime: Option<&str>, source| {
        Part::Media(MediaPart { mime: mime.map(str::to_owned), ..MediaPart::new(kind, source) })
    };
    let base64 = |data: &str| MediaSource::Base64(data.into());
    let parts = vec![
        media(MediaKind::Image, None, base64("iVBORw0KGgoA")),
        media(MediaKind::Audio, Some("wav"), base64("AA==")),
        media(MediaKind::Document, None, base64("JVBERi0x")),
        media(MediaKind::Document, Some("text/plain"), MediaSource::Text("hi".into())),
        media(MediaKind::Video, None, MediaSource::Url("https://www.youtube.com/watch?v=x".into())),
    ];
    let (body, losses) = sent(MODEL, request(vec![Message::new(Role::User, parts)])).unwrap();
    let parts = &body["contents"][0]["parts"];
    let types: Vec<_> = (0..4).map(|at| parts[at]["inlineData"]["mimeType"].as_str().unwrap().to_owned()).collect();
    assert_eq!(types, ["image/png", "audio/wav", "application/pdf", "text/plain"]);
    assert_eq!(parts[3]["inlineData"]["data"], "aGk=");
    assert_eq!(parts[4]["fileData"]["fileUri"], "https://www.youtube.com/watch?v=x");
    assert!(losses.is_empty());
}

#[test]
fn an_images_detail_becomes_its_resolution_where_models_take_one() {
    let image = |detail: &str| {
        Part::Media(MediaPart {
            mime: Some("image/png".into()),
            detail: Some(detail.into()),
            ..MediaPart::new(MediaKind::Image, MediaSource::Base64("AA==".into()))
        })
    };
    let level = |model: &str, detail: &str| {
        let (body, losses) = sent(model, request(vec![Message::new(Role::User, vec![image(detail)])])).unwrap();
        (body["contents"][0]["parts"][0]["mediaResolution"].clone(), losses.len())
    };
    let third = "gemini-3-flash-preview";
    assert_eq!(level(third, "low"), (json!({"level": "MEDIA_RESOLUTION_LOW"}), 0));
    assert_eq!(level(third, "high"), (json!({"level": "MEDIA_RESOLUTION_HIGH"}), 0));
    assert_eq!(level(third, "original"), (json!({"level": "MEDIA_RESOLUTION_ULTRA_HIGH"}), 1));
    assert_eq!(level(third, "auto"), (json!(null), 0));
    assert_eq!(level("gemini-2.5-flash", "low"), (json!(null), 1));
}

#[test]
fn media_that_the_service_cannot_reach_are_refused_and_never_dropped() {
    for source in [MediaSource::Url("https://example.com/a.png".into()), MediaSource::FileId("file-1".into())] {
        let part = Part::Media(MediaPart::new(MediaKind::Image, source));
        let error = sent(MODEL, request(vec![Message::new(Role::User, vec![part])])).unwrap_err();
        assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::Unsupported, Some("messages[0].content[0]")));
    }
}

#[test]
fn c40_tools_of_others_are_refused_by_name() {
    let opaque = Opaque { format: "openai.chat".into(), kind: "web_search".into(), json: "{}".into() };
    let error = sent(MODEL, ChatRequest { tools: vec![Tool::Opaque(opaque)], ..request(vec![user("x")]) }).unwrap_err();
    assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::Unsupported, Some("tools[0]")));
    assert!(error.message.contains("web_search"));
}

#[test]
fn c53_schemas_go_to_the_place_for_json_schema_by_default() {
    let schema = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"const": "x"}},
        "additionalProperties": false})
    .to_string();
    let expected = JsonSchema { name: Some("n".into()), description: None, schema: schema.clone(), strict: Some(true) };
    let request = || ChatRequest {
        tools: vec![function("f", &schema), function("g", r#"{"type": "object", "properties": {}}"#)],
        output: Some(OutputFormat::Schema(expected.clone())),
        ..request(vec![user("x")])
    };
    let (body, losses) = sent("gemini-3-flash-preview", request()).unwrap();
    let declarations = &body["tools"][0]["functionDeclarations"];
    assert_eq!(declarations[0]["parametersJsonSchema"]["additionalProperties"], false);
    assert!(declarations[1]["parametersJsonSchema"].is_object());
    assert_eq!(body["generationConfig"]["responseMimeType"], "application/json");
    assert!(body["generationConfig"]["responseJsonSchema"].is_object() && losses.is_empty());

    let mut ctx = context("gemini-3-flash-preview");
    ctx.options.push(weir_sdk::types::Setting { key: "schemas".into(), json: "\"openapi\"".into() });
    let rendered = <crate::Gemini as weir_sdk::adapter::ProviderChat>::render_request(&ctx, request()).unwrap();
    let body = super::body(&rendered);
    let old = json!({"type": "OBJECT", "properties": {"a": {"type": "STRING", "enum": ["x"]}}});
    assert_eq!(body["tools"][0]["functionDeclarations"][0]["parameters"], old);
    assert_eq!(body["tools"][0]["functionDeclarations"][1], json!({"name": "g"}));
    assert_eq!(body["generationConfig"]["responseSchema"], old);
    let losses = super::fields(&rendered.losses);
    assert_eq!(losses, ["tools[0].parameters.additionalProperties", "response_format.schema.additionalProperties"]);
}

#[test]
fn c54_choices_among_tools_become_modes() {
    let sent = |choice| {
        let request =
            ChatRequest { tools: vec![function("f", "{}")], tool_choice: Some(choice), ..request(vec![user("x")]) };
        sent(MODEL, request).unwrap().0["toolConfig"]["functionCallingConfig"].clone()
    };
    let some =
        |required| ToolChoice::Allowed(weir_sdk::types::AllowedTools { names: vec!["f".into(), "g".into()], required });
    assert_eq!(sent(ToolChoice::Automatic), json!({"mode": "AUTO"}));
    assert_eq!(sent(ToolChoice::Required), json!({"mode": "ANY"}));
    assert_eq!(sent(ToolChoice::Disabled), json!({"mode": "NONE"}));
    assert_eq!(sent(ToolChoice::Named("f".into())), json!({"mode": "ANY", "allowedFunctionNames": ["f"]}));
    assert_eq!(sent(some(true)), json!({"mode": "ANY", "allowedFunctionNames": ["f", "g"]}));
    assert_eq!(sent(some(false)), json!({"mode": "VALIDATED", "allowedFunctionNames": ["f", "g"]}));
}

#[test]
fn c49_what_has_no_place_is_a_loss() {
    let sampling = Sampling {
        temperature: Some(3.0),
        seed: Some("99999999999".into()),
        stop: (0..6).map(|at| at.to_string()).collect(),
        candidates: Some(2),
        ..Sampling::default()
    };
    let request = ChatRequest {
        sampling,
        end_user: Some("u".into()),
        metadata: Some(r#"{"a":1}"#.into()),
        cache_key: Some("k".into()),
        parallel_tool_calls: Some(false),
        service_tier: Some("scale".into()),
        ..request(vec![Message { name: Some("Ann".into()), ..user("x") }])
    };
    let (body, mut losses) = sent(MODEL, request).unwrap();
    assert_eq!(body["generationConfig"]["temperature"], 2);
    assert_eq!(body["generationConfig"]["stopSequences"].as_array().unwrap().len(), 5);
    assert_eq!(body["generationConfig"]["candidateCount"], 2);
    losses.sort();
    let expected = [
        "messages[0].name",
        "metadata",
        "parallel_tool_calls",
        "prompt_cache_key",
        "seed",
        "service_tier",
        "stop",
        "temperature",
        "user",
    ];
    assert_eq!(losses, expected);
}

#[test]
fn c47_names_that_do_not_fit_come_back_as_the_clients() {
    let long = "tool/".repeat(30);
    let request = ChatRequest { tools: vec![function(&long, "{}")], ..request(vec![user("x")]) };
    let rendered =
        <crate::Gemini as weir_sdk::adapter::ProviderChat>::render_request(&context(MODEL), request).unwrap();
    let short = super::body(&rendered)["tools"][0]["functionDeclarations"][0]["name"].clone();
    let ctx = weir_sdk::types::Context { memo: rendered.memo, ..context(MODEL) };
    let body =
        json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": short}}]}, "finishReason": "STOP"}]});
    let answer = answered(&ctx, &body).unwrap();
    assert!(matches!(&answer.candidates[0].parts[0], Part::ToolCall(call) if call.name == long));
}

#[test]
fn c11_a_call_makes_the_finish_a_tool_call_and_ids_are_stable() {
    let body = json!({"responseId": "r/1", "candidates": [{"finishReason": "STOP", "content": {"parts": [
        {"functionCall": {"name": "f", "args": {"a": 1}}}, {"functionCall": {"name": "g"}},
    ]}}]});
    let read = || answered(&context(MODEL), &body).unwrap();
    let candidate = &read().candidates[0];
    assert_eq!(candidate.finish.as_ref().unwrap().reason, FinishReason::ToolCalls);
    let ids: Vec<_> = candidate
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some((call.id.clone(), call.arguments.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(ids, [("call_r1_0".into(), r#"{"a":1}"#.into()), ("call_r1_1".to_owned(), "{}".to_owned())]);
    assert_eq!(read(), read());
}

#[test]
fn c84_a_refused_prompt_is_an_empty_answer_with_a_filter_finish() {
    let body =
        json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 5}});
    let answer = answered(&context(MODEL), &body).unwrap();
    assert!(answer.candidates[0].parts.is_empty());
    assert_eq!(answer.candidates[0].finish.as_ref().unwrap().reason, FinishReason::ContentFilter);
    let (back, _) = written(&context(MODEL), answer);
    assert_eq!(back["promptFeedback"], body["promptFeedback"]);
    assert!(back.get("candidates").is_none());
}

#[test]
fn c84_a_refused_prompt_may_be_explained_without_a_reason() {
    let body = json!({"candidates": [], "promptFeedback": {"blockReasonMessage": "Not this."}});
    let answer = answered(&context(MODEL), &body).unwrap();
    assert_eq!(answer.candidates[0].finish.as_ref().unwrap().reason, FinishReason::ContentFilter);
    let (back, _) = written(&context(MODEL), answer);
    assert_eq!(back["promptFeedback"], body["promptFeedback"]);
    let unexplained = json!({"promptFeedback": {"blockReasonMessage": ""}});
    assert_eq!(answered(&context(MODEL), &unexplained).unwrap_err().kind, ErrorKind::Upstream);
}

#[test]
fn c19_an_answer_without_candidates_is_as_broken_as_such_a_stream() {
    for body in [json!({"candidates": []}), json!({"usageMetadata": {"promptTokenCount": 5}, "promptFeedback": {}})] {
        assert_eq!(answered(&context(MODEL), &body).unwrap_err().kind, ErrorKind::Upstream);
    }
}

#[test]
fn an_answer_that_is_an_error_is_one() {
    let error = answered(&context(MODEL), &json!([{"error": {"code": 503, "status": "UNAVAILABLE", "message": "m"}}]));
    assert_eq!(error.unwrap_err().kind, ErrorKind::Overloaded);
}

#[test]
fn sources_become_citations_of_the_text_that_they_support() {
    let body = json!({"candidates": [{"finishReason": "STOP", "content": {"parts": [{"text": "hm", "thought": true}, {"text": "Über uns"}]},
        "groundingMetadata": {"groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}],
            "groundingSupports": [{"segment": {"startIndex": 6, "endIndex": 9, "text": "uns"}, "groundingChunkIndices": [0]}]}}]});
    let answer = answered(&context(MODEL), &body).unwrap();
    let Part::Text(text) = &answer.candidates[0].parts[1] else { panic!("text") };
    let Citation { url, start, end, .. } = &text.citations[0];
    assert_eq!((url.as_deref(), *start, *end), (Some("https://a.example"), Some(5), Some(8)));
    let (back, _) = written(&context(MODEL), answer);
    assert_eq!(back["candidates"][0]["groundingMetadata"], body["candidates"][0]["groundingMetadata"]);
}

#[test]
fn a_whole_answers_texts_are_split_where_a_streams_are() {
    let parts = |own: Value, grounding: Option<Value>| {
        let mut candidate = json!({"finishReason": "STOP", "content": {"parts": own}});
        if let Some(grounding) = grounding {
            candidate["groundingMetadata"] = grounding;
        }
        let answer = answered(&context(MODEL), &json!({"candidates": [candidate]})).unwrap();
        let part = |part: &Part| match part {
            Part::Text(text) => format!("{}{}", text.text, if text.signature.is_some() { " signed" } else { "" }),
            Part::Reasoning(thought) => format!("thought {}", thought.text.as_deref().unwrap_or_default()),
            Part::ToolCall(call) => call.name.clone(),
            other => format!("{other:?}"),
        };
        answer.candidates[0].parts.iter().map(part).collect::<Vec<_>>()
    };
    let thought = |text: &str| json!({"text": text, "thought": true});
    let all = json!([thought("a"), thought("b"), {"text": "{\"n\": "}, {"text": "1}"}, {"functionCall": {"name": "f", "args": {}}}, {"text": "c"}]);
    assert_eq!(parts(all, None), ["thought ab", "{\"n\": 1}", "f", "c"]);
    let signed = json!([{"text": "a"}, {"text": "b", "thoughtSignature": "c2ln"}, {"text": "c"}]);
    assert_eq!(parts(signed, None), ["ab signed", "c"]);
    let grounding = json!({"groundingChunks": [{"web": {"uri": "https://a.example"}}],
        "groundingSupports": [{"segment": {"partIndex": 1, "endIndex": 1}, "groundingChunkIndices": [0]}]});
    assert_eq!(parts(json!([{"text": "a"}, {"text": "b"}]), Some(grounding)), ["a", "b"]);
}

#[test]
fn searches_and_the_kind_of_traffic_are_on_the_bill_and_stay_in_the_format() {
    let body = json!({"candidates": [{"finishReason": "STOP", "content": {"parts": [{"text": "a"}]},
            "groundingMetadata": {"webSearchQueries": ["x", "y"]}}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "trafficType": "ON_DEMAND_FLEX"}});
    let answer = answered(&context(MODEL), &body).unwrap();
    let usage = answer.usage.as_ref().unwrap();
    assert_eq!((usage.units_of(Unit::Search), usage.service_tier.as_deref()), (Some(2.0), Some("ON_DEMAND_FLEX")));
    assert_eq!(answer.service_tier, None);
    let (back, _) = written(&context(MODEL), answer);
    assert_eq!(back["usageMetadata"]["trafficType"], "ON_DEMAND_FLEX");
}

#[test]
fn a_user_who_says_nothing_before_the_model_has_a_turn_with_an_empty_text() {
    let nothing = json!({"role": "user", "parts": [{"text": ""}]});
    let contents = |messages: Vec<Message>| {
        let (body, losses) = sent(MODEL, request(messages)).unwrap();
        assert!(losses.is_empty(), "{losses:?}");
        body["contents"].as_array().unwrap().clone()
    };
    let system = Message::new(Role::System, vec![Part::text("Tell a joke.")]);
    let call = || calls(vec![ToolCall::new("a", "topic", "{}")]);
    for history in
        [vec![system.clone(), user(""), call(), result("a", "cats")], vec![system, call(), result("a", "cats")]]
    {
        let turns = contents(history);
        assert_eq!((turns.len(), &turns[0], &turns[1]["role"]), (3, &nothing, &json!("model")));
    }
    let beside = contents(vec![user("a"), user(""), Message::new(Role::Assistant, vec![Part::text("b")]), user("c")]);
    assert_eq!((beside.len(), &beside[0]["parts"]), (3, &json!([{"text": "a"}])));
}

#[test]
fn a_user_who_says_nothing_but_an_empty_text_says_that() {
    let nothing = json!([{"role": "user", "parts": [{"text": ""}]}]);
    let silent = Message::new(Role::System, vec![Part::text("")]);
    for messages in [vec![user("")], vec![user(""), user("")], vec![user(""), silent]] {
        let (body, losses) = sent(MODEL, request(messages)).unwrap();
        assert_eq!((&body["contents"], losses.len()), (&nothing, 0), "{body}");
    }
    // Instructions alone are something to answer, and a turn without parts is not.
    let system = Message::new(Role::System, vec![Part::text("Tell a joke.")]);
    let (body, _) = sent(MODEL, request(vec![system, user("")])).unwrap();
    assert_eq!(body["contents"][0]["parts"], json!([{"text": "Tell a joke."}]));
    assert!(sent(MODEL, request(vec![Message::new(Role::User, Vec::new())])).is_err());
}

#[test]
fn a_number_of_alternatives_is_sent_only_with_the_question_for_probabilities() {
    let asked = |logprobs, number| {
        let sampling = Sampling { logprobs, top_logprobs: Some(number), ..Sampling::default() };
        let (body, losses) = sent(MODEL, ChatRequest { sampling, ..request(vec![user("hi")]) }).unwrap();
        let config = &body["generationConfig"];
        (config.get("responseLogprobs").cloned(), config.get("logprobs").cloned(), losses.len())
    };
    assert_eq!(asked(Some(true), 0), (Some(json!(true)), Some(json!(0)), 0));
    assert_eq!(asked(None, 0), (None, None, 0));
    assert_eq!(asked(None, 2), (None, None, 0));
}

#[test]
fn what_a_results_text_has_beside_its_words_is_told_as_lost() {
    let extensions = vec![Extension { format: "other".into(), key: "k".into(), json: "1".into() }];
    let citation = Citation { url: None, title: None, quote: None, start: None, end: None, source: None };
    let text = TextPart { extensions, citations: vec![citation], ..TextPart::new("1") };
    let result = ToolResult { content: vec![ResultPart::Text(text)], ..ToolResult::new("a") };
    let called = calls(vec![ToolCall::new("a", "f", "{}")]);
    let answered = Message::new(Role::Tool, vec![Part::ToolResult(result)]);
    let (_, losses) = sent("gemini-2.5-flash", request(vec![user("Hi"), called, answered])).unwrap();
    let text = "messages[2].content[0].content[0]";
    assert_eq!(losses, [format!("{text}.citations"), format!("{text}.k")]);
}
