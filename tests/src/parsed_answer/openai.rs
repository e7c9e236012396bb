//! `openai.chat`, and `openai.completions`, which has its choices and counts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Call, ParsedAnswer, Tokens, count, list, text, word};

impl ParsedAnswer {
    /// Reads a whole answer of legacy completions.
    pub(super) fn completions_whole(&mut self, answer: &Value) {
        self.model = word(&answer["model"]);
        self.openai_tokens(&answer["usage"]);
        let choice = &answer["choices"][0];
        self.text = text(&choice["text"]);
        self.finish = word(&choice["finish_reason"]).map(openai_finish);
    }

    /// Reads a chunk of legacy completions.
    pub(super) fn completions_chunk(&mut self, data: &str) {
        let Some(choice) = self.openai_choice(data) else { return };
        self.text.push_str(&text(&choice["text"]));
    }

    pub(super) fn openai_whole(&mut self, answer: &Value) {
        self.error = Some(&answer["error"]).filter(|error| !error.is_null()).cloned();
        self.model = word(&answer["model"]);
        self.openai_tokens(&answer["usage"]);
        let choice = &answer["choices"][0];
        let message = &choice["message"];
        self.openai_words(message);
        for call in list(&message["tool_calls"]) {
            let inner = if call["type"] == "custom" { &call["custom"] } else { &call["function"] };
            let arguments = word(&inner["arguments"]).or_else(|| word(&inner["input"])).unwrap_or_default();
            self.calls.push(Call { id: text(&call["id"]), name: text(&inner["name"]), arguments });
        }
        self.finish = word(&choice["finish_reason"]).map(openai_finish);
    }

    pub(super) fn openai_tokens(&mut self, usage: &Value) {
        if usage.is_object() {
            let prompt = &usage["prompt_tokens_details"];
            let (mut input, mut output) = (count(&usage["prompt_tokens"]), count(&usage["completion_tokens"]));
            // Some servers count reasoning beside the output, or audio beside the input: their total shows that.
            let beside = count(&usage["total_tokens"]).saturating_sub(input + output);
            let (audio, reasoning) =
                (count(&prompt["audio_tokens"]), count(&usage["completion_tokens_details"]["reasoning_tokens"]));
            if beside == reasoning {
                output += reasoning;
            } else if beside == audio {
                input += audio;
            }
            self.tokens = Some(Tokens { input, cached: count(&prompt["cached_tokens"]), output });
        }
    }

    /// Reads what a message and a delta say, with the thinking in one of the members where servers put it.
    fn openai_words(&mut self, message: &Value) {
        self.text.push_str(&text(&message["content"]));
        // What a model says aloud is its answer, too.
        self.text.push_str(&text(&message["audio"]["transcript"]));
        self.refusal.push_str(&text(&message["refusal"]));
        let details = list(&message["reasoning_details"]).iter().map(|detail| words_of(detail, ["text", "summary"]));
        let places = [text(&message["reasoning_content"]), text(&message["reasoning"]), details.collect()];
        self.thinking.push_str(places.iter().find(|words| !words.is_empty()).map_or("", |words| words));
        // Cloudflare's object for a schema.
        if message["content"].is_object() {
            self.text.push_str(&message["content"].to_string());
        }
        // Mistral's parts, and Databricks'.
        for part in list(&message["content"]) {
            self.text.push_str(&text(&part["text"]));
            for thought in list(&part["thinking"]).iter().chain(list(&part["summary"])) {
                self.thinking.push_str(&text(&thought["text"]));
            }
        }
    }

    pub(super) fn openai_chunk(&mut self, data: &str, calls: &mut BTreeMap<u64, Call>) {
        let Some(choice) = self.openai_choice(data) else { return };
        let delta = &choice["delta"];
        self.openai_words(delta);
        for piece in list(&delta["tool_calls"]) {
            let new = Call { id: String::new(), name: String::new(), arguments: String::new() };
            let call = calls.entry(count(&piece["index"])).or_insert(new);
            call.id.push_str(&text(&piece["id"]));
            call.name.push_str(&text(&piece["function"]["name"]));
            call.arguments.push_str(&text(&piece["function"]["arguments"]));
        }
    }

    /// Reads what all chunks have, and returns the first candidate's part of this one.
    fn openai_choice(&mut self, data: &str) -> Option<Value> {
        if data == "[DONE]" {
            self.complete = true;
            return None;
        }
        let chunk: Value = serde_json::from_str(data).unwrap_or_default();
        if !chunk["error"].is_null() {
            self.error = Some(chunk["error"].clone());
        }
        self.model = self.model.take().or_else(|| word(&chunk["model"]));
        self.openai_tokens(&chunk["usage"]);
        let choice = list(&chunk["choices"]).iter().find(|choice| count(&choice["index"]) == 0)?;
        self.finish = word(&choice["finish_reason"]).map(openai_finish).or_else(|| self.finish.take());
        Some(choice.clone())
    }
}

/// The text of the first of these members that has one.
fn words_of(value: &Value, names: [&str; 2]) -> String {
    names.iter().find_map(|name| word(&value[*name])).unwrap_or_default()
}

fn openai_finish(reason: String) -> String {
    match reason.as_str() {
        "tool_calls" | "function_call" => "tool".to_owned(),
        "content_filter" => "filter".to_owned(),
        // Together's word.
        "eos" => "stop".to_owned(),
        _ => reason,
    }
}
