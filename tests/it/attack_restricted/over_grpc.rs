//! Objects of other clients, and of unknown makers, in calls of gRPC.

use tonic::Code;
use weir_grpc::types;
use weir_tests::Gateway;
use weir_types::contract::types::{
    ChatRequest, MediaKind, MediaPart, MediaSource, Message, Part, ResultPart, Role, TextPart, ToolCall, ToolKind,
    ToolResult,
};

use super::{config, key, made, store, upload};
use crate::grpc::{connect, generate};

/// Calls that name an object: as a file, and in a member that only one format has.
fn naming(id: &str, stream: bool) -> [types::ChatRequest; 2] {
    let file = MediaPart {
        kind: MediaKind::Document,
        mime: None,
        source: MediaSource::FileId(id.to_owned()),
        name: None,
        detail: None,
        cache: None,
        extensions: Vec::new(),
    };
    let of = |parts: Vec<Part>| {
        types::ChatRequest::from(ChatRequest {
            stream,
            ..ChatRequest::plain("fast", vec![Message::plain(Role::User, parts)])
        })
    };
    let text = || Part::Text(TextPart::plain("Hi"));
    let mut extended = of(vec![text()]);
    let (format, key) = ("openai.responses".into(), "previous_response_id".into());
    extended.extensions = vec![types::Extension { format, key, json: format!("\"{id}\"") }];
    [of(vec![text(), Part::Media(file)]), extended]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_names_no_object_of_another_client_nor_of_an_unknown_maker() {
    let mut upstream = store(false).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let channel = connect(&gateway).await;
    let own = made(&gateway, "one", upload()).await;
    upstream.request().await;
    let unknown = "file-0123456789abcdefUNKNOWN";
    for stream in [false, true] {
        for (client, id, is_open) in [
            ("one", own.as_str(), true),
            ("two", &own, false),
            ("closed", &own, false),
            ("free", &own, false),
            ("one", unknown, false),
            ("closed", unknown, false),
            ("free", unknown, true),
        ] {
            for call in naming(id, stream) {
                let metadata = [("authorization", &*format!("Bearer {}", key(client)))];
                let refused = generate(&channel, call, &metadata).await.err();
                let case = format!("{client}, {id}, stream {stream}: {refused:?}");
                let is_hidden = refused
                    .is_some_and(|status| status.code() == Code::NotFound && status.message().contains("there is no"));
                assert_eq!(is_hidden, !is_open, "{case}");
                assert!(is_open || upstream.unseen().is_none(), "{case}");
                while upstream.unseen().is_some() {}
            }
        }
    }
}

/// The members of a client's own data have the names that it likes.
#[tokio::test(flavor = "multi_thread")]
async fn json_in_a_message_or_in_a_call_names_no_object() {
    let upstream = store(false).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let channel = connect(&gateway).await;
    let data = r#"{"id":"customer-17","file_id":"f-1","conversation":{"id":"c-1"}}"#;
    let call = ToolCall {
        id: "call_1".into(),
        name: "look_up".into(),
        kind: ToolKind::Function,
        arguments: data.into(),
        signature: None,
        cache: None,
        extensions: Vec::new(),
    };
    let result = ToolResult {
        call_id: "call_1".into(),
        name: None,
        content: vec![ResultPart::Text(TextPart::plain(data))],
        is_error: None,
        cache: None,
        extensions: Vec::new(),
    };
    let messages = vec![
        Message::plain(Role::User, vec![Part::Text(TextPart::plain(data))]),
        Message::plain(Role::Assistant, vec![Part::ToolCall(call)]),
        Message::plain(Role::Tool, vec![Part::ToolResult(result)]),
    ];
    let call = types::ChatRequest::from(ChatRequest::plain("fast", messages));
    let metadata = [("authorization", &*format!("Bearer {}", key("one")))];
    assert_eq!(generate(&channel, call, &metadata).await.err().map(|status| status.message().to_owned()), None);
}
