//! Parses an answer like a client: text, thinking, tool calls, finish and tokens, for every format. Written from the
//! specifications of the formats, one a file.

mod anthropic;
mod bedrock;
mod cohere;
mod gemini;
mod ollama;
mod openai;
mod responses;
mod zeta;

use std::collections::BTreeMap;

use serde_json::Value;

/// The formats that this client parses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Chat completions.
    OpenAi,
    /// Legacy completions.
    Completions,
    /// Responses.
    Responses,
    /// Messages.
    Anthropic,
    /// Generated content.
    Gemini,
    /// Cohere's chat, version 2.
    Cohere,
    /// Ollama's chat.
    Ollama,
    /// Ollama's generated text.
    OllamaGenerate,
    /// Bedrock's Converse.
    Bedrock,
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
            Format::Completions => parsed.completions_whole(answer),
            Format::Responses => parsed.responses_whole(answer),
            Format::Anthropic => parsed.anthropic_whole(answer),
            Format::Gemini => parsed.gemini_piece(answer),
            Format::Cohere => parsed.cohere_whole(answer),
            Format::Ollama | Format::OllamaGenerate => parsed.ollama_piece(answer),
            Format::Bedrock => parsed.bedrock_whole(answer),
            Format::Zeta => parsed.zeta_whole(answer),
        }
        parsed
    }

    /// Parses a stream.
    pub fn stream(format: Format, stream: impl AsRef<[u8]>) -> Self {
        let mut parsed = Self::default();
        let mut blocks = BTreeMap::new();
        let text = String::from_utf8_lossy(stream.as_ref());
        let datas = || events(&text).into_iter().map(|(_, data)| data);
        match format {
            Format::OpenAi => datas().for_each(|data| parsed.openai_chunk(&data, &mut blocks)),
            Format::Completions => datas().for_each(|data| parsed.completions_chunk(&data)),
            Format::Responses => datas().for_each(|data| parsed.responses_event(&data)),
            Format::Anthropic => datas().for_each(|data| parsed.anthropic_event(&data, &mut blocks)),
            Format::Gemini => {
                datas().for_each(|data| parsed.gemini_piece(&serde_json::from_str(&data).unwrap_or_default()));
                // The format's only end mark is the finish reason.
                parsed.complete = parsed.finish.is_some() && parsed.error.is_none();
            }
            Format::Cohere => datas().for_each(|data| parsed.cohere_event(&data)),
            Format::Ollama | Format::OllamaGenerate => lines(&text).iter().for_each(|line| parsed.ollama_piece(line)),
            Format::Bedrock => parsed.bedrock_stream(stream.as_ref(), &mut blocks),
            Format::Zeta => {
                let elements: Option<Vec<Value>> = serde_json::from_str(&text).ok();
                for piece in &elements.unwrap_or_else(|| lines(&text)) {
                    parsed.zeta_piece(piece);
                }
            }
        }
        parsed.calls.extend(blocks.into_values());
        parsed
    }
}

/// The JSON texts of a stream that has one a line.
fn lines(stream: &str) -> Vec<Value> {
    stream.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn word(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn text(value: &Value) -> String {
    word(value).unwrap_or_default()
}

/// A count; some formats write it as `7.0`.
fn count(value: &Value) -> u64 {
    let figure = value.as_u64().or_else(|| value.as_f64()?.to_string().parse().ok());
    figure.unwrap_or(0)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
