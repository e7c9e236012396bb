//! Cohere's API, as dialects of clients and as a provider: chat, embeddings, reranking, models.
//!
//! Source of the formats: the public reference of `POST /v2/chat`, `/v2/embed`, `/v2/rerank`, `/v1/embed`,
//! `/v1/rerank`, `/v1/tokenize` and `GET /v1/models`, its JSON Schemas, and recordings of the service.

mod citation;
mod count_tokens;
mod dialect;
mod embeddings;
mod error;
mod finish;
mod generation;
mod legacy;
mod logprobs;
mod manifest;
mod models;
mod provider;
mod read;
mod rerank;
mod usage;
mod wire;
mod write;

/// The chat format's id; lists of models use it too.
const FORMAT: &str = "cohere.chat";
/// The family.
const FAMILY: &str = "cohere";

/// Key of the mark on a document that was beside the messages, and of the mark on a request that had none.
const DOCUMENTS: &str = "documents";
/// Key of the mark on a request whose answer's format came in this format and is not checked.
const OUTPUT: &str = "response_format";
/// Key of the mark on a request that disables `k` with the value 0.
const NO_K: &str = "k";
/// Key of the mark on thinking that is a plan for calling tools.
const PLAN: &str = "tool_plan";
/// Key of the mark on thinking in the content.
const THINKING: &str = "thinking";
/// Key of the extension with citations of other things than text.
const CITATIONS: &str = "citations";

/// The adapter.
#[derive(Debug)]
pub struct Cohere;

weir_sdk::export!(Cohere:
    about, provider_errors, provider_chat, dialect_chat, provider_embeddings, dialect_embeddings, provider_rerank,
    dialect_rerank, provider_models, dialect_models, provider_count_tokens,
);

#[cfg(test)]
mod tests;
