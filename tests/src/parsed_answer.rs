//! Parses an answer like a client: text, thinking, tool calls, finish and tokens, for every format.

use std::collections::BTreeMap;

use serde_json::Value;

/// The formats that this client parses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Chat completions.
    OpenAi,
    /// Messages.
    Anthropic,
    /// Generated content.
    Gemini,
    /// The invented one.
    Zeta,
}

/// A tool call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// By which the tool's result refers to the call.
    pub id: String,
    /// Its tool.
    pub name: String,
    /// Its arguments as received.
    pub arguments: String,
}

impl Call {
    /// The arguments as a value; an empty text is an empty object.
    pub fn value(&self) -> Value {
        if self.arguments.trim().is_empty() {
            return Value::Object(serde_json::Map::new());
        }
        serde_json::from_str(&self.arguments).unwrap_or_else(|_| Value::String(self.arguments.clone()))
    }
}

/// Token counts, as totals with the same meaning in each format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// All input, cached or not.
    pub input: u64,
    /// The part of it that was read from a cache.
    pub cached: u64,
    /// All output.
    pub output: u64,
}

/// What a client understood of an answer, whatever its format.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParsedAnswer {
    /// The visible text of the first candidate.
    pub text: String,
    /// The text of all thinking, joined.
    pub thinking: String,
    /// Why the model refuses, where the format has a place for that.
    pub refusal: String,
    /// The tool calls, in order.
    pub calls: Vec<Call>,
    /// `stop`, `length`, `tool`, `filter`, or the format's own word.
    pub finish: Option<String>,
    /// The token counts, if there are any.
    pub tokens: Option<Tokens>,
    /// The model, as the answer names it.
    pub model: Option<String>,
    /// The error that ended it.
    pub error: Option<Value>,
    /// Whether the stream ended with the format's end mark.
    pub complete: bool,
}

/// The events of a stream of server-sent events: name and data.
pub fn events(stream: &str) -> Vec<(Option<String>, String)> {
    let mut all = Vec::new();
    for block in stream.replace("\r\n", "\n").replace('\r', "\n").split("\n\n") {
        let field = |name: &'static str| {
            block
                .lines()
                .filter_map(move |line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim_start().to_owned()))
        };
        let data: Vec<String> = field("data").collect();
        if !data.is_empty() {
            all.push((field("event").next(), data.join("\n")));
        }
    }
    all
}

impl ParsedAnswer {
    /// Parses a whole answer.
    pub fn whole(format: Format, answer: &Value) -> Self {
        let mut parsed = Self::default();
        match format {
            Format::OpenAi => parsed.openai_whole(answer),
            Format::Anthropic => parsed.anthropic_whole(answer),
            Format::Gemini => parsed.gemini_piece(answer),
            Format::Zeta => parsed.zeta_whole(answer),
        }
        parsed
    }

    /// Parses a stream.
    pub fn stream(format: Format, stream: &str) -> Self {
        let mut parsed = Self::default();
        let mut blocks = BTreeMap::new();
        match format {
            Format::OpenAi => events(stream).iter().for_each(|(_, data)| parsed.openai_chunk(data, &mut blocks)),
            Format::Anthropic => events(stream).iter().for_each(|(_, data)| parsed.anthropic_event(data, &mut blocks)),
            Format::Gemini => {
                for (_, data) in events(stream) {
                    parsed.gemini_piece(&serde_json::from_str(&data).unwrap_or_default());
                }
                // The format's only end mark is the finish reason.
                parsed.complete = parsed.finish.is_some() && parsed.error.is_none();
            }
            Format::Zeta => {
                let elements: Option<Vec<Value>> = serde_json::from_str(stream).ok();
                let lines = || stream.lines().filter(|line| !line.trim().is_empty());
                let pieces = elements.unwrap_or_else(|| lines().filter_map(|l| serde_json::from_str(l).ok()).collect());
                for piece in &pieces {
                    parsed.zeta_piece(piece);
                }
            }
        }
        parsed.calls.extend(blocks.into_values());
        parsed
    }

    fn openai_whole(&mut self, answer: &Value) {
        self.model = word(&answer["model"]);
        self.openai_tokens(&answer["usage"]);
        let choice = &answer["choices"][0];
        let message = &choice["message"];
        self.text = text(&message["content"]);
        self.refusal = text(&message["refusal"]);
        self.thinking = text(&message["reasoning_content"]);
        for call in list(&message["tool_calls"]) {
            let inner = if call["type"] == "custom" { &call["custom"] } else { &call["function"] };
            let arguments = word(&inner["arguments"]).or_else(|| word(&inner["input"])).unwrap_or_default();
            self.calls.push(Call { id: text(&call["id"]), name: text(&inner["name"]), arguments });
        }
        self.finish = word(&choice["finish_reason"]).map(openai_finish);
    }

    fn openai_tokens(&mut self, usage: &Value) {
        if usage.is_object() {
            let cached = count(&usage["prompt_tokens_details"]["cached_tokens"]);
            let (input, output) = (count(&usage["prompt_tokens"]), count(&usage["completion_tokens"]));
            self.tokens = Some(Tokens { input, cached, output });
        }
    }

    fn openai_chunk(&mut self, data: &str, calls: &mut BTreeMap<u64, Call>) {
        if data == "[DONE]" {
            self.complete = true;
            return;
        }
        let chunk: Value = serde_json::from_str(data).unwrap_or_default();
        if !chunk["error"].is_null() {
            self.error = Some(chunk["error"].clone());
        }
        self.model = self.model.take().or_else(|| word(&chunk["model"]));
        self.openai_tokens(&chunk["usage"]);
        let Some(choice) = list(&chunk["choices"]).iter().find(|choice| count(&choice["index"]) == 0) else { return };
        let delta = &choice["delta"];
        self.text.push_str(&text(&delta["content"]));
        self.refusal.push_str(&text(&delta["refusal"]));
        self.thinking.push_str(&text(&delta["reasoning_content"]));
        for piece in list(&delta["tool_calls"]) {
            let new = Call { id: String::new(), name: String::new(), arguments: String::new() };
            let call = calls.entry(count(&piece["index"])).or_insert(new);
            call.id.push_str(&text(&piece["id"]));
            call.name.push_str(&text(&piece["function"]["name"]));
            call.arguments.push_str(&text(&piece["function"]["arguments"]));
        }
        self.finish = word(&choice["finish_reason"]).map(openai_finish).or_else(|| self.finish.take());
    }

    fn anthropic_whole(&mut self, answer: &Value) {
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
    fn anthropic_tokens(&mut self, usage: &Value) {
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

    fn anthropic_event(&mut self, data: &str, blocks: &mut BTreeMap<u64, Call>) {
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

    /// Reads a whole answer, or a frame of a streamed one.
    fn gemini_piece(&mut self, piece: &Value) {
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
        let by_number = || (candidate["finishReason"] == 1).then(|| "STOP".to_owned());
        let finish = word(&candidate["finishReason"]).or_else(by_number);
        let finish = finish.map(|reason| gemini_finish(reason, called));
        self.finish = finish.or_else(|| self.finish.take());
    }

    fn zeta_whole(&mut self, answer: &Value) {
        self.model = word(&answer["brain"]);
        self.zeta_tokens(&answer["toll"]);
        let reply = &answer["reply"];
        self.text = text(&reply["says"]);
        self.thinking = text(&reply["muses"]);
        for want in list(&reply["wants"]) {
            let arguments = want["with"].to_string();
            self.calls.push(Call { id: text(&want["tag"]), name: text(&want["deed"]), arguments });
        }
        self.finish = word(&answer["ended"]).map(zeta_finish);
    }

    fn zeta_tokens(&mut self, toll: &Value) {
        if toll.is_object() {
            let (input, output) = (count(&toll["all_in"]), count(&toll["all_out"]));
            self.tokens = Some(Tokens { input, cached: count(&toll["of_cached"]), output });
        }
    }

    fn zeta_piece(&mut self, piece: &Value) {
        match text(&piece["k"]).as_str() {
            "hail" => self.model = word(&piece["brain"]),
            "bit" => self.text.push_str(&text(&piece["says"])),
            "muse" => self.thinking.push_str(&text(&piece["says"])),
            "want" => {
                let (id, name) = (text(&piece["tag"]), text(&piece["deed"]));
                self.calls.push(Call { id, name, arguments: String::new() });
            }
            "want-bit" => {
                if let Some(call) = self.calls.last_mut() {
                    call.arguments.push_str(&text(&piece["with"]));
                }
            }
            "end" => self.finish = word(&piece["ended"]).map(zeta_finish),
            "toll" => self.zeta_tokens(&piece["toll"]),
            "woe" => self.error = Some(piece["woe"].clone()),
            "bye" => self.complete = true,
            _ => {}
        }
    }
}

fn word(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn text(value: &Value) -> String {
    word(value).unwrap_or_default()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn openai_finish(reason: String) -> String {
    match reason.as_str() {
        "tool_calls" | "function_call" => "tool".to_owned(),
        "content_filter" => "filter".to_owned(),
        _ => reason,
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

fn zeta_finish(reason: String) -> String {
    match reason.as_str() {
        "done" => "stop".to_owned(),
        "full" => "length".to_owned(),
        "deed" => "tool".to_owned(),
        "taboo" => "filter".to_owned(),
        _ => reason,
    }
}
