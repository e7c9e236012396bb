//! Anthropic's Messages API, as a dialect of clients and as a provider.
//!
//! Source of the format: the JSON Schemas of `POST /v1/messages`, its stream events, `POST /v1/messages/count_tokens`,
//! `GET /v1/models` and the error object, and recordings of the service.

mod compaction;
mod count_tokens;
mod dialect;
mod finish;
mod generation;
mod manifest;
mod mime;
mod models;
mod names;
mod provider;
mod read;
mod signature;
mod usage;
mod wire;
mod write;

/// The format's id.
pub const FORMAT: &str = "anthropic.messages";
/// The family, which is also the issuer of its signatures.
const FAMILY: &str = "anthropic";

/// Key of the extension with a whole block, for parts that other formats only know in a simpler shape.
const BLOCK: &str = "block";
/// Key of the note on a history that ends with the model's turn, or has media in one, as its client of this format has
/// it.
const OWN_END: &str = "messages";
/// Key of the note on a client of this format that has more breakpoints for the cache than the service takes.
const OWN_BREAKPOINTS: &str = "breakpoints";
/// Prefix of the keys of extensions with further members of `cache_control`.
pub const CACHE: &str = "cache_control.";
/// Key of the note on thinking that has no signature: services of this format with models of their own do not sign it.
const UNSIGNED: &str = "unsigned";
/// Key of the mark on a file id of this family's file store.
const OWN_FILE: &str = "file";
/// Key of the note on a function whose client names its type, which is that of every tool without one.
const TYPED: &str = "type";
/// The request member with the servers of tools. It is kept among the tools, since it must not be dropped.
const MCP_SERVERS: &str = "mcp_servers";
/// Key of the extension with the request header of beta features.
pub const BETA: &str = "anthropic-beta";
/// The key of the system's text for the service's own accounts, whose value is its block.
const ACCOUNT: &str = "system";

/// The adapter.
#[derive(Debug)]
pub struct Anthropic;

#[cfg(feature = "component")]
weir_sdk::export!(Anthropic:
    about, provider_errors, provider_chat, dialect_chat, provider_models, dialect_models, provider_count_tokens,
    dialect_count_tokens,
);

#[cfg(test)]
mod tests;
