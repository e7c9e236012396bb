//! Documents of other formats' requests: what they are made of, and where they stand.

use serde_json::{Value, json};
use weir_sdk::types::{
    CacheHint, ChatRequest, Extension, MediaKind, MediaPart, MediaSource, Message, Part, ResultPart, Role, ToolCall,
    ToolResult,
};

use super::{CLAUDE, asked, sent};

const NOVA: &str = "us.amazon.nova-2-lite-v1:0";

fn pdf() -> MediaPart {
    MediaPart::new(MediaKind::Document, MediaSource::Base64("JVBERi0x".into()))
}

fn user(parts: Vec<Part>) -> Message {
    Message::new(Role::User, parts)
}

fn result(content: Vec<ResultPart>) -> Message {
    let result = ToolResult { content, ..ToolResult::new("a") };
    Message::new(Role::Tool, vec![Part::ToolResult(result)])
}

fn called() -> Message {
    Message::new(Role::Assistant, vec![Part::ToolCall(ToolCall::new("a", "f", "{}"))])
}

/// The turns that a model gets, and the losses besides the tools that the history's calls bring.
fn turns(model: &str, messages: Vec<Message>) -> (Vec<Value>, Vec<String>) {
    let (body, mut losses) = sent(model, ChatRequest { messages, ..ChatRequest::default() }).unwrap();
    losses.retain(|field| field != "tools");
    (body["messages"].as_array().unwrap().iter().map(|turn| turn["content"].clone()).collect(), losses)
}

fn document() -> Value {
    json!({"document": {"format": "pdf", "name": "document", "source": {"bytes": "JVBERi0x"}}})
}

#[test]
fn a_document_has_a_text_beside_it() {
    for blank in [vec![], vec![Part::text(" ")]] {
        let parts = [vec![Part::Media(pdf())], blank].concat();
        let (turns, losses) = turns(CLAUDE, vec![user(parts)]);
        assert_eq!(turns, [json!([document(), {"text": "."}])]);
        assert_eq!(losses, ["messages[0].content[0]"]);
    }
    // One in another message of the turn is enough.
    for beside in [Message::new(Role::System, vec![Part::text("s")]), Message::new(Role::Assistant, vec![])] {
        let messages = vec![user(vec![Part::Media(pdf())]), beside, user(vec![Part::text("?")])];
        assert_eq!(turns(CLAUDE, messages).0, [json!([document(), {"text": "?"}])]);
    }
    let answered = Message::new(Role::Assistant, vec![Part::text("!")]);
    let messages = vec![user(vec![Part::Media(pdf())]), answered, user(vec![Part::text("?")])];
    assert_eq!(turns(CLAUDE, messages).1, ["messages[0].content[0]"]);
}

#[test]
fn the_text_beside_a_document_stands_before_its_cache_point() {
    let marked = Part::Media(MediaPart { cache: Some(CacheHint { ttl: None }), ..pdf() });
    let (turns, _) = turns(CLAUDE, vec![user(vec![marked])]);
    assert_eq!(turns, [json!([document(), {"text": "."}, {"cachePoint": {"type": "default"}}])]);
}

#[test]
fn a_client_of_this_format_is_responsible_for_the_text() {
    let own = json!({"messages": [{"role": "user", "content": [document()]}]});
    let (back, losses) = sent(CLAUDE, asked(CLAUDE, "converse", &own).unwrap()).unwrap();
    assert_eq!((&back["messages"], losses.len()), (&own["messages"], 0));
}

#[test]
fn claude_has_documents_beside_results_within_them() {
    let history = || {
        let image = MediaPart::new(MediaKind::Image, MediaSource::Base64("iVBORw0KGgoAAA".into()));
        let after = user(vec![Part::Media(pdf()), Part::Media(image), Part::text("?")]);
        vec![user(vec![Part::text("Read.")]), called(), result(vec![ResultPart::Json("{}".into())]), after]
    };
    let image = json!({"image": {"format": "png", "source": {"bytes": "iVBORw0KGgoAAA"}}});
    let back = |content: Value| json!({"toolResult": {"toolUseId": "a", "content": content}});
    let (claudes, losses) = turns(CLAUDE, history());
    assert_eq!(claudes[2], json!([back(json!([{"json": {}}, document()])), image, {"text": "?"}]));
    assert_eq!(losses, ["messages[3].content[0]"]);
    let (novas, losses) = turns(NOVA, history());
    assert_eq!(novas[2], json!([back(json!([{"json": {}}])), document(), image, {"text": "?"}]));
    assert!(losses.is_empty());
}

/// A text with the extensions that Messages has for it.
fn text(extensions: &[(&str, Value)]) -> MediaPart {
    let own = |(key, json): &(&str, Value)| Extension {
        format: "anthropic.messages".into(),
        key: (*key).into(),
        json: json.to_string(),
    };
    let extensions = extensions.iter().map(own).collect();
    MediaPart { extensions, ..MediaPart::new(MediaKind::Document, MediaSource::Text("a\nb".into())) }
}

#[test]
fn texts_are_bytes_unless_they_shall_be_cited() {
    let source = |model: &str, media| {
        let (turns, losses) = turns(model, vec![user(vec![Part::Media(media), Part::text("?")])]);
        (turns[0][0]["document"]["source"].clone(), losses.len())
    };
    let bytes = json!({"bytes": "YQpi"});
    let off = ("citations", json!({"enabled": false}));
    let blocks = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    let made_of = ("block", json!({"type": "document", "source": {"type": "content", "content": blocks}}));
    for media in [text(&[]), text(&[off]), text(&[made_of])] {
        assert_eq!(source(CLAUDE, media), (bytes.clone(), 0));
    }
    let on = || text(&[("citations", json!({"enabled": true}))]);
    assert_eq!(source(CLAUDE, on()), (json!({"text": "a\nb"}), 0));
    assert_eq!(source(NOVA, on()), (bytes, 1), "it cites none");
}

#[test]
fn documents_within_results_are_not_cited() {
    let found = json!({"type": "search_result", "source": "s", "title": "t",
        "content": [{"type": "text", "text": "a"}], "citations": {"enabled": true}});
    let content = vec![
        ResultPart::Media(text(&[("citations", json!({"enabled": true}))])),
        ResultPart::Media(text(&[("block", found)])),
    ];
    let (turns, losses) = turns(CLAUDE, vec![called(), result(content)]);
    let content = &turns[1][0]["toolResult"]["content"];
    assert_eq!(content[0], json!({"document": {"format": "txt", "name": "document", "source": {"bytes": "YQpi"}}}));
    assert_eq!(content[1]["searchResult"]["citations"], json!({"enabled": true}));
    assert_eq!(losses, ["messages[1].content[0].citations"]);
}
