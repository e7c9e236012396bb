use weir_sdk::types::{Citation, Extension, Finish, Opaque, Signature, Usage};

use super::*;

fn rendered(memo: &str, parts: Vec<Part>, reason: FinishReason) -> (serde_json::Value, Vec<String>) {
    let ctx = Context {
        request_id: "r".into(),
        model: "alias".into(),
        memo: memo.into(),
        now_ms: 5000.0,
        ..Context::default()
    };
    let finish = Some(Finish { reason, raw: None, stop_sequence: None });
    let candidate = Candidate { index: 0, parts, finish, logprobs: None, extensions: Vec::new() };
    let usage = Usage { input: Some(1), cache_read: Some(2), output: Some(3), reasoning: Some(4), ..Usage::default() };
    let response = ChatResponse { candidates: vec![candidate], usage: Some(usage), ..ChatResponse::default() };
    let rendered = render(&ctx, &response);
    let body = serde_json::from_str(rendered.response.body.as_text().unwrap()).unwrap();
    (body, rendered.losses.into_iter().map(|loss| loss.field).collect())
}

fn call(id: &str) -> Part {
    Part::ToolCall(ToolCall::new(id, "f", ""))
}

#[test]
fn an_answer_has_all_that_the_official_client_expects() {
    let (body, losses) = rendered("", vec![Part::text("a"), Part::text("b")], FinishReason::Complete);
    assert_eq!(
        (body["id"].as_str(), body["model"].as_str(), body["created"].as_i64()),
        (Some("chatcmpl-r"), Some("alias"), Some(5))
    );
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["choices"][0]["message"]["content"], "ab");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert!(body["choices"][0]["message"]["refusal"].is_null() && body["choices"][0]["logprobs"].is_null());
    assert!(losses.is_empty());
}

#[test]
fn c60_totals_are_added_up_again() {
    let (body, _) = rendered("", vec![], FinishReason::Complete);
    let usage = &body["usage"];
    assert_eq!((usage["prompt_tokens"].as_i64(), usage["completion_tokens"].as_i64()), (Some(3), Some(7)));
    assert_eq!(usage["total_tokens"], 10);
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 2);
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 4);
}

#[test]
fn c11_calls_decide_the_finish_and_silence_is_null() {
    let (body, _) = rendered("", vec![call("a"), call("b")], FinishReason::Complete);
    assert_eq!(body["choices"][0]["finish_reason"], "tool_calls");
    assert!(body["choices"][0]["message"]["content"].is_null());
    assert_eq!(body["choices"][0]["message"]["tool_calls"][1]["function"]["arguments"], "{}");
}

#[test]
fn c15_every_reason_has_a_word_and_approximations_are_reported() {
    for (reason, word, given) in [
        (FinishReason::Complete, "stop", false),
        (FinishReason::StopSequence, "stop", false),
        (FinishReason::Length, "length", false),
        (FinishReason::ContextLength, "length", false),
        (FinishReason::ToolCalls, "tool_calls", false),
        (FinishReason::ContentFilter, "content_filter", false),
        (FinishReason::Refusal, "content_filter", false),
        (FinishReason::Paused, "stop", true),
        (FinishReason::MalformedToolCall, "stop", true),
        (FinishReason::Failed, "length", true),
        (FinishReason::Other, "stop", true),
    ] {
        let (body, losses) = rendered("", vec![Part::text("x")], reason);
        assert_eq!(body["choices"][0]["finish_reason"], word, "{reason:?}");
        assert_eq!(!losses.is_empty(), given, "{reason:?}");
    }
}

#[test]
fn c84_refusals_have_their_own_place() {
    let (body, _) = rendered("", vec![Part::Refusal("no".into())], FinishReason::Complete);
    assert_eq!(body["choices"][0]["message"]["refusal"], "no");
    assert!(body["choices"][0]["message"]["content"].is_null());
}

#[test]
fn c29_thinking_can_be_sent_back() {
    let signature = Some(Signature { issuer: "anthropic".into(), value: "S".into() });
    let thought = ReasoningPart { text: Some(String::new()), signature, ..ReasoningPart::new("") };
    let (body, _) = rendered("", vec![Part::Reasoning(thought), Part::text("x")], FinishReason::Complete);
    let message = &body["choices"][0]["message"];
    assert_eq!(message["reasoning_details"][0]["signature"], "S");
    assert_eq!(message["reasoning_details"][0]["format"], "anthropic-claude-v1");
    let (body, _) = rendered("", vec![Part::Reasoning(ReasoningPart::new("hm"))], FinishReason::Complete);
    let message = &body["choices"][0]["message"];
    assert_eq!((message["reasoning_content"].as_str(), message.get("reasoning_details")), (Some("hm"), None));
}

#[test]
fn a_citation_without_a_range_is_one_of_its_whole_text() {
    let url = Some("https://example.com".to_owned());
    let citation = Citation { url, title: None, quote: None, start: None, end: None, source: None };
    let cited = TextPart { citations: vec![citation], ..TextPart::new("xyz") };
    let (body, _) = rendered("", vec![Part::text("äb"), Part::Text(cited)], FinishReason::Complete);
    let entry = &body["choices"][0]["message"]["annotations"][0]["url_citation"];
    assert_eq!((entry["start_index"].as_u64(), entry["end_index"].as_u64()), (Some(2), Some(5)));
}

#[test]
fn citations_count_from_the_start_of_the_whole_text() {
    let citation = Citation {
        url: Some("https://example.com".into()),
        title: None,
        quote: None,
        start: Some(1),
        end: Some(2),
        source: None,
    };
    let cited =
        TextPart { citations: vec![citation.clone(), Citation { url: None, ..citation }], ..TextPart::new("xyz") };
    let (body, losses) = rendered("", vec![Part::text("äb"), Part::Text(cited)], FinishReason::Complete);
    assert_eq!(body["choices"][0]["message"]["annotations"][0]["url_citation"]["start_index"], 3);
    assert_eq!(losses, ["choices[0].message.citations"]);
}

#[test]
fn c79_tools_that_the_provider_ran_are_not_shown_as_calls() {
    let opaque = Opaque { format: "anthropic.messages".into(), kind: "server_tool_use".into(), json: "{}".into() };
    let (body, losses) = rendered("", vec![Part::Opaque(opaque), Part::text("x")], FinishReason::Complete);
    assert!(body["choices"][0]["message"].get("tool_calls").is_none());
    assert_eq!(losses, ["choices[0].message.server_tool_use"]);
}

#[test]
fn a_client_of_functions_gets_a_function_call() {
    let (body, losses) = rendered("f", vec![call("a"), call("b")], FinishReason::ToolCalls);
    let choice = &body["choices"][0];
    assert_eq!(
        (choice["finish_reason"].as_str(), choice["message"]["function_call"]["name"].as_str()),
        (Some("function_call"), Some("f"))
    );
    assert_eq!(losses, ["tool_calls"]);
}

#[test]
fn media_of_the_model_are_shown() {
    let image = MediaPart {
        mime: Some("image/png".into()),
        ..MediaPart::new(MediaKind::Image, MediaSource::Base64("AA".into()))
    };
    let id = Extension { format: FORMAT.into(), key: "id".into(), json: "\"audio_1\"".into() };
    let audio =
        MediaPart { extensions: vec![id], ..MediaPart::new(MediaKind::Audio, MediaSource::Base64("BB".into())) };
    let (body, losses) = rendered("", vec![Part::Media(image), Part::Media(audio)], FinishReason::Complete);
    let message = &body["choices"][0]["message"];
    assert_eq!(message["images"][0]["image_url"]["url"], "data:image/png;base64,AA");
    assert_eq!((message["audio"]["id"].as_str(), message["audio"]["data"].as_str()), (Some("audio_1"), Some("BB")));
    assert!(losses.is_empty());
}

#[test]
fn what_the_audio_says_is_its_transcript() {
    let sound = || MediaPart::new(MediaKind::Audio, MediaSource::Base64("BB".into()));
    let said = || Part::Text(spoken::transcript("Hi.".into()));
    let (body, losses) = rendered("", vec![said(), Part::Media(sound())], FinishReason::Complete);
    let message = &body["choices"][0]["message"];
    assert_eq!((message["audio"]["transcript"].as_str(), message["audio"]["data"].as_str()), (Some("Hi."), Some("BB")));
    assert!(message["content"].is_null() && losses.is_empty(), "{body} {losses:?}");
    // Without the sound, the words are what is left.
    let (body, _) = rendered("", vec![said()], FinishReason::Complete);
    let message = &body["choices"][0]["message"];
    assert_eq!((message["content"].as_str(), message.get("audio")), (Some("Hi."), None));
    // An answer has one sound.
    let (body, losses) = rendered("", vec![Part::Media(sound()), Part::Media(sound())], FinishReason::Complete);
    assert_eq!(body.to_string().matches("\"audio\"").count(), 1);
    assert_eq!(losses, ["choices[0].message.media"]);
}

#[test]
fn chunks_that_refer_to_sources_keep_their_places_between_the_texts() {
    let reference = || {
        let json = r#"{"type":"reference","reference_ids":[0]}"#.into();
        Part::Opaque(Opaque { format: FORMAT.into(), kind: "reference".into(), json })
    };
    let parts = vec![Part::text("one"), reference(), Part::text(""), Part::text("two"), reference()];
    let (body, losses) = rendered("", parts, FinishReason::Complete);
    let text = |text: &str| serde_json::json!({"type": "text", "text": text});
    let own = serde_json::json!({"type": "reference", "reference_ids": [0]});
    let expected = serde_json::json!([text("one"), own, text("two"), own]);
    assert_eq!(body["choices"][0]["message"]["content"], expected);
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn members_of_media_that_are_lost_are_reported_whole_and_streamed() {
    let signature = Extension { format: "gemini".into(), key: "thoughtSignature".into(), json: r#""AA==""#.into() };
    let image = MediaPart::new(MediaKind::Image, MediaSource::Base64("AAAA".into()));
    let image = MediaPart { extensions: vec![signature], ..image };
    let (body, lost) = rendered("", vec![Part::Media(image.clone())], FinishReason::Complete);
    assert_eq!(body["choices"][0]["message"]["images"][0]["image_url"]["url"], "data:image/png;base64,AAAA");
    assert_eq!(lost, ["choices[0].message.media.thoughtSignature"]);
    let begin = weir_sdk::testing::events::start(0, weir_sdk::types::PartKind::Media(image));
    let (_, lost) = weir_sdk::testing::encoded::<crate::chat::encoder::ChatEncoder>(&Context::default(), &[begin], 1);
    assert_eq!(lost, ["media.thoughtSignature"]);
}

#[test]
fn c32_a_signed_image_has_its_signature_whole_and_streamed() {
    let json = r#""AA==""#.into();
    let signature = Extension { format: "gemini.generate".into(), key: "thoughtSignature".into(), json };
    let image = MediaPart::new(MediaKind::Image, MediaSource::Base64("AAAA".into()));
    let image = MediaPart { extensions: vec![signature], ..image };
    let expected = serde_json::json!({"google": {"thought_signature": "AA=="}});
    let (body, lost) = rendered("", vec![Part::Media(image.clone())], FinishReason::Complete);
    assert_eq!(body["choices"][0]["message"]["images"][0]["extra_content"], expected);
    assert!(lost.is_empty(), "{lost:?}");
    let begin = weir_sdk::testing::events::start(0, weir_sdk::types::PartKind::Media(image));
    let (frames, lost) =
        weir_sdk::testing::encoded::<crate::chat::encoder::ChatEncoder>(&Context::default(), &[begin], 1);
    let chunk: serde_json::Value = serde_json::from_str(&frames[0].data).unwrap();
    assert_eq!(chunk["choices"][0]["delta"]["images"][0]["extra_content"], expected);
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn members_of_texts_and_thinking_that_only_another_format_has_are_reported() {
    let foreign = || vec![Extension { format: "other".into(), key: "k".into(), json: "1".into() }];
    let text = Part::Text(TextPart { extensions: foreign(), ..TextPart::new("a") });
    let thought = Part::Reasoning(ReasoningPart { extensions: foreign(), ..ReasoningPart::new("hm") });
    let (body, losses) = rendered("", vec![thought, text], FinishReason::Complete);
    assert_eq!(body["choices"][0]["message"]["content"], "a");
    assert_eq!(losses, ["choices[0].message.k", "choices[0].message.k"]);
}
