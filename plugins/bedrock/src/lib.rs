//! Amazon Bedrock: its Converse API, both as a dialect that clients speak and as a provider; counts of tokens; and
//! embeddings through `InvokeModel`, whose own bodies are otherwise relayed as they are.
//!
//! Source of the format: the public service model of the Bedrock runtime (version 2023-09-30), its user guide, and
//! recordings of the service.

mod count_tokens;
mod dialect;
mod embeddings;
mod finish;
mod manifest;
mod mime;
mod model;
mod names;
mod path;
mod provider;
mod read;
mod signature;
mod usage;
mod wire;
mod write;

/// The format's id.
const FORMAT: &str = "bedrock.converse";
/// The format of `InvokeModel`, which is a different one for each model.
const INVOKE: &str = "bedrock.invoke";
/// The family, which is also the issuer of signatures that no other service takes.
const FAMILY: &str = "bedrock";

/// The adapter.
#[derive(Debug)]
pub struct Bedrock;

weir_sdk::export!(Bedrock:
    about, provider_errors, provider_chat, dialect_chat, provider_embeddings, provider_count_tokens,
    dialect_count_tokens,
);

#[cfg(test)]
mod tests;
