//! The chat format's shapes on the wire, borrowed from the body. Source: the JSON Schemas of `POST /v2/chat`.
//!
//! Members are optional even if the format requires them: a missing one is reported where it is needed.

mod one;

pub(crate) use one::One;
use weir_sdk::json::{Count, Either, Number, RawValue, Seq, Str};
use weir_sdk::wire;

wire! {
    /// The body of `POST /v2/chat`.
    pub(crate) struct Request<'a> {
        "model" => model: Str<'a>,
        "messages" => messages: Seq<Message<'a>>,
        "documents" => documents: Vec<&'a RawValue>,
        "tools" => tools: Seq<Tool<'a>>,
        "strict_tools" => strict_tools: bool,
        "tool_choice" => tool_choice: Str<'a>,
        "response_format" => response_format: &'a RawValue,
        "thinking" => thinking: &'a RawValue,
        "temperature" => temperature: Number,
        "p" => p: Number,
        "k" => k: Count,
        "seed" => seed: &'a RawValue,
        "frequency_penalty" => frequency_penalty: Number,
        "presence_penalty" => presence_penalty: Number,
        "stop_sequences" => stop_sequences: Vec<Str<'a>>,
        "max_tokens" => max_tokens: Count,
        "logprobs" => logprobs: bool,
        "stream" => stream: bool,
    }

    /// A turn of the conversation, and the message of an answer.
    pub(crate) struct Message<'a> {
        "role" => role: Str<'a>,
        "content" => content: Either<'a, &'a RawValue>,
        "tool_plan" => tool_plan: Str<'a>,
        "tool_calls" => tool_calls: Seq<ToolCall<'a>>,
        "tool_call_id" => tool_call_id: Str<'a>,
        "citations" => citations: Vec<&'a RawValue>,
    }

    /// An element of the content, of any type.
    pub(crate) struct Item<'a> {
        "type" => kind: Str<'a>,
        "text" => text: Str<'a>,
        "thinking" => thinking: Str<'a>,
        "image_url" => image_url: &'a RawValue,
        "document" => document: &'a RawValue,
    }

    /// `{"url": "...", "detail": "auto"}`.
    pub(crate) struct ImageUrl<'a> {
        "url" => url: Str<'a>,
        "detail" => detail: Str<'a>,
    }

    /// A document: `{"id": "...", "data": {...}}`.
    pub(crate) struct Document<'a> {
        "id" => id: Str<'a>,
        "data" => data: &'a RawValue,
    }

    /// A call in a message of the assistant.
    pub(crate) struct ToolCall<'a> {
        "id" => id: Str<'a>,
        "type" => kind: Str<'a>,
        "function" => function: Function<'a>,
    }

    /// The function of a call.
    pub(crate) struct Function<'a> {
        "name" => name: Str<'a>,
        "arguments" => arguments: &'a RawValue,
    }

    /// An entry of `tools`.
    pub(crate) struct Tool<'a> {
        "type" => kind: Str<'a>,
        "function" => function: FunctionTool<'a>,
    }

    /// The `function` of a tool: name, description and JSON schema.
    pub(crate) struct FunctionTool<'a> {
        "name" => name: Str<'a>,
        "description" => description: Str<'a>,
        "parameters" => parameters: &'a RawValue,
    }

    /// `{"type": "json_object", "json_schema": {...}}`; the schema's older name is `schema`.
    pub(crate) struct ResponseFormat<'a> {
        "type" => kind: Str<'a>,
        "json_schema" | "schema" => schema: &'a RawValue,
    }

    /// `{"type": "enabled", "token_budget": 1024}`.
    pub(crate) struct Thinking<'a> {
        "type" => kind: Str<'a>,
        "token_budget" => token_budget: Count,
    }

    /// The sources of a range of the answer.
    pub(crate) struct Citation<'a> {
        "start" => start: Count,
        "end" => end: Count,
        "text" => text: Str<'a>,
        "sources" => sources: Vec<&'a RawValue>,
        "content_index" => content_index: Count,
        "type" => kind: Str<'a>,
    }

    /// A source of a citation, of any type.
    pub(crate) struct Source<'a> {
        "type" => kind: Str<'a>,
        "id" => id: Str<'a>,
        "document" => document: &'a RawValue,
        "tool_output" => tool_output: &'a RawValue,
    }

    /// The fields of a document that other formats can use.
    pub(crate) struct Page<'a> {
        "url" => url: &'a RawValue,
        "title" => title: &'a RawValue,
    }

    /// A whole answer.
    pub(crate) struct Answer<'a> {
        "id" => id: Str<'a>,
        "finish_reason" => finish_reason: Str<'a>,
        "message" => message: &'a RawValue,
        "usage" => usage: Usage<'a>,
        "logprobs" => logprobs: Vec<LogprobItem<'a>>,
        "model" => model: Str<'a>,
    }

    /// Token counts: used ones and billed ones. `meta` of other answers is the same.
    pub(crate) struct Usage<'a> {
        "tokens" => tokens: Tokens<'a>,
        "billed_units" => billed_units: &'a RawValue,
        "cached_tokens" => cached_tokens: Count,
    }

    /// Figures of one kind.
    pub(crate) struct Tokens<'a> {
        "input_tokens" => input: Count,
        "output_tokens" => output: Count,
        "reasoning_tokens" => reasoning: Count,
    }

    /// Log probabilities of a piece of text.
    pub(crate) struct LogprobItem<'a> {
        "text" => text: Str<'a>,
        "token_ids" => token_ids: &'a RawValue,
        "logprobs" => logprobs: Vec<Number>,
    }

    /// An entry of `logprobs.content` in OpenAI Chat's shape.
    pub(crate) struct LogprobEntry<'a> {
        "token" => token: Str<'a>,
        "logprob" => logprob: Number,
        "token_ids" => token_ids: &'a RawValue,
        "logprobs" => logprobs: &'a RawValue,
    }

    /// Log probabilities in OpenAI Chat's shape.
    pub(crate) struct Logprobs<'a> {
        "content" => content: Vec<LogprobEntry<'a>>,
    }

    /// A frame of a stream, of any type.
    pub(crate) struct Event<'a> {
        "type" => kind: Str<'a>,
        "id" => id: Str<'a>,
        "index" => index: Count,
        "delta" => delta: Delta<'a>,
        "logprobs" => logprobs: LogprobItem<'a>,
        "message" => message: &'a RawValue,
    }

    /// The delta in a frame, of any type.
    pub(crate) struct Delta<'a> {
        "message" => message: DeltaMessage<'a>,
        "finish_reason" => finish_reason: Str<'a>,
        "usage" => usage: Usage<'a>,
        "error" => error: &'a RawValue,
    }

    /// A frame's addition to the message. Each member is an object, or a list of one.
    pub(crate) struct DeltaMessage<'a> {
        "content" => content: One<Item<'a>>,
        "tool_plan" => tool_plan: Str<'a>,
        "tool_calls" => tool_calls: One<ToolCall<'a>>,
        "citations" => citations: One<&'a RawValue>,
    }

    /// `{"message": "...", "id": "..."}`.
    pub(crate) struct ErrorBody<'a> {
        "message" | "detail" | "data" => message: &'a RawValue,
        "error" => error: &'a RawValue,
        "error_type" => error_type: Str<'a>,
    }

    /// An object without declared members.
    pub(crate) struct Unnamed<'a> {}
}
