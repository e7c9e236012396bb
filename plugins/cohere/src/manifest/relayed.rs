//! Operations that are relayed and never translated: tokens, classification, and chats and texts of the older API.

use weir_sdk::manifest::{
    Acceptance, AnswerFraming, ErrorFormat, Face, Format, FrameTemplate, Operation, StreamFlag, Tap, strings,
};
use weir_sdk::types::Framing;

use super::accepts::acceptance;
use super::faces::post;
use super::format::{equals, errors, meta_tap};

/// One format for all of them: their errors and figures are in the same places.
const FORMAT: &str = "cohere.v1";
/// The last line of a stream that broke.
const FAILURE: &str = r#"{"is_finished":true,"event_type":"stream-end","finish_reason":"ERROR","error":{{message}}}"#;

/// Operation, path, and whether it may be streamed. The operation's name is a label of metrics.
const ENDPOINTS: [(&str, &str, bool); 5] = [
    ("chat-v1", "v1/chat", true),
    ("generate", "v1/generate", true),
    ("classify", "v1/classify", false),
    ("tokenize", "v1/tokenize", false),
    ("detokenize", "v1/detokenize", false),
];

pub(super) fn faces() -> impl Iterator<Item = Face> {
    ENDPOINTS.iter().map(|&(name, path, streams)| {
        let plain = post(FORMAT, Operation::Other(name.into()), &format!("/{path}"));
        if !streams {
            return plain;
        }
        Face {
            stream: StreamFlag::member(false),
            output_limit: strings(["/max_tokens"]),
            framings: AnswerFraming::always(Framing::Ndjson),
            ..plain
        }
    })
}

pub(super) fn accepts() -> impl Iterator<Item = Acceptance> {
    ENDPOINTS.iter().map(|&(name, path, _)| Acceptance {
        preferred: false,
        ..acceptance(FORMAT, Operation::Other(name.into()), "POST", path)
    })
}

pub(super) fn format() -> Format {
    let mut tap = meta_tap(&["", "/response"]);
    tap.finish = strings(["/finish_reason"]);
    let tap = Tap { end: vec![equals("/event_type", "stream-end")], ..tap };
    let failure = FrameTemplate { event: None, data: FAILURE.into() };
    let errors = ErrorFormat { stream_failure: Some(failure), ..errors() };
    Format { id: FORMAT.into(), errors: Some(errors), tap: Some(tap), session: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_relayed_has_a_face_and_is_accepted() {
        let named = |operation: &Operation| matches!(operation, Operation::Other(_));
        assert!(faces().zip(accepts()).all(|(face, accepted)| {
            named(&face.operation) && face.operation == accepted.operation && face.path == format!("/{}", accepted.path)
        }));
        let filled = FAILURE.replace("{{message}}", "\"x\"");
        assert!(serde_json::from_str::<serde_json::Value>(&filled).is_ok());
    }
}
