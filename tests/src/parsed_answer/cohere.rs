//! `cohere.chat`: `V2ChatResponse` and `V2ChatStreamResponse` in the specification of Cohere's API.

use serde_json::Value;

use super::{Call, ParsedAnswer, Tokens, count, list, text, word};

impl ParsedAnswer {
    pub(super) fn cohere_whole(&mut self, answer: &Value) {
        let message = &answer["message"];
        for part in list(&message["content"]) {
            self.cohere_content(part);
        }
        self.thinking.push_str(&text(&message["tool_plan"]));
        for call in list(&message["tool_calls"]) {
            self.cohere_call(call);
        }
        self.cohere_end(answer);
    }

    pub(super) fn cohere_event(&mut self, data: &str) {
        let event: Value = serde_json::from_str(data).unwrap_or_default();
        let (delta, message) = (&event["delta"], &event["delta"]["message"]);
        match text(&event["type"]).as_str() {
            "content-start" | "content-delta" => self.cohere_content(&message["content"]),
            "tool-plan-delta" => self.thinking.push_str(&text(&message["tool_plan"])),
            "tool-call-start" => self.cohere_call(&message["tool_calls"]),
            "tool-call-delta" => {
                if let Some(call) = self.calls.last_mut() {
                    call.arguments.push_str(&text(&message["tool_calls"]["function"]["arguments"]));
                }
            }
            "message-end" => {
                self.cohere_end(delta);
                self.error = word(&delta["error"]).map(Value::String);
                self.complete = self.error.is_none();
            }
            _ => {}
        }
    }

    fn cohere_content(&mut self, part: &Value) {
        self.text.push_str(&text(&part["text"]));
        self.thinking.push_str(&text(&part["thinking"]));
    }

    fn cohere_call(&mut self, call: &Value) {
        let (id, inner) = (text(&call["id"]), &call["function"]);
        self.calls.push(Call { id, name: text(&inner["name"]), arguments: text(&inner["arguments"]) });
    }

    fn cohere_end(&mut self, answer: &Value) {
        let usage = &answer["usage"];
        // What was processed; older models only say what is billed.
        let counted = if usage["tokens"].is_object() { &usage["tokens"] } else { &usage["billed_units"] };
        if counted.is_object() {
            let (input, output) = (count(&counted["input_tokens"]), count(&counted["output_tokens"]));
            self.tokens = Some(Tokens { input, cached: count(&usage["cached_tokens"]), output });
        }
        self.finish = word(&answer["finish_reason"]).map(|reason| match reason.as_str() {
            "COMPLETE" | "STOP_SEQUENCE" => "stop".to_owned(),
            "MAX_TOKENS" => "length".to_owned(),
            "TOOL_CALL" => "tool".to_owned(),
            _ => reason,
        });
    }
}
