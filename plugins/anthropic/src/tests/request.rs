//! Requests as the service gets them.

use serde_json::{Value, json};
use weir_sdk::adapter::{ChatOutcome, ProviderChat};
use weir_sdk::model::header;
use weir_sdk::types::{
    AllowedTools, ChatRequest, Error, ErrorKind, FunctionTool, MediaKind, MediaPart, MediaSource, Message, Opaque,
    Part, ReasoningPart, ResultPart, Role, Sampling, Setting, Signature, TextPart, Tool, ToolCall, ToolChoice,
    ToolResult,
};

use super::{context, http_response, json, parsed, rendered, sent};
use crate::Anthropic;

pub(super) const OLD: &str = "claude-sonnet-4-5";
pub(super) const NEW: &str = "claude-opus-5";

pub(super) fn text(role: Role, text: &str) -> Message {
    Message::new(role, vec![Part::text(text)])
}

pub(super) fn chat(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { messages, ..ChatRequest::default() }
}

pub(super) fn hello() -> ChatRequest {
    chat(vec![text(Role::User, "Hello")])
}

pub(super) fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall::new(id, name, arguments))
}

pub(super) fn result(id: &str, words: &str) -> Part {
    let content = vec![ResultPart::Text(TextPart::new(words))];
    Part::ToolResult(ToolResult { content, ..ToolResult::new(id) })
}

pub(super) fn tool(name: &str) -> Tool {
    Tool::Function(FunctionTool::new(name))
}

fn refused(request: ChatRequest) -> Error {
    <Anthropic as ProviderChat>::render_request(&context(OLD), request).unwrap_err()
}

#[test]
fn c37_system_turns_amid_the_conversation_are_kept_where_models_take_them_and_moved_in_order_elsewhere() {
    let body = json!({"model": "m", "max_tokens": 9, "system": "first", "messages": [
        {"role": "user", "content": "a"},
        {"role": "system", "content": "second"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]});
    let (moved, losses) = sent(OLD, parsed(&body));
    assert_eq!(moved["system"], json!([{"type": "text", "text": "first"}, {"type": "text", "text": "second"}]));
    assert_eq!(moved["messages"].as_array().unwrap().len(), 3);
    assert_eq!(losses, ["messages[2]"]);
    let (kept, losses) = sent(NEW, parsed(&body));
    assert_eq!(kept["messages"][1], json!({"role": "system", "content": [{"type": "text", "text": "second"}]}));
    assert!(losses.is_empty());
}

#[test]
fn system_texts_are_hoisted_in_order_and_never_joined() {
    let messages = vec![text(Role::System, "one"), text(Role::Developer, "two"), text(Role::User, "hi")];
    let (body, losses) = sent(OLD, chat(messages));
    assert_eq!(body["system"], json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]));
    assert!(losses.is_empty());
}

#[test]
fn c38_c39_results_of_parallel_calls_become_one_user_turn_in_front_of_the_text() {
    let calls = vec![call("a", "f", "{}"), call("b", "g", "{\"x\":1}")];
    let messages = vec![
        text(Role::User, "go"),
        Message::new(Role::Assistant, calls),
        text(Role::User, "and then"),
        Message::new(Role::Tool, vec![result("a", "1")]),
        Message::new(Role::Tool, vec![result("b", "2")]),
    ];
    let (body, losses) = sent(OLD, chat(messages));
    let turn = &body["messages"][2];
    assert_eq!(body["messages"].as_array().unwrap().len(), 3);
    let blocks = turn["content"].as_array().unwrap();
    let kinds: Vec<&str> = blocks.iter().filter_map(|block| block["type"].as_str()).collect();
    assert_eq!((&turn["role"], kinds), (&json!("user"), vec!["tool_result", "tool_result", "text"]));
    assert_eq!((&turn["content"][0]["tool_use_id"], &turn["content"][1]["tool_use_id"]), (&json!("a"), &json!("b")));
    assert!(losses.is_empty());
}

#[test]
fn c41_text_beside_a_result_keeps_both() {
    let parts = vec![Part::text("look"), result("a", "1")];
    let (body, _) = sent(OLD, chat(vec![Message::new(Role::User, parts)]));
    let content = &body["messages"][0]["content"];
    assert_eq!((&content[0]["type"], &content[1]["text"]), (&json!("tool_result"), &json!("look")));
}

#[test]
fn c42_empty_texts_are_never_sent_and_empty_turns_vanish() {
    let messages = vec![
        text(Role::System, ""),
        text(Role::User, "a"),
        text(Role::Assistant, ""),
        text(Role::User, "b"),
        Message::new(Role::Assistant, vec![Part::text(""), call("c", "f", "")]),
    ];
    let (body, _) = sent(OLD, chat(messages));
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
        ])
    );
    assert!(body.get("system").is_none());
}

#[test]
fn c42_blank_texts_are_no_blocks_but_between_signed_thinking() {
    let blank =
        vec![text(Role::System, " "), text(Role::User, "a"), text(Role::Assistant, "\n\n"), text(Role::User, " ")];
    let (body, losses) = sent(OLD, chat(blank));
    assert_eq!(body["messages"], json!([{"role": "user", "content": [{"type": "text", "text": "a"}]}]));
    assert!(body.get("system").is_none() && losses.is_empty(), "{losses:?}");
    let thinking = || json!({"type": "thinking", "thinking": "hm", "signature": "EqQB=="});
    let words = |text: &str| json!({"type": "text", "text": text});
    let asked = |content: Value| json!({"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": content}]});
    let body = asked(json!([words("\n"), thinking(), words("\n\n"), thinking(), words(" ")]));
    let (back, _) = sent(OLD, parsed(&body));
    assert_eq!(back["messages"][0]["content"], json!([thinking(), words("\n\n"), thinking()]));
}

#[test]
fn blank_stop_sequences_are_left_out_and_reported() {
    let stop = |stop: &[&str]| {
        let stop = stop.iter().map(|text| (*text).to_owned()).collect();
        sent(OLD, ChatRequest { sampling: Sampling { stop, ..Sampling::default() }, ..hello() })
    };
    let (body, losses) = stop(&["\n", "END"]);
    assert_eq!((&body["stop_sequences"], losses), (&json!(["END"]), vec!["stop".to_owned()]));
    let (body, losses) = stop(&["\n\n"]);
    assert!(body.get("stop_sequences").is_none() && losses == ["stop"]);
    assert!(stop(&[" a"]).1.is_empty());
}

#[test]
fn c90_arguments_that_are_no_object_become_an_empty_one_and_are_reported() {
    let (body, losses) = sent(OLD, chat(vec![Message::new(Role::Assistant, vec![call("a", "f", "{\"x\":")])]));
    assert_eq!(body["messages"][0]["content"][0]["input"], json!({}));
    assert_eq!(losses, ["messages[0].content[0].arguments"]);
}

#[test]
fn c29_signed_thinking_goes_back_unedited_even_without_words() {
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "", "signature": "EqQB=="},
            {"type": "redacted_thinking", "data": "Emw="},
            {"type": "text", "text": "b"},
        ]},
    ]});
    let (back, losses) = sent(OLD, parsed(&body));
    assert_eq!(back["messages"][1], body["messages"][1]);
    assert!(losses.is_empty());
}

#[test]
fn c33_thinking_of_another_issuer_is_left_out_and_reported() {
    let foreign = Signature { issuer: "openai".into(), value: "gAAA".into() };
    let thought = ReasoningPart { encrypted: Some(foreign), ..ReasoningPart::new("hm") };
    let unsigned = ReasoningPart::new("hm");
    let parts = vec![Part::Reasoning(thought), Part::Reasoning(unsigned), Part::text("b")];
    let (body, losses) = sent(OLD, chat(vec![Message::new(Role::Assistant, parts)]));
    assert_eq!(body["messages"][0]["content"], json!([{"type": "text", "text": "b"}]));
    assert_eq!(losses, ["messages[0].content[0].reasoning", "messages[0].content[1].reasoning"]);
}

#[test]
fn c40_tools_that_cannot_be_expressed_are_an_error_that_names_them() {
    let hosted = Opaque { format: "openai.responses".into(), kind: "web_search".into(), json: "{}".into() };
    let error = refused(ChatRequest { tools: vec![tool("f"), Tool::Opaque(hosted)], ..hello() });
    assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::Unsupported, Some("tools[1]")));
}

#[test]
fn c43_images_in_tool_results_stay_there() {
    let image = MediaPart::new(MediaKind::Image, MediaSource::Base64("iVBORw0KGgoAAAA".into()));
    let outcome = ToolResult { content: vec![ResultPart::Media(image)], ..ToolResult::new("a") };
    let (body, losses) = sent(OLD, chat(vec![Message::new(Role::Tool, vec![Part::ToolResult(outcome)])]));
    let source = &body["messages"][0]["content"][0]["content"][0]["source"];
    assert_eq!(*source, json!({"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgoAAAA"}));
    assert!(losses.is_empty());
}

#[test]
fn c89_documents_are_sent_with_their_type_and_audio_is_refused() {
    let user = |part: MediaPart| chat(vec![Message::new(Role::User, vec![Part::Media(part)])]);
    let pdf = MediaPart {
        name: Some("a.pdf".into()),
        ..MediaPart::new(MediaKind::Document, MediaSource::Base64("JVBERi0x".into()))
    };
    let (body, _) = sent(OLD, user(pdf));
    let block = &body["messages"][0]["content"][0];
    assert_eq!((&block["type"], &block["title"]), (&json!("document"), &json!("a.pdf")));
    assert_eq!(block["source"]["media_type"], "application/pdf");
    for part in [
        MediaPart::new(MediaKind::Audio, MediaSource::Base64("AAAA".into())),
        MediaPart::new(MediaKind::Image, MediaSource::FileId("file-of-another".into())),
    ] {
        let error = refused(user(part));
        assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::Unsupported, Some("messages[0].content[0]")));
    }
}

#[test]
fn a_found_tool_is_its_name_for_others_and_a_block_here() {
    let found = json!({"type": "tool_reference", "tool_name": "get_weather", "cache_control": {"type": "ephemeral"}});
    let content = json!([{"type": "tool_result", "tool_use_id": "t", "content": [found]}]);
    let body = json!({"model": OLD, "max_tokens": 9, "messages": [{"role": "user", "content": content}]});
    let request = parsed(&body);
    let Part::ToolResult(result) = &request.messages[0].parts[0] else { panic!("a result") };
    let [ResultPart::Text(text)] = &result.content[..] else { panic!("a text") };
    assert_eq!((text.text.as_str(), text.cache.is_some(), text.extensions.len()), ("get_weather", true, 1));
    assert_eq!(sent(OLD, request), (body, Vec::new()));
}

#[test]
fn the_summary_of_a_history_is_a_text_for_others_and_a_block_here() {
    let summary = json!({"type": "compaction", "content": "They met."});
    let failed = json!({"type": "compaction", "content": null});
    let turns = json!([{"role": "assistant", "content": [summary, failed]},
        {"role": "user", "content": [{"type": "text", "text": "?"}]}]);
    let body = json!({"model": OLD, "max_tokens": 9, "messages": turns});
    let request = parsed(&body);
    let [Part::Text(text), Part::Opaque(_)] = &request.messages[0].parts[..] else { panic!("a text") };
    assert_eq!((text.text.as_str(), text.extensions.len()), ("They met.", 1));
    assert_eq!(sent(OLD, request), (body, Vec::new()));
}

#[test]
fn white_space_at_the_end_of_what_the_model_goes_on_from_is_trimmed_for_clients_of_other_formats() {
    let parts = vec![Part::text("Once "), Part::text("upon \n"), Part::text(" ")];
    let history = vec![text(Role::User, "Tell me. "), Message::new(Role::Assistant, parts)];
    let (body, losses) = sent(OLD, chat(history.clone()));
    let said = json!([{"type": "text", "text": "Once "}, {"type": "text", "text": "upon"}]);
    assert_eq!((&body["messages"][1]["content"], losses), (&said, vec!["messages[1].content[1].text".to_owned()]));
    assert_eq!(body["messages"][0]["content"][0]["text"], "Tell me. ");
    let own = json!({"model": OLD, "max_tokens": 9, "messages": [
        {"role": "assistant", "content": [{"type": "text", "text": "Once "}]}]});
    assert_eq!(sent(OLD, parsed(&own)), (own, Vec::new()));
    let going_on = [history, vec![text(Role::User, "Go on.")]].concat();
    assert!(sent(OLD, chat(going_on)).1.is_empty());
}

#[test]
fn texts_in_base64_are_sent_as_plain_text() {
    let document = |mime: &str, data: &str| {
        let source = MediaSource::Base64(data.into());
        let part = MediaPart { mime: Some(mime.into()), ..MediaPart::new(MediaKind::Document, source) };
        chat(vec![Message::new(Role::User, vec![Part::Media(part)])])
    };
    let plain = json!({"type": "text", "media_type": "text/plain", "data": "Gr\u{fc}\u{df}e"});
    let place = "messages[0].content[0]";
    for (mime, losses) in [("text/plain; charset=utf-8", vec![]), ("text/markdown", vec![format!("{place}.mime")])] {
        let (body, lost) = sent(OLD, document(mime, "R3LDvMOfZQ=="));
        assert_eq!((&body["messages"][0]["content"][0]["source"], lost), (&plain, losses));
    }
    for (mime, data) in [("text/csv", "//4="), ("application/zip", "UEsDBA==")] {
        assert_eq!(refused(document(mime, data)).param.as_deref(), Some(place), "{mime}");
    }
    let blob = weir_sdk::types::Blob { token: "R3LDvMOfZQ==".into(), length: 9000, head: "R3LD".into() };
    let ctx = weir_sdk::types::Context { blobs: vec![blob], ..context(OLD) };
    let lifted = <Anthropic as ProviderChat>::render_request(&ctx, document("text/csv", "R3LDvMOfZQ=="));
    assert_eq!(lifted.unwrap_err().kind, ErrorKind::Unsupported);
}

#[test]
fn c89_images_have_a_type_that_the_service_takes() {
    let image = |mime: &str, data: &str| {
        let part =
            MediaPart { mime: Some(mime.into()), ..MediaPart::new(MediaKind::Image, MediaSource::Base64(data.into())) };
        chat(vec![Message::new(Role::User, vec![Part::Media(part)])])
    };
    let sent_as =
        |mime, data| sent(OLD, image(mime, data)).0["messages"][0]["content"][0]["source"]["media_type"].clone();
    assert_eq!(sent_as("image/jpg", "AAAA"), "image/jpeg");
    assert_eq!(sent_as("image/jpg", "/9j/4AAQ"), "image/jpeg");
    assert_eq!(sent_as("image/png", "/9j/4AAQ"), "image/png", "the service has the last word on what a client says");
    assert_eq!(sent_as("image/x-unknown", "/9j/4AAQ"), "image/jpeg");
    assert_eq!(sent_as("image/*", "UklGRiQA"), "image/webp");
    for (mime, data) in [("image/heic", "AAAA"), ("image/*", "AAAA"), ("application/pdf", "JVBERi0x")] {
        let error = refused(image(mime, data));
        assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::Unsupported, Some("messages[0].content[0]")));
    }
}

#[test]
fn c51_marks_of_the_adapters_own_never_reach_the_wire() {
    let body = json!({"model": "m", "max_tokens": 9, "output_config": {"effort": "low"}, "messages": [
        {"role": "user", "content": [
            {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
            {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}]}},
            {"type": "search_result", "title": "t", "source": "s", "content": [{"type": "text", "text": "b"}]},
        ]},
    ]});
    let (back, losses) = sent(NEW, parsed(&body));
    assert_eq!(
        back,
        body.as_object()
            .map(|_| {
                let mut b = body.clone();
                b["model"] = json!(NEW);
                b
            })
            .unwrap()
    );
    assert!(losses.is_empty());
}

#[test]
fn c46_c47_names_and_ids_are_made_to_fit_and_names_come_back() {
    let name = "mcp.server/tool";
    let request = ChatRequest {
        messages: vec![
            Message::new(Role::Assistant, vec![call("call|1", name, "{}")]),
            Message::new(Role::Tool, vec![result("call|1", "ok")]),
        ],
        tools: vec![tool(name)],
        tool_choice: Some(ToolChoice::Named(name.into())),
        ..ChatRequest::default()
    };
    let rendered = rendered(OLD, request);
    let body = json(&rendered.request.body);
    let short = body["tools"][0]["name"].as_str().unwrap();
    let (asked, answer) = (&body["messages"][0]["content"][0], &body["messages"][1]["content"][0]);
    assert_eq!((&asked["name"], &body["tool_choice"]["name"]), (&json!(short), &json!(short)));
    assert!(short.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-'));
    assert_eq!(asked["id"], answer["tool_use_id"]);

    let ctx = weir_sdk::types::Context { memo: rendered.memo.clone(), ..context(OLD) };
    let reply = json!({"content": [{"type": "tool_use", "id": "t", "name": short, "input": {}}]});
    let outcome = <Anthropic as ProviderChat>::parse_response(&ctx, http_response(200, reply.to_string())).unwrap();
    let ChatOutcome::Complete(outcome) = outcome else { panic!("complete") };
    let Part::ToolCall(call) = &outcome.response.candidates[0].parts[0] else { panic!("a call") };
    assert_eq!(call.name, name);
}

#[test]
fn c54_a_choice_among_some_tools_leaves_out_the_others() {
    let allowed = AllowedTools { names: vec!["b".into()], required: true };
    let request = ChatRequest {
        tools: vec![tool("a"), tool("b")],
        tool_choice: Some(ToolChoice::Allowed(allowed)),
        parallel_tool_calls: Some(false),
        ..hello()
    };
    let (body, _) = sent(OLD, request);
    assert_eq!(body["tools"], json!([{"name": "b", "input_schema": {"type": "object", "properties": {}}}]));
    assert_eq!(body["tool_choice"], json!({"type": "any", "disable_parallel_tool_use": true}));
}

#[test]
fn c80_settings_that_no_model_takes_are_reported() {
    let sampling = Sampling {
        seed: Some("1".into()),
        frequency_penalty: Some(0.5),
        presence_penalty: Some(0.0),
        candidates: Some(3),
        logprobs: Some(true),
        ..Sampling::default()
    };
    let (body, losses) = sent(OLD, ChatRequest { sampling, cache_key: Some("k".into()), ..hello() });
    assert_eq!(losses, ["seed", "frequency_penalty", "n", "logprobs", "prompt_cache_key"]);
    assert_eq!(body.as_object().unwrap().len(), 3, "{body}");
}

#[test]
fn the_text_for_the_services_accounts_is_for_this_format_only() {
    let read = |system: &Value| {
        let messages = json!([{"role": "user", "content": "Hi"}]);
        parsed(&json!({"model": "m", "max_tokens": 1, "system": system, "messages": messages}))
    };
    let account = json!({"type": "text", "text": "x-anthropic-billing-header: cc_version=2; cch=1"});
    let brief = json!({"type": "text", "text": "Be brief."});
    let request = read(&json!([account, brief]));
    assert_eq!(request.messages[0].parts, [Part::text("Be brief.")]);
    assert_eq!(sent(OLD, request).0["system"], json!([account, brief]));
    let alone = read(&json!([account]));
    assert_eq!(alone.messages.len(), 1);
    assert_eq!(sent(OLD, alone).0["system"], json!([account]));
    assert_eq!(read(&json!("Not x-anthropic-billing-header: a")).messages.len(), 2);
}

#[test]
fn the_limit_is_the_clients_else_the_configurations_else_4096() {
    assert_eq!(sent(OLD, hello()).0["max_tokens"], 4096);
    assert_eq!(sent(OLD, ChatRequest { max_output_tokens: Some(7), ..hello() }).0["max_tokens"], 7);
    let mut ctx = context(OLD);
    ctx.options = vec![
        Setting { key: "max_tokens".into(), json: "512".into() },
        Setting { key: "beta".into(), json: r#"["one","two"]"#.into() },
        Setting { key: "version".into(), json: r#""2025-01-01""#.into() },
    ];
    let rendered = <Anthropic as ProviderChat>::render_request(&ctx, hello()).unwrap();
    assert_eq!(json(&rendered.request.body)["max_tokens"], 512);
    assert_eq!(header(&rendered.request.headers, "anthropic-beta"), Some("one,two"));
    assert_eq!(header(&rendered.request.headers, "anthropic-version"), Some("2025-01-01"));
    assert_eq!(rendered.request.path, "messages");
}

#[test]
fn limits_of_minus_one_are_none() {
    let sampling = |top_p: f64, top_k: i32| {
        let hello = json!([{"role": "user", "content": "hello"}]);
        let body = json!({"model": OLD, "max_tokens": 9, "top_p": top_p, "top_k": top_k, "messages": hello});
        let sampling = parsed(&body).sampling;
        (sampling.top_p, sampling.top_k)
    };
    assert_eq!(sampling(-1.0, -1), (None, None));
    assert_eq!(sampling(0.5, 0), (Some(0.5), Some(0)));
}

#[test]
fn sampling_moves_to_what_the_model_takes() {
    let warm = |temperature, top_p| Sampling { temperature: Some(temperature), top_p, ..Sampling::default() };
    let (body, losses) = sent(OLD, ChatRequest { sampling: warm(1.7, None), ..hello() });
    assert_eq!((&body["temperature"], losses), (&json!(1), vec!["temperature".to_owned()]));
    let (body, losses) = sent(OLD, ChatRequest { sampling: warm(0.5, Some(0.9)), ..hello() });
    assert_eq!((&body["temperature"], losses), (&json!(0.5), vec!["top_p".to_owned()]));
    let (body, losses) = sent(NEW, ChatRequest { sampling: warm(0.5, Some(1.0)), ..hello() });
    assert!(body.get("temperature").is_none() && losses == ["temperature"]);
}

#[test]
fn an_end_user_is_named_only_when_there_is_one() {
    assert!(sent(OLD, hello()).0.get("metadata").is_none());
    let request = ChatRequest { end_user: Some("u".into()), metadata: Some(r#"{"a":"b"}"#.into()), ..hello() };
    let (body, losses) = sent(OLD, request);
    assert_eq!((&body["metadata"], losses), (&json!({"user_id": "u"}), vec!["metadata".to_owned()]));
}

#[test]
fn an_end_user_with_an_address_or_a_phone_number_is_a_hash() {
    let named = |user: &str| {
        let (body, losses) = sent(OLD, ChatRequest { end_user: Some(user.into()), ..hello() });
        (body["metadata"]["user_id"].as_str().unwrap().to_owned(), losses)
    };
    for user in ["jane.doe@example.com", "team:jane@example.co.uk/7", "+49 (151) 234-5678", "4915123456789012"] {
        let (sent_as, losses) = named(user);
        assert!(sent_as.starts_with("user_") && sent_as.len() == 21, "{sent_as}");
        assert_eq!((sent_as, losses), (named(user).0, vec!["user".to_owned()]));
    }
    assert_ne!(named("jane@example.com").0, named("john@example.com").0);
    let uuid = "3e2f1c9a-0000-4a00-8000-123456789012";
    for user in ["jane", "user_01", "a@b", "@handle", "12345", uuid, "\u{fc}@\u{fc}"] {
        assert_eq!(named(user), (user.to_owned(), Vec::new()));
    }
}

#[test]
fn what_a_request_lacks_or_has_wrong_is_named() {
    let wrong = |body: Value| {
        let request = super::http_request(&body);
        let context = weir_sdk::types::Context::default();
        <Anthropic as weir_sdk::adapter::DialectChat>::parse_request(&context, request).unwrap_err()
    };
    assert_eq!(wrong(json!({"messages": []})).param.as_deref(), Some("model"));
    assert_eq!(wrong(json!({"model": "m"})).param.as_deref(), Some("messages"));
    let content = json!([{"type": "text", "text": "a"}, {"type": "tool_result", "content": [{"type": "text"}]}]);
    let error = wrong(json!({"model": "m", "messages": [{"role": "user", "content": content}]}));
    assert_eq!(error.param.as_deref(), Some("messages[0].content[1].tool_use_id"));
    assert!(wrong(json!({"model": "m", "messages": [{"role": "user", "content": 5}]})).message.contains("[0]"));
}
