//! The attributes of spans, and how each version of OpenTelemetry's conventions for generative AI names it. Attributes
//! of other conventions, and Weir's own, have one name.

use weir_config::Conventions;

/// An attribute of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// `chat`, `embeddings`, ...
    Operation,
    /// The provider's name in the configuration.
    Provider,
    /// The alias on a request's span, the provider's name for the model on an attempt's.
    Model,
    /// The provider's id of the answer.
    ResponseId,
    /// The model that answered, as the provider names it.
    ResponseModel,
    /// Why the answer ended, for each candidate.
    FinishReasons,
    /// Whether the answer was streamed.
    Streamed,
    /// Seconds until the first piece of a stream.
    TimeToFirstChunk,
    /// All input tokens, cached ones included.
    InputTokens,
    /// All output tokens, reasoning included.
    OutputTokens,
    /// Input tokens that came from the provider's cache.
    CacheReadTokens,
    /// Input tokens that were written to the provider's cache.
    CacheWriteTokens,
    /// Output tokens that were reasoning.
    ReasoningTokens,
    /// The kind of failure.
    ErrorType,
    /// The request's method.
    HttpMethod,
    /// The path of the endpoint, as its adapter declares it.
    HttpRoute,
    /// The answer's status.
    HttpStatus,
    /// The host of the provider's address.
    ServerAddress,
    /// The port of that address.
    ServerPort,
    /// The id of the client's format.
    Format,
    /// The request's id, as in `x-request-id`.
    RequestId,
    /// The number of attempts.
    Attempts,
    /// The attempt's number, from 1.
    Attempt,
    /// How it ended.
    Outcome,
    /// What the client sent, as JSON.
    InputMessages,
    /// What the provider answered, as JSON.
    OutputMessages,
    /// Whether the messages are not complete.
    MessagesCut,
}

/// The attributes that hold what clients and providers wrote.
pub(super) const CONTENT: [Attribute; 2] = [Attribute::InputMessages, Attribute::OutputMessages];

/// The names in the versions 1.36, 1.37 and 1.42.
type Names = [Option<&'static str>; 3];

impl Attribute {
    /// The name in a version of the conventions; `None` if that has none.
    pub const fn name(self, version: Conventions) -> Option<&'static str> {
        let [v1_36, v1_37, v1_42] = self.names();
        match version {
            Conventions::V1_36 => v1_36,
            Conventions::V1_37 => v1_37,
            Conventions::V1_42 => v1_42,
        }
    }

    const fn names(self) -> Names {
        match self {
            Self::Operation => always("gen_ai.operation.name"),
            Self::Provider => [Some("gen_ai.system"), Some("gen_ai.provider.name"), Some("gen_ai.provider.name")],
            Self::Model => always("gen_ai.request.model"),
            Self::ResponseId => always("gen_ai.response.id"),
            Self::ResponseModel => always("gen_ai.response.model"),
            Self::FinishReasons => always("gen_ai.response.finish_reasons"),
            Self::Streamed => newest("gen_ai.request.stream"),
            Self::TimeToFirstChunk => newest("gen_ai.response.time_to_first_chunk"),
            Self::InputTokens => always("gen_ai.usage.input_tokens"),
            Self::OutputTokens => always("gen_ai.usage.output_tokens"),
            Self::CacheReadTokens => newest("gen_ai.usage.cache_read.input_tokens"),
            Self::CacheWriteTokens => newest("gen_ai.usage.cache_creation.input_tokens"),
            Self::ReasoningTokens => newest("gen_ai.usage.reasoning.output_tokens"),
            Self::ErrorType => always("error.type"),
            Self::HttpMethod => always("http.request.method"),
            Self::HttpRoute => always("http.route"),
            Self::HttpStatus => always("http.response.status_code"),
            Self::ServerAddress => always("server.address"),
            Self::ServerPort => always("server.port"),
            Self::Format => always("weir.format"),
            Self::RequestId => always("weir.request_id"),
            Self::Attempts => always("weir.attempts"),
            Self::Attempt => always("weir.attempt"),
            Self::Outcome => always("weir.outcome"),
            // Version 1.36 has log events in place of these.
            Self::InputMessages => since_1_37("gen_ai.input.messages"),
            Self::OutputMessages => since_1_37("gen_ai.output.messages"),
            Self::MessagesCut => since_1_37("weir.messages_cut"),
        }
    }
}

const fn always(name: &'static str) -> Names {
    [Some(name); 3]
}

const fn since_1_37(name: &'static str) -> Names {
    [None, Some(name), Some(name)]
}

const fn newest(name: &'static str) -> Names {
    [None, None, Some(name)]
}
