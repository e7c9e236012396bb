//! What a request or an answer says that every format can say. Two readings of one thing agree in it, however a format
//! groups its messages or spells its details.

use serde_json::{Value, json};

use crate::attempt::Request;
use crate::contract::types::{
    Candidate, ChatRequest, ChatResponse, MediaPart, Part, ResultPart, Role, TextPart, Tool, ToolCall,
};

use super::neutral::write;
use super::replay::request_value;

/// Of an answer: words, calls, and why it ended.
pub(super) fn of_answer(chat: &ChatResponse) -> Value {
    let candidate = |candidate: &Candidate| {
        let mut said = Said::default();
        candidate.parts.iter().for_each(|part| said.take(part));
        let finish = candidate.finish.as_ref().map(|finish| write(&finish.reason));
        json!({"text": said.text, "calls": said.calls, "finish": finish})
    };
    chat.candidates.iter().map(candidate).collect()
}

/// Whether an answer says nothing at all: no words, no calls, no reason for its end.
pub(super) fn is_empty(chat: &ChatResponse) -> bool {
    chat.candidates.iter().all(|candidate| candidate.parts.is_empty() && candidate.finish.is_none())
}

/// Of a request: what was said and by whom, calls and their results, tools, and how the answer is to be.
pub(super) fn of_request(request: &Request) -> Value {
    match request {
        Request::Chat(chat) | Request::CountTokens(chat) => of_chat(chat),
        other => {
            let mut other = other.clone();
            other.set_model("");
            request_value(&other)
        }
    }
}

fn of_chat(chat: &ChatRequest) -> Value {
    let (mut system, mut asked, mut answered) = (Said::default(), Said::default(), Said::default());
    for message in &chat.messages {
        let said = match message.role {
            Role::System | Role::Developer => &mut system,
            Role::Assistant => &mut answered,
            _ => &mut asked,
        };
        message.parts.iter().for_each(|part| said.take(part));
    }
    let tools = chat.tools.iter().map(|tool| match tool {
        Tool::Function(function) => json!({"name": function.name, "about": function.description}),
        Tool::Opaque(opaque) => json!({"kind": opaque.kind}),
    });
    json!({
        "system": system.text,
        "asked": {"text": asked.text, "results": asked.results, "media": asked.media},
        "answered": {"text": answered.text, "calls": answered.calls},
        "tools": tools.collect::<Vec<_>>(),
        "tool_choice": chat.tool_choice.as_ref().map(write),
        "sampling": write(&chat.sampling),
        "max_output_tokens": chat.max_output_tokens,
        "stream": chat.stream,
    })
}

#[derive(Default)]
struct Said {
    text: String,
    calls: Vec<Value>,
    results: Vec<Value>,
    media: Vec<Value>,
}

impl Said {
    fn take(&mut self, part: &Part) {
        match part {
            Part::Text(TextPart { text, .. }) | Part::Refusal(text) => self.text.push_str(text),
            Part::ToolCall(call) => self.calls.push(called(call)),
            Part::ToolResult(result) => result.content.iter().for_each(|part| self.result(part)),
            Part::Media(media) => self.media(media),
            Part::Reasoning(_) | Part::Opaque(_) => {}
        }
    }

    fn result(&mut self, part: &ResultPart) {
        match part {
            ResultPart::Text(text) => self.results.push(text.text.as_str().into()),
            ResultPart::Json(json) => self.results.push(json.as_str().into()),
            ResultPart::Media(media) => self.media(media),
            ResultPart::Opaque(_) => {}
        }
    }

    fn media(&mut self, media: &MediaPart) {
        self.media.push(json!({"kind": write(&media.kind), "source": write(&media.source)}));
    }
}

fn called(call: &ToolCall) -> Value {
    let arguments = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
    json!({"name": call.name, "arguments": arguments})
}
