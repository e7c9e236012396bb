//! The exchange that is counted: a request of 1.5 KB, and its answer of another format, whole and streamed.

/// The whole answer.
pub const ANSWER: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"other","content":[{"type":"text","text":"A few words of an answer, no more."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":20,"output_tokens":9}}"#;
/// Pieces of the streamed answer.
pub const PIECES: usize = 50;

/// The request's body.
pub fn request(model: &str, stream: &str) -> String {
    let words = "Some words that a user might say. ".repeat(40);
    format!(
        "{{\"model\":\"{model}\",\"stream\":{stream},\"max_tokens\":100,\"messages\":[{{\"role\":\"system\",\"content\":\
         \"Be brief.\"}},{{\"role\":\"user\",\"content\":\"{words}\"}}]}}"
    )
}

/// The events of the streamed answer, with their names.
pub fn events() -> Vec<(&'static str, &'static str)> {
    let piece = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word"}}"#;
    let mut events = vec![
        (
            "message_start",
            r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"other-s","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":20,"output_tokens":1}}}"#,
        ),
        (
            "content_block_start",
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        ),
    ];
    events.extend([("content_block_delta", piece); PIECES]);
    events.extend([
        ("content_block_stop", r#"{"type":"content_block_stop","index":0}"#),
        (
            "message_delta",
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":50}}"#,
        ),
        ("message_stop", r#"{"type":"message_stop"}"#),
    ]);
    events
}
