//! Signed reasoning that a program carries into its next call goes back to the target that issued it.

use weir_embed::types::{Message, Part, Role, TextPart};
use weir_embed::{ChatEvent, ChatRequest, Client};
use weir_tests::{Answer, Folder, Upstream};

use super::{QUICK, builder, provider};
use crate::wire_format::ANTHROPIC;

/// An opaque value, long enough to be known again.
const SIGNATURE: &str = "ErUBCkYIBxgCIkDkAxzs8Mn1hYkT3xJ5q0lUu3wYb7tZpQvR2sN4mK6aF9eD1cG8hJiLoPqRsTuVwXyZ012345";

fn whole() -> String {
    format!(
        r#"{{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[
        {{"type":"thinking","thinking":"Hm.","signature":"{SIGNATURE}"}},{{"type":"text","text":"Yes."}}],
        "stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":6,"output_tokens":7}}}}"#
    )
}

fn streamed() -> Answer {
    let events = [
        r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":6,"output_tokens":1}}}"#.to_owned(),
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#.to_owned(),
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm."}}"#.to_owned(),
        format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"signature_delta","signature":"{SIGNATURE}"}}}}"#),
        r#"{"type":"content_block_stop","index":0}"#.to_owned(),
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}}"#.to_owned(),
        r#"{"type":"message_stop"}"#.to_owned(),
    ];
    let frame = |answer: Answer, data: &String| {
        let name = data.split('"').nth(3).unwrap();
        answer.piece(format!("event: {name}\ndata: {data}\n\n"))
    };
    events.iter().fold(Answer::sse(), frame).end()
}

/// A client whose model `turns` takes two providers in turn.
async fn in_turn(first: &Upstream, second: &Upstream) -> (Folder, Client) {
    let (folder, builder) = builder(&["anthropic"]);
    let targets = "{ provider = \"a\", model = \"m\" }, { provider = \"b\", model = \"m\" }";
    let builder = builder
        .provider("a", provider(ANTHROPIC, first, QUICK))
        .provider("b", provider(ANTHROPIC, second, QUICK))
        .settings(&format!("[[models]]\nalias = \"turns\"\nstrategy = \"round-robin\"\ntargets = [{targets}]\n"));
    (folder, builder.build().await.unwrap())
}

fn next_turn(parts: Vec<Part>) -> ChatRequest {
    let words = |text| vec![Part::Text(TextPart::plain(text))];
    let messages = vec![
        Message::plain(Role::User, words("Hello?")),
        Message::plain(Role::Assistant, parts),
        Message::plain(Role::User, words("And then?")),
    ];
    ChatRequest::plain("", messages)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_whole_answer() {
    let (first, second) =
        (Upstream::always(Answer::json(200, whole())).await, Upstream::always(Answer::json(200, whole())).await);
    let (_folder, weir) = in_turn(&first, &second).await;
    let answer = weir.generate("turns", "Hello?").await.unwrap();
    let parts = answer.response.candidates[0].parts.clone();
    for _ in 0..4 {
        let next = weir.generate("turns", next_turn(parts.clone())).await.unwrap();
        assert_eq!(next.target, answer.target, "only its issuer can read it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_stream() {
    let (first, second) = (Upstream::always(streamed()).await, Upstream::always(streamed()).await);
    let (_folder, weir) = in_turn(&first, &second).await;
    let mut stream = weir.stream("turns", "Hello?").await.unwrap();
    let mut signature = None;
    while let Some(event) = stream.next().await {
        if let ChatEvent::Signature(one) = event.unwrap() {
            signature = Some(one.signature);
        }
    }
    let thought = weir_embed::types::ReasoningPart {
        id: None,
        text: Some("Hm.".into()),
        signature: Some(signature.unwrap()),
        encrypted: None,
        extensions: Vec::new(),
    };
    let issuer = stream.target().to_owned();
    for _ in 0..4 {
        let next = weir.stream("turns", next_turn(vec![Part::Reasoning(thought.clone())])).await.unwrap();
        assert_eq!(next.target(), issuer);
    }
}
