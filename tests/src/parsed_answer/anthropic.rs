//! `anthropic.messages`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Call, ParsedAnswer, Tokens, count, list, text, word};

impl ParsedAnswer {
    pub(super) fn anthropic_whole(&mut self, answer: &Value) {
        self.model = word(&answer["model"]);
        self.anthropic_tokens(&answer["usage"]);
        for block in list(&answer["content"]) {
            match text(&block["type"]).as_str() {
                "text" => self.text.push_str(&text(&block["text"])),
                "thinking" => self.thinking.push_str(&text(&block["thinking"])),
                "tool_use" => {
                    let arguments = block["input"].to_string();
                    self.calls.push(Call { id: text(&block["id"]), name: text(&block["name"]), arguments });
                }
                _ => {}
            }
        }
        self.finish = word(&answer["stop_reason"]).map(anthropic_finish);
    }

    /// Later figures replace earlier ones, as in the format's own clients.
    pub(super) fn anthropic_tokens(&mut self, usage: &Value) {
        if !usage.is_object() {
            return;
        }
        let known = self.tokens.unwrap_or_default();
        let fresh = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"];
        let input: u64 = fresh.iter().map(|name| count(&usage[*name])).sum();
        let tells = usage["input_tokens"].is_u64();
        self.tokens = Some(Tokens {
            input: if tells { input } else { known.input },
            cached: if tells { count(&usage["cache_read_input_tokens"]) } else { known.cached },
            output: if usage["output_tokens"].is_u64() { count(&usage["output_tokens"]) } else { known.output },
        });
    }

    pub(super) fn anthropic_event(&mut self, data: &str, blocks: &mut BTreeMap<u64, Call>) {
        let event: Value = serde_json::from_str(data).unwrap_or_default();
        let index = count(&event["index"]);
        match text(&event["type"]).as_str() {
            "message_start" => {
                self.model = word(&event["message"]["model"]);
                self.anthropic_tokens(&event["message"]["usage"]);
            }
            "content_block_start" => {
                let block = &event["content_block"];
                self.text.push_str(&text(&block["text"]));
                if block["type"] == "tool_use" {
                    let arguments = match &block["input"] {
                        Value::Object(input) if input.is_empty() => String::new(),
                        input => input.to_string(),
                    };
                    blocks.insert(index, Call { id: text(&block["id"]), name: text(&block["name"]), arguments });
                }
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                self.text.push_str(&text(&delta["text"]));
                self.thinking.push_str(&text(&delta["thinking"]));
                if let Some(call) = blocks.get_mut(&index) {
                    call.arguments.push_str(&text(&delta["partial_json"]));
                }
            }
            "message_delta" => {
                self.finish = word(&event["delta"]["stop_reason"]).map(anthropic_finish);
                self.anthropic_tokens(&event["usage"]);
            }
            "message_stop" => self.complete = true,
            "error" => self.error = Some(event["error"].clone()),
            _ => {}
        }
    }
}

fn anthropic_finish(reason: String) -> String {
    match reason.as_str() {
        "end_turn" | "stop_sequence" | "pause_turn" => "stop".to_owned(),
        "max_tokens" | "model_context_window_exceeded" => "length".to_owned(),
        "tool_use" => "tool".to_owned(),
        "refusal" => "filter".to_owned(),
        _ => reason,
    }
}
