//! `openai.responses`: `Response` and `ResponseStreamEvent` in the specification of OpenAI's API.

use serde_json::Value;

use super::{Call, ParsedAnswer, Tokens, count, list, text, word};

impl ParsedAnswer {
    pub(super) fn responses_whole(&mut self, answer: &Value) {
        for item in list(&answer["output"]) {
            if item["type"] == "message" {
                for part in list(&item["content"]) {
                    self.text.push_str(&text(&part["text"]));
                    self.refusal.push_str(&text(&part["refusal"]));
                }
            }
            self.responses_item(item);
        }
        self.responses_end(answer);
    }

    /// Texts are read from their pieces, thinking and calls from the items that are done.
    pub(super) fn responses_event(&mut self, data: &str) {
        let event: Value = serde_json::from_str(data).unwrap_or_default();
        match text(&event["type"]).as_str() {
            "response.output_text.delta" => self.text.push_str(&text(&event["delta"])),
            "response.refusal.delta" => self.refusal.push_str(&text(&event["delta"])),
            "response.output_item.done" => self.responses_item(&event["item"]),
            "response.completed" | "response.incomplete" => {
                self.responses_end(&event["response"]);
                self.complete = true;
            }
            "response.failed" => {
                self.responses_end(&event["response"]);
                self.error = Some(event["response"]["error"].clone());
            }
            "error" => self.error = Some(event),
            _ => {}
        }
    }

    /// Reads what of an item is no text.
    fn responses_item(&mut self, item: &Value) {
        let arguments = match text(&item["type"]).as_str() {
            "function_call" => text(&item["arguments"]),
            "custom_tool_call" => text(&item["input"]),
            "reasoning" => {
                let texts = |name: &str| list(&item[name]).iter().map(|part| text(&part["text"])).collect::<Vec<_>>();
                let summary = texts("summary");
                let thoughts = if summary.is_empty() { texts("content") } else { summary };
                // Each is a paragraph of its own.
                self.thinking.push_str(&thoughts.join("\n\n"));
                return;
            }
            _ => return,
        };
        self.calls.push(Call { id: text(&item["call_id"]), name: text(&item["name"]), arguments });
    }

    /// Reads what an answer says of itself as a whole.
    fn responses_end(&mut self, answer: &Value) {
        self.model = word(&answer["model"]);
        let usage = &answer["usage"];
        if usage.is_object() {
            let cached = count(&usage["input_tokens_details"]["cached_tokens"]);
            let (input, output) = (count(&usage["input_tokens"]), count(&usage["output_tokens"]));
            self.tokens = Some(Tokens { input, cached, output });
        }
        let why = &answer["incomplete_details"]["reason"];
        self.finish = word(&answer["status"]).map(|status| match status.as_str() {
            "completed" if self.calls.is_empty() => "stop".to_owned(),
            "completed" => "tool".to_owned(),
            "incomplete" if why == "max_output_tokens" => "length".to_owned(),
            "incomplete" if why == "content_filter" => "filter".to_owned(),
            _ => status,
        });
    }
}
