//! Where a provider's operations are.

use crate::compat::relayed::Relayed;

/// Paths relative to the provider's url.
#[derive(Debug, Clone, Copy)]
pub struct Paths {
    /// `chat/completions`.
    pub chat: &'static str,
    /// `embeddings`; empty if the provider lacks them.
    pub embeddings: &'static str,
    /// `completions`, the legacy ones; empty if the provider lacks them.
    pub completions: &'static str,
    /// `responses`; empty if the provider lacks them.
    pub responses: &'static str,
    /// `models`; one model is at this path followed by its name.
    pub models: &'static str,
    /// `rerank`; empty if the provider lacks it.
    pub rerank: &'static str,
    /// Images, audio and moderations that the provider takes as OpenAI does.
    pub relayed: &'static [(Relayed, &'static str)],
}

impl Paths {
    /// No operations.
    pub const NONE: Self =
        Self { chat: "", embeddings: "", completions: "", responses: "", models: "", rerank: "", relayed: &[] };
}

/// Paths that are chosen by an option of the target. The relay lane makes the same choice: an acceptance whose
/// placeholder names an unset option does not apply.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    /// The option, a text. A path or the query has a placeholder for it.
    pub option: &'static str,
    /// The query parameter that gets the option's value; empty if a path has the placeholder.
    pub query: &'static str,
    /// The paths of the operations.
    pub paths: Paths,
}
