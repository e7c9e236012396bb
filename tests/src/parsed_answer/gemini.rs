//! `gemini.generate`.

use serde_json::Value;

use super::{Call, ParsedAnswer, Tokens, count, list, text, word};

/// The names of the finish reasons by number.
const NAMES: [&str; 6] = ["FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER"];

impl ParsedAnswer {
    /// Reads a whole answer, or a frame of a streamed one.
    pub(super) fn gemini_piece(&mut self, piece: &Value) {
        if !piece["error"].is_null() {
            self.error = Some(piece["error"].clone());
        }
        self.model = self.model.take().or_else(|| word(&piece["modelVersion"]));
        let usage = &piece["usageMetadata"];
        if usage.is_object() {
            self.tokens = Some(Tokens {
                input: count(&usage["promptTokenCount"]) + count(&usage["toolUsePromptTokenCount"]),
                cached: count(&usage["cachedContentTokenCount"]),
                output: count(&usage["candidatesTokenCount"]) + count(&usage["thoughtsTokenCount"]),
            });
        }
        let first = |candidate: &&Value| count(&candidate["index"]) == 0;
        let Some(candidate) = list(&piece["candidates"]).iter().find(first) else { return };
        for part in list(&candidate["content"]["parts"]) {
            let words = text(&part["text"]);
            if part["thought"] == true {
                self.thinking.push_str(&words);
            } else {
                self.text.push_str(&words);
            }
            let call = &part["functionCall"];
            if call.is_object() {
                let arguments = call["args"].to_string();
                self.calls.push(Call { id: text(&call["id"]), name: text(&call["name"]), arguments });
            }
        }
        let called = !self.calls.is_empty();
        // Some libraries write the number in the place of the name.
        let by_number =
            || NAMES.get(usize::try_from(candidate["finishReason"].as_u64()?).ok()?).map(|&name| name.to_owned());
        let finish = word(&candidate["finishReason"]).or_else(by_number);
        let finish = finish.map(|reason| gemini_finish(reason, called));
        self.finish = finish.or_else(|| self.finish.take());
    }
}

/// Adds the reason for calls, which the format lacks.
fn gemini_finish(reason: String, called: bool) -> String {
    match reason.as_str() {
        "STOP" if called => "tool".to_owned(),
        "STOP" => "stop".to_owned(),
        "MAX_TOKENS" => "length".to_owned(),
        "SAFETY" => "filter".to_owned(),
        _ => reason,
    }
}
