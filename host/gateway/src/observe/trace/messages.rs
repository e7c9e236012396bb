//! The messages of a chat as OpenTelemetry's conventions for generative AI write them (`gen-ai-input-messages.json`,
//! `gen-ai-output-messages.json`): JSON within a bound of bytes. What does not fit is left out, the oldest messages
//! first.

use serde_json::{Value, json};
use weir_types::contract::types::{
    ChatRequest, ChatResponse, FinishReason, MediaKind, MediaPart, MediaSource, Part, ResultPart, Role, ToolCall,
    ToolResult,
};

/// What a part or a message takes besides its texts, in bytes.
const FRAME: usize = 96;

/// Messages as JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Messages {
    pub(super) json: String,
    /// Whether some were left out or cut.
    pub(super) is_cut: bool,
}

impl Messages {
    /// What a client sent, in at most about `room` bytes.
    pub(super) fn of_request(request: &ChatRequest, room: usize) -> Self {
        let mut room = Room::new(room);
        let mut messages: Vec<Value> = Vec::new();
        for message in request.messages.iter().rev() {
            if !room.takes(FRAME) {
                break;
            }
            let parts = parts(&message.parts, &mut room);
            let is_result = message.parts.iter().any(|part| matches!(part, Part::ToolResult(_)));
            let role = if is_result { "tool" } else { role(&message.role) };
            let mut shown = json!({"role": role, "parts": parts});
            if let Some(name) = &message.name {
                shown["name"] = room.text(name).into();
            }
            messages.push(shown);
        }
        messages.reverse();
        Self { json: Value::from(messages).to_string(), is_cut: room.is_short }
    }

    /// What a provider answered, in at most about `room` bytes.
    pub(super) fn of_answer(answer: &ChatResponse, room: usize) -> Self {
        let mut room = Room::new(room);
        let mut messages: Vec<Value> = Vec::new();
        for candidate in &answer.candidates {
            if !room.takes(FRAME) {
                break;
            }
            let parts = parts(&candidate.parts, &mut room);
            let finish = candidate.finish.as_ref().map_or("error", |finish| finish_reason(finish.reason));
            messages.push(json!({"role": "assistant", "parts": parts, "finish_reason": finish}));
        }
        Self { json: Value::from(messages).to_string(), is_cut: room.is_short }
    }
}

fn role(role: &Role) -> &'static str {
    match role {
        Role::System | Role::Developer => "system",
        Role::User | Role::Other(_) => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

/// The conventions' word for why an answer ended. They have none for one that broke off but `error`.
pub(crate) fn finish_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Complete | FinishReason::StopSequence | FinishReason::Paused => "stop",
        FinishReason::Length | FinishReason::ContextLength => "length",
        FinishReason::ToolCalls => "tool_call",
        FinishReason::ContentFilter | FinishReason::Refusal => "content_filter",
        FinishReason::MalformedToolCall | FinishReason::Failed | FinishReason::Other => "error",
    }
}

fn parts(parts: &[Part], room: &mut Room) -> Vec<Value> {
    let mut shown = Vec::new();
    for part in parts {
        if !room.takes(FRAME) {
            break;
        }
        shown.push(part_of(part, room));
    }
    shown
}

fn part_of(part: &Part, room: &mut Room) -> Value {
    match part {
        Part::Text(text) => json!({"type": "text", "content": room.text(&text.text)}),
        Part::Refusal(text) => json!({"type": "text", "content": room.text(text)}),
        Part::Reasoning(thought) => {
            json!({"type": "reasoning", "content": room.text(thought.text.as_deref().unwrap_or_default())})
        }
        Part::Media(media) => media_of(media, room),
        Part::ToolCall(call) => call_of(call, room),
        Part::ToolResult(result) => result_of(result, room),
        Part::Opaque(_) => json!({"type": "weir.opaque"}),
    }
}

/// A medium without its bytes.
fn media_of(media: &MediaPart, room: &mut Room) -> Value {
    let modality = match media.kind {
        MediaKind::Image => "image",
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
        MediaKind::Document => "document",
    };
    let mut shown = match &media.source {
        MediaSource::Url(url) => json!({"type": "uri", "uri": room.text(url)}),
        MediaSource::FileId(id) => json!({"type": "file", "file_id": room.text(id)}),
        MediaSource::Text(text) => json!({"type": "text", "content": room.text(text)}),
        MediaSource::Base64(base64) => json!({"type": "weir.omitted", "base64_bytes": base64.len()}),
    };
    shown["modality"] = modality.into();
    if let Some(mime) = &media.mime {
        shown["mime_type"] = room.text(mime).into();
    }
    shown
}

fn call_of(call: &ToolCall, room: &mut Room) -> Value {
    let (id, name) = (room.text(&call.id), room.text(&call.name));
    json!({"type": "tool_call", "id": id, "name": name, "arguments": room.json(&call.arguments)})
}

fn result_of(result: &ToolResult, room: &mut Room) -> Value {
    let mut pieces: Vec<Value> = Vec::new();
    for piece in &result.content {
        if !room.takes(FRAME) {
            break;
        }
        pieces.push(match piece {
            ResultPart::Text(text) => room.text(&text.text).into(),
            ResultPart::Json(text) => room.json(text),
            ResultPart::Media(media) => media_of(media, room),
            ResultPart::Opaque(_) => json!({"type": "weir.opaque"}),
        });
    }
    let response = if pieces.len() == 1 { pieces.remove(0) } else { Value::from(pieces) };
    json!({"type": "tool_call_response", "id": room.text(&result.call_id), "response": response})
}

/// The bytes that are left.
struct Room {
    left: usize,
    is_short: bool,
}

impl Room {
    fn new(left: usize) -> Self {
        Self { left, is_short: false }
    }

    fn takes(&mut self, bytes: usize) -> bool {
        let rest = self.left.checked_sub(bytes);
        self.left = rest.unwrap_or_default();
        self.is_short |= rest.is_none();
        rest.is_some()
    }

    /// Cuts a text to what fits into the room as a JSON string.
    fn text(&mut self, text: &str) -> String {
        for (at, character) in text.char_indices() {
            if !self.takes(written_len(character)) {
                return text.get(..at).unwrap_or_default().to_owned();
            }
        }
        text.to_owned()
    }

    /// JSON as a value, and as a text where it is none or finds no room.
    fn json(&mut self, text: &str) -> Value {
        if text.len() <= self.left
            && let Ok(value) = serde_json::from_str::<Value>(text)
            && self.takes(value.to_string().len())
        {
            return value;
        }
        self.text(text).into()
    }
}

/// The bytes of a character in a JSON string.
fn written_len(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        character if character.is_control() && character.is_ascii() => 6,
        character => character.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::{Message, TextPart, ToolKind};

    fn message(role: Role, text: &str) -> Message {
        Message::plain(role, vec![Part::Text(TextPart::plain(text))])
    }

    #[test]
    fn the_oldest_messages_are_left_out_and_the_result_is_json_within_its_bound() {
        let long = "\u{1}\"ü".repeat(10_000);
        let messages =
            vec![message(Role::System, "Be brief."), message(Role::User, &long), message(Role::User, "And now?")];
        let request = ChatRequest::plain("m", messages);
        let all = Messages::of_request(&request, 1 << 20);
        assert!(!all.is_cut);
        let first = json!({"role": "system", "parts": [{"type": "text", "content": "Be brief."}]});
        assert_eq!(serde_json::from_str::<Value>(&all.json).unwrap()[0], first);
        for room in [0, 100, 300, 5_000, 60_000] {
            let cut = Messages::of_request(&request, room);
            assert!(cut.is_cut && cut.json.len() <= room + 2, "{room}: {}", cut.json.len());
            let shown: Vec<Value> = serde_json::from_str(&cut.json).unwrap();
            if room > 300 {
                assert_eq!(shown.last().unwrap()["parts"][0]["content"], "And now?");
                assert_eq!(shown.len(), 2, "the first one is left out");
            }
        }
    }

    #[test]
    fn calls_and_results_have_their_forms_and_media_no_bytes() {
        let call = ToolCall {
            id: "c1".to_owned(),
            name: "weather".to_owned(),
            kind: ToolKind::Function,
            arguments: "{\"city\":\"Bern\"}".to_owned(),
            signature: None,
            cache: None,
            extensions: Vec::new(),
        };
        let result = ToolResult {
            call_id: "c1".to_owned(),
            name: None,
            content: vec![ResultPart::Text(TextPart::plain("rain"))],
            is_error: None,
            cache: None,
            extensions: Vec::new(),
        };
        let image = MediaPart {
            kind: MediaKind::Image,
            mime: Some("image/png".to_owned()),
            source: MediaSource::Base64("QUJD".to_owned()),
            name: None,
            detail: None,
            cache: None,
            extensions: Vec::new(),
        };
        let messages = vec![
            Message::plain(Role::Assistant, vec![Part::ToolCall(call)]),
            Message::plain(Role::User, vec![Part::ToolResult(result)]),
            Message::plain(Role::User, vec![Part::Media(image)]),
        ];
        let shown = Messages::of_request(&ChatRequest::plain("m", messages), 1 << 16);
        let expected = json!([
            {"role": "assistant", "parts": [
                {"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Bern"}}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rain"}]},
            {"role": "user", "parts": [
                {"type": "weir.omitted", "base64_bytes": 4, "modality": "image", "mime_type": "image/png"}]},
        ]);
        assert_eq!(serde_json::from_str::<Value>(&shown.json).unwrap(), expected);
    }
}
