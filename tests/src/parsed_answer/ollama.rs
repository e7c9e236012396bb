//! `ollama.chat` and `ollama.generate`: `ChatResponse`, `GenerateResponse` and their stream events in the specification
//! of Ollama's API. A streamed answer is one JSON text a line.

use serde_json::Value;

use super::{Call, ParsedAnswer, Tokens, count, list, text, word};

impl ParsedAnswer {
    /// Reads a whole answer, or a line of a streamed one.
    pub(super) fn ollama_piece(&mut self, piece: &Value) {
        if !piece["error"].is_null() {
            self.error = Some(piece["error"].clone());
        }
        self.model = self.model.take().or_else(|| word(&piece["model"]));
        let message = &piece["message"];
        for part in [&message["content"], &piece["response"]] {
            self.text.push_str(&text(part));
        }
        for part in [&message["thinking"], &piece["thinking"]] {
            self.thinking.push_str(&text(part));
        }
        for call in list(&message["tool_calls"]) {
            let (id, inner) = (text(&call["id"]), &call["function"]);
            self.calls.push(Call { id, name: text(&inner["name"]), arguments: inner["arguments"].to_string() });
        }
        if piece["done"] == true {
            let (input, output) = (&piece["prompt_eval_count"], &piece["eval_count"]);
            if !input.is_null() || !output.is_null() {
                self.tokens = Some(Tokens { input: count(input), cached: 0, output: count(output) });
            }
            // The format has no reason for calls.
            let called = !self.calls.is_empty();
            let reason = word(&piece["done_reason"]);
            self.finish = reason.map(|reason| if called && reason == "stop" { "tool".to_owned() } else { reason });
            self.complete = true;
        }
    }
}
