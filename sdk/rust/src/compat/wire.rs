//! The shapes of OpenAI's chat format, shared by requests, answers and chunks.
//!
//! Source: OpenAI's published `OpenAPI` description (2.3.0), and the additions of compatible servers.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::json::{self, Count, RawValue, Rest, Seq, Str};
use crate::wire;

/// The id of the format in extensions and opaque values.
pub const FORMAT: &str = "openai.chat";

/// Text, parts, or (from some servers) an object in place of text.
#[derive(Debug, Clone)]
pub enum Content<'a> {
    /// One string.
    Text(Str<'a>),
    /// A list of parts.
    Parts(Vec<ContentPart<'a>>),
    /// JSON text of an object.
    Json(String),
}

impl Content<'_> {
    /// The text, or the JSON of the object; the texts of parts are concatenated.
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) => text.into_string(),
            Self::Parts(parts) => parts.into_iter().filter_map(|part| part.text).map(|text| text.0).collect(),
            Self::Json(json) => json,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyContent)
    }
}

struct AnyContent;

impl<'de> Visitor<'de> for AnyContent {
    type Value = Content<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Content::Text(Str(text.into())))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Content::Text(Str(text.to_owned().into())))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut parts = Vec::new();
        loop {
            match seq.next_element() {
                Ok(Some(part)) => parts.push(part),
                Ok(None) => return Ok(Content::Parts(parts)),
                Err(error) => return Err(json::in_element(parts.len(), error)),
            }
        }
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Rest::deserialize(MapAccessDeserializer::new(map)).map(|members| Content::Json(rest_json(&members)))
    }
}

/// Members as the JSON object that they came from.
pub fn rest_json(rest: &Rest<'_>) -> String {
    let mut out = String::new();
    json::object(&mut out, |o| rest.0.iter().for_each(|(key, value)| o.raw(key, value.get())));
    out
}

/// Tool calls. Some servers stream each piece without the brackets of a list.
#[derive(Debug, Clone, Default)]
pub struct Calls<'a>(pub Vec<ToolCall<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Calls<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyCalls)
    }
}

struct AnyCalls;

impl<'de> Visitor<'de> for AnyCalls {
    type Value = Calls<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut calls = Vec::new();
        loop {
            match seq.next_element() {
                Ok(Some(call)) => calls.push(call),
                Ok(None) => return Ok(Calls(calls)),
                Err(error) => return Err(json::in_element(calls.len(), error)),
            }
        }
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        ToolCall::deserialize(MapAccessDeserializer::new(map)).map(|call| Calls(vec![call]))
    }
}

/// A value that is skipped and not kept.
#[derive(Debug, Clone, Copy)]
pub struct Skipped;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// A text. Some servers have a number in its place, whose digits are the text; any other value is none.
#[derive(Debug, Clone, Default)]
pub struct Scalar<'a>(pub Option<Str<'a>>);

impl Scalar<'_> {
    /// The text, empty if there is none.
    pub fn into_string(self) -> String {
        self.0.unwrap_or_default().into_string()
    }

    /// The value as a number.
    pub fn number(&self) -> Option<f64> {
        self.0.as_ref()?.parse().ok().filter(|number: &f64| number.is_finite())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        let is_number = raw.get().starts_with(|first: char| first == '-' || first.is_ascii_digit());
        Ok(Self(json::text(raw).or_else(|| is_number.then(|| Str(raw.get().into())))))
    }
}

wire! {
    /// A part of a message's content.
    pub struct ContentPart<'a> {
        "type" => kind: Str<'a>,
        "text" => text: Str<'a>,
        "refusal" => refusal: Str<'a>,
        "image_url" => image_url: &'a RawValue,
        "video_url" => video_url: &'a RawValue,
        "audio_url" => audio_url: &'a RawValue,
        "document_url" => document_url: &'a RawValue,
        "input_audio" => input_audio: &'a RawValue,
        "file" => file: &'a RawValue,
        "thinking" => thinking: &'a RawValue,
        "cache_control" => cache_control: CacheControl<'a>,
    }

    /// A cache hint in the spelling of compatible servers.
    pub struct CacheControl<'a> {
        "type" => kind: Str<'a>,
        "ttl" => ttl: Str<'a>,
    }

    /// A tool call, whole or in pieces.
    pub struct ToolCall<'a> {
        "index" => index: Count,
        "id" => id: Scalar<'a>,
        "type" => kind: Str<'a>,
        "function" => function: Function<'a>,
        "custom" => custom: Box<Custom<'a>>,
        "extra_content" => extra_content: &'a RawValue,
        "cache_control" => cache_control: Box<CacheControl<'a>>,
    }

    /// A function and its arguments; some servers send the arguments as an object.
    pub struct Function<'a> {
        "name" => name: Str<'a>,
        "arguments" => arguments: Content<'a>,
    }

    /// A custom tool and its input.
    pub struct Custom<'a> {
        "name" => name: Str<'a>,
        "input" => input: Str<'a>,
    }

    /// A message of an answer, or a piece of one.
    pub struct Delta<'a> {
        "role" => role: Str<'a>,
        "content" => content: Content<'a>,
        "refusal" => refusal: Str<'a>,
        "reasoning_content" => reasoning_content: Content<'a>,
        "reasoning" => reasoning: Content<'a>,
        "reasoning_details" => reasoning_details: Seq<Detail<'a>>,
        "tool_calls" => tool_calls: Calls<'a>,
        "function_call" => function_call: Box<Function<'a>>,
        "annotations" => annotations: Seq<&'a RawValue>,
        "audio" => audio: &'a RawValue,
        "images" => images: Seq<ContentPart<'a>>,
        "extra_content" => extra_content: &'a RawValue,
    }

    /// An entry of `reasoning_details`.
    pub struct Detail<'a> {
        "type" => kind: Str<'a>,
        "text" => text: Str<'a>,
        "summary" => summary: Str<'a>,
        "data" => data: Str<'a>,
        "signature" => signature: Str<'a>,
        "format" => format: Str<'a>,
        "id" => id: Str<'a>,
    }

    /// One candidate of an answer.
    pub struct Choice<'a> {
        "index" => index: Count,
        "delta" => delta: Delta<'a>,
        // Boxed, like everything that is rare in chunks: the hot path moves these structs.
        "message" => message: Box<Delta<'a>>,
        "text" => text: Str<'a>,
        "logprobs" => logprobs: &'a RawValue,
        "finish_reason" => finish_reason: Str<'a>,
    }

    /// A whole answer, or a chunk of one.
    pub struct Answer<'a> {
        "id" => id: Scalar<'a>,
        "object" => object: &'a RawValue,
        "created" => created: Scalar<'a>,
        "model" => model: Str<'a>,
        "choices" => choices: Seq<Choice<'a>>,
        "usage" => usage: Usage<'a>,
        "service_tier" => service_tier: Str<'a>,
        "system_fingerprint" => system_fingerprint: &'a RawValue,
        "obfuscation" => obfuscation: Skipped,
        "error" => error: &'a RawValue,
    }

    /// Token counts, with the places where compatible servers put the cached ones.
    pub struct Usage<'a> {
        "prompt_tokens" => prompt: Count,
        "completion_tokens" => completion: Count,
        "total_tokens" => total: Count,
        "prompt_tokens_details" => prompt_details: PromptDetails<'a>,
        "completion_tokens_details" => completion_details: CompletionDetails<'a>,
        "prompt_cache_hit_tokens" => cache_hit: Count,
        "cached_tokens" => cached: Count,
        "num_cached_tokens" => num_cached: Count,
        "cache_read_input_tokens" => cache_read: Count,
        "cache_creation_input_tokens" => cache_creation: Count,
    }

    /// Details of the input.
    pub struct PromptDetails<'a> {
        "cached_tokens" => cached: Count,
        "cache_write_tokens" => cache_write: Count,
    }

    /// Details of the output.
    pub struct CompletionDetails<'a> {
        "reasoning_tokens" => reasoning: Count,
    }
}
