//! Guards judge calls of gRPC as they judge requests in a format: wherever a text stands, and what is answered, whole
//! and streamed.

use tonic::Code;
use weir_grpc::types;
use weir_tests::{Answer, Upstream};
use weir_types::contract::types::{
    ChatRequest, Message, Part, ReasoningPart, ResultPart, Role, Signature, TextPart, ToolCall, ToolKind, ToolResult,
};

use super::answers::{AnswerPlace, MODEL, answer};
use super::everywhere::Refusal;
use super::{gateway, guard, secret};
use crate::grpc::{chat, connect, generate};

/// Requests with this text in one place each.
fn requests(text: &str) -> Vec<(&'static str, types::ChatRequest)> {
    let user = |text: &str| Message::plain(Role::User, vec![Part::Text(TextPart::plain(text))]);
    let call = |arguments: &str| {
        let call = ToolCall {
            id: "c1".into(),
            name: "f".into(),
            kind: ToolKind::Function,
            arguments: arguments.into(),
            signature: None,
            cache: None,
            extensions: Vec::new(),
        };
        Message::plain(Role::Assistant, vec![Part::ToolCall(call)])
    };
    let result = |text: &str| {
        let result = ToolResult {
            call_id: "c1".into(),
            name: None,
            content: vec![ResultPart::Text(TextPart::plain(text))],
            is_error: None,
            cache: None,
            extensions: Vec::new(),
        };
        Message::plain(Role::Tool, vec![Part::ToolResult(result)])
    };
    let thought = ReasoningPart {
        id: None,
        text: Some(text.to_owned()),
        signature: Some(Signature { issuer: "openai".into(), value: "c2ln".into() }),
        encrypted: None,
        extensions: Vec::new(),
    };
    let of = |messages: Vec<Message>| types::ChatRequest::from(ChatRequest::plain("groq", messages));
    let arguments = format!("{{\"q\":\"\\u{:04x}{}\"}}", u32::from(text.chars().next().unwrap()), &text[1..]);
    let mut extended = of(vec![user("Hi")]);
    let (format, key, json) = ("openai.chat".into(), "note".into(), serde_json::to_string(text).unwrap());
    extended.extensions = vec![types::Extension { format, key, json }];
    vec![
        ("user", of(vec![user(text)])),
        ("system", of(vec![Message::plain(Role::System, vec![Part::Text(TextPart::plain(text))]), user("Hi")])),
        ("arguments", of(vec![user("Hi"), call(&arguments), result("42")])),
        ("result", of(vec![user("Hi"), call("{}"), result(text)])),
        ("thinking", of(vec![user("Hi"), Message::plain(Role::Assistant, vec![Part::Reasoning(thought)]), user("Go")])),
        ("extension", extended),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_in_a_call_is_refused_wherever_it_stands() {
    let mut upstream = Upstream::always(Answer::json(500, "{}")).await;
    for refusal in Refusal::of_each() {
        let gateway = gateway(&upstream, &["openai", MODEL], &refusal.guard()).await;
        let channel = connect(&gateway).await;
        for stream in [false, true] {
            for (place, mut request) in requests(&refusal.text) {
                request.stream = stream;
                let status = generate(&channel, request, &[]).await.unwrap_err();
                let case = format!("{}, {place}, stream {stream}: {status:?}", refusal.guard);
                assert_eq!(status.code(), Code::FailedPrecondition, "{case}");
                let noted = format!("{}=deny;{}", refusal.guard, refusal.label);
                assert_eq!(status.metadata().get("x-weir-guards").unwrap(), noted.as_str(), "{case}");
                assert!(!status.message().contains(&refusal.text) && upstream.unseen().is_none(), "{case}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_the_answer_to_a_call_is_refused_or_masked() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    for action in ["deny", "mask"] {
        let sees = guard("secrets", &format!("options = {{ action = \"{action}\" }}"));
        let gateway = gateway(&upstream, &["openai", MODEL], &sees.replace("prompt = true", "answer = true")).await;
        let channel = connect(&gateway).await;
        for place in [AnswerPlace::Text, AnswerPlace::Thinking, AnswerPlace::Arguments] {
            for stream in [false, true] {
                upstream.script(move |_| answer(place, &secret(), stream));
                let mut events = generate(&channel, chat(MODEL, stream), &[]).await.unwrap();
                let mut read = String::new();
                while let Some(event) = weir_tests::soon("a message", events.message()).await.unwrap() {
                    read.push_str(&std::fmt::format(format_args!("{event:?}")));
                }
                let case = format!("{action}, {place:?}, stream {stream}: {read}");
                assert!(!read.contains("AKI") && !read.contains("2345"), "{case}");
                assert_eq!(read.contains("ContentFilter"), action == "deny", "{case}");
                assert_eq!(read.contains("[aws-access-key]"), action == "mask", "{case}");
            }
        }
    }
}
