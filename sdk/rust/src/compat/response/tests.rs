use super::*;
use crate::types::{Body, ErrorKind, FinishReason};

fn answer(text: &str) -> Result<ChatResponse, Error> {
    let ctx = Context { request_id: "r".into(), ..Context::default() };
    let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(text.into()) };
    match parse(&Quirks::COMPATIBLE, &ctx, &response)? {
        ChatOutcome::Complete(answer) => Ok(answer.response),
        ChatOutcome::FollowUp(_) => panic!("no follow-ups here"),
    }
}

fn message(message: &str) -> Candidate {
    let text = format!(r#"{{"id":"c","choices":[{{"index":0,"message":{message},"finish_reason":"stop"}}]}}"#);
    answer(&text).unwrap().candidates.remove(0)
}

#[test]
fn an_error_with_status_200_is_an_error() {
    let error = answer(r#"{"error":{"message":"busy","code":503}}"#).unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::Overloaded, Some(503)));
    assert_eq!(answer("<html>").unwrap_err().kind, ErrorKind::Upstream);
    let inside = r#"{"choices":[{"error":{"message":"m","code":502},"finish_reason":"error"}]}"#;
    assert!(answer(inside).is_err());
}

#[test]
fn an_answer_without_choices_is_an_error() {
    for (body, kind, message) in [
        (r#"{"object":"error","message":"no","code":400}"#, ErrorKind::InvalidRequest, "no"),
        (
            r#"{"base_resp":{"status_code":1008,"status_msg":"insufficient balance"},"choices":null}"#,
            ErrorKind::Quota,
            "insufficient balance",
        ),
        (r#"{"code":500,"msg":"no","success":false}"#, ErrorKind::Upstream, "no"),
        (r#"{"detail":"no"}"#, ErrorKind::Upstream, "no"),
        ("{}", ErrorKind::Upstream, "the provider's answer has no choices"),
    ] {
        let error = answer(body).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (kind, message), "{body}");
    }
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":1},"message":"x","type":"y"}"#;
    assert!(answer(usage).unwrap().candidates.is_empty());
}

#[test]
fn pages_beside_the_text_are_its_citations() {
    const QUIRKS: Quirks = Quirks { sources: &["search_results", "citations"], ..Quirks::COMPATIBLE };
    let pages = |members: &str| {
        let text = format!(r#"{{"id":"c","choices":[{{"message":{{"content":"x [1]"}}}}],{members}}}"#);
        let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(text) };
        let Ok(ChatOutcome::Complete(answer)) = parse(&QUIRKS, &Context::default(), &response) else { panic!() };
        let [Part::Text(text)] = answer.response.candidates[0].parts.as_slice() else { panic!() };
        text.citations.iter().map(|page| (page.url.clone().unwrap(), page.title.clone())).collect::<Vec<_>>()
    };
    let one = |title: Option<&str>| vec![("https://a.example".to_owned(), title.map(str::to_owned))];
    assert_eq!(pages(r#""search_results":[],"citations":["https://a.example"]"#), one(None));
    let results = r#""citations":["https://a.example"],"search_results":[{"url":"https://a.example","title":"A"},{}]"#;
    assert_eq!(pages(results), one(Some("A")));
}

#[test]
fn c84_an_answer_without_a_message_is_empty() {
    let answer = answer(r#"{"choices":[{"index":0,"finish_reason":"content_filter"}]}"#).unwrap();
    assert!(answer.candidates[0].parts.is_empty());
    assert_eq!(answer.candidates[0].finish.as_ref().unwrap().reason, FinishReason::ContentFilter);
}

#[test]
fn c04_calls_without_ids_get_different_ones() {
    for id in ["", "null"] {
        let call = format!(r#"{{"id":"{id}","function":{{"name":"f","arguments":{{"x":1}}}}}}"#);
        let candidate = message(&format!(r#"{{"content":null,"tool_calls":[{call},{call}]}}"#));
        let [Part::ToolCall(one), Part::ToolCall(two)] = candidate.parts.as_slice() else { panic!("{candidate:?}") };
        assert!(one.id.starts_with("call_") && two.id.starts_with("call_") && one.id != two.id);
        assert_eq!(one.arguments, r#"{"x":1}"#);
        assert_eq!(candidate.finish.unwrap().reason, FinishReason::ToolCalls);
    }
}

#[test]
fn thinking_text_and_calls_come_in_this_order() {
    let candidate = message(
        r#"{"content":"x","reasoning":"hm","refusal":null,"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}"#,
    );
    assert!(matches!(candidate.parts.as_slice(), [Part::Reasoning(_), Part::Text(_), Part::ToolCall(_)]));
}

#[test]
fn c29_a_signature_without_text_is_kept() {
    let candidate = message(r#"{"content":"","extra_content":{"google":{"thought_signature":"S"}}}"#);
    let [Part::Text(text)] = candidate.parts.as_slice() else { panic!("{candidate:?}") };
    assert_eq!(text.signature.as_ref().unwrap().issuer, "gemini");
}

#[test]
fn legacy_calls_and_custom_calls_are_calls() {
    let candidate = message(r#"{"content":null,"function_call":{"name":"f","arguments":"{}"}}"#);
    assert!(matches!(candidate.parts.as_slice(), [Part::ToolCall(_)]));
    let candidate =
        message(r#"{"content":null,"tool_calls":[{"id":"a","type":"custom","custom":{"name":"f","input":"x"}}]}"#);
    let [Part::ToolCall(call)] = candidate.parts.as_slice() else { panic!("{candidate:?}") };
    assert_eq!((call.kind, call.arguments.as_str()), (ToolKind::Custom, "x"));
}

#[test]
fn c11_a_call_that_breaks_off_was_cut_by_the_limit_whatever_the_word_says() {
    let ends = |arguments: &str, kind: &str| {
        let function = format!(r#"{{"name":"f","arguments":{arguments:?}}}"#);
        let custom = format!(r#"{{"name":"f","input":{arguments:?}}}"#);
        let call =
            format!(r#"{{"id":"c","type":"{kind}","{kind}":{}}}"#, if kind == "custom" { custom } else { function });
        let choice = format!(r#"{{"message":{{"tool_calls":[{call}]}},"finish_reason":"tool_calls"}}"#);
        let answer = answer(&format!(r#"{{"id":"a","choices":[{choice}]}}"#)).unwrap();
        answer.candidates[0].finish.as_ref().unwrap().reason
    };
    assert_eq!(ends(r#"{"city": "Par"#, "function"), FinishReason::Length);
    assert_eq!(ends(r#"{"city": "Paris"}"#, "function"), FinishReason::ToolCalls);
    assert_eq!(ends("", "function"), FinishReason::ToolCalls);
    assert_eq!(ends("print(\"", "custom"), FinishReason::ToolCalls);
}

#[test]
fn the_words_of_a_cited_page_are_kept_for_formats_that_have_a_place_for_them() {
    let json =
        r#"{"type":"url_citation","url_citation":{"url":"https://a.example","title":"A","content":"It rains."}}"#;
    let read = citation(json::parse(json).unwrap());
    assert_eq!(read.quote.as_deref(), Some("It rains."));
    assert_eq!(read.source.map(|source| source.json).as_deref(), Some(json));
}

#[test]
fn calls_of_several_choices_have_ids_of_their_own() {
    let call = r#""message":{"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}"#;
    let text = format!(r#"{{"choices":[{{"index":0,{call}}},{{"index":1,{call}}},{{{call}}}]}}"#);
    let answer = answer(&text).unwrap();
    let id = |candidate: &Candidate| match candidate.parts.as_slice() {
        [Part::ToolCall(call)] => call.id.clone(),
        parts => panic!("{parts:?}"),
    };
    let ids: Vec<String> = answer.candidates.iter().map(id).collect();
    assert_eq!(ids, ["call_0_0_r", "call_1_0_r", "call_2_0_r"]);
}

#[test]
fn the_words_of_an_answers_audio_are_a_text_and_its_sound_a_medium() {
    let audio =
        |members: &str| message(&format!(r#"{{"role":"assistant","content":null,"audio":{{{members}}}}}"#)).parts;
    let parts = audio(r#""id":"audio_1","data":"AAAA","expires_at":1729234747,"transcript":"Guten Tag""#);
    let [Part::Text(text), Part::Media(media)] = parts.as_slice() else { panic!("{parts:?}") };
    assert_eq!((text.text.as_str(), spoken::is_spoken(text)), ("Guten Tag", true));
    assert_eq!((media.kind, &media.source), (MediaKind::Audio, &MediaSource::Base64("AAAA".into())));
    let kept: Vec<&str> = media.extensions.iter().map(|own| own.key.as_str()).collect();
    assert_eq!(kept, ["id", "expires_at"]);
    // Either may be missing.
    assert!(matches!(audio(r#""id":"audio_1","transcript":"a""#).as_slice(), [Part::Text(_)]));
    assert!(matches!(audio(r#""id":"audio_1","data":"AAAA","transcript":"""#).as_slice(), [Part::Media(_)]));
    assert!(audio("").is_empty());
}
