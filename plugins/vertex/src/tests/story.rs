//! The content of an answer: from the recorded JSON alone, and from the adapter's result.

use serde_json::{Map, Value, json};
use weir_sdk::types::{ChatEvent, ChatResponse, Part, PartKind, Usage};

/// The text, thoughts, calls and counts of an answer.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Story {
    text: String,
    thoughts: String,
    calls: Vec<(String, Value)>,
    /// Input with cached tokens, and output with thoughts.
    tokens: (u64, u64),
}

impl Story {
    pub(super) fn gemini(&mut self, frame: &Value) {
        for part in frame["candidates"][0]["content"]["parts"].as_array().into_iter().flatten() {
            let text = part["text"].as_str().unwrap_or_default();
            match part["thought"].as_bool() {
                Some(true) => self.thoughts.push_str(text),
                _ => self.text.push_str(text),
            }
            if let Some(call) = part.get("functionCall") {
                let arguments = call.get("args").cloned().unwrap_or_else(|| json!({}));
                self.calls.push((call["name"].as_str().unwrap().into(), arguments));
            }
        }
        let usage = &frame["usageMetadata"];
        let sum = |names: [&str; 2]| names.iter().filter_map(|name| usage[name].as_u64()).sum::<u64>();
        let (input, output) =
            (sum(["promptTokenCount", "toolUsePromptTokenCount"]), sum(["candidatesTokenCount", "thoughtsTokenCount"]));
        self.tokens = (self.tokens.0.max(input), self.tokens.1.max(output));
    }

    pub(super) fn claude(&mut self, event: &Value) {
        let usage = |usage: &Value| {
            let names = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"];
            let input = names.iter().filter_map(|name| usage[name].as_u64()).sum();
            (input, usage["output_tokens"].as_u64().unwrap_or(0))
        };
        let later = |a: (u64, u64), b: (u64, u64)| (a.0.max(b.0), a.1.max(b.1));
        self.tokens = later(later(self.tokens, usage(&event["usage"])), usage(&event["message"]["usage"]));
        let started = event.get("content_block").map(std::slice::from_ref);
        for block in event["content"].as_array().map(Vec::as_slice).or(started).unwrap_or_default() {
            self.text.push_str(block["text"].as_str().unwrap_or_default());
            if block["type"] == "tool_use" {
                self.calls.push((block["name"].as_str().unwrap().into(), block["input"].clone()));
            }
        }
        let delta = &event["delta"];
        self.text.push_str(delta["text"].as_str().unwrap_or_default());
        if let (Some(piece), Some((_, arguments))) = (delta["partial_json"].as_str(), self.calls.last_mut()) {
            let text = arguments.as_str().unwrap_or_default().to_owned() + piece;
            *arguments = json!(text);
        }
    }

    pub(super) fn settled(mut self) -> Self {
        for (_, arguments) in &mut self.calls {
            if let Some(text) = arguments.as_str() {
                *arguments = serde_json::from_str(text).unwrap_or_else(|_| json!({}));
            }
        }
        self
    }

    pub(super) fn usage(&mut self, usage: &Usage) {
        let [input, output] =
            [usage.input_total(), usage.output_total()].map(|count| u64::from(count.unwrap_or_default()));
        self.tokens = (self.tokens.0.max(input), self.tokens.1.max(output));
    }

    pub(super) fn of_response(response: &ChatResponse) -> Self {
        let mut story = Self::default();
        for part in &response.candidates[0].parts {
            match part {
                Part::Text(text) => story.text.push_str(&text.text),
                Part::Reasoning(thought) => story.thoughts.push_str(thought.text.as_deref().unwrap_or_default()),
                Part::ToolCall(call) => story.calls.push((call.name.clone(), json!(call.arguments))),
                _ => {}
            }
        }
        response.usage.iter().for_each(|usage| story.usage(usage));
        story.settled()
    }

    pub(super) fn of_events(events: &[ChatEvent]) -> Self {
        let mut story = Self::default();
        let mut kinds: Map<String, Value> = Map::new();
        for event in events {
            match event {
                ChatEvent::PartStart(start) => {
                    let place = match &start.kind {
                        PartKind::ToolCall(call) => {
                            story.calls.push((call.name.clone(), json!("")));
                            json!(story.calls.len() - 1)
                        }
                        PartKind::Reasoning => json!("thought"),
                        _ => json!("text"),
                    };
                    kinds.insert(start.part.to_string(), place);
                }
                ChatEvent::Delta(delta) => match &kinds[&delta.part.to_string()] {
                    Value::String(kind) if kind == "thought" => story.thoughts.push_str(&delta.text),
                    Value::String(_) => story.text.push_str(&delta.text),
                    at => {
                        let call = &mut story.calls[at.as_u64().unwrap() as usize];
                        call.1 = json!(call.1.as_str().unwrap().to_owned() + &delta.text);
                    }
                },
                ChatEvent::Usage(usage) => story.usage(usage),
                _ => {}
            }
        }
        story.settled()
    }
}
