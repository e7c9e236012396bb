//! The clients' side: requests in every spelling, answers from other formats.

use serde_json::{Value, json};
use weir_sdk::losses::extension;
use weir_sdk::testing::events::mixed_stream;
use weir_sdk::types::{
    AllowedTools, Candidate, ChatEvent, ChatResponse, Citation, Finish, FinishReason, MediaKind, MediaPart,
    MediaSource, Part, PartKind, ReasoningMode, ReasoningPart, ResponseStart, Role, Signature, TextPart, Tool,
    ToolCall, ToolChoice, Usage,
};

use super::{asked, context, encoded, sent, written};
use crate::FORMAT;

fn answer(parts: Vec<Part>, reason: FinishReason) -> ChatResponse {
    let finish = Some(Finish::new(reason, "whatever"));
    let candidate = Candidate { index: 0, parts, finish, logprobs: None, extensions: Vec::new() };
    ChatResponse { id: "id1".into(), model: Some("m".into()), candidates: vec![candidate], ..ChatResponse::default() }
}

#[test]
fn c87_snake_case_means_the_same_as_camel_case() {
    let camel = json!({
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}, {"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {"maxOutputTokens": 5, "topP": 0.5, "stopSequences": ["x"], "responseMimeType": "application/json",
            "thinkingConfig": {"thinkingBudget": 0}, "speechConfig": {"a": 1}},
        "safetySettings": [{"category": "C"}], "cachedContent": "cachedContents/1",
    });
    let snake = json!({
        "system_instruction": "s",
        "contents": {"parts": {"inline_data": {"mime_type": "image/png", "data": "AA=="}}},
        "tools": {"function_declarations": {"name": "f", "parameters_json_schema": {"type": "object"}}, "google_search": {}},
        "tool_config": {"function_calling_config": {"mode": 2, "allowed_function_names": ["f"]}},
        "generation_config": {"max_output_tokens": 5, "top_p": 0.5, "stop_sequences": ["x"], "response_mime_type": "application/json",
            "thinking_config": {"thinking_budget": 0}, "speech_config": {"a": 1}},
        "safety_settings": [{"category": "C"}], "cached_content": "cachedContents/1",
    });
    let read = |body| asked("m", "generateContent", body).unwrap();
    assert_eq!(read(&camel), read(&snake));
    let request = read(&camel);
    assert_eq!((request.messages[0].role.clone(), request.messages[1].role.clone()), (Role::System, Role::User));
    assert_eq!(request.tool_choice, Some(ToolChoice::Named("f".into())));
    assert_eq!(request.reasoning.unwrap().mode, Some(ReasoningMode::Disabled));
    assert!(matches!(&request.tools[1], Tool::Opaque(tool) if tool.kind == "googleSearch"));
    assert!(extension(&request.extensions, FORMAT, "safetySettings").is_some());
}

#[test]
fn the_newer_member_for_the_answers_format_is_read_and_comes_back() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let text = json!({"text": {"mimeType": "APPLICATION_JSON", "schema": schema}});
    let config = |formats: &Value| {
        let body = json!({"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"responseFormat": formats}});
        let request = asked("gemini-3.5-flash", "generateContent", &body).unwrap();
        let back = sent("gemini-3.5-flash", request.clone()).unwrap();
        assert!(back.1.is_empty(), "{:?}", back.1);
        assert_eq!(&back.0["generationConfig"], &body["generationConfig"]);
        let lost = request.extensions.into_iter().filter(|own| own.format == FORMAT && own.json != "null").count();
        (request.output, lost)
    };
    let written = schema.to_string();
    let (output, lost) = config(&json!([text]));
    assert!(matches!(&output, Some(weir_sdk::types::OutputFormat::Schema(wanted)) if wanted.schema == written));
    assert_eq!(lost, 0);
    // The format of an image has no place in others.
    let (output, lost) = config(&json!([text, {"image": {"aspectRatio": "ASPECT_RATIO_ONE_BY_ONE"}}]));
    assert!(matches!(output, Some(weir_sdk::types::OutputFormat::Schema(_))));
    assert_eq!(lost, 1);
    assert_eq!(config(&json!([{"text": {"mimeType": "TEXT_PLAIN"}}])).0, Some(weir_sdk::types::OutputFormat::Plain));
    assert_eq!(config(&json!([{"image": {}}])), (None, 1));
}

#[test]
fn what_another_models_audio_says_stands_before_the_sound() {
    let words = Part::Text(weir_sdk::compat::spoken::transcript("Hi.".into()));
    let sound = MediaPart {
        mime: Some("audio/wav".into()),
        ..MediaPart::new(MediaKind::Audio, MediaSource::Base64("AAAA".into()))
    };
    let (body, losses) = written(&context("m"), answer(vec![words, Part::Media(sound)], FinishReason::Complete));
    let expected = json!([{"text": "Hi."}, {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}]);
    assert_eq!((&body["candidates"][0]["content"]["parts"], losses), (&expected, Vec::new()));
}

#[test]
fn the_item_that_a_refusal_of_responses_begins_is_no_part() {
    let item = r#"{"type":"message","role":"assistant","id":"msg_1","content":[{"type":"refusal","refusal":"No."}]}"#;
    let raw: &weir_sdk::json::RawValue = weir_sdk::json::parse(item).unwrap();
    let message = weir_sdk::compat::responses::read::item(raw, None);
    let (body, losses) = written(&context("m"), answer(message.parts, FinishReason::Refusal));
    assert_eq!((&body["candidates"][0]["content"]["parts"], losses), (&json!([{"text": "No."}]), Vec::new()));
}

#[test]
fn a_schema_is_read_from_each_member_that_may_hold_it() {
    for name in ["responseJsonSchema", "responseJsonSchemaOrdered", "response_json_schema_ordered"] {
        let config = json!({"responseMimeType": "application/json", name: {"type": "object"}});
        let body = json!({"contents": [], "generationConfig": config});
        let output = asked("m", "generateContent", &body).unwrap().output;
        assert!(matches!(output, Some(weir_sdk::types::OutputFormat::Schema(_))), "{name}");
    }
}

#[test]
fn a_choice_of_functions_counts_without_a_mode() {
    let choice = |calling: Value| {
        let body = json!({"contents": [], "toolConfig": {"functionCallingConfig": calling}});
        asked("m", "generateContent", &body).unwrap().tool_choice
    };
    let allowed = ToolChoice::Allowed(AllowedTools { names: vec!["f".into()], required: false });
    assert_eq!(choice(json!({"allowedFunctionNames": ["f"]})), Some(allowed));
    assert_eq!((choice(json!({"allowedFunctionNames": []})), choice(json!({}))), (None, None));
}

#[test]
fn the_path_decides_whether_the_answer_is_streamed() {
    let body = json!({"contents": []});
    assert!(asked("m", "streamGenerateContent", &body).unwrap().stream);
    assert!(!asked("m", "generateContent", &body).unwrap().stream);
}

#[test]
fn results_without_ids_belong_to_the_first_call_of_their_name() {
    let call = |name: &str| json!({"functionCall": {"name": name, "args": {}}});
    let result = |name: &str| json!({"functionResponse": {"name": name, "response": {"a": 1}}});
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [call("f"), call("g"), call("f")]},
        {"role": "function", "parts": [result("f"), result("g"), result("f")]},
    ]});
    let request = asked("m", "generateContent", &body).unwrap();
    let ids = |at: usize| -> Vec<String> {
        let id = |part: &Part| match part {
            Part::ToolCall(call) => call.id.clone(),
            Part::ToolResult(result) => result.call_id.clone(),
            _ => String::new(),
        };
        request.messages[at].parts.iter().map(id).collect()
    };
    assert_eq!(ids(1), ["call_1_0", "call_1_1", "call_1_2"]);
    assert_eq!(ids(2), ids(1));
}

#[test]
fn a_result_with_an_error_is_a_failure_and_comes_back() {
    for (response, expected) in [
        (json!({"error": "no such file"}), Some(true)),
        (json!({"output": "half", "error": {"code": 1}}), Some(true)),
        (json!({"output": "all", "error": null}), None),
        (json!({"error": ""}), None),
        (json!({"result": {"error": "not of the call"}}), None),
    ] {
        let result = json!({"functionResponse": {"id": "c", "name": "f", "response": response}});
        let call = json!({"functionCall": {"id": "c", "name": "f", "args": {}}});
        let contents = json!([
            {"role": "user", "parts": [{"text": "go"}]},
            {"role": "model", "parts": [call]},
            {"role": "user", "parts": [result]},
        ]);
        let request = asked("m", "generateContent", &json!({"contents": contents})).unwrap();
        let Part::ToolResult(read) = &request.messages[2].parts[0] else { panic!("a result") };
        assert_eq!(read.is_error, expected, "{response}");
        let (body, losses) = sent("m", request).unwrap();
        assert_eq!((&body["contents"], losses.len()), (&contents, 0), "{losses:?}");
    }
}

#[test]
fn c53_old_schemas_reach_others_as_json_schema() {
    let body = json!({"contents": [], "tools": [{"functionDeclarations": [{"name": "f", "parameters": {
        "type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": true}}}}]}],
        "generationConfig": {"responseSchema": {"type": "ARRAY", "items": {"type": "NUMBER"}}}});
    let request = asked("m", "generateContent", &body).unwrap();
    let Tool::Function(tool) = &request.tools[0] else { panic!("function") };
    let schema = r#"{"properties":{"a":{"type":["string","null"]}},"type":"object"}"#;
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(read(tool.parameters.as_deref().unwrap()), read(schema));
    assert!(matches!(&request.output, Some(weir_sdk::types::OutputFormat::Schema(schema))
        if read(&schema.schema) == json!({"type": "array", "items": {"type": "number"}})));
}

#[test]
fn c53_an_order_of_properties_returns_to_a_service_of_this_format() {
    let schema = json!({"type": "OBJECT", "propertyOrdering": ["b", "a"], "additionalProperties": false,
        "properties": {"a": {"type": "STRING", "format": "date"}, "b": {"type": "STRING"}}});
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}],
        "generationConfig": {"responseMimeType": "application/json", "responseSchema": schema}});
    let mut request = asked("gemini-3-flash-preview", "generateContent", &body).unwrap();
    assert_eq!(sent("gemini-3-flash-preview", request.clone()).unwrap(), (body, Vec::new()));
    // A guard has taken a property out.
    let Tool::Function(tool) = &mut request.tools[0] else { panic!("function") };
    tool.parameters =
        Some(tool.parameters.take().unwrap().replace(r#""a":{"format":"date","type":"string"}"#, r#""c":{}"#));
    let (body, _) = sent("gemini-3-flash-preview", request).unwrap();
    assert_eq!(body["tools"][0]["functionDeclarations"][0]["parameters"]["propertyOrdering"], json!(["b", "c"]));
}

#[test]
fn members_beside_a_call_and_its_result_come_back() {
    let members = json!({"partMetadata": {"k": 1}, "thoughtSignature": "AAAA"});
    let with = |mut part: Value| {
        part.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        part
    };
    let call = with(json!({"functionCall": {"id": "c", "name": "f", "args": {}}}));
    let result =
        with(json!({"functionResponse": {"id": "c", "name": "f", "response": {"a": 1}, "scheduling": "SILENT"}}));
    let contents = json!([
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [result]},
    ]);
    let request = asked("gemini-3-flash-preview", "generateContent", &json!({"contents": contents})).unwrap();
    let (body, losses) = sent("gemini-3-flash-preview", request).unwrap();
    assert_eq!((&body["contents"], losses.len()), (&contents, 0));
}

#[test]
fn thinking_is_wished_for_in_its_three_ways() {
    let read = |config| {
        let body = json!({"contents": [], "generationConfig": {"thinkingConfig": config}});
        asked("m", "generateContent", &body).unwrap().reasoning
    };
    for nothing in [json!({}), json!({"thinkingBudget": null})] {
        assert_eq!(read(nothing), None);
    }
    let read = |config| read(config).unwrap();
    let dynamic = read(json!({"thinkingBudget": -1}));
    assert_eq!((dynamic.mode, dynamic.budget_tokens), (Some(ReasoningMode::Adaptive), None));
    assert_eq!(dynamic.summary.as_deref(), Some("omitted"));
    let level = read(json!({"thinkingLevel": "HIGH", "includeThoughts": true}));
    assert_eq!((level.effort.as_deref(), level.summary.as_deref()), (Some("high"), Some("auto")));
    assert_eq!(read(json!({"includeThoughts": true})).mode, Some(ReasoningMode::Adaptive));
}

#[test]
fn files_of_the_providers_store_are_distinguished_from_the_webs() {
    let read = |uri: &str| {
        let body = json!({"contents": [{"parts": [{"fileData": {"fileUri": uri, "mimeType": "application/pdf"}}]}]});
        match asked("m", "generateContent", &body).unwrap().messages.remove(0).parts.remove(0) {
            Part::Media(media) => media.source,
            part => panic!("{part:?}"),
        }
    };
    assert!(matches!(read("https://example.com/a.pdf"), MediaSource::Url(_)));
    assert!(matches!(read("https://generativelanguage.googleapis.com/v1beta/files/a"), MediaSource::FileId(_)));
    assert!(matches!(read("gs://bucket/a"), MediaSource::FileId(_)));
    for public in
        ["https://storage.googleapis.com/bucket/a.pdf", "https://x.example/generativelanguage.googleapis.com/a"]
    {
        assert!(matches!(read(public), MediaSource::Url(_)), "{public}");
    }
}

#[test]
fn mistakes_name_their_place() {
    let error = asked("m", "generateContent", &json!({"contents": [{"parts": [{"functionCall": {"args": {}}}]}]}));
    assert_eq!(error.unwrap_err().param.as_deref(), Some("contents[0].parts[0].functionCall.name"));
    let error =
        asked("m", "generateContent", &json!({"generationConfig": {"topK": "many"}, "contents": []})).unwrap_err();
    assert!(error.message.contains("generationConfig: topK"), "{}", error.message);
    assert_eq!(asked("m", "generateContent", &json!({})).unwrap_err().param.as_deref(), Some("contents"));
}

#[test]
fn answers_of_other_formats_are_rendered_in_this_one() {
    let call = ToolCall::new("toolu_1", "f", r#"{"a":1}"#);
    let thought = ReasoningPart {
        signature: Some(Signature { issuer: "anthropic".into(), value: "sig".into() }),
        ..ReasoningPart::new("hm")
    };
    let parts = vec![Part::Reasoning(thought), Part::text("ok"), Part::ToolCall(call)];
    let usage = Usage { input: Some(4), cache_read: Some(6), output: Some(3), reasoning: Some(2), ..Usage::default() };
    let response = ChatResponse { usage: Some(usage), ..answer(parts, FinishReason::ToolCalls) };
    let (body, losses) = written(&context("alias"), response);
    let parts = &body["candidates"][0]["content"]["parts"];
    assert_eq!(parts[0]["thought"], true);
    assert_eq!(parts[2]["functionCall"], json!({"id": "toolu_1", "name": "f", "args": {"a": 1}}));
    assert_eq!(body["candidates"][0]["finishReason"], "STOP");
    assert_eq!((&body["modelVersion"], &body["responseId"]), (&json!("alias"), &json!("id1")));
    let usage = json!({"promptTokenCount": 10, "cachedContentTokenCount": 6, "candidatesTokenCount": 3, "thoughtsTokenCount": 2, "totalTokenCount": 15});
    assert_eq!(body["usageMetadata"], usage);
    assert!(losses.is_empty(), "{losses:?}");

    // The signature comes back to its issuer.
    let turn = json!({"contents": [{"role": "model", "parts": parts}]});
    let request = asked("m", "generateContent", &turn).unwrap();
    assert!(matches!(&request.messages[0].parts[0], Part::Reasoning(part)
        if part.signature == Some(Signature { issuer: "anthropic".into(), value: "sig".into() })));
}

#[test]
fn c33_encrypted_thinking_has_a_separate_part_and_comes_back() {
    let encrypted = Signature { issuer: "openai".into(), value: "gAAA".into() };
    let thought =
        ReasoningPart { id: Some("rs_1".into()), encrypted: Some(encrypted.clone()), ..ReasoningPart::new("sum") };
    let (body, _) = written(&context("m"), answer(vec![Part::Reasoning(thought)], FinishReason::Complete));
    let parts = &body["candidates"][0]["content"]["parts"];
    assert_eq!(parts.as_array().unwrap().len(), 2);
    let request = asked("m", "generateContent", &json!({"contents": [{"role": "model", "parts": parts}]})).unwrap();
    let Part::Reasoning(back) = &request.messages[0].parts[1] else { panic!("thinking") };
    assert_eq!((back.id.as_deref(), &back.encrypted, &back.text), (Some("rs_1"), &Some(encrypted), &None));
}

#[test]
fn c84_refusals_end_with_safety() {
    let (body, _) = written(&context("m"), answer(vec![Part::Refusal("no".into())], FinishReason::Complete));
    assert_eq!(body["candidates"][0]["content"]["parts"], json!([{"text": "no"}]));
    assert_eq!(body["candidates"][0]["finishReason"], "SAFETY");
}

#[test]
fn c79_tools_that_another_provider_ran_are_not_shown_as_calls() {
    let opaque = weir_sdk::types::Opaque {
        format: "anthropic.messages".into(),
        kind: "server_tool_use".into(),
        json: "{}".into(),
    };
    let (body, losses) =
        written(&context("m"), answer(vec![Part::Opaque(opaque), Part::text("t")], FinishReason::Complete));
    assert_eq!(body["candidates"][0]["content"]["parts"], json!([{"text": "t"}]));
    assert_eq!(losses, ["content[0].server_tool_use"]);
}

#[test]
fn citations_of_others_become_grounding() {
    let citation = Citation {
        url: Some("https://a.example".into()),
        title: None,
        quote: None,
        start: None,
        end: None,
        source: None,
    };
    let text = TextPart { citations: vec![citation], ..TextPart::new("Grüße") };
    let (body, _) = written(&context("m"), answer(vec![Part::Text(text)], FinishReason::Complete));
    let grounding = &body["candidates"][0]["groundingMetadata"];
    assert_eq!(grounding["groundingChunks"][0]["web"]["uri"], "https://a.example");
    assert_eq!(grounding["groundingSupports"][0]["segment"], json!({"endIndex": 7, "text": "Grüße"}));
}

#[test]
fn c80_all_candidates_are_rendered() {
    let mut response = answer(vec![Part::text("a")], FinishReason::Complete);
    response.candidates.push(Candidate { index: 1, ..response.candidates[0].clone() });
    let (body, _) = written(&context("m"), response);
    assert_eq!(body["candidates"][1]["index"], 1);
}

#[test]
fn citations_name_their_part_among_those_that_are_written() {
    let citation =
        Citation { url: Some("u".into()), title: None, quote: None, start: Some(0), end: Some(1), source: None };
    let cited = || Part::Text(TextPart { citations: vec![citation.clone()], ..TextPart::new("a") });
    let foreign = || {
        let (format, kind) = ("anthropic.messages".into(), "server_tool_use".into());
        Part::Opaque(weir_sdk::types::Opaque { format, kind, json: "{}".into() })
    };
    let signature = Some(Signature { issuer: "x".into(), value: "v".into() });
    let thought = Part::Reasoning(ReasoningPart { encrypted: signature, ..ReasoningPart::new("hm") });
    let parts = vec![foreign(), foreign(), cited(), thought, cited()];
    let (body, _) = written(&context("m"), answer(parts, FinishReason::Complete));
    let candidate = &body["candidates"][0];
    let supports = candidate["groundingMetadata"]["groundingSupports"].as_array().unwrap();
    let places: Vec<_> = supports.iter().map(|support| support["segment"]["partIndex"].as_u64()).collect();
    assert_eq!(places, [None, Some(3)]);
    assert_eq!(candidate["content"]["parts"][3]["text"], "a");
}

#[test]
fn c29_pieces_of_a_streamed_answer_come_back_as_one_message() {
    // Official clients keep the content of each frame and send all of them back.
    let frames = encoded(&context("m"), &mixed_stream(ResponseStart::default(), "{}"), 1);
    let pieces = frames.iter().map(|frame| frame["candidates"][0]["content"].clone());
    let mut contents = vec![json!({"role": "user", "parts": [{"text": "go"}]})];
    contents.extend(pieces.filter(Value::is_object));
    let results = ["c1", "c2"].map(|id| json!({"functionResponse": {"id": id, "name": "f", "response": {}}}));
    contents.push(json!({"role": "user", "parts": results}));
    let request = asked("m", "generateContent", &json!({"contents": contents})).unwrap();
    let [_, model, _] = request.messages.as_slice() else { panic!("one message of the model's") };
    let [Part::Reasoning(thought), Part::Text(text), Part::ToolCall(_), Part::ToolCall(_)] = model.parts.as_slice()
    else {
        panic!("{:?}", model.parts);
    };
    assert_eq!(thought.text.as_deref(), Some("hm"));
    assert_eq!(thought.signature, Some(Signature { issuer: "anthropic".into(), value: "s".into() }));
    assert_eq!(text.text, "ab");
    let (body, losses) = sent("gemini-2.5-flash", request).unwrap();
    assert_eq!(body["contents"][1]["parts"][0], json!({"text": "hm", "thought": true}));
    assert_eq!(losses, ["messages[1].content[0].signature"]);
}

#[test]
fn signed_pieces_of_the_models_stay_as_they_came() {
    let parts = [
        json!({"text": "hm", "thought": true}),
        json!({"text": "a"}),
        json!({"text": "b", "thoughtSignature": "AA=="}),
        json!({"text": "c"}),
        json!({"text": "", "thoughtSignature": "AQ=="}),
    ];
    let contents: Vec<_> = parts.iter().map(|part| json!({"role": "model", "parts": [part]})).collect();
    let request = asked("m", "generateContent", &json!({"contents": contents})).unwrap();
    let (body, losses) = sent("gemini-2.5-flash", request).unwrap();
    assert_eq!(body["contents"], json!([{"role": "model", "parts": parts}]));
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn fields_behind_joined_contents_have_the_names_of_their_own() {
    let say = |role: &str| json!({"role": role, "parts": [{"text": "a"}]});
    let contents = [say("user"), say("model"), say("model"), say("user")];
    let request =
        asked("m", "generateContent", &json!({"systemInstruction": {"parts": [{"text": "s"}]}, "contents": contents}));
    let request = request.unwrap();
    let names = request.extensions.iter().find(|own| own.format == "weir").unwrap();
    assert!(names.json.starts_with(r#"[["messages[3].content","contents[3].parts"],"#), "{}", names.json);
}

#[test]
fn the_mode_of_calls_may_be_in_small_letters() {
    let choice = |mode: &str, allowed: &[&str]| {
        let calling = json!({"mode": mode, "allowedFunctionNames": allowed});
        let body = json!({"contents": [], "toolConfig": {"functionCallingConfig": calling}});
        asked("m", "generateContent", &body).unwrap().tool_choice
    };
    for (small, capitals) in [("any", "ANY"), ("none", "NONE"), ("auto", "AUTO"), ("validated", "VALIDATED")] {
        for allowed in [&[][..], &["f"], &["f", "g"]] {
            assert_eq!(choice(small, allowed), choice(capitals, allowed), "{small} {allowed:?}");
        }
    }
    assert_eq!(choice("none", &[]), Some(ToolChoice::Disabled));
}

#[test]
fn c19_what_was_said_before_a_failure_is_written_however_it_was_read() {
    use weir_sdk::testing::events::{delta, start};
    let error = weir_sdk::types::Error::unreadable("it broke");
    let events = [
        ChatEvent::Start(ResponseStart::default()),
        start(0, PartKind::Text),
        delta(0, "Hello"),
        ChatEvent::Failure(error),
    ];
    for group in [1, 4] {
        let frames = encoded(&context("m"), &events, group);
        assert_eq!(frames.len(), 2, "{frames:?}");
        assert_eq!(frames[0]["candidates"][0]["content"]["parts"], json!([{"text": "Hello"}]));
        assert!(frames[1]["error"]["message"].as_str().unwrap().contains("it broke"), "{frames:?}");
    }
}
