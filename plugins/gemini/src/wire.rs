//! The format's shapes on the wire, borrowed from the body, in either spelling. Source: the message definitions of
//! `google.ai.generativelanguage.v1beta`.
//!
//! Members are optional even if the format requires them: a missing one is reported where it is needed.

mod loose;
mod note;

pub(crate) use loose::{Many, System, Word};
pub(crate) use note::{camel, extensions, is_noted, note, own};
use weir_sdk::json::{Count, Number, RawValue, Str};
use weir_sdk::wire;

wire! {
    /// The body of `:generateContent` and `:streamGenerateContent`.
    pub(crate) struct Request<'a> {
        "model" => model: Str<'a>,
        "contents" => contents: Many<Content<'a>>,
        "systemInstruction" | "system_instruction" => system: System<'a>,
        "tools" => tools: Many<Unnamed<'a>>,
        "toolConfig" | "tool_config" => tool_config: ToolConfig<'a>,
        "generationConfig" | "generation_config" => config: GenerationConfig<'a>,
        "serviceTier" | "service_tier" => service_tier: Str<'a>,
    }

    /// A turn of the conversation.
    pub(crate) struct Content<'a> {
        "role" => role: Str<'a>,
        "parts" => parts: Many<Part<'a>>,
    }

    /// A piece of a turn, whose type is given by one of its members.
    pub(crate) struct Part<'a> {
        "text" => text: Str<'a>,
        "thought" => thought: bool,
        "thoughtSignature" | "thought_signature" => signature: Str<'a>,
        "inlineData" | "inline_data" => inline_data: InlineData<'a>,
        "fileData" | "file_data" => file_data: FileData<'a>,
        "functionCall" | "function_call" => call: FunctionCall<'a>,
        "functionResponse" | "function_response" => response: FunctionResponse<'a>,
    }

    /// Bytes in base64.
    pub(crate) struct InlineData<'a> {
        "mimeType" | "mime_type" => mime: Str<'a>,
        "data" => data: Str<'a>,
        "displayName" | "display_name" => name: Str<'a>,
    }

    /// An address.
    pub(crate) struct FileData<'a> {
        "mimeType" | "mime_type" => mime: Str<'a>,
        "fileUri" | "file_uri" => uri: Str<'a>,
        "displayName" | "display_name" => name: Str<'a>,
    }

    /// The resolution at which a medium is read. Source: the cloud's discovery document.
    pub(crate) struct Resolution<'a> {
        "level" => level: Word<'a>,
    }

    /// A call for the client to carry out.
    pub(crate) struct FunctionCall<'a> {
        "id" => id: Str<'a>,
        "name" => name: Str<'a>,
        "args" => args: &'a RawValue,
        "partialArgs" | "partial_args" => partial_args: Vec<PartialArg<'a>>,
        "willContinue" | "will_continue" => will_continue: bool,
    }

    /// A piece of a call's arguments.
    pub(crate) struct PartialArg<'a> {
        "jsonPath" | "json_path" => path: Str<'a>,
        "stringValue" | "string_value" => string: Str<'a>,
        "numberValue" | "number_value" => number: &'a RawValue,
        "boolValue" | "bool_value" => bool: bool,
        "willContinue" | "will_continue" => continues: bool,
    }

    /// The result of a call.
    pub(crate) struct FunctionResponse<'a> {
        "id" => id: Str<'a>,
        "name" => name: Str<'a>,
        "response" => response: &'a RawValue,
        "parts" => parts: Many<Part<'a>>,
    }

    /// A function that may be called.
    pub(crate) struct FunctionDeclaration<'a> {
        "name" => name: Str<'a>,
        "description" => description: Str<'a>,
        "parameters" => parameters: &'a RawValue,
        "parametersJsonSchema" | "parameters_json_schema" => json_schema: &'a RawValue,
    }

    /// Settings for tools.
    pub(crate) struct ToolConfig<'a> {
        "functionCallingConfig" | "function_calling_config" => calling: CallingConfig<'a>,
    }

    /// Settings for calls of functions.
    pub(crate) struct CallingConfig<'a> {
        "mode" => mode: Word<'a>,
        "allowedFunctionNames" | "allowed_function_names" => allowed: Vec<Str<'a>>,
    }

    /// Settings of the answer.
    pub(crate) struct GenerationConfig<'a> {
        "candidateCount" | "candidate_count" => candidates: Count,
        "stopSequences" | "stop_sequences" => stop: Vec<Str<'a>>,
        "maxOutputTokens" | "max_output_tokens" => max_tokens: Count,
        "temperature" => temperature: Number,
        "topP" | "top_p" => top_p: Number,
        "topK" | "top_k" => top_k: Count,
        "seed" => seed: &'a RawValue,
        "presencePenalty" | "presence_penalty" => presence_penalty: Number,
        "frequencyPenalty" | "frequency_penalty" => frequency_penalty: Number,
        "responseLogprobs" | "response_logprobs" => logprobs: bool,
        "logprobs" => top_logprobs: Count,
        "responseMimeType" | "response_mime_type" => mime: Str<'a>,
        "responseSchema" | "response_schema" => schema: &'a RawValue,
        "responseJsonSchema" | "response_json_schema" | "responseJsonSchemaOrdered" | "response_json_schema_ordered" =>
            json_schema: &'a RawValue,
        "responseFormat" | "response_format" => format: &'a RawValue,
        "responseModalities" | "response_modalities" => modalities: &'a RawValue,
        "thinkingConfig" | "thinking_config" => thinking: ThinkingConfig<'a>,
    }

    /// The format of one kind of content of the answer.
    pub(crate) struct ResponseFormat<'a> {
        "text" => text: TextFormat<'a>,
    }

    /// The format of the answer's text. Source: the cloud's discovery document.
    pub(crate) struct TextFormat<'a> {
        "mimeType" | "mime_type" => mime: Str<'a>,
        "schema" => schema: &'a RawValue,
    }

    /// Settings for thinking.
    pub(crate) struct ThinkingConfig<'a> {
        "includeThoughts" | "include_thoughts" => include: bool,
        "thinkingBudget" | "thinking_budget" => budget: Number,
        "thinkingLevel" | "thinking_level" => level: Str<'a>,
    }

    /// An answer, or a piece of one.
    pub(crate) struct Answer<'a> {
        "candidates" => candidates: Vec<Candidate<'a>>,
        "promptFeedback" | "prompt_feedback" => feedback: &'a RawValue,
        "usageMetadata" | "usage_metadata" => usage: Usage<'a>,
        "modelVersion" | "model_version" => model: Str<'a>,
        "responseId" | "response_id" => id: Str<'a>,
        "error" => error: &'a RawValue,
    }

    /// One candidate of an answer.
    pub(crate) struct Candidate<'a> {
        "index" => index: Count,
        "content" => content: Content<'a>,
        "finishReason" | "finish_reason" => finish: Word<'a>,
        "logprobsResult" | "logprobs_result" => logprobs: &'a RawValue,
        "groundingMetadata" | "grounding_metadata" => grounding: &'a RawValue,
    }

    /// The reason why a prompt was refused.
    pub(crate) struct Feedback<'a> {
        "blockReason" | "block_reason" => reason: Word<'a>,
        "blockReasonMessage" | "block_reason_message" => message: Str<'a>,
    }

    /// Token counts; `promptTokenCount` includes cached tokens, `candidatesTokenCount` excludes thoughts.
    pub(crate) struct Usage<'a> {
        "promptTokenCount" | "prompt_token_count" => prompt: Count,
        "cachedContentTokenCount" | "cached_content_token_count" => cached: Count,
        "candidatesTokenCount" | "candidates_token_count" => candidates: Count,
        "toolUsePromptTokenCount" | "tool_use_prompt_token_count" => tool_use: Count,
        "thoughtsTokenCount" | "thoughts_token_count" => thoughts: Count,
        "totalTokenCount" | "total_token_count" => total: Count,
        "serviceTier" | "service_tier" => tier: Str<'a>,
    }

    /// Tokens of one kind of content.
    pub(crate) struct Modality<'a> {
        "modality" => kind: Word<'a>,
        "tokenCount" | "token_count" => count: Count,
    }

    /// The sources of an answer's text.
    pub(crate) struct Grounding<'a> {
        "groundingChunks" | "grounding_chunks" => chunks: Vec<Chunk<'a>>,
        "groundingSupports" | "grounding_supports" => supports: Vec<&'a RawValue>,
        "webSearchQueries" | "web_search_queries" => queries: Vec<&'a RawValue>,
    }

    /// A source, of one of several kinds.
    pub(crate) struct Chunk<'a> {
        "web" => web: Source<'a>,
        "retrievedContext" | "retrieved_context" => context: Source<'a>,
        "maps" => maps: Source<'a>,
    }

    /// An address with a title.
    pub(crate) struct Source<'a> {
        "uri" => uri: Str<'a>,
        "title" => title: Str<'a>,
    }

    /// A range of the answer and the indices of its sources.
    pub(crate) struct Support<'a> {
        "segment" => segment: Segment<'a>,
        "groundingChunkIndices" | "grounding_chunk_indices" => chunks: Vec<Count>,
    }

    /// Cited sources of an answer, in either service's name for their list.
    pub(crate) struct Cited<'a> {
        "citationSources" | "citation_sources" | "citations" => sources: Vec<&'a RawValue>,
    }

    /// A cited source and the range that it is cited for.
    pub(crate) struct CitedSource<'a> {
        "startIndex" | "start_index" => start: Count,
        "endIndex" | "end_index" => end: Count,
        "uri" => uri: Str<'a>,
        "title" => title: Str<'a>,
    }

    /// A range of a part's text: offsets are in bytes of UTF-8.
    pub(crate) struct Segment<'a> {
        "partIndex" | "part_index" => part: Count,
        "startIndex" | "start_index" => start: Count,
        "endIndex" | "end_index" => end: Count,
        "text" => text: Str<'a>,
    }

    /// Log probabilities.
    pub(crate) struct Logprobs<'a> {
        "chosenCandidates" | "chosen_candidates" => chosen: Vec<Token<'a>>,
        "topCandidates" | "top_candidates" => top: Vec<TopTokens<'a>>,
        "logProbabilitySum" | "log_probability_sum" => sum: &'a RawValue,
    }

    /// The likeliest tokens at one position.
    pub(crate) struct TopTokens<'a> {
        "candidates" => candidates: Vec<Token<'a>>,
    }

    /// A candidate of `logprobsResult`, with its log probability.
    pub(crate) struct Token<'a> {
        "token" => text: Str<'a>,
        "tokenId" | "token_id" => id: &'a RawValue,
        "logProbability" | "log_probability" => logprob: &'a RawValue,
    }

    /// Google's `Status`, in the member `error`.
    pub(crate) struct ErrorBody<'a> {
        "error" => error: &'a RawValue,
    }

    /// The error itself.
    pub(crate) struct Failure<'a> {
        "code" => code: &'a RawValue,
        "message" => message: Str<'a>,
        "status" => status: Str<'a>,
        "details" => details: Vec<Detail<'a>>,
    }

    /// Details of an error, of any type.
    pub(crate) struct Detail<'a> {
        "reason" => reason: Str<'a>,
        "retryDelay" => retry_delay: Str<'a>,
        "violations" => violations: Vec<Violation<'a>>,
    }

    /// A quota that is used up.
    pub(crate) struct Violation<'a> {
        "quotaId" => quota: Str<'a>,
        "quotaValue" => value: Str<'a>,
    }

    /// The body of `:countTokens`.
    pub(crate) struct CountRequest<'a> {
        "generateContentRequest" | "generate_content_request" => request: Request<'a>,
    }

    /// The answer of `:countTokens`.
    pub(crate) struct Counted<'a> {
        "totalTokens" | "total_tokens" => total: Count,
        "cachedContentTokenCount" | "cached_content_token_count" => cached: Count,
    }

    /// The body of `:batchEmbedContents`.
    pub(crate) struct BatchEmbed<'a> {
        "requests" => requests: Vec<Embed<'a>>,
    }

    /// The body of `:embedContent`, or one of a batch.
    pub(crate) struct Embed<'a> {
        "model" => model: Str<'a>,
        "content" => content: &'a RawValue,
        "taskType" | "task_type" => task: Word<'a>,
        "title" => title: Str<'a>,
        "outputDimensionality" | "output_dimensionality" => dimensions: Count,
    }

    /// The answer of `:embedContent` or `:batchEmbedContents`.
    pub(crate) struct Embedded<'a> {
        "embedding" => embedding: Values<'a>,
        "embeddings" => embeddings: Vec<Values<'a>>,
        "usageMetadata" | "usage_metadata" => usage: Usage<'a>,
    }

    /// A vector.
    pub(crate) struct Values<'a> {
        "values" => values: Vec<Number>,
    }

    /// A page of `GET models`.
    pub(crate) struct ModelList<'a> {
        "models" => models: Vec<Model<'a>>,
        "nextPageToken" | "next_page_token" => next: Str<'a>,
    }

    /// An entry of the list of models.
    pub(crate) struct Model<'a> {
        "name" => name: Str<'a>,
        "displayName" | "display_name" => display_name: Str<'a>,
        "inputTokenLimit" | "input_token_limit" => input_limit: Count,
        "outputTokenLimit" | "output_token_limit" => output_limit: Count,
    }

    /// An object without declared members.
    pub(crate) struct Unnamed<'a> {}
}
