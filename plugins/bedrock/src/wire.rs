//! The format's shapes on the wire, borrowed from the body. Source: the service model of the Bedrock runtime.
//!
//! Members are optional even if the format requires them: a missing one is reported where it is needed.

mod event;
mod note;

pub(crate) use event::{Delta, Event, Start, Thought};
pub(crate) use note::{OWN_REQUEST, extensions, is_noted, note, own};
use weir_sdk::json::{Count, Number, RawValue, Seq, Str};
use weir_sdk::wire;

wire! {
    /// The body of `converse` and `converse-stream`, and the `converse` of a token count.
    pub(crate) struct Request<'a> {
        "messages" => messages: Seq<Message<'a>>,
        "system" => system: Seq<Block<'a>>,
        "inferenceConfig" => inference: Inference<'a>,
        "toolConfig" => tools: ToolConfig<'a>,
        "additionalModelRequestFields" => additional: &'a RawValue,
        "outputConfig" => output: Output<'a>,
        "requestMetadata" => metadata: &'a RawValue,
        "serviceTier" => tier: Tier<'a>,
    }

    /// The body of a token count.
    pub(crate) struct Counting<'a> {
        "input" => input: CountInput<'a>,
    }

    /// The `input` of CountTokens: a request of Converse or of InvokeModel.
    pub(crate) struct CountInput<'a> {
        "converse" => converse: Request<'a>,
        "invokeModel" => invoke: &'a RawValue,
    }

    /// A turn of the conversation.
    pub(crate) struct Message<'a> {
        "role" => role: Str<'a>,
        "content" => content: Seq<Block<'a>>,
    }

    /// A block of content: an object with one member, whose name is the block's type.
    pub(crate) struct Block<'a> {
        "text" => text: Str<'a>,
        "image" => image: Media<'a>,
        "document" => document: Media<'a>,
        "video" => video: Media<'a>,
        "audio" => audio: Media<'a>,
        "toolUse" => tool_use: ToolUse<'a>,
        "toolResult" => tool_result: &'a RawValue,
        "reasoningContent" => reasoning: Reasoning<'a>,
        "citationsContent" => cited: Cited<'a>,
        "guardContent" => guard: &'a RawValue,
        "searchResult" => search_result: &'a RawValue,
        "cachePoint" => cache_point: CachePoint<'a>,
        "json" => json: &'a RawValue,
    }

    /// A cache point: the prompt before it may be cached.
    pub(crate) struct CachePoint<'a> {
        "type" => kind: Str<'a>,
        "ttl" => ttl: Str<'a>,
    }

    /// An image, a document, a video or an audio.
    pub(crate) struct Media<'a> {
        "format" => format: Str<'a>,
        "name" => name: Str<'a>,
        "source" => source: Source<'a>,
    }

    /// The source of the bytes.
    pub(crate) struct Source<'a> {
        "bytes" => bytes: Str<'a>,
        "text" => text: Str<'a>,
        "content" => content: &'a RawValue,
        "s3Location" => s3: &'a RawValue,
    }

    /// A place in the cloud's store.
    pub(crate) struct S3Location<'a> {
        "uri" => uri: Str<'a>,
    }

    /// A call of a tool.
    pub(crate) struct ToolUse<'a> {
        "toolUseId" => id: Str<'a>,
        "name" => name: Str<'a>,
        "input" => input: &'a RawValue,
        "type" => kind: Str<'a>,
    }

    /// A block of a user's turn that answers a `toolUse`.
    pub(crate) struct ToolResult<'a> {
        "toolUseId" => id: Str<'a>,
        "content" => content: Seq<Block<'a>>,
        "status" => status: Str<'a>,
    }

    /// The model's thinking.
    pub(crate) struct Reasoning<'a> {
        "reasoningText" => text: ReasoningText<'a>,
        "redactedContent" => redacted: Str<'a>,
    }

    /// Readable thinking and its signature.
    pub(crate) struct ReasoningText<'a> {
        "text" => text: Str<'a>,
        "signature" => signature: Str<'a>,
    }

    /// Text with its sources.
    pub(crate) struct Cited<'a> {
        "content" => content: Vec<Block<'a>>,
        "citations" => citations: Vec<&'a RawValue>,
    }

    /// A source.
    pub(crate) struct Citation<'a> {
        "title" => title: Str<'a>,
        "source" => source: Str<'a>,
        "sourceContent" => content: Vec<Block<'a>>,
        "location" => location: Location<'a>,
    }

    /// The place of a citation in its source.
    pub(crate) struct Location<'a> {
        "web" => web: Web<'a>,
    }

    /// A page of the web.
    pub(crate) struct Web<'a> {
        "url" => url: Str<'a>,
    }

    /// Content for a guardrail.
    pub(crate) struct Guard<'a> {
        "text" => text: GuardText<'a>,
        "image" => image: Media<'a>,
    }

    /// Text for a guardrail.
    pub(crate) struct GuardText<'a> {
        "text" => text: Str<'a>,
    }

    /// A search result that may be cited.
    pub(crate) struct SearchResult<'a> {
        "title" => title: Str<'a>,
        "content" => content: Vec<Block<'a>>,
    }

    /// Sampling parameters and limits.
    pub(crate) struct Inference<'a> {
        "maxTokens" => max_tokens: Count,
        "temperature" => temperature: Number,
        "topP" => top_p: Number,
        "stopSequences" => stop: Vec<Str<'a>>,
    }

    /// `toolConfig`: the tools, and which may or must be called.
    pub(crate) struct ToolConfig<'a> {
        "tools" => tools: Seq<Tool<'a>>,
        "toolChoice" => choice: &'a RawValue,
    }

    /// A tool: an object with one member, like a block.
    pub(crate) struct Tool<'a> {
        "toolSpec" => spec: ToolSpec<'a>,
        "cachePoint" => cache_point: CachePoint<'a>,
    }

    /// A function.
    pub(crate) struct ToolSpec<'a> {
        "name" => name: Str<'a>,
        "description" => description: Str<'a>,
        "inputSchema" => schema: InputSchema<'a>,
        "strict" => strict: bool,
    }

    /// The schema of a function's arguments.
    pub(crate) struct InputSchema<'a> {
        "json" => json: &'a RawValue,
    }

    /// The choice between tools.
    pub(crate) struct Choice<'a> {
        "auto" => auto: &'a RawValue,
        "any" => any: &'a RawValue,
        "tool" => tool: Named<'a>,
    }

    /// An object with a name.
    pub(crate) struct Named<'a> {
        "name" => name: Str<'a>,
    }

    /// Settings of the answer.
    pub(crate) struct Output<'a> {
        "textFormat" => format: &'a RawValue,
        "effort" => effort: Str<'a>,
    }

    /// The format of an answer's text.
    pub(crate) struct TextFormat<'a> {
        "type" => kind: Str<'a>,
        "structure" => structure: Structure<'a>,
    }

    /// The parts of a text format.
    pub(crate) struct Structure<'a> {
        "jsonSchema" => schema: JsonSchema<'a>,
    }

    /// A schema, as JSON text in a string.
    pub(crate) struct JsonSchema<'a> {
        "schema" => schema: Str<'a>,
        "name" => name: Str<'a>,
        "description" => description: Str<'a>,
    }

    /// Settings for thinking, in the spelling of Claude (`budget_tokens`) or of Nova (`maxReasoningEffort`).
    pub(crate) struct Thinking<'a> {
        "type" => kind: Str<'a>,
        "budget_tokens" => budget: Count,
        "display" => display: Str<'a>,
        "maxReasoningEffort" => effort: Str<'a>,
    }

    /// The service tier of a request.
    pub(crate) struct Tier<'a> {
        "type" => kind: Str<'a>,
    }

    /// A whole answer.
    pub(crate) struct Answer<'a> {
        "output" => output: AnswerOutput<'a>,
        "stopReason" => stop_reason: Str<'a>,
        "usage" => usage: Usage<'a>,
        "serviceTier" => tier: Tier<'a>,
        "message" => message: &'a RawValue,
    }

    /// The output of the model.
    pub(crate) struct AnswerOutput<'a> {
        "message" => message: Message<'a>,
    }

    /// Token counts; `inputTokens` excludes reads from the cache and writes to it.
    pub(crate) struct Usage<'a> {
        "inputTokens" => input: Count,
        "outputTokens" => output: Count,
        "totalTokens" => total: Count,
        "cacheReadInputTokens" => cache_read: Count,
        "cacheWriteInputTokens" => cache_write: Count,
        // The same counts under their names in an earlier version.
        "cacheReadInputTokenCount" => cache_read_count: Count,
        "cacheWriteInputTokenCount" => cache_write_count: Count,
    }

    /// The answer to a token count.
    pub(crate) struct Counted<'a> {
        "inputTokens" => input: Count,
    }

    /// The service's exceptions have their name in a header, and a message here.
    pub(crate) struct ErrorBody<'a> {
        "message" | "Message" => message: &'a RawValue,
        "__type" => kind: Str<'a>,
        "originalStatusCode" => original_status: Count,
        "originalMessage" => original_message: Str<'a>,
    }

    /// An object without declared members.
    pub(crate) struct Unnamed<'a> {}
}
