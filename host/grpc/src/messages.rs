//! The messages of `weir.v1`, as `proto/weir/v1/inference.proto` declares and describes them.

use prost::Message;

use crate::types::{
    ChatEvent, ChatRequest, ChatResponse, EmbeddingsRequest, EmbeddingsResponse, Loss, ModelInfo, TokenCount, Usage,
};

/// A request for an answer.
#[derive(Clone, PartialEq, Message)]
pub struct GenerateRequest {
    /// What is asked for.
    #[prost(message, optional, tag = "1")]
    pub chat: Option<ChatRequest>,
}

/// A message of an answer.
#[derive(Clone, PartialEq, Message)]
pub struct GenerateEvent {
    /// What it is.
    #[prost(oneof = "generate_event::Kind", tags = "1, 2, 3")]
    pub kind: Option<generate_event::Kind>,
}

/// What a [`GenerateEvent`] is.
pub mod generate_event {
    use super::{ChatEvent, ChatResponse, Summary};

    /// One of its kinds.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Kind {
        /// What happens in a streamed answer.
        #[prost(message, tag = "1")]
        Event(ChatEvent),
        /// A whole answer.
        #[prost(message, tag = "2")]
        Response(ChatResponse),
        /// The end.
        #[prost(message, tag = "3")]
        Summary(Summary),
    }
}

/// A request for vectors.
#[derive(Clone, PartialEq, Message)]
pub struct EmbedRequest {
    /// What is asked for.
    #[prost(message, optional, tag = "1")]
    pub embeddings: Option<EmbeddingsRequest>,
}

/// Vectors.
#[derive(Clone, PartialEq, Message)]
pub struct EmbedResponse {
    /// The vectors.
    #[prost(message, optional, tag = "1")]
    pub embeddings: Option<EmbeddingsResponse>,
    /// What is known of the answer.
    #[prost(message, optional, tag = "2")]
    pub summary: Option<Summary>,
}

/// A request for an order of documents.
#[derive(Clone, PartialEq, Message)]
pub struct RerankRequest {
    /// What is asked for.
    #[prost(message, optional, tag = "1")]
    pub rerank: Option<crate::types::RerankRequest>,
}

/// An order of documents.
#[derive(Clone, PartialEq, Message)]
pub struct RerankResponse {
    /// The order.
    #[prost(message, optional, tag = "1")]
    pub rerank: Option<crate::types::RerankResponse>,
    /// What is known of the answer.
    #[prost(message, optional, tag = "2")]
    pub summary: Option<Summary>,
}

/// A request for a count of tokens.
#[derive(Clone, PartialEq, Message)]
pub struct CountTokensRequest {
    /// The request whose tokens are counted.
    #[prost(message, optional, tag = "1")]
    pub chat: Option<ChatRequest>,
}

/// A count of tokens.
#[derive(Clone, PartialEq, Message)]
pub struct CountTokensResponse {
    /// The count.
    #[prost(message, optional, tag = "1")]
    pub count: Option<TokenCount>,
    /// Whether the gateway estimated it.
    #[prost(bool, tag = "2")]
    pub is_estimate: bool,
    /// What is known of the answer.
    #[prost(message, optional, tag = "3")]
    pub summary: Option<Summary>,
}

/// A request for the list of models.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct ListModelsRequest {}

/// The list of models.
#[derive(Clone, PartialEq, Message)]
pub struct ListModelsResponse {
    /// The models.
    #[prost(message, repeated, tag = "1")]
    pub models: Vec<ModelInfo>,
}

/// What is known of an answer at its end.
#[derive(Clone, PartialEq, Message)]
pub struct Summary {
    /// The tokens, as far as the provider reported them.
    #[prost(message, optional, tag = "1")]
    pub usage: Option<Usage>,
    /// The cost in US dollars, if it is known.
    #[prost(string, optional, tag = "2")]
    pub cost_usd: Option<String>,
    /// The fields that got lost.
    #[prost(message, repeated, tag = "3")]
    pub losses: Vec<Loss>,
    /// The target that answered, as `provider/model`.
    #[prost(string, tag = "4")]
    pub target: String,
    /// The number of requests to providers.
    #[prost(uint32, tag = "5")]
    pub attempts: u32,
    /// The request's id.
    #[prost(string, tag = "6")]
    pub request_id: String,
}
