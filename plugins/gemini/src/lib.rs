//! Google's Gemini API (`generateContent`), as a dialect of clients and as a provider.
//!
//! Source of the format: the message definitions of the service's `v1beta`, and recordings of it. Every member may be
//! spelled in camelCase or in `snake_case` (C-87); it is written in camelCase.

mod count_tokens;
mod dialect;
mod embeddings;
mod finish;
mod generation;
mod grounding;
mod logprobs;
mod manifest;
mod mime;
mod models;
mod names;
mod path;
mod provider;
mod read;
mod resolution;
mod schema;
mod signature;
mod usage;
pub mod user_project;
mod wire;
mod write;

/// The format's id; extensions of every operation have it.
pub const FORMAT: &str = "gemini.generate";
/// The format of `embedContent`.
const EMBED: &str = "gemini.embed";
/// The format of `batchEmbedContents`.
const BATCH_EMBED: &str = "gemini.batch-embed";
/// The family, which is also the issuer of its signatures.
const FAMILY: &str = "gemini";

/// Keys and words for an adapter that builds upon this one.
pub use embeddings::{EACH as EMBED_EACH, task as task_type};
pub use mime::taken as media_type;
pub use read::NO_ID;

/// The adapter.
#[derive(Debug)]
pub struct Gemini;

#[cfg(feature = "component")]
weir_sdk::export!(Gemini:
    about, provider_errors, provider_chat, dialect_chat, provider_embeddings, dialect_embeddings, provider_models,
    dialect_models, provider_count_tokens, dialect_count_tokens,
);

#[cfg(test)]
mod tests;
