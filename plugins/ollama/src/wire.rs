//! The formats' shapes on the wire, borrowed from the body. Source: the server's `OpenAPI` description.
//!
//! Members are optional even if the format requires them: a missing one is reported where it is needed.

use weir_sdk::json::{Count, Either, RawValue, Rest, Seq, Str};
use weir_sdk::wire;

wire! {
    /// The body of `/api/chat` and of `/api/generate`.
    pub(crate) struct Request<'a> {
        "model" => model: Str<'a>,
        "messages" => messages: Seq<Message<'a>>,
        "tools" => tools: Vec<&'a RawValue>,
        "prompt" => prompt: Str<'a>,
        "system" => system: Str<'a>,
        "images" => images: Vec<Str<'a>>,
        "format" => format: &'a RawValue,
        "options" => options: Rest<'a>,
        "stream" => stream: bool,
        "think" => think: &'a RawValue,
        "logprobs" => logprobs: bool,
        "top_logprobs" => top_logprobs: Count,
    }

    /// A turn of the conversation, and a piece of an answer.
    pub(crate) struct Message<'a> {
        "role" => role: Str<'a>,
        "content" => content: Str<'a>,
        "thinking" => thinking: Str<'a>,
        "images" => images: Vec<Str<'a>>,
        "tool_calls" => tool_calls: Seq<ToolCall<'a>>,
        "tool_name" => tool_name: Str<'a>,
        "tool_call_id" => tool_call_id: Str<'a>,
        "name" => name: Str<'a>,
    }

    /// A call for the client. Old servers send no ids.
    pub(crate) struct ToolCall<'a> {
        "id" => id: Str<'a>,
        "type" => kind: Str<'a>,
        "function" => function: Function<'a>,
    }

    /// The function of a call and its arguments. The index only repeats the order.
    pub(crate) struct Function<'a> {
        "index" => index: &'a RawValue,
        "name" => name: Str<'a>,
        "arguments" => arguments: &'a RawValue,
    }

    /// A tool that may be called.
    pub(crate) struct Tool<'a> {
        "type" => kind: Str<'a>,
        "function" => function: Declaration<'a>,
    }

    /// A function that may be called.
    pub(crate) struct Declaration<'a> {
        "name" => name: Str<'a>,
        "description" => description: Str<'a>,
        "parameters" => parameters: &'a RawValue,
        "strict" => strict: bool,
    }

    /// A whole answer of `/api/chat` or `/api/generate`, and a line of a streamed one.
    pub(crate) struct Answer<'a> {
        "model" => model: Str<'a>,
        "created_at" => created_at: &'a RawValue,
        "message" => message: Message<'a>,
        "response" => response: Str<'a>,
        "thinking" => thinking: Str<'a>,
        "tool_calls" => tool_calls: Seq<ToolCall<'a>>,
        "images" => images: Vec<Str<'a>>,
        "image" => image: Str<'a>,
        "done" => done: bool,
        "done_reason" => done_reason: Str<'a>,
        "prompt_eval_count" => prompt_eval_count: Count,
        "eval_count" => eval_count: Count,
        "logprobs" => logprobs: &'a RawValue,
        "error" => error: &'a RawValue,
    }

    /// `{"error": "..."}`; some proxies put an object in its place.
    pub(crate) struct Failure<'a> {
        "error" => error: &'a RawValue,
        "message" => message: &'a RawValue,
    }

    /// The body of `/api/embed` and of `/api/embeddings`.
    pub(crate) struct Embed<'a> {
        "model" => model: Str<'a>,
        "input" => input: Either<'a, Str<'a>>,
        "prompt" => prompt: Str<'a>,
        "dimensions" => dimensions: Count,
    }

    /// The answer of either endpoint for embeddings.
    pub(crate) struct Embedded<'a> {
        "model" => model: Str<'a>,
        "embeddings" => embeddings: Vec<Vec<f64>>,
        "embedding" => embedding: Vec<f64>,
        "prompt_eval_count" => prompt_eval_count: Count,
        "error" => error: &'a RawValue,
    }

    /// The answer of `/api/tags`.
    pub(crate) struct Tags<'a> {
        "models" => models: Vec<Model<'a>>,
    }

    /// A model of a list.
    pub(crate) struct Model<'a> {
        "name" => name: Str<'a>,
        "model" => id: Str<'a>,
        "modified_at" => modified_at: Str<'a>,
    }

    /// The answer of `/api/show`.
    pub(crate) struct Show<'a> {
        "modified_at" => modified_at: Str<'a>,
        "model_info" => model_info: Rest<'a>,
    }
}
