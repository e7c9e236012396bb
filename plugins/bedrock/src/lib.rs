//! Amazon Bedrock: its Converse API, as a dialect of clients and as a provider; token counts; and embeddings through
//! `InvokeModel`, whose bodies are otherwise relayed unchanged.
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
/// The format of `InvokeModel`, which differs for each model.
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
