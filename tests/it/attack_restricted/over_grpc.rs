//! Objects of other clients, and of unknown makers, in calls of gRPC.

use serde_json::{Value, json};
use tonic::Code;
use weir_grpc::types;
use weir_tests::{Gateway, Request};
use weir_types::contract::types::{
    ChatRequest, Extension, MediaKind, MediaPart, MediaSource, Message, Opaque, Part, ResultPart, Role, TextPart, Tool,
    ToolCall, ToolKind, ToolResult,
};

use super::made_beside::{by, maker, naming as naming_over_http, open};
use super::{config, key, made, store, upload};
use crate::grpc::{Read, connect, generate};

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

/// A call with these extensions and tools of a format's own.
fn calls(
    model: &str,
    stream: bool,
    extensions: Vec<(&str, &str, Value)>,
    tools: Vec<(&str, &str, Value)>,
) -> types::ChatRequest {
    let text = Part::Text(TextPart::plain("Hi"));
    let mut request = ChatRequest { stream, ..ChatRequest::plain(model, vec![Message::plain(Role::User, vec![text])]) };
    request.extensions = extensions
        .into_iter()
        .map(|(format, key, json)| Extension { format: format.into(), key: key.into(), json: json.to_string() })
        .collect();
    let own = |(format, kind, json): (&str, &str, Value)| {
        Tool::Opaque(Opaque { format: format.into(), kind: kind.into(), json: json.to_string() })
    };
    request.tools = tools.into_iter().map(own).collect();
    request.into()
}

const RESPONSES: &str = "openai.responses";
const MESSAGES: &str = "anthropic.messages";

/// What is no object's id, or one that every account has.
#[tokio::test(flavor = "multi_thread")]
async fn what_names_no_object_of_an_account_passes_as_it_does_over_http() {
    let upstream = maker(false).await;
    let gateway = open(&upstream).await;
    let channel = connect(&gateway).await;
    let skill = |kind: &str, id: &str| json!({"skills": [{"type": kind, "skill_id": id, "version": "latest"}]});
    let interpreter =
        |container: Value| (RESPONSES, "code_interpreter", json!({"type": "code_interpreter", "container": container}));
    for (call, is_open) in [
        (calls("anthropic", false, vec![(MESSAGES, "container", skill("anthropic", "pptx"))], vec![]), true),
        (calls("anthropic", false, vec![(MESSAGES, "container", skill("custom", "pptx"))], vec![]), false),
        (calls("anthropic", false, vec![(MESSAGES, "container", json!("container_0123456789abcdef"))], vec![]), false),
        (calls("openai-r", false, vec![], vec![interpreter(json!({"type": "auto", "memory_limit": "4g"}))]), true),
        (
            calls(
                "openai-r",
                false,
                vec![],
                vec![interpreter(json!({"type": "auto", "file_ids": ["file-0123456789"]}))],
            ),
            false,
        ),
        (calls("openai-r", false, vec![], vec![interpreter(json!("cntr_0123456789abcdef"))]), false),
        (calls("openai-r", false, vec![(RESPONSES, "metadata", json!({"id": "customer-0123456789"}))], vec![]), true),
    ] {
        let asked = format!("{call:?}");
        let refused = generate(&channel, call, &[("authorization", "Bearer weir-one-0123456789abcdef")]).await.err();
        let is_hidden = refused.as_ref().is_some_and(|status| status.code() == Code::NotFound);
        assert_eq!(is_hidden, !is_open, "{asked}: {refused:?}");
        assert!(is_hidden || refused.is_none(), "{asked}: {refused:?}");
    }
}

/// What a call has made is its client's, at either door.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_call_makes_belongs_to_its_client_over_grpc_and_http() {
    let interpreter =
        |container: Value| (RESPONSES, "code_interpreter", json!({"type": "code_interpreter", "container": container}));
    let execution = json!({"type": "code_execution_20250825", "name": "code_execution"});
    for stream in [false, true] {
        // The first answer of the provider has these ids.
        let coded = calls("openai-r", stream, vec![], vec![interpreter(json!({"type": "auto"}))]);
        let executed =
            calls("anthropic", stream, vec![], vec![(MESSAGES, "code_execution_20250825", execution.clone())]);
        let cntr = "cntr_0123456789abcdef0";
        let made = [
            (&coded, cntr, calls("openai-r", stream, vec![], vec![interpreter(json!(cntr))])),
            (
                &coded,
                "resp_cntr_0123456789abcdef0",
                calls(
                    "openai-r",
                    stream,
                    vec![(RESPONSES, "previous_response_id", json!("resp_cntr_0123456789abcdef0"))],
                    vec![],
                ),
            ),
            (
                &executed,
                "container_0123456789abcdef0",
                calls("anthropic", stream, vec![(MESSAGES, "container", json!("container_0123456789abcdef0"))], vec![]),
            ),
        ];
        for (making, id, naming) in made {
            let upstream = maker(false).await;
            let gateway = open(&upstream).await;
            let channel = connect(&gateway).await;
            let as_client = |client: &str| format!("Bearer weir-{client}-0123456789abcdef");
            let made = generate(&channel, making.clone(), &[("authorization", &*as_client("one"))]).await.unwrap();
            let read = Read::all(made).await;
            assert!(read.end.is_none(), "{:?}", read.end);
            for (client, is_open) in [("one", true), ("two", false), ("other", false)] {
                let refused = generate(&channel, naming.clone(), &[("authorization", &*as_client(client))]).await.err();
                let is_hidden = refused.as_ref().is_some_and(|status| status.code() == Code::NotFound);
                assert_eq!(is_hidden, !is_open, "{client}, {id}, stream {stream}: {refused:?}");
                for request in of_http(id, stream) {
                    let reply = gateway.ask(&by(client, &request)).await;
                    assert_eq!(reply.status() == 404, !is_open, "{client}, {id}, stream {stream}: {}", reply.text());
                }
            }
        }
    }
}

/// The same over HTTP.
fn of_http(id: &str, stream: bool) -> Vec<Request> {
    match id {
        id if id.starts_with("resp") => {
            let body = json!({"model": "openai", "stream": stream, "input": "Hi", "previous_response_id": id});
            vec![Request::post("/v1/responses", body.to_string())]
        }
        id => naming_over_http(id),
    }
}
