use super::*;
use crate::compat::quirks::Thinking;
use crate::compat::responses::read;
use crate::testing::{self, fields};
use crate::types::{
    Citation, Extension, MediaKind, MediaPart, MediaSource, Message, Opaque, Part, ReasoningRequest, Role, TextPart,
    ToolChoice,
};

fn rendered(role: Role, parts: Vec<Part>) -> (serde_json::Value, Vec<String>) {
    let request = ChatRequest { messages: vec![Message::new(role, parts)], ..ChatRequest::default() };
    let rendered = render(&Quirks::COMPATIBLE, &Context::default(), request).unwrap();
    (testing::json(&rendered.request.body)["input"].take(), fields(&rendered.losses))
}

fn medium(kind: MediaKind, source: MediaSource) -> MediaPart {
    let foreign = Extension { format: "other".into(), key: "context".into(), json: "1".into() };
    MediaPart { extensions: vec![foreign], mime: Some("image/png".into()), ..MediaPart::new(kind, source) }
}

#[test]
fn a_text_document_has_its_title_and_its_members_are_reported() {
    let document = medium(MediaKind::Document, MediaSource::Text("words".into()));
    let document = MediaPart { name: Some("Title".into()), ..document };
    let (input, lost) = rendered(Role::User, vec![Part::Media(document)]);
    let texts = [&input[0]["content"][0]["text"], &input[0]["content"][1]["text"]];
    assert_eq!(texts, ["Title", "words"]);
    assert_eq!(lost, ["messages[0].content[0].context", "messages[0].content[0]"]);
}

#[test]
fn members_of_media_of_other_formats_are_reported() {
    let image = medium(MediaKind::Image, MediaSource::Base64("AAAA".into()));
    let (input, lost) = rendered(Role::User, vec![Part::Media(image)]);
    assert_eq!(input[0]["content"][0]["image_url"], "data:image/png;base64,AAAA");
    assert_eq!(lost, ["messages[0].content[0].context"]);
}

#[test]
fn images_of_the_assistant_are_sent_by_the_user() {
    let image = MediaPart { extensions: Vec::new(), ..medium(MediaKind::Image, MediaSource::Base64("AAAA".into())) };
    let (input, lost) = rendered(Role::Assistant, vec![Part::text("here"), Part::Media(image)]);
    assert_eq!((&input[0]["role"], &input[0]["content"]), (&"assistant".into(), &"here".into()));
    assert_eq!((&input[1]["role"], &input[1]["content"][0]["type"]), (&"user".into(), &"input_image".into()));
    assert_eq!(lost, ["messages[0].content[1]"]);
}

#[test]
fn c33_an_item_of_thinking_without_words_goes_back_by_its_id() {
    let item = |members: &str| format!(r#"{{"id":"rs_1","type":"reasoning",{members}}}"#);
    let stateless = Quirks { thinking: Thinking::None, ..Quirks::COMPATIBLE };
    for members in [
        r#""summary":[]"#,
        r#""summary":[],"content":[]"#,
        r#""summary":[{"type":"summary_text","text":"hm"}]"#,
        r#""summary":[],"content":[{"type":"reasoning_text","text":"hm"}]"#,
    ] {
        let text = format!(
            r#"[{},{{"id":"fc_1","type":"function_call","call_id":"c","name":"f","arguments":"{{}}"}}]"#,
            item(members)
        );
        let raws: Vec<&json::RawValue> = json::parse(&text).unwrap();
        let messages = read::items(&raws, None);
        let request = ChatRequest { messages, ..ChatRequest::default() };
        let rendered = render(&stateless, &Context::default(), request).unwrap();
        let input = testing::json(&rendered.request.body)["input"].take();
        assert_eq!((&input[0]["type"], &input[0]["id"]), (&"reasoning".into(), &"rs_1".into()), "{members}");
        assert_eq!(input[1]["id"], "fc_1", "{members}");
        assert!(rendered.losses.is_empty(), "{:?}", rendered.losses);
    }
}

/// The API refuses thinking without the item that came behind it.
#[test]
fn an_empty_message_of_the_assistant_returns_where_it_was() {
    for (message, returned) in [
        (r#"{"role":"assistant","content":""}"#, r#"{"role":"assistant","content":""}"#),
        (r#"{"role":"assistant","content":[]}"#, r#"{"role":"assistant","content":""}"#),
        (
            r#"{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"","annotations":[]}]}"#,
            r#"{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"","annotations":[],"logprobs":[]}]}"#,
        ),
    ] {
        let text = format!(r#"[{{"id":"rs_1","type":"reasoning","summary":[]}},{message}]"#);
        let raws: Vec<&json::RawValue> = json::parse(&text).unwrap();
        let request = ChatRequest { messages: read::items(&raws, None), ..ChatRequest::default() };
        let (body, lost) = body(&Quirks::COMPATIBLE, request);
        let expected: serde_json::Value = serde_json::from_str(returned).unwrap();
        assert_eq!((&body["input"][1], lost), (&expected, Vec::new()), "{message}");
        assert_eq!(
            read::items(&raws[1..], Some(&Quirks::COMPATIBLE))[0].parts.len(),
            usize::from(message.contains("msg_1"))
        );
    }
    // What a format has that needs no such item has none.
    let (input, _) = rendered(Role::Assistant, vec![Part::text(""), Part::text("Hi")]);
    assert_eq!(input.as_array().unwrap().len(), 1);
}

#[test]
fn a_message_without_parts_is_an_empty_text() {
    let (input, lost) = rendered(Role::User, Vec::new());
    assert_eq!((input[0]["content"].as_str(), lost.len()), (Some(""), 0));
}

/// The request's body without its input, and the losses.
fn body(quirks: &Quirks, request: ChatRequest) -> (serde_json::Value, Vec<String>) {
    let rendered = render(quirks, &Context::default(), request).unwrap();
    (testing::json(&rendered.request.body), fields(&rendered.losses))
}

#[test]
fn a_choice_between_no_tools_is_not_sent_unless_a_stored_prompt_may_have_some() {
    let asked = |choice: &ToolChoice, extensions| {
        let (tool_choice, parallel_tool_calls) = (Some(choice.clone()), Some(true));
        let request = ChatRequest { tool_choice, parallel_tool_calls, extensions, ..ChatRequest::default() };
        let (body, lost) = body(&Quirks::COMPATIBLE, request);
        (body.get("tool_choice").is_some(), body.get("parallel_tool_calls").is_some(), lost)
    };
    let (auto, required) = (ToolChoice::Automatic, ToolChoice::Required);
    assert_eq!(asked(&auto, Vec::new()), (false, false, Vec::new()));
    assert_eq!(asked(&required, Vec::new()), (false, false, vec!["tool_choice".to_owned()]));
    let prompt = Extension { format: FORMAT.into(), key: "prompt".into(), json: r#"{"id":"p"}"#.into() };
    for choice in [auto, required] {
        assert_eq!(asked(&choice, vec![prompt.clone()]), (true, true, Vec::new()));
    }
}

#[test]
fn efforts_move_to_the_nearest_level_that_the_provider_knows() {
    let asked = |efforts, effort: &str| {
        let reasoning = Some(ReasoningRequest { effort: Some(effort.into()), ..ReasoningRequest::default() });
        let quirks = Quirks { efforts, ..Quirks::COMPATIBLE };
        let (body, lost) = body(&quirks, ChatRequest { reasoning, ..ChatRequest::default() });
        (body["reasoning"]["effort"].as_str().map(str::to_owned), lost.len())
    };
    let few: &[&str] = &["low", "medium", "high"];
    for (efforts, effort, sent) in [
        (few, "minimal", Some("low")),
        (few, "max", Some("high")),
        (few, "none", None),
        (few, "new", Some("new")),
        (&["none", "low"], "none", Some("none")),
    ] {
        let is_lost = sent != Some(effort);
        assert_eq!(asked(efforts, effort), (sent.map(str::to_owned), usize::from(is_lost)), "{effort}");
    }
    let (body, _) = body(
        &Quirks::COMPATIBLE,
        ChatRequest { reasoning: Some(ReasoningRequest::default()), ..ChatRequest::default() },
    );
    assert!(body.get("reasoning").is_none());
}

#[test]
fn citations_are_reported_where_they_have_no_place() {
    let of = |url, source| Citation { url, title: None, quote: None, start: None, end: None, source };
    let page = of(Some("u".into()), None);
    let source = Opaque { format: "other".into(), kind: "document".into(), json: "{}".into() };
    let cited =
        |citation: &Citation| vec![Part::Text(TextPart { citations: vec![citation.clone()], ..TextPart::new("x") })];
    let lost = |role, citation: &Citation| rendered(role, cited(citation)).1;
    assert_eq!(lost(Role::User, &page), ["messages[0].content[0].citations"]);
    assert_eq!(lost(Role::Assistant, &page), Vec::<String>::new());
    assert_eq!(lost(Role::Assistant, &of(None, Some(source))), ["messages[0].content[0].citations"]);
}

/// `OutputMessage` requires an id and a status; the short form of a message has no annotations.
#[test]
fn a_cited_text_of_another_format_is_a_whole_item_or_a_short_one() {
    let of = |url: Option<&str>| {
        let url = url.map(str::to_owned);
        let citation = Citation { url, title: None, quote: None, start: None, end: None, source: None };
        Message::new(Role::Assistant, vec![Part::Text(TextPart { citations: vec![citation], ..TextPart::new("x") })])
    };
    let messages = vec![of(Some("u")), of(None), of(Some("v"))];
    let (body, _) = body(&Quirks::COMPATIBLE, ChatRequest { messages, ..ChatRequest::default() });
    let input = &body["input"];
    for (at, id) in [(0, "msg_0"), (2, "msg_1")] {
        assert_eq!((&input[at]["id"], &input[at]["status"]), (&id.into(), &"completed".into()));
        assert_eq!(input[at]["content"][0]["annotations"][0]["type"], "url_citation");
    }
    assert_eq!(input[1], serde_json::json!({"role": "assistant", "content": "x"}));
}

#[test]
fn an_item_that_a_client_wrote_without_an_id_gets_none() {
    let own = r#"[{"type":"message","role":"assistant","content":[
        {"type":"output_text","text":"x","annotations":[{"type":"url_citation","url":"u","title":"","start_index":0,"end_index":1}]}]}]"#;
    let raws: Vec<&json::RawValue> = json::parse(own).unwrap();
    let request = ChatRequest { messages: read::items(&raws, None), ..ChatRequest::default() };
    let (body, _) = body(&Quirks::COMPATIBLE, request);
    assert_eq!((body["input"][0].get("id"), body["input"][0].get("status")), (None, None));
}

#[test]
fn what_messages_have_no_place_for_is_reported() {
    let lost = |role, name: Option<&str>| {
        let extensions = vec![Extension { format: "other".into(), key: "own".into(), json: "1".into() }];
        let message =
            Message { name: name.map(str::to_owned), extensions, ..Message::new(role, vec![Part::text("x")]) };
        body(&Quirks::COMPATIBLE, ChatRequest { messages: vec![message], ..ChatRequest::default() }).1
    };
    assert_eq!(lost(Role::Assistant, Some("Ann")), ["messages[0].own", "messages[0].name"]);
    assert_eq!(lost(Role::Other("narrator".into()), None), ["messages[0].role", "messages[0].own"]);
}

#[test]
fn a_results_only_text_keeps_its_members() {
    let input = r#"[{"type":"function_call_output","call_id":"c","output":
        [{"type":"input_text","text":"a","prompt_cache_breakpoint":{"mode":"explicit"}}]}]"#;
    let items = read::items(&json::parse::<Vec<_>>(input).unwrap(), None);
    let request = ChatRequest { messages: items, ..ChatRequest::default() };
    let rendered = render(&Quirks::COMPATIBLE, &Context::default(), request).unwrap();
    let sent = testing::json(&rendered.request.body)["input"].take();
    assert_eq!(sent, serde_json::from_str::<serde_json::Value>(input).unwrap());
    assert!(rendered.losses.is_empty(), "{:?}", rendered.losses);
}

#[test]
fn a_breakpoint_for_the_cache_is_one_in_chat_and_a_hint_for_others() {
    let input = r#"[{"role":"user","content":[
        {"type":"input_text","text":"a","prompt_cache_breakpoint":{"mode":"explicit"}},
        {"type":"input_image","image_url":"https://example.com/a.png","prompt_cache_breakpoint":{"mode":"explicit"}}]}]"#;
    let messages = || read::items(&json::parse::<Vec<_>>(input).unwrap(), None);
    let [Part::Text(text), Part::Media(image)] = &messages()[0].parts[..] else { panic!("a text and an image") };
    assert!(text.cache.is_some() && image.cache.is_some());
    let request = ChatRequest { messages: messages(), ..ChatRequest::default() };
    let rendered = crate::compat::request::render(&Quirks::COMPATIBLE, &Context::default(), request).unwrap();
    let sent = testing::json(&rendered.request.body)["messages"][0]["content"].take();
    for part in sent.as_array().unwrap() {
        assert_eq!(part["prompt_cache_breakpoint"]["mode"], "explicit", "{sent}");
    }
    assert!(rendered.losses.is_empty(), "{:?}", rendered.losses);
    // And Chat's is one here.
    let mut text = text.clone();
    text.extensions[0].format = crate::compat::wire::FORMAT.to_owned();
    let (input, losses) = self::rendered(Role::User, vec![Part::Text(text)]);
    assert_eq!(input[0]["content"][0]["prompt_cache_breakpoint"]["mode"], "explicit", "{input}");
    assert!(losses.is_empty(), "{losses:?}");
}
