//! Requests: settings of single turns and blocks.

use serde_json::{Value, json};
use weir_sdk::types::{
    CacheHint, Candidate, ChatResponse, Extension, MediaKind, MediaPart, MediaSource, Message, Part, ReasoningPart,
    ReasoningRequest, Role, Signature, TextPart, ToolCall,
};

use super::request::{NEW, OLD, chat, text};
use super::{parsed, sent, shown};

#[test]
fn settings_of_system_turns_stay_in_their_place_and_are_reported_elsewhere() {
    let note = json!({"type": "text", "text": "note"});
    let messages = json!([
        {"role": "user", "content": [{"type": "text", "text": "a"}]},
        {"role": "system", "content": [note], "clear_at": "next_user_message"},
        {"role": "assistant", "content": [{"type": "text", "text": "b"}]},
        {"role": "system", "content": [], "output_config": {"effort": "low"}},
        {"role": "user", "content": [{"type": "text", "text": "c"}]},
    ]);
    let body = json!({"model": "m", "max_tokens": 9, "messages": messages});
    let (kept, losses) = sent(NEW, parsed(&body));
    assert_eq!((&kept["messages"], losses.len()), (&messages, 0));
    let (moved, losses) = sent(OLD, parsed(&body));
    assert_eq!((&moved["system"], moved["messages"].as_array().unwrap().len()), (&json!([note]), 3));
    assert_eq!(losses, ["messages[1]", "messages[1].clear_at", "messages[3].output_config"]);
}

#[test]
fn c43_images_that_another_model_has_made_are_shown_by_the_user() {
    let image = || Part::Media(MediaPart::new(MediaKind::Image, MediaSource::Base64("iVBORw0KGgo=".into())));
    let history = vec![
        text(Role::User, "Paint."),
        Message::new(Role::Assistant, vec![Part::text("Here."), image()]),
        text(Role::User, "Make it blue."),
    ];
    let (body, losses) = sent(NEW, chat(history));
    let block =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}});
    let turns = &body["messages"];
    assert_eq!(turns[1], json!({"role": "assistant", "content": [{"type": "text", "text": "Here."}]}));
    assert_eq!(turns[2]["content"], json!([{"type": "text", "text": "Make it blue."}, block]));
    assert_eq!(losses, ["messages[1].content[1]"]);
    // A client of this format knows the rules of its history.
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": [block]}]});
    assert_eq!(sent(NEW, parsed(&body)).0["messages"], body["messages"]);
}

#[test]
fn newer_models_are_asked_to_go_on_from_their_own_turn() {
    let begun = || chat(vec![text(Role::User, "Tell."), text(Role::Assistant, "Once")]);
    let go_on = json!({"role": "user", "content": [{"type": "text", "text": "Continue."}]});
    for (model, turns) in [("claude-opus-4-6", 3), ("claude-sonnet-5", 3), ("claude-haiku-4-5", 2)] {
        let (body, losses) = sent(model, begun());
        let sent = body["messages"].as_array().unwrap();
        assert_eq!((sent.len(), losses.len()), (turns, turns - 2), "{model}: {body}");
        assert_eq!(sent.get(2).is_some_and(|last| *last == go_on), turns == 3, "{model}: {body}");
    }
    // A client of this format knows the rules of its history, and calls wait for their results.
    let own = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": "Once"}]});
    assert_eq!(sent("claude-opus-4-6", parsed(&own)).0["messages"].as_array().map(Vec::len), Some(1));
    let call = Message::new(Role::Assistant, vec![Part::ToolCall(ToolCall::new("t", "f", "{}"))]);
    let called = chat(vec![text(Role::User, "Tell."), call]);
    assert_eq!(sent("claude-opus-4-6", called).0["messages"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_turn_that_the_model_goes_on_from_excludes_thinking_by_budget() {
    let mut request = chat(vec![text(Role::User, "Tell."), text(Role::Assistant, "Once")]);
    request.reasoning = Some(ReasoningRequest { effort: Some("high".into()), ..ReasoningRequest::default() });
    let (body, losses) = sent("claude-haiku-4-5", request);
    assert_eq!((body.get("thinking"), losses), (None, vec!["reasoning".to_owned()]));
}

#[test]
fn a_cache_hint_that_no_block_can_hold_is_reported() {
    let hint = || Part::Text(TextPart { cache: Some(CacheHint { ttl: None }), ..TextPart::new("") });
    let own = Signature { issuer: "anthropic".into(), value: "Eq".into() };
    let thought = Part::Reasoning(ReasoningPart { signature: Some(own), ..ReasoningPart::new("hm") });
    let history = vec![
        Message::new(Role::System, vec![Part::text("s"), hint()]),
        text(Role::User, "a"),
        Message::new(Role::Assistant, vec![thought, hint(), Part::text("b")]),
    ];
    let (body, losses) = sent(OLD, chat(history));
    assert_eq!(losses, ["messages[0].content[1].cache_control", "messages[2].content[1].cache_control"]);
    assert!(!body.to_string().contains("cache_control"));
}

#[test]
fn further_members_of_cache_hints_stay_within_them() {
    let hint = json!({"type": "ephemeral", "ttl": "1h", "scope": "global"});
    let image = json!({"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="});
    let body = json!({"model": OLD, "max_tokens": 9,
        "system": [{"type": "text", "text": "s", "cache_control": hint}],
        "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}, "cache_control": hint}],
        "messages": [
            {"role": "user", "content": [{"type": "image", "source": image, "cache_control": hint}]},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "t", "name": "f", "input": {}, "cache_control": hint}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t",
                "content": [{"type": "text", "text": "1"}], "cache_control": hint}]}]});
    let (back, losses) = sent(OLD, parsed(&body));
    assert_eq!((back, losses.len()), (body, 0));
}

#[test]
fn the_latest_four_breakpoints_of_other_formats_clients_are_sent() {
    let marked = |words: &str| {
        let text = TextPart { cache: Some(CacheHint { ttl: None }), ..TextPart::new(words) };
        Message::new(Role::User, vec![Part::Text(text)])
    };
    let (body, losses) = sent(OLD, chat(["a", "b", "c", "d", "e"].map(marked).into()));
    let blocks = body["messages"][0]["content"].as_array().unwrap();
    let carried: Vec<&Value> = blocks.iter().filter(|block| block.get("cache_control").is_some()).collect();
    assert_eq!((blocks.len(), carried.len(), &blocks[0]), (5, 4, &json!({"type": "text", "text": "a"})));
    assert_eq!(losses, ["messages[0].content[0].cache_control"]);
}

#[test]
fn documents_and_search_results_of_converse_may_be_cited() {
    let document = |extensions: &[(&str, &str)]| {
        let own = |&(key, json): &(&str, &str)| Extension {
            format: "bedrock.converse".into(),
            key: key.into(),
            json: json.into(),
        };
        let source = MediaSource::Text("a\nb".into());
        let mut part = MediaPart::new(MediaKind::Document, source);
        part.name = Some("t".into());
        part.extensions = extensions.iter().map(own).collect();
        let (body, losses) = sent(OLD, chat(vec![Message::new(Role::User, vec![Part::Media(part)])]));
        assert!(losses.is_empty(), "{losses:?}");
        body["messages"][0]["content"][0].clone()
    };
    let (on, texts) = (r#"{"enabled":true}"#, r#"[{"text":"a"},{"text":"b"}]"#);
    let blocks = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    let found = format!(r#"{{"source":"https://a.example","title":"t","content":{texts},"citations":{on}}}"#);
    assert_eq!(
        document(&[("searchResult", &found)]),
        json!({"type": "search_result", "source": "https://a.example", "title": "t", "content": blocks,
            "citations": {"enabled": true}})
    );
    let source = format!(r#"{{"content":{texts}}}"#);
    assert_eq!(
        document(&[("source", &source), ("context", r#""c""#), ("citations", on), ("named", "null")]),
        json!({"type": "document", "source": {"type": "content", "content": blocks}, "title": "t", "context": "c",
            "citations": {"enabled": true}})
    );
}

/// A request has a turn (the schema asks for `messages`; the service refuses an empty list).
#[test]
fn c37_system_text_alone_is_said_by_the_user() {
    let history = vec![text(Role::Developer, "Say hi."), text(Role::System, "Be brief.")];
    let (body, losses) = sent(OLD, chat(history));
    let parts = json!([{"type": "text", "text": "Say hi."}, {"type": "text", "text": "Be brief."}]);
    assert_eq!((&body["messages"], body.get("system")), (&json!([{"role": "user", "content": parts}]), None));
    assert_eq!(losses, ["messages[0]"]);
}

#[test]
fn system_turns_stand_before_the_models_turn_or_at_the_end() {
    let block = |text: &str| json!({"type": "text", "text": text});
    let turn = |role: &str, texts: &[&str]| json!({"role": role, "content": texts.iter().map(|text| block(text)).collect::<Vec<_>>()});
    let messages = json!([
        turn("user", &["a"]),
        turn("system", &["first"]),
        turn("user", &["b"]),
        turn("assistant", &["c"]),
        turn("user", &["d"]),
        turn("system", &["last"]),
    ]);
    let (body, losses) = sent(NEW, parsed(&json!({"model": "m", "max_tokens": 9, "messages": messages})));
    let moved = json!([
        turn("user", &["a", "b"]),
        turn("system", &["first"]),
        turn("assistant", &["c"]),
        turn("user", &["d"]),
        turn("system", &["last"]),
    ]);
    assert_eq!((&body["messages"], body.get("system")), (&moved, None));
    assert_eq!(losses, ["messages[1]"]);
}

#[test]
fn system_turns_may_follow_the_result_of_a_tool_that_the_service_ran() {
    let result = json!({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []});
    let search = json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}});
    let text = |text: &str| json!([{"type": "text", "text": text}]);
    let messages = json!([
        {"role": "user", "content": text("a")},
        {"role": "assistant", "content": [search, result]},
        {"role": "system", "content": text("in Spanish")},
        {"role": "assistant", "content": text("b")},
        {"role": "system", "content": text("no place")},
        {"role": "user", "content": text("c")},
    ]);
    let (body, losses) = sent(NEW, parsed(&json!({"model": "m", "max_tokens": 9, "messages": messages})));
    let kept: Vec<&Value> = [0, 1, 2, 3, 5].iter().map(|at| &messages[*at]).collect();
    assert_eq!((&body["messages"], &body["system"]), (&json!(kept), &text("no place")));
    assert_eq!(losses, ["messages[4]"]);
}

#[test]
fn white_space_between_the_services_own_texts_stays() {
    let cited = |text: &str| {
        let place = json!({"type": "web_search_result_location", "url": "https://a.example", "title": "A",
            "encrypted_index": "Eo8", "cited_text": "c"});
        json!({"type": "text", "text": text, "citations": [place]})
    };
    let blank = json!({"type": "text", "text": " "});
    let user = |text: &str| json!({"role": "user", "content": [{"type": "text", "text": text}]});
    let kept = json!({"role": "assistant", "content": [cited("It is 4.0."), blank, cited("It came in July.")]});
    let blanks =
        json!({"role": "assistant", "content": [{"type": "text", "text": "a"}, blank, {"type": "text", "text": "b"}]});
    let messages = json!([user("a"), kept, user("b"), blanks, user("c")]);
    let (body, losses) = sent(OLD, parsed(&json!({"model": OLD, "max_tokens": 9, "messages": messages})));
    assert_eq!((&body["messages"][1], losses.len()), (&kept, 0));
    assert_eq!(body["messages"][3]["content"].as_array().unwrap().len(), 2);
}

#[test]
fn c32_a_signature_behind_a_signed_call_does_not_take_its_place() {
    let signed = |value: &str| Some(Signature { issuer: "gemini".into(), value: value.into() });
    let call = Part::ToolCall(ToolCall { signature: signed("SIH"), ..ToolCall::new("fc1", "f", "{}") });
    let after = Part::Text(TextPart { signature: signed("DN8"), ..TextPart::new("") });
    let candidate =
        Candidate { index: 0, parts: vec![call, after], finish: None, logprobs: None, extensions: Vec::new() };
    let (body, _) = shown(ChatResponse { candidates: vec![candidate], ..ChatResponse::default() });
    let turn = json!({"role": "assistant", "content": body["content"]});
    let back = parsed(&json!({"model": "m", "max_tokens": 9, "messages": [turn]}));
    let [Part::ToolCall(call), Part::Text(after)] = &back.messages[0].parts[..] else {
        panic!("{:?}", back.messages[0].parts)
    };
    assert_eq!((&call.signature, &after.signature, &*after.text), (&signed("SIH"), &signed("DN8"), ""));
}
