//! The format's shapes on the wire, borrowed from the body. Source: the JSON Schemas of the Messages API.
//!
//! Members are optional even if the format requires them: a missing one is reported where it is needed.

mod block;

pub(crate) use block::Block;
use weir_sdk::json::{Count, Either, Number, RawValue, Seq, Str};
use weir_sdk::wire;

wire! {
    /// The body of `POST /v1/messages` and of `POST /v1/messages/count_tokens`.
    pub(crate) struct Request<'a> {
        "model" => model: Str<'a>,
        "messages" => messages: Seq<Message<'a>>,
        "system" => system: Either<'a, Block<'a>>,
        "max_tokens" => max_tokens: Count,
        "stream" => stream: bool,
        "tools" => tools: Seq<Block<'a>>,
        "tool_choice" => tool_choice: &'a RawValue,
        "thinking" => thinking: &'a RawValue,
        "output_config" => output_config: OutputConfig<'a>,
        "output_format" => output_format: &'a RawValue,
        "temperature" => temperature: Number,
        "top_p" => top_p: Number,
        "top_k" => top_k: Number,
        "stop_sequences" => stop_sequences: Vec<Str<'a>>,
        "metadata" => metadata: Metadata<'a>,
        "service_tier" => service_tier: Str<'a>,
    }

    /// A turn of the conversation.
    pub(crate) struct Message<'a> {
        "role" => role: Str<'a>,
        "content" => content: Either<'a, Block<'a>>,
    }

    /// Settings of the answer.
    pub(crate) struct OutputConfig<'a> {
        "effort" => effort: Str<'a>,
        "format" => format: &'a RawValue,
    }

    /// `{"type": "json_schema", "schema": {...}}`.
    pub(crate) struct OutputFormat<'a> {
        "type" => kind: Str<'a>,
        "schema" => schema: &'a RawValue,
    }

    /// Labels of the request.
    pub(crate) struct Metadata<'a> {
        "user_id" => user_id: Str<'a>,
    }

    /// `{"type": "enabled", "budget_tokens": 1024}`.
    pub(crate) struct Thinking<'a> {
        "type" => kind: Str<'a>,
        "budget_tokens" => budget_tokens: Count,
        "display" => display: Str<'a>,
    }

    /// `{"type": "tool", "name": "..."}`.
    pub(crate) struct ToolChoice<'a> {
        "type" => kind: Str<'a>,
        "name" => name: Str<'a>,
        "disable_parallel_tool_use" => disable_parallel: bool,
    }

    /// `{"type": "ephemeral", "ttl": "5m"}`.
    pub(crate) struct CacheControl<'a> {
        "type" => kind: Str<'a>,
        "ttl" => ttl: Str<'a>,
    }

    /// The source of an image or a document.
    pub(crate) struct Source<'a> {
        "type" => kind: Str<'a>,
        "media_type" => media_type: Str<'a>,
        "data" => data: Str<'a>,
        "url" => url: Str<'a>,
        "file_id" => file_id: Str<'a>,
        "content" => content: Either<'a, Block<'a>>,
    }

    /// The members that citations of several kinds share.
    pub(crate) struct Citation<'a> {
        "type" => kind: Str<'a>,
        "url" => url: Str<'a>,
        "source" => source: Str<'a>,
        "title" => title: Str<'a>,
        "document_title" => document_title: Str<'a>,
        "cited_text" => cited_text: Str<'a>,
    }

    /// A whole answer, and the beginning of a streamed one.
    pub(crate) struct Answer<'a> {
        "type" => kind: Str<'a>,
        "id" => id: Str<'a>,
        "role" => role: Str<'a>,
        "model" => model: Str<'a>,
        "content" => content: Either<'a, Block<'a>>,
        "stop_reason" => stop_reason: Str<'a>,
        "stop_sequence" => stop_sequence: Str<'a>,
        "usage" => usage: Usage<'a>,
        "error" => error: &'a RawValue,
    }

    /// Tokens; `input_tokens` counts neither reads from the cache nor writes to it.
    pub(crate) struct Usage<'a> {
        "input_tokens" => input_tokens: Count,
        "cache_creation_input_tokens" => cache_creation_input_tokens: Count,
        "cache_read_input_tokens" => cache_read_input_tokens: Count,
        "output_tokens" => output_tokens: Count,
        "output_tokens_details" => output_tokens_details: OutputDetails<'a>,
        "service_tier" => service_tier: Str<'a>,
        "speed" => speed: &'a RawValue,
    }

    /// The parts of `output_tokens`.
    pub(crate) struct OutputDetails<'a> {
        "thinking_tokens" => thinking_tokens: Count,
    }

    /// A frame of a stream, of any type.
    pub(crate) struct Event<'a> {
        "type" => kind: Str<'a>,
        "index" => index: Count,
        "delta" => delta: Delta<'a>,
        "content_block" => content_block: &'a RawValue,
        "message" => message: &'a RawValue,
        "usage" => usage: &'a RawValue,
        "error" => error: &'a RawValue,
    }

    /// The delta in a frame, of any type.
    pub(crate) struct Delta<'a> {
        "type" => kind: Str<'a>,
        "text" => text: Str<'a>,
        "thinking" => thinking: Str<'a>,
        "partial_json" => partial_json: Str<'a>,
        "signature" => signature: Str<'a>,
        "citation" => citation: &'a RawValue,
        "stop_reason" => stop_reason: Str<'a>,
        "stop_sequence" => stop_sequence: Str<'a>,
    }

    /// `{"type": "error", "error": {...}}`.
    pub(crate) struct ErrorBody<'a> {
        "error" => error: &'a RawValue,
        "message" => message: &'a RawValue,
        "detail" => detail: &'a RawValue,
    }

    /// The error itself.
    pub(crate) struct ErrorObject<'a> {
        "type" => kind: Str<'a>,
        "message" => message: Str<'a>,
        "code" => code: &'a RawValue,
    }

    /// An object without declared members.
    pub(crate) struct Unnamed<'a> {}

    /// The answer of `POST /v1/messages/count_tokens`.
    pub(crate) struct Counted<'a> {
        "input_tokens" => input_tokens: Count,
    }

    /// A page of `GET /v1/models`.
    pub(crate) struct ModelList<'a> {
        "data" => data: Seq<Model<'a>>,
        "has_more" => has_more: bool,
        "last_id" => last_id: Str<'a>,
    }

    /// An entry of the list of models.
    pub(crate) struct Model<'a> {
        "type" => kind: Str<'a>,
        "id" => id: Str<'a>,
        "display_name" => display_name: Str<'a>,
        "created_at" => created_at: Str<'a>,
        "max_input_tokens" => max_input_tokens: Count,
        "max_tokens" => max_tokens: Count,
    }
}
