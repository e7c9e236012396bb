//! Ollama's own API (`/api/chat`, `/api/generate`, `/api/embed`, …), as a dialect of clients and as a provider.
//!
//! Source of the format: the server's public API documentation and its `OpenAPI` description. Streams are NDJSON, and a
//! request without a `stream` member is streamed. There are two formats for answers: `ollama.chat` takes messages,
//! `ollama.generate` a prompt. Their shared code is in `body` and `options`.

mod body;
mod dialect;
mod embeddings;
mod finish;
mod manifest;
mod models;
mod options;
mod provider;
mod think;
mod tools;
mod usage;
mod wire;

use weir_sdk::types::Extension;

/// The format of `/api/chat`.
const CHAT: &str = "ollama.chat";
/// The format of `/api/generate`.
const GENERATE: &str = "ollama.generate";
/// The format of `/api/embed`.
const EMBED: &str = "ollama.embed";
/// The format of `/api/embeddings`, the predecessor of `/api/embed`.
const EMBEDDINGS: &str = "ollama.embeddings";
/// The format of the lists of models.
const MODELS: &str = "ollama.models";
/// The family, whose formats share their extensions.
const FAMILY: &str = "ollama";

/// The adapter.
#[derive(Debug)]
pub struct Ollama;

weir_sdk::export!(Ollama:
    about, provider_errors, provider_chat, dialect_chat, provider_embeddings, dialect_embeddings, provider_models,
    dialect_models,
);

/// Whether an extension belongs to one of the formats of this family.
fn is_own(extension: &Extension) -> bool {
    extension.format.strip_prefix(FAMILY).is_some_and(|rest| rest.starts_with('.'))
}

/// A member that the unified model does not have.
fn own(format: &str, key: &str, json: &str) -> Extension {
    Extension { format: format.to_owned(), key: key.to_owned(), json: json.to_owned() }
}

/// Whether this family left a note of that name: an extension without a value.
fn is_noted(extensions: &[Extension], key: &str) -> bool {
    extensions.iter().any(|extension| is_own(extension) && extension.key == key && extension.json == "null")
}

#[cfg(test)]
mod tests;
